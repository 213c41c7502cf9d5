"""The inbox: every alert, with filters, one by one or many at once; made for the phone as well."""

from collections.abc import Mapping

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.alert import AlertQuery, Severity, Status
from dashboards.console.broadcast import Broadcast
from dashboards.console.parts import AlertList
from dashboards.console.picture import urgency
from dashboards.console.session import act, begin, district_names
from dashboards.sources import Sources

PAGE = 50


def query_of(wanted: Mapping[str, object]) -> AlertQuery | None:
    """What the filters ask of the inbox; None for the open ones, which it gives in one piece."""
    status, severity, cursor = wanted.get("status"), wanted.get("severity"), wanted.get("cursor")
    if status == "open":
        return None
    return AlertQuery(
        status=next((known for known in Status if known == status), None),
        severity=next((level for level in Severity if level.word == severity), None),
        limit=PAGE,
        cursor=cursor if isinstance(cursor, str) else None,
    )


def inbox_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the inbox for one browser."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "inbox", lang)
        with ui.element("div").classes("cw-body"):
            names, zone = district_names(sources.districts), sources.timezone.key
            alerts = AlertList(session.language, inbox=True, names=names, timezone=zone)
            session.parts.append(alerts)

    async def ask(e: GenericEventArguments) -> None:
        query = query_of(e.args)
        if query is None:
            found = sorted(await sources.alerts.open(), key=urgency)
            wanted = [a for a in found if e.args.get("severity") in ("", None, a.severity.word)]
            alerts.page([broadcast.scene.view(a) for a in wanted], None, False)
        else:
            page = await sources.alerts.find(query)
            alerts.page([broadcast.scene.view(a) for a in page.items], page.next, query.cursor is not None)

    async def do(e: GenericEventArguments) -> None:
        alerts.answered(*await act(broadcast, e.args))

    alerts.on("query", ask)
    alerts.on("act", do)
