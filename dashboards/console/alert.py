"""One alert's own page: what and where, its value against the threshold, its life, who was told, what is like it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.columns import Reading
from citywarden.model.alert import Alert, AlertQuery
from citywarden.model.device import Device
from citywarden.model.dispatch import AlertEvent, Sending
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.kind import Kind, Quantity
from dashboards.console import palette
from dashboards.console.alertcharts import Mark, course_chart
from dashboards.console.broadcast import Broadcast
from dashboards.console.chartparts import Options
from dashboards.console.commanding import obeys
from dashboards.console.course import gap_ms, line_of
from dashboards.console.deeds import act
from dashboards.console.desk import HOUR_MS
from dashboards.console.device import POINTS, find_device
from dashboards.console.messages import sending_view
from dashboards.console.parts import AlertSheet, CityMap
from dashboards.console.picture import Json
from dashboards.console.scene import place_of, subject_of
from dashboards.console.session import Session, begin, district_names
from dashboards.sources import Sources

DAY_MS = 24 * HOUR_MS
BEFORE_MS, AFTER_MS = 2 * HOUR_MS, HOUR_MS
"""How much of the value is shown before an alert and after it."""
LONGEST_MS = 2 * DAY_MS
TRAIL_BEFORE_MS, TRAIL_AFTER_MS = HOUR_MS // 2, HOUR_MS // 4
HERE_MS, RULE_MS = 30 * DAY_MS, 7 * DAY_MS
SIMILAR = 8
REFRESH_S = 5.0
COURSE_S = 15.0


@dataclass(frozen=True, slots=True)
class File:
    """What is known of an alert."""

    alert: Alert
    device: Device | None
    readings: Sequence[Reading]
    life: Sequence[AlertEvent] = ()
    sent: Sequence[Sending] = ()
    here: Sequence[Alert] = ()
    rule: Sequence[Alert] = ()


async def read_file(sources: Sources, alert: Alert) -> File:
    """Everything about an alert."""
    key, _ = subject_of(alert)
    device = await find_device(sources, key.kind, key.id, key.tenant)
    return await read_events(sources, File(alert, device, await read_course(sources, alert, device)))


async def read_course(sources: Sources, alert: Alert, device: Device | None) -> Sequence[Reading]:
    """What the device sent around the alert; nothing where the store does not answer."""
    if device is None:
        return ()
    stop = min(sources.now_ms(), (alert.resolved_ms or sources.now_ms()) + AFTER_MS, alert.raised_ms + LONGEST_MS)
    try:
        return await sources.store.series(device.key, alert.raised_ms - BEFORE_MS, stop + 1, 20_000)
    except CitywardenError:
        return ()


async def read_events(sources: Sources, file: File) -> File:
    """The file with what happened since."""
    alert = await sources.alerts.get(file.alert.id)
    now_ms = sources.now_ms()
    near = AlertQuery(tenant=alert.tenant, rule=alert.rule, raised_since_ms=now_ms - RULE_MS, limit=SIMILAR + 1)
    place = AlertQuery(tenant=alert.tenant, subject=alert.subject, raised_since_ms=now_ms - HERE_MS, limit=SIMILAR + 1)
    here = [a for a in (await sources.alerts.find(place)).items if a.id != alert.id][:SIMILAR]
    known = {alert.id, *(a.id for a in here)}
    rule = [a for a in (await sources.alerts.find(near)).items if a.id not in known][:SIMILAR]
    desk = sources.dispatch
    life = () if desk is None else await desk.history(alert.id)
    sent = () if desk is None else await desk.sent_of(alert.id)
    return replace(file, alert=alert, here=here, rule=rule, life=life, sent=sent)


def quantity_of(kind: Kind, alert: Alert, readings: Sequence[Reading]) -> Quantity | None:
    """The quantity an alert is about: of those in its unit the one that was nearest to its value when it was raised.
    Where none has its unit (missing data, work), the kind's first one with any.
    """
    known = [q for q in kind.numeric if q.unit not in ("", "°") and any(q.field in r.values for r in readings)]
    fit = [q for q in known if q.unit == alert.unit]
    if alert.value is None or len(fit) < 2:
        return next(iter(fit or known), None)
    then = min(readings, key=lambda r: abs(r.ts_ms - alert.raised_ms))
    value = alert.value

    def far(quantity: Quantity) -> float:
        read = then.values.get(quantity.field)
        return abs(float(read) - value) if isinstance(read, int | float) else float("inf")

    return min(fit, key=far)


def trail(file: File) -> list[tuple[float, float]]:
    """The way (lon, lat) of the vehicle an alert is about, around the time it was raised."""
    device, raised_ms = file.device, file.alert.raised_ms
    if device is None or device.kind != "vehicle":
        return []
    around = (r for r in file.readings if raised_ms - TRAIL_BEFORE_MS <= r.ts_ms <= raised_ms + TRAIL_AFTER_MS)
    spots = ((r.values.get("lon"), r.values.get("lat")) for r in around)
    return [
        place_of(device, float(lon), float(lat))
        for lon, lat in spots
        if isinstance(lon, int | float) and isinstance(lat, int | float)
    ]


def spot(file: File) -> dict[str, object] | None:
    """Where the map puts the alert."""
    a, device = file.alert, file.device
    lat, lon = a.lat, a.lon
    if (lat is None or lon is None) and device is not None and device.lat is not None and device.lon is not None:
        lon, lat = place_of(device, device.lon, device.lat)
    if lat is None or lon is None:
        return None
    return {"lon": lon, "lat": lat, "severity": a.severity.word, "trail": trail(file)}


def course(session: Session, file: File) -> Options | None:
    """The value's course with the threshold and what happened, and the `quantity`'s name; None where there is none."""
    alert = file.alert
    kind = session.sources.kinds.get(alert.kind)
    quantity = None if kind is None else quantity_of(kind, alert, file.readings)
    if kind is None or quantity is None:
        return None
    rows = [(r.ts_ms, float(r.values[quantity.field])) for r in file.readings if quantity.field in r.values]
    name = f"{quantity.en if session.language == 'en' else quantity.zh} {quantity.unit}".strip()
    colour = palette.SEVERITY[alert.severity]
    limit = None
    if alert.threshold is not None and alert.unit == quantity.unit:
        limit = (alert.threshold, f"{session.say('threshold')} {alert.threshold:g} {alert.unit}".strip())
    marks = [Mark(alert.raised_ms, session.say("raised"), colour)]
    acknowledged = next((e for e in file.life if e.change in ("acknowledged", "assigned")), None)
    if acknowledged is not None:
        marks.append(Mark(acknowledged.at_ms, session.say("acknowledged"), palette.ACCENT))
    if alert.resolved_ms is not None:
        marks.append(Mark(alert.resolved_ms, session.say("resolved"), palette.GOOD))
    end = alert.resolved_ms or max(alert.raised_ms, file.readings[-1].ts_ms)
    line = line_of(rows, gap_ms(kind, file.device), POINTS)
    shaded = (alert.raised_ms, end, colour)
    return course_chart(line, name, session.sources.timezone, limit, marks, shaded) | {"quantity": name}


def sheet(session: Session, file: File) -> dict[str, Json]:
    """What the page says of the alert, for the browser."""
    view, a = session.broadcast.scene.view, file.alert
    facts = {
        "value": a.value, "unit": a.unit, "threshold": a.threshold, "lat": a.lat, "lon": a.lon, "runbook": a.runbook,
        "reason": a.reason, "updated_ms": a.updated_ms, "closed_by": a.closed_by,
    }  # fmt: skip
    life = [
        {"at_ms": e.at_ms, "change": e.change, "by": e.by, "note": e.note, "level": e.alert.severity.word,
         "to": e.alert.assigned_to, "hold": e.alert.hold}
        for e in file.life
    ]  # fmt: skip
    return {
        "alert": view(a) | facts,
        "life": life,
        "sent": [sending_view(session, s) for s in file.sent],
        "similar": {"here": [view(x) for x in file.here], "rule": [view(x) for x in file.rule]},
    }


async def alert_page(sources: Sources, broadcast: Broadcast, alert_id: str, lang: str | None = None) -> None:
    """Build an alert's page for one browser; it follows the alert."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "alert", lang, live_map=True)
        body = ui.element("div").classes("cw-body")
    try:
        found = await sources.alerts.get(alert_id)
    except NotFound:
        found = None
    if found is None or not session.who.sees(found.tenant):
        with body:
            session.label("no_such_alert", "cw-empty")
        return
    page = Page(session, await read_file(sources, found))
    with body, ui.element("div").classes("cw-sheet"):
        page.build()


class Page:
    """The parts of one alert's page, and what keeps them up to date."""

    def __init__(self, session: Session, file: File) -> None:
        self._session = session
        self._file = file
        self._chart: ui.echart | None = None
        self._dirty = False
        self._said = sheet(session, file)

    def build(self) -> None:
        session = self._session
        kinds = {kind.name: [kind.zh, kind.en] for kind in session.sources.kinds.values()}
        names, zone = district_names(session.sources.districts), session.sources.timezone.key
        self._part = AlertSheet(
            session.language, **self._said, names=names, timezone=zone, kinds=kinds,
            desk=session.sources.dispatch is not None, cases=session.sources.cases is not None,
            obeys=obeys(session, self._file.alert.kind), titles=session.titles(), **session.hand(),
        )  # fmt: skip
        session.parts.append(self._part)
        with ui.element("section").classes("cw-panel cw-course"):
            self._title = ui.label(session.say("course")).classes("cw-h")
            options = course(session, self._file)
            if options is None:
                session.label("no_course", "cw-empty")
                session.redraw.append(lambda: self._title.set_text(session.say("course")))
            else:
                self._chart = ui.echart({})
                self._draw()
                session.redraw.append(self._draw)
        self._build_map()
        self._part.on("act", self._act)
        self._part.on("replay", self._replay)
        session.viewer.alerts = self._mark
        ui.timer(1.0, self._follow, immediate=False)
        ui.timer(REFRESH_S, self._refresh, immediate=False)
        ui.timer(COURSE_S, self._go_on, immediate=False)

    def _build_map(self) -> None:
        session, where = self._session, spot(self._file)
        if where is None:
            return
        kinds = {kind.name: {"zh": kind.zh, "en": kind.en} for kind in session.sources.kinds.values()}
        city = CityMap(session.language, districts=session.sources.districts, kinds=kinds, spot=where)
        city.classes("cw-spot")
        session.parts.append(city)

    def _mark(self) -> None:
        self._dirty = True

    async def _follow(self) -> None:
        if self._dirty:
            self._dirty = False
            await self._refresh()

    async def _refresh(self) -> None:
        """Read again what may have happened, and show it when it is news."""
        now = await read_events(self._session.sources, self._file)
        said = sheet(self._session, now)
        if now == self._file and said == self._said:
            return
        self._file, self._said = now, said
        self._part.props.update(said)
        self._part.update()
        self._draw()

    async def _go_on(self) -> None:
        """The value's course goes on while the alert is open."""
        if self._file.alert.open and self._chart is not None:
            readings = await read_course(self._session.sources, self._file.alert, self._file.device)
            self._file = replace(self._file, readings=readings)
            self._draw()

    def _draw(self) -> None:
        options = course(self._session, self._file)
        if self._chart is not None and options is not None:
            self._title.set_text(f"{self._session.say('course')} · {options['quantity']}")
            self._chart.options.clear()
            self._chart.options.update({name: part for name, part in options.items() if name != "quantity"})
            self._chart.update()

    async def _act(self, e: GenericEventArguments) -> None:
        outcome = await act(self._session, {**e.args, "ids": [self._file.alert.id]})
        self._part.answered(outcome.ok, outcome.changed, outcome.failed, outcome.why)
        await self._refresh()

    async def _replay(self, e: GenericEventArguments) -> None:
        desk, session = self._session.sources.dispatch, self._session
        if desk is None or not session.may or e.args not in {s.id for s in self._file.sent}:
            return
        async with session.sources.audit.doing(session.who, "delivery.replay", [str(e.args)]):
            await desk.replay(str(e.args))
        await self._refresh()
