"""The history of one device, around an alert or up to now."""

from collections.abc import Sequence
from datetime import datetime

from nicegui import ui

from citywarden.columns import Reading
from citywarden.model.alert import Alert
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.kind import Form, Kind, Quantity
from dashboards.console import palette
from dashboards.console.broadcast import Broadcast
from dashboards.console.charts import history_chart
from dashboards.console.commanding import command_panel
from dashboards.console.course import gap_ms, line_of
from dashboards.console.desk import HOUR_MS, read_registry
from dashboards.console.markup import Html, figures, html
from dashboards.console.session import Session, begin, district_names
from dashboards.console.words import localised
from dashboards.sources import Sources

HOURS = 6
BEFORE_MS, AFTER_MS = 3 * HOUR_MS, HOUR_MS
"""How much is shown before an alert was raised and after it was resolved."""
POINTS = 1500
"""Points a chart is given at most, besides the ends of a broken line; of more, every n-th."""


async def find_device(sources: Sources, kind: str, device: str, tenant: str | None) -> Device | None:
    """The device of the address. Without a tenant: the first of that name."""
    if tenant:
        try:
            return await sources.devices.get(DeviceKey(tenant, kind, device))
        except NotFound:
            pass
    heard = sources.live.devices(kind) if kind in sources.kinds else ()
    known = next((d for d in heard if d.id == device), None)
    if known is not None:
        return known
    registry = await read_registry(sources.devices)
    return next((d for key, d in registry.items() if (key.kind, key.id) == (kind, device)), None)


async def device_page(
    sources: Sources,
    broadcast: Broadcast,
    address: tuple[str, str, str | None],
    alert_id: str | None = None,
    lang: str | None = None,
) -> None:
    """Build a device's history for one browser. `address`: kind, device, tenant."""
    alert: Alert | None = None
    if alert_id:
        try:
            alert = await sources.alerts.get(alert_id)
        except NotFound:
            alert = None
    tenant = address[2] or (None if alert is None else alert.tenant)
    kind, device = sources.kinds.get(address[0]), await find_device(sources, address[0], address[1], tenant)
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "device_history", lang)
        body = ui.element("div").classes("cw-body")
    if kind is None or device is None:
        with body:
            nothing = html(
                '<p class="cw-empty">{t}<br><br><a class="cw-act" href="{l}">{to}</a></p>',
                t=session.say("unknown_device"),
                l=session.link("/devices"),
                to=session.say("to_devices"),
            )
            ui.html(nothing, sanitize=False)
        return
    readings = await read_history(sources, device, alert)

    with body:
        head = ui.element("div").classes("cw-as-is")
        await command_panel(session, kind, device)
        rest = ui.element("div").classes("cw-as-is")

    def draw() -> None:
        head.clear()
        with head:
            ui.html(_head(session, kind, device, alert), sanitize=False)
        rest.clear()
        with rest:
            _draw(session, kind, device, readings, alert)

    draw()
    session.redraw.append(draw)


async def read_history(sources: Sources, device: Device, alert: Alert | None) -> Sequence[Reading]:
    """Readings around the alert, else of the last hours."""
    now_ms = sources.now_ms()
    start, stop = now_ms - HOURS * HOUR_MS, now_ms + 1
    if alert is not None:
        start = alert.raised_ms - BEFORE_MS
        stop = min(stop, (alert.resolved_ms or now_ms) + AFTER_MS)
    return await sources.store.series(device.key, start, stop, 20_000)


def _draw(session: Session, kind: Kind, device: Device, readings: Sequence[Reading], alert: Alert | None) -> None:
    shown = [q for q in kind.numeric if any(q.field in r.values for r in readings)]
    if not readings:
        session_text = session.say("no_readings")
        ui.html(html('<p class="cw-empty">{t}</p>', t=session_text), sanitize=False)
    with ui.element("div").classes("cw-three"):
        for quantity in sorted(shown, key=lambda q: q.form is Form.FLAG):
            with ui.element("div").classes("cw-panel"):
                name = quantity.en if session.language == "en" else quantity.zh
                ui.label(f"{name} {quantity.unit}".strip()).classes("cw-h")
                ui.echart(_chart(session, (quantity, name), readings, gap_ms(kind, device), alert))
    ui.html(_latest(session, kind, device), sanitize=False)


def _chart(
    session: Session, what: tuple[Quantity, str], readings: Sequence[Reading], longest_ms: int, alert: Alert | None
) -> dict[str, object]:
    """The course of a quantity (and what it is called); its line breaks after `longest_ms` without a value."""
    quantity, name = what
    rows = [(r.ts_ms, float(r.values[quantity.field])) for r in readings if quantity.field in r.values]
    marked = None
    if alert is not None:
        threshold = alert.threshold if alert.unit and alert.unit == quantity.unit else None
        marked = (alert.raised_ms, alert.resolved_ms, threshold, palette.SEVERITY[alert.severity])
    return history_chart(line_of(rows, longest_ms, POINTS), name, quantity.unit, session.sources.timezone, marked)


def _head(session: Session, kind: Kind, device: Device, alert: Alert | None) -> Html:
    names = district_names(session.sources.districts)
    at = 1 if session.language == "en" else 0
    district = names[device.district][at] if device.district in names else device.district
    facts = " · ".join(filter(None, (kind.en if at else kind.zh, device.id, district, session.named(device.owner))))
    said = session.say("last_hours").replace("{n}", str(HOURS))
    if alert is not None:
        told = alert.summary.get(session.language) or alert.rule
        summary = localised(told, [device.name], session.language)
        said = f"{session.say(alert.severity.word)} · {summary} · {session.say(alert.status.value)}"
    return html(
        '<div class="cw-title"><h1>{n}</h1><span>{f}</span></div><p class="cw-h cw-said {c}">{s}</p>',
        n=session.named(device.name or device.id),
        f=facts,
        s=said,
        c="" if alert is None else alert.severity.word,
    )


def _latest(session: Session, kind: Kind, device: Device) -> Html:
    reading = session.sources.live.of(device.key)
    if reading is None:
        return Html("")
    zone = session.sources.timezone
    tiles = []
    for quantity in kind.quantities:
        value = reading.values.get(quantity.field)
        if value is not None and value != "":
            yes = "✓" if value else "✗"
            text = yes if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
            tiles.append((quantity.en if session.language == "en" else quantity.zh, text, quantity.unit))
    when = f"{datetime.fromtimestamp(reading.ts_ms / 1000, zone):%Y-%m-%d %H:%M:%S}"
    return html('<p class="cw-h">{t} · {w}</p>{b}', t=session.say("latest"), w=when, b=figures(tiles))
