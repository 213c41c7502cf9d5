"""A vehicle's day: its roads, its way, its hours, and what its tasks came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nicegui import ui

from citywarden.model.device import Device
from citywarden.model.errors import CitywardenError
from citywarden.model.work import Task, TaskReport, TrackPoint, Verdict
from dashboards.console.broadcast import Broadcast
from dashboards.console.charts import timeline_chart
from dashboards.console.day import Totals, day_bounds, day_map, driven_m, required_s, spans, standing, totals
from dashboards.console.desk import day_of
from dashboards.console.markup import Html, bar, figures, html, join, table
from dashboards.console.parts import CityMap
from dashboards.console.picture import share
from dashboards.console.session import Session, begin, district_names
from dashboards.console.words import reason
from dashboards.sources import Sources

REFRESH_S = 10.0


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of a vehicle on a day."""

    tasks: Sequence[Task]
    reports: Mapping[str, TaskReport]
    track: Sequence[TrackPoint]

    def totals(self, now_ms: int) -> Totals:
        return totals(self.reports.values(), now_ms)


def parse_day(text: str | None, default: date) -> date:
    """A day of the address, `2026-11-22`; anything else is the default."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return default


async def read_day(sources: Sources, vehicle: str, day: date) -> Day:
    tasks = sorted((t for t in await sources.work.tasks(day) if t.vehicle == vehicle), key=lambda t: t.start_ms)
    mine = {t.id for t in tasks}
    reports = {r.task: r for r in await sources.work.reports(day) if r.task in mine}
    try:
        track = sorted(await sources.work.track(vehicle, day), key=lambda p: p.ts_ms)
    except CitywardenError:
        track = []
    return Day(tasks, reports, track)


def clock(ts_ms: int, sources: Sources) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1000, sources.timezone):%H:%M}"


def length_text(metres: float) -> str:
    return f"{metres / 1000:.2f}" if metres < 99_950 else f"{metres / 1000:.0f}"


def hours_text(duration_s: float) -> str:
    minutes = round(duration_s / 60)
    return f"{minutes // 60}:{minutes % 60:02d}"


def summary(session: Session, day: Day) -> Html:
    now_ms, say = session.sources.now_ms(), session.say
    t = day.totals(now_ms)
    needed = required_s({task.id: task for task in day.tasks}, day.reports.values(), now_ms)
    driven = t.driven_m if day.reports else driven_m(day.track)
    return figures(
        [
            (say("covered"), share(t.coverage_pct), "%"),
            (say("work_time"), hours_text(t.work_s), f"/ {hours_text(needed)} h" if needed else "h"),
            (say("driven"), length_text(driven), "km"),
            (say("effective"), length_text(t.effective_m), "km"),
            (say("empty_running"), share(t.empty_pct), "%"),
            (say("met"), f"{t.met}", judged_of(session, t)),
        ]
    )


def judged_of(session: Session, t: Totals) -> str:
    """What stands behind the number of tasks met: how many were judged, and how many are to come."""
    ahead = f" · {session.say('ahead')} {t.ahead}" if t.ahead else ""
    return f"/ {t.judged}{ahead}"


def standing_of(task: Task, report: TaskReport | None, now_ms: int) -> str:
    if report is None:
        return "running" if task.start_ms <= now_ms else "ahead"
    return standing(report, now_ms)


def verdict(session: Session, how: str) -> Html:
    return html('<span class="cw-verdict {s}">{w}</span>', s=how, w=session.say(how))


def task_rows(session: Session, day: Day) -> list[list[object]]:
    """One row a task: name, window, result, coverage, work, reasons and missed stretches in words."""
    rows: list[list[object]] = []
    now_ms = session.sources.now_ms()
    for task in day.tasks:
        report = day.reports.get(task.id)
        how = standing_of(task, report, now_ms)
        window = f"{clock(task.start_ms, session.sources)}–{clock(task.end_ms, session.sources)}"
        window = html('<span class="cw-share">{w}</span>', w=window)
        name = html(
            "{n}<small>{o}</small>",
            n=session.named(task.name or task.id),
            o=session.say(task.operation.value),
        )
        if report is None or how == "ahead":
            rows.append([name, window, verdict(session, how), "–", "–", ""])
            continue
        needed = "" if task.min_duration_s is None else f" / {hours_text(task.min_duration_s)}"
        proof = html(
            "{w}<small>{e}</small>",
            w=hours_text(report.work_duration_s) + needed,
            e=" · ".join(reason(key, session.language) for key in (report.evidence.value, *report.notes)),
        )
        rows.append([name, window, verdict(session, how), bar(report.coverage_pct), proof, why(session, report)])
    return rows


def why(session: Session, report: TaskReport) -> Html:
    """Reasons and missed stretches in words."""
    said = join(
        (html("{r}", r=reason(r, session.language)) for r in report.reasons),
        "；" if session.language == "zh-CN" else "; ",
    )
    if report.status is Verdict.OPEN:
        return said
    runs = (
        html("{a}–{b} m · {r}", a=f"{m.from_m:.0f}", b=f"{m.to_m:.0f}", r=reason(m.reason.value, session.language))
        for m in report.missed
    )
    return html("{said}<small>{runs}</small>", said=said, runs=join(runs, "<br>"))


def find_vehicle(broadcast: Broadcast, vehicle: str) -> Device | None:
    seen = broadcast.sources.live.devices("vehicle") if "vehicle" in broadcast.sources.kinds else ()
    heard = next((d for d in seen if d.id == vehicle), None)
    return heard if heard is None else broadcast.scene.device(heard.key) or heard


def day_links(session: Session, path: str, day: date, today: date) -> Html:
    """Previous day, this day, next day."""

    def link(there: date, key: str, sign: str) -> Html:
        off = ' class="quiet"' if there > today else ""
        href = session.link(path, day=str(there))
        return html('<a href="{h}"{off} title="{t}">{s}</a>', h=href, off=Html(off), t=session.say(key), s=sign)

    before, after = link(day - timedelta(days=1), "previous_day", "‹"), link(day + timedelta(days=1), "next_day", "›")
    return html('<div class="cw-days">{b}<b>{d}</b>{a}</div>', b=before, d=str(day), a=after)


async def vehicle_page(
    sources: Sources, broadcast: Broadcast, vehicle: str, wanted: str | None = None, lang: str | None = None
) -> None:
    """Build a vehicle's day for one browser; today's follows the work."""
    today = day_of(sources.now_ms(), sources)
    day = parse_day(wanted, today)
    known = await read_day(sources, vehicle, day)
    zones = [{"kind": z.kind.value, "rings": z.rings, "name": z.name} for z in await sources.work.zones()]
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "vehicle_day", lang)
        body = ui.element("div").classes("cw-body")
    with body:
        head = ui.html(sanitize=False)
        with ui.element("div").classes("cw-day"):
            places = day_map(known.tasks, known.reports, known.track, sources.now_ms())
            city = CityMap(session.language, districts=sources.districts, kinds={}, day=places, zones=zones)
            side = ui.html(sanitize=False).classes("cw-side")
        with ui.element("div").classes("cw-panel"):
            session.label("timeline")
            chart = ui.echart({})
    session.parts.append(city)

    def draw() -> None:
        head.set_content(_head(session, vehicle, day, today, known))
        side.set_content(_side(session, known))
        chart.options.clear()
        chart.options.update(_timeline(session, day, known))
        chart.update()

    async def follow() -> None:
        nonlocal known
        now = await read_day(sources, vehicle, day)
        if now != known:
            known = now
            city.props["day"] = day_map(known.tasks, known.reports, known.track, sources.now_ms())
            city.update()
            draw()

    draw()
    session.redraw.append(draw)
    if day == today:
        ui.timer(REFRESH_S, follow, immediate=False)


def _head(session: Session, vehicle: str, day: date, today: date, known: Day) -> Html:
    device = find_vehicle(session.broadcast, vehicle)
    facts = ""
    if device is not None:
        names = district_names(session.sources.districts).get(device.district, [device.district] * 2)
        place = names[1 if session.language == "en" else 0]
        facts = " · ".join(filter(None, (device.id, session.named(device.owner), place)))
    path = session.vehicle_link(vehicle, "").split("?")[0]
    return html(
        '<div class="cw-title"><h1>{name}</h1><span>{facts}</span>{days}</div><div style="height:12px"></div>{figures}',
        name=session.named(device.name) if device is not None and device.name else vehicle,
        facts=facts,
        days=day_links(session, path, day, today),
        figures=summary(session, known),
    )


def _side(session: Session, known: Day) -> Html:
    say = session.say
    if not known.tasks:
        return html('<div class="cw-panel"><p class="cw-empty">{t}</p></div>', t=say("no_tasks"))
    heads = [say("task"), say("window"), say("result"), say("covered"), say("work_time"), say("reasons")]
    return html('<div class="cw-panel">{t}</div>', t=table(heads, task_rows(session, known)))


def _timeline(session: Session, day: date, known: Day) -> dict[str, object]:
    zone = session.sources.timezone
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
    windows = []
    for task in known.tasks:
        report = known.reports.get(task.id)
        how = standing_of(task, report, session.sources.now_ms())
        windows.append((task.name or task.id, how, task.start_ms, task.end_ms))
    bounds = day_bounds(known.tasks, known.track, midnight)
    return timeline_chart(spans(known.track), windows, bounds, session.language, zone)
