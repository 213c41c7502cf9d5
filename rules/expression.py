"""Checked expressions: every name known, every type right. A tree of nodes that `rules.evaluation` turns into numpy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from citywarden.model.kind import Form, Kind
from rules.spans import read_span
from rules.syntax import BadExpression, Term, read_expression

WINDOWS = ("rate", "mean", "minimum", "maximum", "changes")
FUNCTIONS = ("abs", "min", "max", "default", "night", *WINDOWS)
HORIZON_DEG = -0.833
"""Elevation of the sun's centre at sunset: its radius and the usual refraction below the horizon."""

_FORM_WORDS = {Form.NUMBER: "a number", Form.FLAG: "true or false", Form.TEXT: "a text"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, flag or text as written."""

    value: float | bool | str
    form: Form


@dataclass(frozen=True, slots=True)
class FieldRef:
    """The newest value of a field, as long as it is held."""

    name: str
    form: Form


@dataclass(frozen=True, slots=True)
class ProfileRef:
    """A value of the device's profile, or the rule's default for it; of another type than `form` it is unknown."""

    name: str
    form: Form


@dataclass(frozen=True, slots=True)
class WindowRef:
    """A function of a field's readings of the last `span_ms`. `unit` of its result."""

    function: str
    field: str
    span_ms: int
    unit: str
    form: Form = Form.NUMBER


@dataclass(frozen=True, slots=True)
class NightRef:
    """True while the sun stands lower than `below_deg` at the device."""

    below_deg: float
    form: Form = Form.FLAG


@dataclass(frozen=True, slots=True)
class Operation:
    """`op` applied to `args`: + - * / negate abs min max default, one comparison sign, not, and, or."""

    op: str
    args: tuple["Node", ...]
    form: Form


Node = Literal | FieldRef | ProfileRef | WindowRef | NightRef | Operation


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition is about: the measured number, its unit, and the number it is compared with."""

    value: Node
    unit: str
    threshold: Node | None


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, left to right."""
    yield node
    if isinstance(node, Operation):
        for arg in node.args:
            yield from walk(arg)


def check_condition(text: str, kind: Kind, profile: Mapping[str, Form]) -> tuple[Node | None, list[str]]:
    """The checked condition, or None and everything that is wrong with it.

    `profile`: the types of the profile names the rule gives defaults for; other names take the type their place asks.
    """
    try:
        term = read_expression(text)
    except BadExpression as error:
        return None, [str(error)]
    checker = _Checker(kind, profile)
    node = checker.check(term, Form.FLAG)
    return (None if checker.problems else node), checker.problems


def subject_of(condition: Node, kind: Kind) -> Subject | None:
    """The first measured number that is compared with something; else the first number read; else None."""
    for node in walk(condition):
        if isinstance(node, Operation) and len(node.args) == 2 and node.op in ("<", "<=", ">", ">=", "==", "!="):
            for measured, other in (node.args, node.args[::-1]):
                unit = _measured_unit(measured, kind)
                if unit is not None:
                    return Subject(measured, unit, other)
    for node in walk(condition):
        unit = _measured_unit(node, kind)
        if unit is not None:
            return Subject(node, unit, None)
    return None


def _measured_unit(node: Node, kind: Kind) -> str | None:
    if isinstance(node, WindowRef):
        return node.unit
    if isinstance(node, FieldRef) and node.form is Form.NUMBER:
        quantity = kind.quantity(node.name)
        return quantity.unit if quantity else ""
    return None


class _Checker:
    def __init__(self, kind: Kind, profile: Mapping[str, Form]) -> None:
        self._kind = kind
        self._profile = profile
        self.problems: list[str] = []

    def _wrong(self, term: Term, what: str) -> None:
        self.problems.append(f"column {term.column}: {what}")

    def _form(self, term: Term) -> Form | None:
        """The type a term will have, None when its place decides or it is wrong anyway."""
        if term.op in ("number", "negate", "+", "-", "*", "/"):
            return Form.NUMBER
        if term.op in ("not", "and", "or", "compare", "flag"):
            return Form.FLAG
        if term.op == "text":
            return Form.TEXT
        if term.op == "name":
            quantity = self._kind.quantity(term.text)
            return quantity.form if quantity else None
        if term.op == "member":
            return self._profile.get(term.text.removeprefix("profile."))
        if term.op == "call" and term.text == "default":
            return next((form for arg in term.args if (form := self._form(arg))), None)
        if term.op == "call":
            return Form.FLAG if term.text == "night" else Form.NUMBER
        return None

    def check(self, term: Term, want: Form) -> Node | None:
        """The node of a term that must be `want`; None when it is not, after noting why."""
        form = self._form(term)
        if form is not None and form is not want and not (term.op == "call" and term.text not in FUNCTIONS):
            shown = f"`{term.text}`" if term.op not in ("compare", "text") else "this"
            hint = f", did you compare `{term.text}` with something?" if term.op == "name" else ""
            self._wrong(term, f"{shown} is {_FORM_WORDS[form]}, expected {_FORM_WORDS[want]}{hint}")
            return None
        if term.op == "number":
            return Literal(float(term.text), Form.NUMBER)
        if term.op == "flag":
            return Literal(term.text == "true", Form.FLAG)
        if term.op == "text":
            return Literal(term.text, Form.TEXT)
        if term.op == "span":
            self._wrong(term, f"the duration `{term.text}` stands alone, expected it as a window such as rate(x, 10m)")
            return None
        if term.op == "name":
            return self._field(term)
        if term.op == "member":
            return self._member(term, want)
        if term.op == "call":
            return self._call(term, want)
        if term.op == "compare":
            return self._comparison(term)
        return self._operation(term, Form.FLAG if term.op in ("not", "and", "or") else Form.NUMBER)

    def _operation(self, term: Term, form: Form) -> Node | None:
        if term.op == "/" and term.args[1].op == "number" and float(term.args[1].text) == 0:
            self._wrong(term.args[1], "division by zero, expected another divisor")
        nodes = self._all(term.args, form)
        return Operation(term.op, nodes, form) if nodes else None

    def _all(self, terms: Sequence[Term], want: Form) -> tuple[Node, ...] | None:
        nodes = [self.check(term, want) for term in terms]
        known = tuple(node for node in nodes if node is not None)
        return known if len(known) == len(nodes) else None

    def _comparison(self, term: Term) -> Node | None:
        pairs: list[Node] = []
        for sign, left, right in zip(term.text.split(), term.args, term.args[1:], strict=False):
            want = self._form(left) or self._form(right) or Form.NUMBER
            if sign not in ("==", "!=") and want is not Form.NUMBER:
                self._wrong(left, f"`{sign}` compares numbers, expected `==` or `!=` with {_FORM_WORDS[want]}")
                continue
            nodes = self._all((left, right), want)
            if nodes:
                pairs.append(Operation(sign, nodes, Form.FLAG))
        if len(pairs) != len(term.args) - 1:
            return None
        return pairs[0] if len(pairs) == 1 else Operation("and", tuple(pairs), Form.FLAG)

    def _field(self, term: Term) -> Node | None:
        quantity = self._kind.quantity(term.text)
        if quantity is not None:
            return FieldRef(quantity.field, quantity.form)
        fields = [q.field for q in self._kind.quantities]
        if term.text in FUNCTIONS:
            self._wrong(term, f"`{term.text}` is a function, expected `{term.text}(...)`")
        elif term.text == "profile":
            self._wrong(term, "`profile` stands alone, expected a name of the profile such as profile.nominal_power_w")
        else:
            expected = f"expected one of {', '.join(fields)}"
            guess = did_you_mean(term.text, [*fields, *FUNCTIONS, "and", "or", "not", "true", "false"])
            self._wrong(term, f"`{term.text}` is no field of {self._kind.name}{guess}, {expected}")
        return None

    def _member(self, term: Term, want: Form) -> Node | None:
        owner, name = term.text.split(".")
        if owner != "profile":
            self._wrong(term, f"`{term.text}` is unknown, expected profile.{name}")
            return None
        return ProfileRef(name, want)

    def _call(self, term: Term, want: Form) -> Node | None:
        if term.text not in FUNCTIONS:
            guess = did_you_mean(term.text, FUNCTIONS)
            self._wrong(term, f"`{term.text}` is no function{guess}, expected one of {', '.join(FUNCTIONS)}")
            return None
        if term.text in WINDOWS:
            return self._window(term)
        if term.text == "night":
            return self._night(term)
        if term.text == "default":
            return self._default(term, want)
        few, many = (1, 1) if term.text == "abs" else (2, 16)
        if not few <= len(term.args) <= many:
            count = "1 number" if many == 1 else f"{few} to {many} numbers"
            self._wrong(term, f"`{term.text}` got {len(term.args)}, expected {count}")
            return None
        nodes = self._all(term.args, Form.NUMBER)
        return Operation(term.text, nodes, Form.NUMBER) if nodes else None

    def _window(self, term: Term) -> Node | None:
        usage = f"{term.text}(field, 10m)"
        if len(term.args) != 2 or term.args[0].op != "name" or term.args[1].op != "span":
            self._wrong(term, f"`{term.text}` needs a field and a duration, expected {usage}")
            return None
        node = self._field(term.args[0])
        if not isinstance(node, FieldRef):
            return None
        if node.form is Form.TEXT or (node.form is Form.FLAG and term.text != "changes"):
            self._wrong(term.args[0], f"`{node.name}` is {_FORM_WORDS[node.form]}, expected a number in {usage}")
            return None
        span_ms = read_span(term.args[1].text)
        if not span_ms:
            self._wrong(term.args[1], f"the window `{term.args[1].text}` is empty, expected more than 0s")
            return None
        quantity = self._kind.quantity(node.name)
        unit = quantity.unit if quantity and term.text != "changes" else ""
        return WindowRef(term.text, node.name, span_ms, unit)

    def _night(self, term: Term) -> Node | None:
        if not term.args:
            return NightRef(HORIZON_DEG)
        if len(term.args) == 1 and term.args[0].op == "number" and -18 <= float(term.args[0].text) <= 0:
            return NightRef(float(term.args[0].text))
        self._wrong(term, "`night` takes nothing or the sun's elevation, expected night() or -18 to 0 as in night(-6)")
        return None

    def _default(self, term: Term, want: Form) -> Node | None:
        if len(term.args) != 2 or term.args[1].op not in ("number", "flag", "text"):
            self._wrong(
                term, "`default` needs a value and what to take while it is unknown, expected default(field, 0)"
            )
            return None
        nodes = self._all(term.args, want)
        return Operation("default", nodes, want) if nodes else None


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`, did you mean ...?` with the nearest known word, or nothing."""
    lowered = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f", did you mean `{lowered[near[0]]}`?" if near else ""
