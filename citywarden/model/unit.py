"""The units that work off cases, by name: one name, maybe `中文 / English`."""

from collections.abc import Iterable


def proper(name: str, known: Iterable[str]) -> str:
    """The whole name of a unit that is called by one of its halves; what is not known is a unit of that name."""
    name = name.strip()
    if not name:
        return ""
    for unit in known:
        if name == unit or (unit.count(" / ") == 1 and name.casefold() in map(str.casefold, unit.split(" / "))):
            return unit
    return name
