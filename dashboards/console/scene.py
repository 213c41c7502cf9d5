"""The shared state behind the wall: what is seen, and the frames of what has changed since the last one."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote

from citywarden.coordinates import CRS, to_wgs84
from citywarden.model.alert import CASE_KIND, Alert, Status
from citywarden.model.device import Device, DeviceKey
from citywarden.model.work import TaskReport
from dashboards.console.desk import Work, day_of
from dashboards.console.picture import (
    LISTED,
    Figures,
    Json,
    Row,
    alert_view,
    figures,
    row_changes,
    rows,
    severity_counts,
    tiles,
    urgency,
)
from dashboards.console.roads import road_view, stretches
from dashboards.console.sight import Bands, Place, Seen, Surroundings, as_rows, see
from dashboards.sources import Sources

TAIL = 40
"""Positions kept of a vehicle's recent way."""

PULSES = 300
"""Alerts that pulse on the map."""


@lru_cache(maxsize=20_000)
def wgs84(lon: float, lat: float, crs: str) -> Place:
    """A position as WGS-84 (lon, lat); one in an unknown system stays as it is."""
    if crs not in CRS:
        return (lon, lat)
    there_lat, there_lon = to_wgs84(lat, lon, crs)
    return (float(there_lon), float(there_lat))


def place_of(device: Device, lon: float, lat: float) -> Place:
    """Where a position that a device gave in its own system is."""
    return (lon, lat) if device.crs in ("wgs84", "cgcs2000") else wgs84(lon, lat, device.crs)


def subject_of(alert: Alert) -> tuple[DeviceKey, str]:
    """The device an alert is about, and the task where it is about one: its subject is `vehicle/task` then."""
    device, _, task = alert.subject.partition("/") if alert.kind == "vehicle" else (alert.subject, "", "")
    return DeviceKey(alert.tenant, alert.kind, device), task


class Nights:
    """Whether it is dark at a place, asked of the sun once a minute per tenth of a degree."""

    def __init__(self, is_night: Callable[[float, float, int], bool]) -> None:
        self._is_night = is_night
        self._known: dict[tuple[float, float], bool] = {}
        self._minute = -1

    def at(self, now_ms: int) -> Callable[[Place], bool]:
        """The question for this moment."""
        if now_ms // 60_000 != self._minute:
            self._minute = now_ms // 60_000
            self._known.clear()

        def dark(place: Place) -> bool:
            cell = (round(place[1], 1), round(place[0], 1))
            if cell not in self._known:
                self._known[cell] = self._is_night(cell[0], cell[1], now_ms)
            return self._known[cell]

        return dark


class Scene:
    """Takes in what the loops read; gives frames. No I/O, no tasks."""

    def __init__(self, sources: Sources, bands: Bands) -> None:
        self.bands = bands
        self.seen: dict[str, list[Seen]] = {}
        self.alerts: dict[str, Alert] = {}
        self.looked = False
        self._sources = sources
        self._nights = Nights(sources.is_night)
        self._registry: dict[str, dict[DeviceKey, Device]] = {}
        self.work = Work(day_of(sources.now_ms(), sources))
        self._jobs = self.work.jobs()
        self._numbers: dict[DeviceKey, int] = {}
        self._rows: dict[DeviceKey, Row] = {}
        self._tails: dict[DeviceKey, deque[Place]] = {}
        self._roads: dict[str, list[Json]] = {}
        self._drawn_from: dict[str, object] = {}
        self._tiles: list[Json] = []
        self._health: Mapping[str, Json] = {}
        self._alerts_dirty = True
        self._ordered: list[Alert] = []
        self._pulses: list[Json] = []

    # taking in

    def take_registry(self, devices: Mapping[DeviceKey, Device]) -> None:
        registry: dict[str, dict[DeviceKey, Device]] = {}
        for key, device in devices.items():
            registry.setdefault(key.kind, {})[key] = device
        self._registry = registry

    def take_work(self, work: Work) -> None:
        self.work = work
        self._jobs = work.jobs()

    def take_report(self, report: TaskReport) -> None:
        if report.task in self.work.tasks:
            self.work = self.work.with_report(report)

    def take_alert(self, alert: Alert) -> None:
        """A newer state of an alert; one that is resolved stays for a while, to fade."""
        known = self.alerts.get(alert.id)
        if known is not None and known.updated_ms > alert.updated_ms:
            return
        if alert.status is Status.PENDING or (known is None and not alert.open):
            return
        self.alerts[alert.id] = alert
        self._alerts_dirty = True

    def take_inbox(self, alerts: Iterable[Alert]) -> None:
        """All open alerts, read anew; what fades goes on fading."""
        before = self.alerts
        self.alerts = {a.id: a for a in before.values() if not a.open}
        for alert in alerts:
            known = before.get(alert.id)
            self.alerts[alert.id] = known if known is not None and known.updated_ms > alert.updated_ms else alert
        self._alerts_dirty = True

    def forget_resolved(self, before_ms: int) -> None:
        """Drop what was resolved before; event and wall clock may differ, so the newest of its times counts."""
        gone = [a.id for a in self.alerts.values() if not a.open and max(a.updated_ms, a.resolved_ms or 0) < before_ms]
        for alert_id in gone:
            del self.alerts[alert_id]
            self._alerts_dirty = True

    def look(self, kind: str) -> None:
        """See the devices of a kind as they are now."""
        live, now_ms = self._sources.live, self._sources.now_ms()
        around = Surroundings(now_ms, self.bands, self._nights.at(now_ms), place_of, self._jobs)
        table = as_rows(live.devices(kind), live.columns(kind), live.texts(kind))
        self.seen[kind] = see(self._sources.kinds[kind], table, self._registry.get(kind, {}), around)

    # questions

    def vehicle_names(self) -> dict[str, str]:
        return {s.device.id: s.device.name for s in self.seen.get("vehicle", ())}

    def figures(self) -> Figures:
        return figures(self.seen, self.work.today(), self.bands, self._sources.now_ms())

    def device(self, key: DeviceKey) -> Device | None:
        """From the registry, else from what was heard."""
        known = self._registry.get(key.kind, {}).get(key)
        reading = None if known is not None or key.kind not in self._sources.kinds else self._sources.live.of(key)
        return known if known is not None else None if reading is None else reading.device

    def view(self, alert: Alert) -> dict[str, Json]:
        """An alert with its place in words and the page that tells more."""
        who, task_id = subject_of(alert)
        device, task = self.device(who), self.work.tasks.get(task_id)
        names = [who.id if device is None else device.name or device.id]
        if task_id:
            names.append(task.name if task is not None and task.name else task_id)
        if alert.kind == "vehicle":
            day = day_of(alert.raised_ms, self._sources)
            link = f"/vehicles/{quote(who.id, safe='')}?day={task.day if task is not None else day}"
        elif alert.kind == CASE_KIND:
            link = f"/cases/{quote(alert.subject, safe='')}?alert={quote(alert.id)}"
        else:
            link = f"/devices/{quote(alert.kind, safe='')}/{quote(alert.subject, safe='')}?alert={quote(alert.id)}"
        return alert_view(alert, names, link)

    # frames

    def whole(self, health: Mapping[str, Json]) -> dict[str, Json]:
        """Everything, for a page that knows nothing."""
        return {
            "full": True,
            "who": [self._who(key) for key in self._rows],
            "now": [[self._numbers[key], *row] for key, row in self._rows.items()],
            "tails": [[self._numbers[key], list(tail)] for key, tail in self._tails.items() if key in self._rows],
            "gone": [],
            "roads": list(self._roads.values()),
            "tiles": self._tiles,
            "health": health,
            "now_ms": self._sources.now_ms(),
            **self._alert_part(),
        }

    def changes(self, health: dict[str, Json]) -> dict[str, Json]:
        """What is different from the last frame; empty when nothing is."""
        frame: dict[str, Json] = {}
        after = rows(self.seen)
        changed, gone = row_changes(self._rows, after)
        self._rows = after
        new = [key for key in changed if key not in self._numbers]
        for key in new:
            self._numbers[key] = len(self._numbers)
        self._keep_tails(changed)
        if changed:
            frame["who"] = [self._who(key) for key in new]
            frame["now"] = [[self._numbers[key], *row] for key, row in changed.items()]
        if gone:
            frame["gone"] = [self._numbers[key] for key in gone]
        frame |= self._road_part()
        counted = tiles(self.figures(), _numbers(health.get("figures")), self.bands)
        if counted != self._tiles:
            frame["tiles"] = self._tiles = counted
        lamp = {name: value for name, value in health.items() if name != "figures"}
        if lamp != self._health:
            frame["health"] = self._health = lamp
        self.looked = True
        return frame | self.alert_changes()

    def alert_changes(self) -> dict[str, Json]:
        """The alert part alone, when it has changed; pulses also follow their vehicles."""
        if self._alerts_dirty:
            self._alerts_dirty = False
            self._ordered = sorted(self.alerts.values(), key=urgency)
            self._pulses = self._pulse_part()
            return self._alert_part()
        pulses = self._pulse_part()
        if pulses == self._pulses:
            return {}
        self._pulses = pulses
        return {"pulses": pulses}

    def _alert_part(self) -> dict[str, Json]:
        standing = [a for a in self._ordered if a.open]
        listed = self._ordered[:LISTED]
        return {
            "alerts": {
                "list": [self.view(a) for a in listed],
                "more": len(standing) - sum(a.open for a in listed),
                "counts": severity_counts(standing),
                "total": len(standing),
            },
            "pulses": self._pulses,
        }

    def _pulse_part(self) -> list[Json]:
        standing = [a for a in self._ordered if a.open]
        return [p for a in standing[:PULSES] if (p := self._pulse(a)) is not None]

    def _pulse(self, alert: Alert) -> list[Json] | None:
        row = self._rows.get(subject_of(alert)[0])
        lon, lat = (row[2], row[3]) if row is not None else (alert.lon, alert.lat)
        if lon is None or lat is None:
            return None
        return [alert.id, lon, lat, alert.severity.word, alert.status is Status.ACKNOWLEDGED, alert.kind]

    def _road_part(self) -> dict[str, Json]:
        now_ms = self._sources.now_ms()
        changed: list[Json] = []
        for name, task in self.work.tasks.items():
            report = self.work.reports.get(name)
            drawn_from = (task, report, now_ms >= task.start_ms, now_ms >= task.end_ms)
            if self._drawn_from.get(name) != drawn_from:
                self._drawn_from[name] = drawn_from
                road = road_view(task, stretches(task, report, now_ms))
                if self._roads.get(name) != road:
                    self._roads[name] = road
                    changed.append(road)
        gone = [name for name in self._roads if name not in self.work.tasks]
        for name in gone:
            del self._roads[name], self._drawn_from[name]
        part: dict[str, Json] = {"roads": changed} if changed else {}
        return part | ({"roads_gone": gone} if gone else {})

    def _keep_tails(self, changed: Mapping[DeviceKey, Row]) -> None:
        for key, row in changed.items():
            if key.kind == "vehicle" and row[2] is not None and row[3] is not None:
                tail = self._tails.setdefault(key, deque(maxlen=TAIL))
                if not tail or tail[-1] != (row[2], row[3]):
                    tail.append((row[2], row[3]))

    def _who(self, key: DeviceKey) -> list[Json]:
        device = self.device(key)
        return [self._numbers[key], key.kind, key.tenant, key.id, device.name if device is not None else ""]


def _numbers(value: Json) -> dict[str, float]:
    return {str(k): float(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
