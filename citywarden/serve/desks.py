"""The registry and the dead letters as the pages read them."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from citywarden.model.device import Device, DeviceKey
from citywarden.model.message import DeadLetter
from citywarden.model.page import Page
from ingest.deadletters import DeadLetters
from ingest.registry import Registry


class DeviceDesk:
    """Pages of the registry, ordered by key; the cursor is the last key of the page before."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def find(self, kind: str | None, tenant: str | None, limit: int, cursor: str | None) -> Page[Device]:
        """Devices of a kind and tenant (None: any)."""
        after = tuple(cursor.split("/")) if cursor else ("",)
        found = sorted(
            (
                d
                for d in self._registry.all()
                if kind in (None, d.kind) and tenant in (None, d.tenant) and d.key > after
            ),
            key=lambda d: d.key,
        )
        page: Sequence[Device] = found[:limit]
        return Page(page, "/".join(page[-1].key) if len(found) > limit else None)

    async def get(self, key: DeviceKey) -> Device:
        """Raises NotFound."""
        return self._registry.get(key)

    async def count(self, tenant: str | None) -> Mapping[str, int]:
        """How many are in use (not disabled), by kind."""
        return Counter(d.kind for d in self._registry.all() if d.enabled and tenant in (None, d.tenant))


class LetterDesk:
    """Pages of the dead letters, newest first; the cursor is the id of the last one of the page before."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    async def find(self, reason: str | None, limit: int, cursor: str | None) -> Page[DeadLetter]:
        """Letters of a reason (None: any) that wait."""
        before = int(cursor) if cursor and cursor.isdigit() else None
        found = await asyncio.to_thread(self._letters.find, reason, limit + 1, before)
        page = found[:limit]
        return Page([letter for _, letter in page], str(page[-1][0]) if len(found) > limit else None)
