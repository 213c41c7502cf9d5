"""Which store a URL means, and how it is made ready."""

from collections.abc import Sequence
from functools import partial

from citywarden.model.kind import Kinds
from citywarden.sections import Settings
from citywarden.serve.folder import held
from citywarden.serve.readiness import Readiness
from citywarden.store.contract import Store
from citywarden.store.influx import InfluxStore, Keep, examine, fill, fillings, set_up, tend

EMBEDDED = "embedded"


async def open_store(settings: Settings, kinds: Kinds) -> Store:
    """The configured store. InfluxDB is asked nothing yet, so it may be away: data waits in the log.

    Raises ConfigurationError for a bad URL, Unavailable when the embedded store belongs to another process.
    """
    wanted = settings.store
    if wanted.url == EMBEDDED:
        from citywarden.store.embedded import EmbeddedStore  # DuckDB takes 10 MB; a server with InfluxDB saves them

        return await EmbeddedStore.open(settings.store_path, kinds, memory_limit_mb=settings.limits.memory_mb)
    return await InfluxStore.open(wanted.url, token_of(settings), kinds, compress=wanted.compress)


def readiness_of(settings: Settings, kinds: Kinds) -> Readiness | None:
    """What makes InfluxDB ready while the server runs; None: the embedded store needs nothing."""
    url, token = settings.store.url, token_of(settings)
    if url == EMBEDDED:
        return None
    return Readiness(partial(tend, url, token, kinds, keep_of(settings)), partial(fill, url, token, kinds))


async def set_up_store(settings: Settings, kinds: Kinds) -> Sequence[str]:
    """Make what is missing in InfluxDB (buckets, retention, down-sampling); returns what was done. Idempotent.

    Folding what there was is left to the server that runs on the same data folder, where one does.
    """
    url, token = settings.store.url, token_of(settings)
    if url == EMBEDDED:
        return ()
    make = tend if held(settings.data) else set_up
    return await make(url, token, kinds, keep_of(settings))


async def folds_to_make(settings: Settings) -> str:
    """What is still to be folded of old readings, in words; "" for nothing."""
    if settings.store.url == EMBEDDED:
        return ""
    left = sum(one.pieces for one in await fillings(settings.store.url, token_of(settings)))
    return f"old readings are still to be folded, {left} pieces: the running server or --fix does it" if left else ""


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
