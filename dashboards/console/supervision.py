"""The work of a day, per company, district and vehicle, and the roads that were missed most."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from nicegui import ui

from citywarden.model.device import Device
from citywarden.model.work import TaskReport
from dashboards.console.broadcast import Broadcast
from dashboards.console.day import Group, groups, required_s, totals, worst_roads
from dashboards.console.desk import Work, day_of, read_registry
from dashboards.console.markup import Html, bar, figures, html, table
from dashboards.console.picture import share
from dashboards.console.session import Session, begin, district_names
from dashboards.console.vehicle import day_links, hours_text, judged_of, length_text, parse_day
from dashboards.console.words import reason
from dashboards.sources import Sources


async def supervision_page(
    sources: Sources, broadcast: Broadcast, wanted: str | None = None, lang: str | None = None
) -> None:
    """Build the supervision page for one browser."""
    today = day_of(sources.now_ms(), sources)
    day = parse_day(wanted, today)
    tasks = {task.id: task for task in await sources.work.tasks(day)}
    work = Work(day, tasks, {r.task: r for r in await sources.work.reports(day)})
    registry = await read_registry(sources.devices)
    vehicles = {device.id: device for device in registry.values() if device.kind == "vehicle"}
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "supervision", lang)
        content = ui.html(sanitize=False).classes("cw-body")

    def draw() -> None:
        content.set_content(_page(session, work, vehicles, today))

    draw()
    session.redraw.append(draw)


def _page(session: Session, work: Work, vehicles: dict[str, Device], today: date) -> Html:
    say, reports, now_ms = session.say, list(work.reports.values()), session.sources.now_ms()
    head = html(
        '<div class="cw-title"><h1>{t}</h1>{csv}{days}</div>',
        t=say("supervision"),
        csv=_exports(session, work.day),
        days=day_links(session, "/supervision", work.day, today),
    )
    if not reports:
        return html('{h}<p class="cw-empty">{t}</p>', h=head, t=say("day_has_none"))
    names = district_names(session.sources.districts)
    at = 1 if session.language == "en" else 0

    def company(r: TaskReport) -> str:
        owner = vehicles[r.vehicle].owner if r.vehicle in vehicles else ""
        return session.named(owner) or say("unassigned")

    def district(r: TaskReport) -> str:
        known = vehicles[r.vehicle].district if r.vehicle in vehicles else ""
        return names[known][at] if known in names else known or say("unassigned")

    panels = [
        _ranking(session, "by_company", groups(work.tasks, reports, company, now_ms)),
        _ranking(session, "by_district", groups(work.tasks, reports, district, now_ms)),
    ]

    def name(vehicle: str) -> Html:
        known = vehicles.get(vehicle)
        link = session.vehicle_link(vehicle, str(work.day))
        return html(
            '<a href="{l}">{n}</a>',
            l=link,
            n=session.named(known.name if known is not None else "") or vehicle,
        )

    by_vehicle = _ranking(session, "by_vehicle", groups(work.tasks, reports, lambda r: r.vehicle, now_ms), name)
    return html(
        '{head}{sums}<div class="cw-two"><div>{a}{b}</div>{worst}</div>{vehicles}',
        head=head,
        sums=_sums(session, work, now_ms),
        a=panels[0],
        b=panels[1],
        worst=_worst(session, work, name),
        vehicles=by_vehicle,
    )


def _exports(session: Session, day: date) -> Html:
    """The day, and its month, to take along."""
    month = {"from": str(day.replace(day=1)), "to": str((day.replace(day=28) + timedelta(days=4)).replace(day=1))}
    month["to"] = str(date.fromisoformat(month["to"]) - timedelta(days=1))
    return html(
        '<div class="cw-exports"><a href="{d}" download>{dt}</a><a href="{m}" download>{mt}</a></div>',
        d=session.link("/supervision.csv", **{"from": str(day), "to": str(day)}),
        dt=session.say("csv_day"),
        m=session.link("/supervision.csv", **month),
        mt=session.say("csv_month"),
    )


def _sums(session: Session, work: Work, now_ms: int) -> Html:
    t, say = totals(work.reports.values(), now_ms), session.say
    needed = required_s(work.tasks, work.reports.values(), now_ms)
    return figures(
        [
            (say("met_share"), share(t.met_pct), "%"),
            (say("met"), f"{t.met}", judged_of(session, t)),
            (say("covered"), share(t.coverage_pct), "%"),
            (say("work_time"), hours_text(t.work_s), f"/ {hours_text(needed)} h" if needed else "h"),
            (say("driven"), length_text(t.driven_m), "km"),
            (say("empty_running"), share(t.empty_pct), "%"),
        ]
    )


def _ranking(session: Session, title: str, rows: Sequence[Group], shown: Callable[[str], Html] | None = None) -> Html:
    say = session.say
    heads = [say(key) if key else "" for key in ("", "name", "met", "ahead", "covered", "work_time", "empty_running")]
    body: list[list[object]] = []
    for place, g in enumerate(rows, 1):
        t = g.totals
        required = f" / {hours_text(g.required_s)}" if g.required_s else ""
        name: object = g.name if shown is None else shown(g.name)
        empty = "–" if t.empty_pct is None else f"{share(t.empty_pct)} %"
        body.append(
            [
                place,
                name,
                f"{t.met} / {t.judged}",
                t.ahead or "–",
                bar(t.coverage_pct),
                f"{hours_text(t.work_s)}{required}",
                empty,
            ]
        )
    inner = table(heads, body, (2, 3, 5, 6))
    return html('<section class="cw-panel"><p class="cw-h">{t}</p>{b}</section>', t=say(title), b=inner)


def _worst(session: Session, work: Work, name: Callable[[str], Html]) -> Html:
    say = session.say
    rows: list[list[object]] = []
    for report, missed_m, why in worst_roads(work.reports.values()):
        task = work.tasks.get(report.task)
        road = task.name or task.id if task is not None else report.task
        because = reason(why, session.language)
        rows.append([session.named(road), name(report.vehicle), f"{missed_m:.0f} m", because])
    heads = [say("task"), say("vehicle"), say("missed"), say("reasons")]
    return html(
        '<section class="cw-panel"><p class="cw-h">{t}</p>{b}</section>',
        t=say("worst_roads"),
        b=table(heads, rows, (2,)),
    )
