"""The wall: the whole city on one page."""

from functools import partial
from urllib.parse import quote

from nicegui import ui
from nicegui.events import GenericEventArguments

from dashboards.console.broadcast import Broadcast
from dashboards.console.chartparts import Options
from dashboards.console.charts import alerts_chart, depth_chart, work_chart
from dashboards.console.deeds import act
from dashboards.console.desk import History
from dashboards.console.parts import AlertList, CityMap, FigureStrip
from dashboards.console.session import Session, begin, district_names
from dashboards.sources import Sources


class Charts:
    """The three small charts of one page; redrawn when their data, the language or the screen changes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._history = session.broadcast.history
        self._scale = 1.0
        self._shown: dict[str, ui.echart] = {}
        with ui.element("div").classes("cw-charts"):
            for key, options in self._options().items():
                with ui.element("div").classes("cw-chart"):
                    session.label(key)
                    self._shown[key] = ui.echart(options)
        session.redraw.append(self.draw)

    def _options(self) -> dict[str, Options]:
        s, h = self._session, self._history
        zone, bands = s.sources.timezone, s.broadcast.scene.bands.depth_cm[1:]
        return {
            "alerts_per_hour": alerts_chart(h.alerts, s.language, zone, self._scale),
            "depth_hour": depth_chart(h.depths, bands, s.language, zone, self._scale),
            "work_hours": work_chart(h.work, s.language, self._scale),
        }

    def take(self, history: History) -> None:
        self._history = history
        self.draw()

    def screen(self, e: GenericEventArguments) -> None:
        """The page's size against 1920 x 1080."""
        scale = min(2.5, max(0.8, float(e.args))) if isinstance(e.args, int | float) else 1.0
        if scale != self._scale:
            self._scale = scale
            self.draw()

    def draw(self) -> None:
        for key, options in self._options().items():
            chart = self._shown[key]
            if dict(chart.options) != options:
                chart.options.clear()
                chart.options.update(options)
                chart.update()


def wall_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the wall for one browser."""
    with ui.element("main").classes("cw-wall"):
        session = begin(sources, broadcast, "wall", lang, live_map=True)
        strip = FigureStrip(session.language)
        kinds = {kind.name: {"zh": kind.zh, "en": kind.en} for kind in sources.kinds.values()}
        city = CityMap(session.language, districts=sources.districts, kinds=kinds)
        names, zone = district_names(sources.districts), sources.timezone.key
        alerts = AlertList(session.language, names=names, timezone=zone, **session.hand())
        session.parts += [strip, city, alerts]
        charts = Charts(session)
    session.viewer.charts = charts.take
    session.bar.on("screen", charts.screen)
    city.on("open", partial(_open, session))
    alerts.on("act", partial(_act, session, alerts))


def _open(session: Session, e: GenericEventArguments) -> None:
    kind, device = str(e.args.get("kind")), str(e.args.get("id"))
    if kind == "vehicle":
        ui.navigate.to(session.link(f"/vehicles/{quote(device, safe='')}"))
    else:
        path = f"/devices/{quote(kind, safe='')}/{quote(device, safe='')}"
        ui.navigate.to(session.link(path, tenant=str(e.args.get("tenant", ""))))


async def _act(session: Session, alerts: AlertList, e: GenericEventArguments) -> None:
    outcome = await act(session, e.args)
    alerts.answered(outcome.ok, outcome.changed, outcome.failed, outcome.why)
