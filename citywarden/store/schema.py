"""Names and types every store shares, derived from the kinds: measurement = kind, tags, one column a quantity."""

from citywarden.model.errors import CitywardenError
from citywarden.model.kind import Form, Kind, Kinds, Quantity
from citywarden.store.contract import Fold

TAGS = ("tenant", "device", "district")
"""Tags of a device measurement, in this order."""

RECORDS = ("alert", "work", "case", "device", "audit")
"""What people settle accounts by, and where things stand: kept for years, however long readings are."""

MEASUREMENTS = (*RECORDS, "ingest")
"""Measurements that are no device kind; they are written as points."""


class UnknownName(CitywardenError):
    """A caller asked a store for a kind, field or tag that its schema does not have."""


def kind_of(kinds: Kinds, name: str) -> Kind:
    """The kind called `name`. Raises UnknownName."""
    try:
        return kinds[name]
    except KeyError:
        raise UnknownName(f"no kind {name!r}, expected one of: {', '.join(kinds)}") from None


def measured(kind: Kind, field: str, fold: Fold) -> Quantity:
    """The quantity to fold. Raises UnknownName for a field the kind lacks, or a text that cannot be a number."""
    quantity = kind.quantity(field)
    if quantity is None:
        raise UnknownName(f"kind {kind.name!r} has no field {field!r}")
    if quantity.form is Form.TEXT and fold is not Fold.COUNT:
        raise UnknownName(f"field {field!r} is text: it can be counted, but has no {fold.value}")
    return quantity


def tag_of(name: str) -> str:
    """A tag to group by; "" is one group for all. Raises UnknownName."""
    if name and name not in TAGS:
        raise UnknownName(f"no tag {name!r}, expected one of: {', '.join(TAGS)}")
    return name
