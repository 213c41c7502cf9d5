"""The form of a new case, out of an alert or of what somebody saw."""

from collections.abc import Mapping
from dataclasses import replace

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.alert import Alert
from citywarden.model.case import Report, Source
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import NEW
from dashboards.console.broadcast import Broadcast
from dashboards.console.caseviews import category_view
from dashboards.console.parts.caseparts import CaseForm
from dashboards.console.picture import Json
from dashboards.console.scene import subject_of
from dashboards.console.session import Session, begin, district_names
from dashboards.sources import Sources

MAX_TITLE, MAX_TEXT = 200, 4000


def report_of(session: Session, asked: Mapping[str, object], base: Report | None) -> Report | None:
    """What was filled in, over what the alert says; None where something is missing."""
    desk = session.sources.cases
    by = session.by(asked.get("by"))

    def text(name: str, longest: int = MAX_TITLE) -> str:
        value = asked.get(name)
        return value.strip()[:longest] if isinstance(value, str) else ""

    def number(name: str, most: float) -> float | None:
        value = asked.get(name)
        return float(value) if isinstance(value, int | float) and -most <= value <= most else None

    category, title = text("category"), text("title")
    if desk is None or by is None or not category or not title:
        return None
    source = next((one for one in Source if one == asked.get("source")), Source.PATROL)
    lat, lon = number("lat", 90), number("lon", 180)
    placed = lat is not None and lon is not None
    if wrong_position(asked):
        return None
    made = Report(
        session.who.tenant or desk.tenant, category, title, source, by, text("text", MAX_TEXT), text("place"),
        text("district"), lat if placed else None, lon if placed else None,
    )  # fmt: skip
    if base is None:
        return made
    return replace(made, tenant=base.tenant, source=Source.ALERT, alert=base.alert, about=base.about)


def wrong_position(asked: Mapping[str, object]) -> bool:
    """Whether a position was begun that is none: half of it, or off the globe."""
    given = [(asked.get(name), most) for name, most in (("lat", 90), ("lon", 180)) if asked.get(name) not in (None, "")]
    return len(given) == 1 or not all(
        isinstance(value, int | float) and not isinstance(value, bool) and -most <= value <= most
        for value, most in given
    )


def lacking(asked: Mapping[str, object], by: str | None) -> str:
    """The word for why what was filled in makes no report."""
    if by is None:
        return "case_who_missing"
    named = all(isinstance(value := asked.get(name), str) and value.strip() for name in ("category", "title"))
    return "case_position_wrong" if named and wrong_position(asked) else "case_title_missing"


async def _base(session: Session, alert_id: str | None) -> tuple[Alert, Report] | None:
    """The alert a case is opened out of, and what it says."""
    sources = session.sources
    if alert_id is None or sources.cases is None:
        return None
    try:
        alert = await sources.alerts.get(alert_id)
    except NotFound:
        return None
    if not session.who.sees(alert.tenant):
        return None
    device = session.broadcast.scene.device(subject_of(alert)[0])
    place = (device.name or device.id) if device is not None else alert.subject
    report = sources.cases.report_of(alert, place, "")
    if device is not None and (report.lat is None or report.lon is None):
        report = replace(report, lat=device.lat, lon=device.lon)
    return alert, report


async def form_page(
    sources: Sources, broadcast: Broadcast, alert_id: str | None = None, lang: str | None = None
) -> None:
    """Build the form for one browser. An alert that has an open case leads there at once."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "case_new", lang)
        body = ui.element("div").classes("cw-body")
    desk = None if sources.cases is None else sources.cases.seen_by(session.who)
    if desk is None or not session.may:
        with body:
            session.label("case_not_allowed", "cw-empty")
        return
    found = await _base(session, alert_id)
    base = found[1] if found else None
    if base is not None and base.alert and (there := await desk.of_alert(base.alert)) is not None and there.open:
        ui.navigate.to(session.link(f"/cases/{there.id}"))
        return
    known: dict[str, Json] = {
        "category": base.category if base else "", "title": base.title if base else "",
        "place": base.place if base else "", "district": base.district if base else "",
        "lat": base.lat if base else None, "lon": base.lon if base else None, "alert": base.alert if base else None,
    }  # fmt: skip
    names = district_names(sources.districts)
    districts = sorted({pair[1] for pair in names.values()})
    with body:
        part = CaseForm(
            session.language, form=known, names=names, districts=districts,
            timezone=sources.timezone.key, categories=[category_view(one) for one in desk.categories], **session.hand(),
        )  # fmt: skip
    session.parts.append(part)

    async def send(e: GenericEventArguments) -> None:
        report = report_of(session, e.args, base)
        if report is None:
            part.answered(False, lacking(e.args, session.by(e.args.get("by"))))
            return
        said = f"{report.category} {report.title}"[:200]
        try:
            async with sources.audit.doing(session.who, "case.open", [NEW], said) as intent:
                case = await desk.open(report)
                intent.subjects = [case.number]
        except CitywardenError as error:
            part.answered(False, error.said(session.language))
            return
        part.answered(True, case.id)

    part.on("send", send)
