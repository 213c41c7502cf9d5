"""Checked expressions as numpy, in three-valued (Kleene) logic over columns.

A number is a float64 column with NaN for unknown. A condition is two masks: where it is known to hold and where it is
known not to; where neither, it is unknown. Each expression is compiled once into nested functions of a `View`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Floats
from citywarden.model.kind import Form
from rules.expression import FieldRef, Literal, NightRef, Node, Operation, ProfileRef, WindowRef

Words = NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Where a condition is known to hold (`yes`) and known not to (`no`); both are never set."""

    yes: Bools
    no: Bools


class View(Protocol):
    """What an expression can see: n moments of devices, with a rule's hold and profile defaults applied."""

    def __len__(self) -> int: ...
    def number(self, field: str) -> Floats: ...
    def text(self, field: str) -> Words: ...
    def profile(self, name: str, form: Form) -> Floats | Words: ...
    def window(self, ref: WindowRef) -> Floats: ...
    def night(self, below_deg: float) -> Truth: ...


Numbers = Callable[[View], Floats]
Condition = Callable[[View], Truth]
_Texts = Callable[[View], Words]


def compile_number(node: Node) -> Numbers:
    """A function from a view to the node's float64 (n,), NaN where unknown. The node is a number."""
    if isinstance(node, Literal):
        value = float(node.value)
        return lambda view: np.full(len(view), value)
    if isinstance(node, FieldRef):
        name = node.name
        return lambda view: view.number(name)
    if isinstance(node, ProfileRef):
        profile = node.name
        return lambda view: _floats(view.profile(profile, Form.NUMBER))
    if isinstance(node, WindowRef):
        ref = node
        return lambda view: view.window(ref)
    if isinstance(node, NightRef):
        raise TypeError("a condition is no number")
    return _fold(node.op, [compile_number(arg) for arg in node.args])


def _fold(op: str, parts: list[Numbers]) -> Numbers:
    first = parts[0]
    if op == "negate":
        return lambda view: -first(view)
    if op == "abs":
        return lambda view: np.abs(first(view))
    step = _STEPS[op]

    def fold(view: View) -> Floats:
        total = first(view)
        for part in parts[1:]:
            with np.errstate(all="ignore"):
                total = step(total, part(view))
        return total

    return fold


def _divide(a: Floats, b: Floats) -> Floats:
    return np.where(b == 0, np.nan, a / b)


def _otherwise(a: Floats, b: Floats) -> Floats:
    return np.where(np.isnan(a), b, a)


_STEPS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    "min": np.minimum,
    "max": np.maximum,
    "default": _otherwise,
}


def compile_condition(node: Node) -> Condition:
    """A function from a view to where the node holds and where it does not. The node is a flag."""
    if isinstance(node, Literal):
        value = bool(node.value)
        return lambda view: Truth(np.full(len(view), value), np.full(len(view), not value))
    if isinstance(node, FieldRef):
        name = node.name
        return lambda view: _truth(view.number(name))
    if isinstance(node, ProfileRef):
        profile = node.name
        return lambda view: _truth(_floats(view.profile(profile, Form.FLAG)))
    if isinstance(node, NightRef):
        below_deg = node.below_deg
        return lambda view: view.night(below_deg)
    if isinstance(node, WindowRef):
        raise TypeError("a number is no condition")
    return _connect(node)


def _connect(node: Operation) -> Condition:
    if node.op in ("not", "and", "or", "default"):
        parts = [compile_condition(arg) for arg in node.args]
        connect = _CONNECTIVES[node.op]
        return lambda view: connect([part(view) for part in parts])
    form = node.args[0].form
    if form is Form.NUMBER:
        a, b = (compile_number(arg) for arg in node.args)
        holds, fails = _ORDERS[node.op]
        return lambda view: _order(holds, fails, a(view), b(view))
    same = node.op == "=="
    if form is Form.TEXT:
        s, t = (_compile_text(arg) for arg in node.args)
        return lambda view: _alike(s(view), t(view), same)
    p, q = (compile_condition(arg) for arg in node.args)
    return lambda view: _agree(p(view), q(view), same)


_Ordering = Callable[[Floats, Floats], Bools]
_ORDERS: dict[str, tuple[_Ordering, _Ordering]] = {
    "<": (np.less, np.greater_equal),
    "<=": (np.less_equal, np.greater),
    ">": (np.greater, np.less_equal),
    ">=": (np.greater_equal, np.less),
    "==": (np.equal, np.not_equal),
    "!=": (np.not_equal, np.equal),
}


def _order(holds: _Ordering, fails: _Ordering, a: Floats, b: Floats) -> Truth:
    if holds is np.not_equal or fails is np.not_equal:
        known = ~(np.isnan(a) | np.isnan(b))
        return Truth(holds(a, b) & known, fails(a, b) & known)
    return Truth(holds(a, b), fails(a, b))


def _not(parts: list[Truth]) -> Truth:
    return Truth(parts[0].no, parts[0].yes)


def _and(parts: list[Truth]) -> Truth:
    yes, no = parts[0].yes, parts[0].no
    for part in parts[1:]:
        yes, no = yes & part.yes, no | part.no
    return Truth(yes, no)


def _or(parts: list[Truth]) -> Truth:
    yes, no = parts[0].yes, parts[0].no
    for part in parts[1:]:
        yes, no = yes | part.yes, no & part.no
    return Truth(yes, no)


def _default(parts: list[Truth]) -> Truth:
    first, other = parts
    unknown = ~(first.yes | first.no)
    return Truth(first.yes | (unknown & other.yes), first.no | (unknown & other.no))


_CONNECTIVES: dict[str, Callable[[list[Truth]], Truth]] = {"not": _not, "and": _and, "or": _or, "default": _default}


def _agree(a: Truth, b: Truth, same: bool) -> Truth:
    equal = (a.yes & b.yes) | (a.no & b.no)
    differ = (a.yes & b.no) | (a.no & b.yes)
    return Truth(equal, differ) if same else Truth(differ, equal)


def _alike(a: Words, b: Words, same: bool) -> Truth:
    known = (a != None) & (b != None)  # noqa: E711 (element-wise on object arrays)
    equal, differ = known & (a == b), known & (a != b)
    return Truth(equal, differ) if same else Truth(differ, equal)


def _compile_text(node: Node) -> _Texts:
    if isinstance(node, FieldRef):
        name = node.name
        return lambda view: view.text(name)
    if isinstance(node, ProfileRef):
        profile = node.name
        return lambda view: _words(view.profile(profile, Form.TEXT))
    if isinstance(node, Operation):
        first, other = (_compile_text(arg) for arg in node.args)
        return lambda view: _first_known(first(view), other(view))
    word = str(node.value) if isinstance(node, Literal) else ""
    return lambda view: np.full(len(view), word, object)


def _first_known(a: Words, b: Words) -> Words:
    return np.where(a == None, b, a)  # noqa: E711 (element-wise on object arrays)


def _truth(flags: Floats) -> Truth:
    return Truth(flags > 0.5, flags <= 0.5)


def _floats(column: Floats | Words) -> Floats:
    return column.astype(np.float64, copy=False)


def _words(column: Floats | Words) -> Words:
    return column.astype(object, copy=False)
