"""An audit that remembers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from citywarden.model.errors import CitywardenError
from citywarden.model.identity import Identity, Intent


class Record:
    """Who did what to what, of what was done and of what was broken off."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str]] = []

    @asynccontextmanager
    async def doing(
        self, who: Identity, action: str, subjects: Sequence[str], detail: str = ""
    ) -> AsyncIterator[Intent]:  # fmt: skip
        intent = Intent(action, [*subjects], detail)
        try:
            yield intent
        except CitywardenError:
            intent.subjects = []
            raise
        finally:
            self.notes += [(who.name, intent.action, subject) for subject in intent.subjects]
