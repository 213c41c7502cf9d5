"""The figures of the wall, and what is sent of them and of the map: numbers in, plain JSON out. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from citywarden.model.alert import Alert, Severity, Status
from citywarden.model.device import DeviceKey
from citywarden.model.work import TaskReport
from dashboards.console.day import standing, totals
from dashboards.console.sight import Bands, Seen
from dashboards.console.words import localised, named

Json = object
"""Anything `json` can write; the parts in the browser know its shape."""

LISTED = 60
"""Alerts listed on the wall; the rest are counted, and stand in the inbox."""

RESOLVED_SHOWN_MS = 8_000
"""How long a resolved alert fades on the wall."""


LATE_S = 5.0
"""Ingest lag that is shown in red."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the wall says in big numbers. Shares in %, None where there is nothing to count.

    `tasks`: how many of today stand how (`day.standing`).
    """

    lamps_due: int
    lamps_lit: int
    lamps_faulty: int
    lamps_silent: int
    flood_points: int
    flooded: int
    max_depth_cm: float | None
    detectors: int
    gas_high: int
    max_lel_pct: float | None
    vehicles: Mapping[str, int]
    planned_m: float
    covered_m: float
    tasks: Mapping[str, int]

    @property
    def lighting_pct(self) -> float | None:
        """Lamps lit / lamps that should be lit now. A silent lamp that should be lit is not lit."""
        return None if self.lamps_due == 0 else 100.0 * self.lamps_lit / self.lamps_due

    @property
    def coverage_pct(self) -> float | None:
        return None if self.planned_m <= 0 else 100.0 * self.covered_m / self.planned_m


def figures(seen: Mapping[str, Sequence[Seen]], reports: Iterable[TaskReport], bands: Bands, now_ms: int) -> Figures:
    """Count what is seen. `reports`: the tasks of today; coverage is of those whose window has begun."""
    lamps = seen.get("streetlight", ())
    depths = [s for s in seen.get("waterlogging", ()) if s.state != "no_data" and s.value is not None]
    gases = [s for s in seen.get("gas", ()) if s.state != "no_data" and s.value is not None]
    vehicles = Counter(s.state for s in seen.get("vehicle", ()))
    today = list(reports)
    work = totals(today, now_ms)
    return Figures(
        lamps_due=sum(s.due for s in lamps),
        lamps_lit=sum(s.due and s.state in ("lit", "faulty") for s in lamps),
        lamps_faulty=sum(s.state in ("dark", "faulty") for s in lamps),
        lamps_silent=sum(s.state == "no_data" for s in lamps),
        flood_points=len(seen.get("waterlogging", ())),
        flooded=sum((s.value or 0.0) >= bands.depth_cm[1] for s in depths),
        max_depth_cm=max((s.value or 0.0 for s in depths), default=None),
        detectors=len(seen.get("gas", ())),
        gas_high=sum((s.value or 0.0) >= bands.lel_pct[0] for s in gases),
        max_lel_pct=max((s.value or 0.0 for s in gases), default=None),
        vehicles={state: vehicles.get(state, 0) for state in ("working", "idle", "driving", "offline")},
        planned_m=work.planned_m,
        covered_m=work.covered_m,
        tasks=dict(Counter(standing(r, now_ms) for r in today)),
    )


Part = tuple[str, str, str]


def tile(key: str, value: str, unit: str, tone: str, parts: Sequence[Part]) -> Json:
    """One figure: `key` names it in the words; `parts` are small (key, value, tone) below it."""
    return {"key": key, "value": value, "unit": unit, "tone": tone, "parts": [list(part) for part in parts]}


def whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A percentage that never rounds up to 100 and never down to 0."""
    if value is None:
        return "–"
    if value >= 100 or value <= 0:
        return f"{value:.0f}"
    return f"{min(99.9, max(0.1, value)):.1f}"


def tiles(f: Figures, health: Mapping[str, float], bands: Bands) -> list[Json]:
    """The strip of big figures, in reading order. `health`: figures of the server itself."""
    return [_lighting(f), _flooded(f, bands), _gas(f, bands), _vehicles(f), _coverage(f), _messages(health)]


def _alarm(key: str, count: int) -> Part:
    return (key, whole(count), "red" if count else "")


def _lighting(f: Figures) -> Json:
    rate = f.lighting_pct
    tone = "" if rate is None else "good" if rate >= 98 else "yellow" if rate >= 95 else "red"
    lit = ("lit", f"{f.lamps_lit:,}/{f.lamps_due:,}", "")
    parts = [lit, _alarm("faulty", f.lamps_faulty), ("no_data", whole(f.lamps_silent), "")]
    return tile("lighting", share(rate), "" if rate is None else "%", tone, parts)


def _flooded(f: Figures, bands: Bands) -> Json:
    depth, tone = f.max_depth_cm, _tone(f.max_depth_cm, bands.depth_cm[1:])
    deepest = "–" if depth is None else f"{max(0.0, depth):.0f} cm"
    return tile("flooded", whole(f.flooded), f"/ {f.flood_points:,}", tone, [("max_depth", deepest, tone)])


def _gas(f: Figures, bands: Bands) -> Json:
    lel = f.max_lel_pct
    value = "–" if lel is None else f"{lel:.0f}" if lel >= 10 else f"{lel:.1f}"
    return tile("gas", value, "%LEL", _tone(lel, bands.lel_pct), [_alarm("gas_high", f.gas_high)])


def _vehicles(f: Figures) -> Json:
    tones = {"idle": "yellow", "driving": "accent", "offline": ""}
    parts = [(state, whole(f.vehicles[state]), tone) for state, tone in tones.items()]
    working = f.vehicles["working"]
    return tile("vehicles", whole(working), f"/ {sum(f.vehicles.values()):,}", "good" if working else "", parts)


def _coverage(f: Figures) -> Json:
    tasks = f.tasks
    parts = [("met", whole(tasks.get("met", 0)), "good"), _alarm("not_met", tasks.get("not_met", 0))]
    parts.append(("running", whole(tasks.get("running", 0)), "accent"))
    parts += [(key, whole(tasks[key]), "") for key in ("ahead", "not_judged") if tasks.get(key)]
    return tile("coverage", share(f.coverage_pct), "" if f.coverage_pct is None else "%", "", parts)


def _messages(health: Mapping[str, float]) -> Json:
    lag_ms = health.get("ingest_lag_ms")
    lag_s = None if lag_ms is None else lag_ms / 1000
    late = "red" if lag_s is not None and lag_s > LATE_S else ""
    return tile("messages", whole(health.get("messages_per_s")), "/s", "", [("lag", seconds(lag_s), late)])


def _tone(value: float | None, limits: Sequence[float]) -> str:
    if value is None:
        return ""
    tones = ("good", "yellow", "orange", "red") if len(limits) == 3 else ("good", "orange", "red")
    return tones[sum(value >= limit for limit in limits)]


def seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s" if value < 60 else f"{value / 60:.0f} min"


Row = tuple[str, float | None, float | None, float | None, float | None]
"""(state, value, lon, lat, heading) of a device on the map, rounded to what can be seen."""


def rows(seen: Mapping[str, Sequence[Seen]]) -> dict[DeviceKey, Row]:
    """What the map needs of every device that has a place."""
    out: dict[DeviceKey, Row] = {}
    for kind, things in seen.items():
        moves = kind == "vehicle"
        for s in things:
            if s.place is not None:
                lon, lat = round(s.place[0], 6), round(s.place[1], 6)
                heading = None if s.heading_deg is None or not moves else float(round(s.heading_deg / 5) * 5 % 360)
                # A lamp's power flickers by the watt; nobody on the wall reads it.
                value = None if s.value is None or kind == "streetlight" else float(round(s.value))
                out[s.device.key] = (s.state, value, lon, lat, heading)
    return out


def row_changes(
    before: Mapping[DeviceKey, Row], after: Mapping[DeviceKey, Row]
) -> tuple[dict[DeviceKey, Row], list[DeviceKey]]:
    """Devices that are new or changed, and those that are gone."""
    return {k: r for k, r in after.items() if before.get(k) != r}, [k for k in before if k not in after]


def urgency(alert: Alert) -> tuple[int, int]:
    """Order of the list: most severe first, then newest; the acknowledged after the others of their severity."""
    return (-2 * alert.severity + (alert.status is Status.ACKNOWLEDGED), -alert.raised_ms)


def _news(alert: Alert, names: Sequence[str], language: str) -> str:
    """A summary in the reader's words, without the place it begins with: that stands above it."""
    told = alert.summary.get(language) or next(iter(alert.summary.values()), "") or alert.rule
    text = localised(told, names, language)
    place = named(names[0], language)
    return text.removeprefix(place).lstrip(":：,， ") or text


def alert_view(alert: Alert, names: Sequence[str], link: str) -> dict[str, Json]:
    """An alert as the list shows it, in both languages. `names`: of its device and, if there is one, of its task."""
    return {
        "id": alert.id,
        "severity": alert.severity.word,
        "status": alert.status.value,
        "kind": alert.kind,
        "rule": alert.rule,
        "subject": alert.subject,
        "place": " · ".join(names),
        "district": alert.district,
        "raised_ms": alert.raised_ms,
        "resolved_ms": alert.resolved_ms,
        "zh": _news(alert, names, "zh-CN"),
        "en": _news(alert, names, "en"),
        "by": alert.acknowledged_by,
        "note": alert.note,
        "stale": alert.stale,
        "tenant": alert.tenant,
        "assigned": alert.assigned_to,
        "hold": alert.hold,
        "closed_ms": alert.closed_ms,
        "link": link,
    }


def severity_counts(alerts: Iterable[Alert]) -> dict[str, int]:
    counts = Counter(a.severity for a in alerts)
    return {severity.word: counts.get(severity, 0) for severity in reversed(Severity)}
