"""How the server itself is doing: figures for the wall, health for the operator, metrics for Prometheus."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from citywarden.alerts.counters import Counters
from citywarden.serve.judge import Progress
from citywarden.serve.readiness import Readiness
from citywarden.store.contract import Point
from dashboards.sources import Health
from ingest.feed import Feed
from ingest.pipeline import StoreDrain
from ingest.subscription import Cause, State, Status

RATE_WINDOW_S = 10.0
POINT_EVERY_MS = 10_000
STALLED_MS = 30_000
"""Rules that lag this far behind the wire are no longer live."""


@dataclass(slots=True)
class Rate:
    """Events per second over the last 10 s, by the monotonic clock passed in."""

    clock: Callable[[], float] = time.monotonic
    _marks: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, count: int) -> None:
        self.total += count
        now = self.clock()
        if not self._marks or now - self._marks[-1][0] > 0.25:
            self._marks.append((now, self.total - count))
        while len(self._marks) > 1 and now - self._marks[0][0] > RATE_WINDOW_S:
            self._marks.popleft()

    def per_s(self) -> float:
        now = self.clock()
        inside = [mark for mark in self._marks if now - mark[0] <= RATE_WINDOW_S]
        if not inside:
            return 0.0
        return (self.total - inside[0][1]) / max(now - inside[0][0], 1.0)


@dataclass(slots=True)
class Spell:
    """Something that happens again and again, with breaks of less than `gap_s`, by the monotonic clock."""

    gap_s: float = 10.0
    _first_s: float = 0.0
    _last_s: float | None = None

    def see(self, now_s: float) -> None:
        """It happens."""
        if self._last_s is None or now_s - self._last_s >= self.gap_s:
            self._first_s = now_s
        self._last_s = now_s

    def length_s(self, now_s: float) -> float:
        """From the first time to the last, 0 once it has not happened for `gap_s`."""
        return 0.0 if self._last_s is None or now_s - self._last_s >= self.gap_s else self._last_s - self._first_s


@dataclass(slots=True)
class Vitals:
    """Collects from the parts of the server what is shown of them. `crashed`: component -> what is wrong now.

    `taken_over_s`: when another client took our session, monotonic; `stalls`: when the log took nothing;
    `signs`: figures behind the server's own alerts.
    """

    received: Rate
    judged: Progress
    drain: StoreDrain
    feed: Feed
    alerts: Counters
    open_alerts: Callable[[], int]
    devices: Callable[[], int]
    deaf_targets: Callable[[], Mapping[str, str]]
    server: str = "citywarden"
    mqtt: Status = field(default_factory=lambda: Status(State.CONNECTING))
    backlog: dict[str, int] = field(default_factory=dict)
    crashed: dict[str, str] = field(default_factory=dict)
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    taken_over_s: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    stalls: Spell = field(default_factory=Spell)
    signs: Mapping[str, float] = field(default_factory=dict)
    readiness: Readiness | None = None

    def observe(self, status: Status) -> None:
        """The subscriber's state has changed."""
        self.mqtt = status
        if status.cause in (Cause.SESSION_TAKEN_OVER, Cause.SESSION_SHARED):
            self.taken_over_s.append(time.monotonic())
        if status.state is State.STALLED:
            self.stalls.see(time.monotonic())
        if status.state is State.CONNECTED:
            self.connected.set()

    def health(self) -> Health:
        """`ok` while messages can be received, judged and stored; a target that is down is named, but is not ours, and
        so is what is still to be made in the store: readings that it does not take are said of `store`.
        """
        parts = {
            "mqtt": "ok" if self.mqtt.state is State.CONNECTED else f"{self.mqtt.state}: {self.mqtt.detail}",
            "store": self.drain.trouble or "ok",
            "rules": self._rules(),
        } | self.crashed
        ok = all(state == "ok" for state in parts.values())
        deaf = {f"target {name}": why for name, why in self.deaf_targets().items()}
        pending = self.readiness.report() if self.readiness else {}
        return Health(ok, {**parts, **deaf, **pending}, self.figures())

    def _rules(self) -> str:
        if self.judged.trouble is not None:
            return self.judged.trouble
        return "ok" if self.judged.lag_ms < STALLED_MS else f"{self.judged.lag_ms / 1000:.0f} s behind"

    def figures(self) -> dict[str, float]:
        """The numbers shown on the wall, by name."""
        return {
            "messages_per_s": self.received.per_s(),
            "messages": float(self.received.total),
            "stored": float(self.drain.stored),
            "dead_letters": float(sum(self.drain.dead.values())),
            "ingest_lag_ms": float(self.judged.lag_ms),
            "open_alerts": float(self.open_alerts()),
            "devices": float(self.devices()),
            **{f"backlog_{consumer}": float(count) for consumer, count in self.backlog.items()},
        }

    def point(self, now_ms: int) -> Point:
        """The figures as a row of measurement `ingest`, of which there is one every POINT_EVERY_MS."""
        at_ms = now_ms // POINT_EVERY_MS * POINT_EVERY_MS
        return Point("ingest", {"server": self.server}, at_ms, {**self.figures(), "ok": self.health().ok})

    def exposition(self) -> bytes:
        """Prometheus text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(self))
        return generate_latest(registry)


class _Families(Collector):
    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterable[Metric]:
        v = self._vitals
        return chain(
            [
                _counter("messages_received", "MQTT messages made durable", v.received.total),
                _counter("messages_judged", "Messages the rules have passed", v.judged.messages),
                _counter("readings_stored", "Readings new in the store", v.drain.stored),
                _counter("readings_known", "Readings the store already had", v.drain.known),
                _counter("retained_ignored", "Telemetry a broker had retained, ignored", v.feed.retained),
                _gauge("rules_lag_seconds", "Age of the newest judged message", v.judged.lag_ms / 1000),
                _gauge("alerts_open", "Alerts that are firing or acknowledged", v.open_alerts()),
                _gauge("devices", "Registered devices", v.devices()),
                _gauge("mqtt_connected", "1 while connected to the broker", int(v.mqtt.state is State.CONNECTED)),
                _gauge("healthy", "1 while every component is well", int(v.health().ok)),
                *(
                    _counter(f"alerts_{name}", f"Alerts or deliveries: {name}", count)
                    for name, count in asdict(v.alerts).items()
                ),
            ],
            self._labelled(),
            [] if v.readiness is None else _store(v.readiness),
        )

    def _labelled(self) -> Iterable[Metric]:
        dead = CounterMetricFamily("citywarden_dead_letters", "Refused messages and items", labels=["reason"])
        for reason, count in self._vitals.drain.dead.items():
            dead.add_metric([reason], count)
        yield dead
        unknown = CounterMetricFamily("citywarden_unknown_fields", "Ignored fields", labels=["kind", "field"])
        for (kind, name), count in self._vitals.feed.unknown_fields.items():
            unknown.add_metric([kind, name], count)
        yield unknown
        backlog = GaugeMetricFamily("citywarden_log_backlog", "Messages a consumer has not passed", labels=["consumer"])
        for consumer, waiting in self._vitals.backlog.items():
            backlog.add_metric([consumer], waiting)
        yield backlog
        signs = GaugeMetricFamily("citywarden_server_sign", "Figure behind a server's own alert", labels=["rule"])
        for rule, value in self._vitals.signs.items():
            signs.add_metric([rule], value)
        yield signs


def _store(readiness: Readiness) -> list[Metric]:
    return [
        _gauge("store_set_up", "1 once buckets and down-sampling tasks have been made or found", int(readiness.ready)),
        _gauge("store_folds_left", "Pieces of old readings that are still to be folded", readiness.pieces),
    ]


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"citywarden_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"citywarden_{name}", text, value=value)
