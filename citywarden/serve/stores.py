"""Which store a URL means."""

from citywarden.model.errors import ConfigurationError, Problem
from citywarden.model.kind import Kinds
from citywarden.settings import Settings
from citywarden.store.contract import Store
from citywarden.store.embedded import EmbeddedStore


async def open_store(settings: Settings, kinds: Kinds) -> Store:
    """The configured store, ready for use. Raises ConfigurationError or Unavailable."""
    if settings.store.url == "embedded":
        return await EmbeddedStore.open(
            settings.store_path, kinds, memory_limit_mb=settings.limits.memory_mb
        )  # fmt: skip
    raise ConfigurationError([Problem("configuration", None, "store.url", "InfluxDB is not available in this version")])
