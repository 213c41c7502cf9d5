"""The record of something that was done to many at once."""

from collections.abc import Sequence

from citywarden.model.identity import Identity
from dashboards.sources import Audit

PER_ENTRY = 100
"""Ids that one entry of the record names."""


async def record_all(audit: Audit, who: Identity, action: str, ids: Sequence[str], detail: str = "") -> None:
    """Note what was done to each of `ids`, many ids to an entry, all entries or none; nothing for none."""
    subjects = [" ".join(ids[first : first + PER_ENTRY]) for first in range(0, len(ids), PER_ENTRY)]
    if subjects:
        await audit.note_all(who, action, subjects, detail)
