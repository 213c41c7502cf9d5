"""Which store a URL means, and how it is made ready."""

import logging
from collections.abc import Sequence

from citywarden.model.errors import Unavailable
from citywarden.model.kind import Kinds
from citywarden.sections import Settings
from citywarden.store.contract import Store
from citywarden.store.embedded import EmbeddedStore
from citywarden.store.influx import InfluxStore, Keep, examine, set_up

EMBEDDED = "embedded"

_log = logging.getLogger(__name__)


async def open_store(settings: Settings, kinds: Kinds) -> Store:
    """The configured store. An InfluxDB that is away does not keep the server from starting: data waits in the log.

    Raises ConfigurationError for a bad URL, Unavailable when the embedded store belongs to another process.
    """
    wanted = settings.store
    if wanted.url == EMBEDDED:
        return await EmbeddedStore.open(settings.store_path, kinds, memory_limit_mb=settings.limits.memory_mb)
    store = await InfluxStore.open(wanted.url, token_of(settings), kinds, compress=wanted.compress)
    try:
        for line in await set_up_store(settings, kinds):
            _log.warning("InfluxDB: %s", line)
    except Unavailable as error:
        _log.warning("InfluxDB is not ready: %s", error)
    return store


async def set_up_store(settings: Settings, kinds: Kinds) -> Sequence[str]:
    """Make what is missing in InfluxDB (buckets, retention, down-sampling); returns what was done. Idempotent."""
    if settings.store.url == EMBEDDED:
        return ()
    return await set_up(settings.store.url, token_of(settings), kinds, keep_of(settings))


async def examine_store(settings: Settings, kinds: Kinds) -> Sequence[str]:
    """What `set_up_store` would do."""
    if settings.store.url == EMBEDDED:
        return ()
    return await examine(settings.store.url, token_of(settings), kinds, keep_of(settings))


def token_of(settings: Settings) -> str:
    """The configured token, or nothing."""
    return settings.store.token.get_secret_value() if settings.store.token else ""


def keep_of(settings: Settings) -> Keep:
    """How long InfluxDB keeps what."""
    wanted = settings.store
    return Keep(wanted.raw_days, wanted.minute_days, wanted.hour_days, wanted.record_days)
