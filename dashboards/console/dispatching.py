"""The dispatcher's pages on the application: alerts one by one, silences, deliveries, measures, the devices."""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from nicegui import ui

from dashboards.api.rights import identity_of
from dashboards.console.alert import alert_page
from dashboards.console.desk import day_of
from dashboards.console.devices import devices_page
from dashboards.console.measures import measures_csv, measures_page, period_of
from dashboards.console.messages import deliveries_page
from dashboards.console.ruling import Wanted, rules_page
from dashboards.console.silences import silences_page
from dashboards.console.views import Views
from dashboards.console.words import language_of, word

ANSWER_S = 30.0
Day = Annotated[str | None, Query(max_length=10)]


def add_dispatching(app: FastAPI, views: Views) -> None:
    """Add `/alerts/{id}`, `/silences`, `/deliveries`, `/measures`, `/rules`, `/devices`, the file `/measures.csv`."""

    @ui.page("/alerts/{alert_id}", response_timeout=ANSWER_S)
    async def alert(alert_id: str, lang: str | None = None) -> None:
        view = views.mine()
        await alert_page(view.sources, view, alert_id, lang)

    @ui.page("/silences", response_timeout=ANSWER_S)
    def silences(lang: str | None = None) -> None:
        view = views.mine()
        silences_page(view.sources, view, lang)

    @ui.page("/deliveries", response_timeout=ANSWER_S)
    def deliveries(lang: str | None = None) -> None:
        view = views.mine()
        deliveries_page(view.sources, view, lang)

    @ui.page("/devices", response_timeout=ANSWER_S)
    def devices(lang: str | None = None) -> None:
        view = views.mine()
        devices_page(view.sources, view, lang)

    @ui.page("/rules", response_timeout=ANSWER_S)
    async def rules(kind: str = "", q: str = "", lang: str | None = None) -> None:
        view = views.mine()
        await rules_page(view.sources, view, Wanted(kind.strip()[:64], q.strip()[:200]), lang)

    @ui.page("/measures", response_timeout=ANSWER_S)
    async def measures(
        start: Annotated[str | None, Query(alias="from")] = None,
        stop: Annotated[str | None, Query(alias="to")] = None,
        lang: str | None = None,
    ) -> None:
        view = views.mine()
        await measures_page(view.sources, view, (start, stop), lang)

    @app.get("/measures.csv", include_in_schema=False)
    async def file(
        request: Request,
        start: Annotated[Day, Query(alias="from")] = None,
        stop: Annotated[Day, Query(alias="to")] = None,
        lang: str | None = None,
    ) -> Response:
        sources = views.of(identity_of(request)).sources
        if sources.dispatch is None:
            return PlainTextResponse(word("no_alerts_here", language_of(lang, sources.language)), 404)
        period = period_of(start, stop, day_of(sources.now_ms(), sources))
        lines = await measures_csv(sources, sources.dispatch, period, language_of(lang, sources.language))
        name = f"citywarden-alerts-{period.first}-{period.last}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines, media_type="text/csv", headers=headers)
