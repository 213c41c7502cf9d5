"""A kind of device is a table: its quantities with units, ranges and labels, and one sample function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from citywarden.model.device import Device

JsonScalar = float | int | bool | str
Payload = dict[str, JsonScalar]


class Form(StrEnum):
    """How a quantity's value is written."""

    NUMBER = "number"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One field of a kind. `low`/`high` are inclusive, in `unit`; None means no bound on that side.

    `derived`: made by the server, never taken from a message.
    """

    field: str
    form: Form
    zh: str
    en: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    required: bool = False
    derived: bool = False


def number(field: str, unit: str, bounds: tuple[float | None, float | None], zh: str, en: str) -> Quantity:
    """A row for a measured number, valid within the inclusive `bounds` given in `unit`."""
    return Quantity(field, Form.NUMBER, zh, en, unit, *bounds)


def flag(field: str, zh: str, en: str) -> Quantity:
    """A row for a yes/no value."""
    return Quantity(field, Form.FLAG, zh, en)


def text(field: str, zh: str, en: str) -> Quantity:
    """A row for a short text value."""
    return Quantity(field, Form.TEXT, zh, en)


@dataclass(frozen=True, slots=True)
class Order:
    """A command that devices of a kind understand, with its arguments."""

    name: str
    zh: str
    en: str
    arguments: tuple[Quantity, ...] = ()

    def argument(self, name: str) -> Quantity | None:
        """The row of an argument, or None."""
        return next((q for q in self.arguments if q.field == name), None)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a sample function may look at. `fault` is one of the kind's `faults`, or None when all is well.

    `age_s` is how long the fault has lasted; `dark` says whether it is night at the device now.
    """

    rng: Random
    device: Device
    now_ms: int
    dark: bool
    fault: str | None = None
    age_s: float = 0.0
    previous: Mapping[str, JsonScalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device. Topic part, store schema, checks, simulator, panels and reference derive from it.

    `interval_s` is the expected time between two messages of one device.
    """

    name: str
    zh: str
    en: str
    quantities: tuple[Quantity, ...]
    interval_s: float
    sample: Callable[[Scene], Payload]
    faults: tuple[str, ...] = ()
    commands: tuple[Order, ...] = ()

    def quantity(self, name: str) -> Quantity | None:
        """The row of a field, or None."""
        return next((q for q in self.quantities if q.field == name), None)

    @property
    def sent(self) -> tuple[Quantity, ...]:
        """Quantities that a message may carry."""
        return tuple(q for q in self.quantities if not q.derived)

    @property
    def numeric(self) -> tuple[Quantity, ...]:
        """Quantities held as float64 columns (numbers, and flags as 0/1)."""
        return tuple(q for q in self.quantities if q.form is not Form.TEXT)

    @property
    def texts(self) -> tuple[Quantity, ...]:
        return tuple(q for q in self.quantities if q.form is Form.TEXT)


Kinds = Mapping[str, Kind]
