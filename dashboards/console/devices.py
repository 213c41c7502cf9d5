"""The devices: searched, of a kind, in a state; the way to each one's page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.device import Device
from dashboards.console import palette
from dashboards.console.broadcast import Broadcast
from dashboards.console.parts import DeviceList
from dashboards.console.picture import Json
from dashboards.console.scene import subject_of
from dashboards.console.session import Session, begin, district_names
from dashboards.console.sight import Seen
from dashboards.sources import Sources

PIECE, MOST = 100, 5000
REFRESH_S = 5.0
UNITS = {"streetlight": "W", "waterlogging": "cm", "gas": "%LEL", "vehicle": "km/h"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; "" means any."""

    text: str = ""
    kind: str = ""
    state: str = ""
    limit: int = PIECE


def asked_of(words: Mapping[str, object]) -> Asked:
    """The filters of the page."""
    text, kind, state = (str(words.get(name) or "").strip()[:200] for name in ("q", "kind", "state"))
    limit = words.get("limit")
    return Asked(text.lower(), kind, state, min(MOST, max(PIECE, limit)) if isinstance(limit, int) else PIECE)


def find(seen: Mapping[str, Sequence[Seen]], asked: Asked) -> tuple[list[Seen], Counter[str]]:
    """The devices that are asked for, by name, and how many of each state there are before one is chosen."""
    found = [
        s
        for kind, things in seen.items()
        if asked.kind in ("", kind)
        for s in things
        if not asked.text or asked.text in f"{s.device.name} {s.device.id} {s.device.owner} {s.device.district}".lower()
    ]
    states = Counter(s.state for s in found)
    wanted = [s for s in found if asked.state in ("", s.state)]
    return sorted(wanted, key=lambda s: (s.device.kind, s.device.name or s.device.id, s.device.id)), states


def device_path(device: Device) -> str:
    """The page of a device."""
    if device.kind == "vehicle":
        return f"/vehicles/{quote(device.id, safe='')}"
    return f"/devices/{quote(device.kind, safe='')}/{quote(device.id, safe='')}?tenant={quote(device.tenant, safe='')}"


def device_view(seen: Seen, alerts: int) -> dict[str, Json]:
    """A device as the list shows it."""
    d = seen.device
    return {
        "kind": d.kind, "id": d.id, "tenant": d.tenant, "name": d.name, "district": d.district, "owner": d.owner,
        "state": seen.state, "ts_ms": seen.ts_ms, "alerts": alerts, "path": device_path(d),
        "value": None if seen.value is None else f"{seen.value:.1f} {UNITS.get(d.kind, '')}".strip(),
    }  # fmt: skip


def devices_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the list of the devices for one browser; it looks again every few seconds."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "devices", lang)
        with ui.element("div").classes("cw-body"):
            part = DeviceList(
                session.language, names=district_names(sources.districts), timezone=sources.timezone.key,
                kinds={k.name: [k.zh, k.en] for k in sources.kinds.values()}, colours=palette.STATE,
            )  # fmt: skip
    session.parts.append(part)
    _serve(session, part)


def _serve(session: Session, part: DeviceList) -> None:
    scene = session.broadcast.scene
    asked = Asked()
    shown: dict[str, object] = {}

    def show() -> None:
        nonlocal shown
        found, states = find(scene.seen, asked)
        open_alerts = Counter(subject_of(a)[0] for a in scene.alerts.values() if a.open)
        rows = [device_view(s, open_alerts[s.device.key]) for s in found[: asked.limit]]
        listed: dict[str, object] = {
            "rows": rows, "total": len(found), "states": dict(states.most_common()), "ready": scene.looked,
            "more": len(found) > asked.limit and asked.limit < MOST,
        }  # fmt: skip
        if listed != shown:
            shown = listed
            part.rows(listed)

    def query(e: GenericEventArguments) -> None:
        nonlocal asked, shown
        asked, shown = asked_of(e.args), {}
        show()

    part.on("query", query)
    ui.timer(1.0, lambda: None if shown.get("ready") else show(), immediate=False)
    ui.timer(REFRESH_S, show, immediate=False)
