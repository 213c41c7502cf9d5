"""What the commands do: ask the running server, or take the folder and do it here."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from citywarden.model.errors import Occupied
from citywarden.sections import Settings
from citywarden.serve.backup.asking import ask
from citywarden.serve.backup.contents import Manifest
from citywarden.serve.backup.taking import Parts, check_target, take
from citywarden.serve.folder import claimed
from citywarden.serve.tables import database_file, open_database
from citywarden.store.embedded import EmbeddedStore
from ingest.kinds import all_kinds


def backup(settings: Settings, target: Path, clock_ms: Callable[[], int]) -> Manifest:
    """Write a backup, by the running server where there is one. Raises CitywardenError."""
    check_target(target)
    try:
        with claimed(settings.data):
            return asyncio.run(_here(settings, target, clock_ms))
    except Occupied:
        return ask(settings.data, target)


async def _here(settings: Settings, target: Path, clock_ms: Callable[[], int]) -> Manifest:
    engine = open_database(settings.database_url)
    store = None
    try:
        if settings.store.url == "embedded" and settings.store_path.exists():
            store = await EmbeddedStore.open(settings.store_path, all_kinds())
        parts = Parts(
            settings.data, engine, settings.log_path, database_file(settings), store.copy_to if store else None
        )  # fmt: skip
        return await take(parts, target, clock_ms(), asyncio.Lock())
    finally:
        if store is not None:
            await store.close()
        engine.dispose()
