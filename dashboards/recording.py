"""How the record names what was done to many at once."""

from collections.abc import Sequence

PER_ENTRY = 100
"""Ids that one entry of the record names."""


def together(ids: Sequence[str]) -> list[str]:
    """The subjects of entries about `ids`, many ids to an entry; none for none."""
    return [" ".join(ids[first : first + PER_ENTRY]) for first in range(0, len(ids), PER_ENTRY)]
