"""The slow, obvious twin of the rules: one device, one reading at a time, plain Python, no numpy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from citywarden.model.kind import Form, JsonScalar
from rules.expression import FieldRef, Literal, NightRef, Node, Operation, ProfileRef, WindowRef

Value = float | bool | str | None
Readings = Sequence[tuple[int, Mapping[str, JsonScalar]]]


def evaluate(node: Node, readings: Readings, hold_ms: int, profile: Mapping[str, float | str | bool]) -> Value:
    """What an expression is at the newest of the readings; None is unknown."""
    now_ms = readings[-1][0]
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, FieldRef):
        return _held(node.name, readings, hold_ms)
    if isinstance(node, ProfileRef):
        value = profile.get(node.name)
        good = {Form.NUMBER: isinstance(value, float | int), Form.FLAG: isinstance(value, bool)}
        return value if good.get(node.form, isinstance(value, str)) else None
    if isinstance(node, WindowRef):
        if _held(node.field, readings, hold_ms) is None:
            return None
        return _window(node, readings, now_ms)
    assert not isinstance(node, NightRef)
    return _operate(node, [evaluate(arg, readings, hold_ms, profile) for arg in node.args])


def _held(name: str, readings: Readings, hold_ms: int) -> Value:
    for ts_ms, values in reversed(readings):
        if name in values:
            return values[name] if readings[-1][0] - ts_ms <= hold_ms else None
    return None


def _window(ref: WindowRef, readings: Readings, now_ms: int) -> float | None:
    series = [(ts_ms, float(values[ref.field])) for ts_ms, values in readings if ref.field in values]
    series = [reading for n, reading in enumerate(series) if n == 0 or series[n - 1] != reading]
    spanned = series[0][0] < series[-1][0]
    inside = [(ts_ms, value) for ts_ms, value in series if ts_ms >= now_ms - ref.span_ms]
    if ref.function == "changes":
        switches = [b for a, b in pairwise(series) if a[1] != b[1]]
        return float(sum(ts_ms >= now_ms - ref.span_ms for ts_ms, _ in switches)) if spanned else None
    if not inside:
        return None
    if ref.function == "rate":
        return inside[-1][1] - inside[0][1] if inside[0][0] < inside[-1][0] else None
    values = [value for _, value in inside]
    return {"mean": sum(values) / len(values), "minimum": min(values), "maximum": max(values)}[ref.function]


def _operate(node: Operation, args: list[Value]) -> Value:
    if node.op == "and":
        return False if False in args else (None if None in args else True)
    if node.op == "or":
        return True if True in args else (None if None in args else False)
    if node.op == "not":
        return None if args[0] is None else not args[0]
    if node.op == "default":
        return args[0] if args[0] is not None else args[1]
    if None in args:
        return None
    if node.op in ("==", "!="):
        return (args[0] == args[1]) is (node.op == "==")
    numbers = [float(arg) for arg in args if arg is not None]
    return _reckon(node.op, numbers)


def _reckon(op: str, x: list[float]) -> Value:
    if op == "/" and x[1] == 0:
        return None
    steps: dict[str, Callable[[], Value]] = {
        "negate": lambda: -x[0],
        "abs": lambda: abs(x[0]),
        "min": lambda: min(x),
        "max": lambda: max(x),
        "+": lambda: x[0] + x[1],
        "-": lambda: x[0] - x[1],
        "*": lambda: x[0] * x[1],
        "/": lambda: x[0] / x[1],
        "<": lambda: x[0] < x[1],
        "<=": lambda: x[0] <= x[1],
        ">": lambda: x[0] > x[1],
        ">=": lambda: x[0] >= x[1],
    }
    return steps[op]()


@dataclass
class TwinLevel:
    """One level: conditions as trees, `for` in ms, the fields `when` reads."""

    when: Node
    reset: Node | None
    for_ms: int
    fields: frozenset[str]


@dataclass
class Twin:
    """One device on one rule. `said`: (time, level, pending) of every change; a level is 1 + its index, 0 is ok."""

    levels: list[TwinLevel]
    hold_ms: int
    readings: list[tuple[int, Mapping[str, JsonScalar]]] = field(default_factory=list)
    level: int = 0
    waiting: int = 0
    counted: dict[int, float] = field(default_factory=dict)
    """Per level with a `for`: how many ms its condition has been known to hold; missing while it does not hold."""
    counts_until: dict[int, int] = field(default_factory=dict)
    said: list[tuple[int, int, bool]] = field(default_factory=list)

    def take(self, ts_ms: int, values: Mapping[str, JsonScalar]) -> None:
        if self.readings and ts_ms < self.readings[-1][0]:
            return
        self.wait(ts_ms, inclusive=False)
        self.readings.append((ts_ms, values))
        truths = [evaluate(level.when, self.readings, self.hold_ms, {}) for level in self.levels]
        for i, level in enumerate(self.levels):
            if level.for_ms and truths[i] is True:
                self.counted.setdefault(i, 0)
                self.counts_until[i] = self._known_until(level)
            elif truths[i] is False:
                self.counted.pop(i, None)
            else:
                self.counts_until[i] = ts_ms
        ready = [i + 1 for i, level in enumerate(self.levels) if truths[i] is True and self._patient(i, level)]
        highest = max(ready, default=0)
        if highest > self.level:
            self._become(highest, ts_ms)
        elif self.level and highest < self.level and self._resets(self.levels[self.level - 1], truths[self.level - 1]):
            self._become(max((i + 1 for i in range(self.level - 1) if truths[i] is True), default=0), ts_ms)
        else:
            self._become(self.level, ts_ms)

    def _patient(self, i: int, level: TwinLevel) -> bool:
        return not level.for_ms or self.counted.get(i, -1) >= level.for_ms

    def _resets(self, level: TwinLevel, when: Value) -> bool:
        if level.reset is None:
            return when is False
        return evaluate(level.reset, self.readings, self.hold_ms, {}) is True

    def _known_until(self, level: TwinLevel) -> int:
        now_ms = self.readings[-1][0]
        newest = [max((ts for ts, values in self.readings if name in values), default=None) for name in level.fields]
        held = [ts + self.hold_ms for ts in newest if ts is not None and now_ms - ts <= self.hold_ms]
        return min(held, default=1 << 60)

    def wait(self, to_ms: int, inclusive: bool) -> None:
        """Let time pass from the newest reading, second by second would do; here from one event to the next."""
        if not self.readings:
            return
        from_ms = max(self.readings[-1][0], getattr(self, "_clock_ms", 0))
        fires = []
        for i, counted in self.counted.items():
            at_ms = from_ms + self.levels[i].for_ms - counted
            in_time = at_ms <= to_ms if inclusive else at_ms < to_ms
            if counted < self.levels[i].for_ms and in_time and at_ms <= self.counts_until[i]:
                fires.append((at_ms, -i))
            self.counted[i] += max(0, min(to_ms, self.counts_until[i]) - from_ms)
        for at_ms, i in sorted(fires):
            if -i + 1 > self.level:
                self._become(-i + 1, int(at_ms))
        self._clock_ms = to_ms

    def _become(self, level: int, at_ms: int) -> None:
        waiting = max((i + 1 for i in self.counted), default=0) if level == 0 else 0
        if level != self.level or (self.waiting and not waiting and not level):
            self.said.append((at_ms, level, False))
        if waiting and not self.waiting:
            self.said.append((at_ms, waiting, True))
        self.level, self.waiting = level, waiting
