"""The ways to the pages, in the order of the menu."""

from collections.abc import Sequence
from dataclasses import dataclass

from citywarden.model.identity import Identity, Role


@dataclass(frozen=True, slots=True)
class Way:
    """A page of the menu: its path, the word for it, and what somebody must be to go there."""

    path: str
    key: str
    needs: Role = Role.VIEWER


WAYS: Sequence[Way] = (
    Way("/", "wall"),
    Way("/alerts", "inbox"),
    Way("/cases", "cases"),
    Way("/supervision", "supervision"),
    Way("/devices", "devices"),
    Way("/silences", "silences"),
    Way("/deliveries", "deliveries"),
    Way("/measures", "measures"),
    Way("/rules", "rules"),
)


def ways_of(who: Identity) -> list[list[str]]:
    """[path, key] of the pages somebody may see."""
    return [[way.path, way.key] for way in WAYS if who.may(way.needs)]
