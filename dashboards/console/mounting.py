"""Hang the console's pages into a FastAPI application."""

from datetime import date
from typing import Annotated

from fastapi import FastAPI, Query, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from nicegui import app as pages
from nicegui import ui

from dashboards.console.broadcast import Broadcast
from dashboards.console.desk import day_of
from dashboards.console.device import device_page
from dashboards.console.inbox import inbox_page
from dashboards.console.parts import style_pages
from dashboards.console.settlement import LONGEST_DAYS, settlement
from dashboards.console.sight import Bands
from dashboards.console.supervision import supervision_page
from dashboards.console.vehicle import vehicle_page
from dashboards.console.wall import wall_page
from dashboards.console.words import language_of
from dashboards.sources import Sources

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#4cc9f0" stroke-width="2.4">'
    '<rect width="32" height="32" rx="7" fill="#0c131e" stroke="none"/>'
    '<path d="M6 26V15l5-3v14M13 26V8l7-2v20M22 26V13l4 3v10"/></svg>'
)
ANSWER_S = 30.0
"""Pages that read the database first may take that long."""


def mount(app: FastAPI, sources: Sources, *, storage_secret: str, bands: Bands | None = None) -> Broadcast:
    """Add the pages `/`, `/alerts`, `/supervision`, `/vehicles/{device}`, `/devices/{kind}/{device}`
    and the file `/supervision.csv?from&to`.

    Call it once in a process, and after all other routes: what nobody else has taken is the console's.
    Returns what watches the sources for the pages (its `viewers` are the open ones).
    """
    broadcast = Broadcast(sources, bands)
    style_pages()

    @ui.page("/")
    def wall(lang: str | None = None) -> None:
        wall_page(sources, broadcast, lang)

    @ui.page("/alerts")
    def inbox(lang: str | None = None) -> None:
        inbox_page(sources, broadcast, lang)

    @ui.page("/supervision", response_timeout=ANSWER_S)
    async def supervision(day: str | None = None, lang: str | None = None) -> None:
        await supervision_page(sources, broadcast, day, lang)

    @app.get("/supervision.csv", include_in_schema=False)
    def csv(
        start: Annotated[date | None, Query(alias="from")] = None,
        stop: Annotated[date | None, Query(alias="to")] = None,
        lang: str | None = None,
    ) -> Response:
        language = language_of(lang, sources.language)
        first = start or stop or day_of(sources.now_ms(), sources)
        last = stop or first
        if not 0 <= (last - first).days < LONGEST_DAYS:
            return PlainTextResponse(f"`from` must not be after `to`, and at most {LONGEST_DAYS} days before it", 422)
        name = f"citywarden-{first}.csv" if first == last else f"citywarden-{first}-{last}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(settlement(sources, first, last, language), media_type="text/csv", headers=headers)

    @ui.page("/vehicles/{device}", response_timeout=ANSWER_S)
    async def vehicle(device: str, day: str | None = None, lang: str | None = None) -> None:
        await vehicle_page(sources, broadcast, device, day, lang)

    @ui.page("/devices/{kind}/{device}", response_timeout=ANSWER_S)
    async def history(
        kind: str, device: str, tenant: str | None = None, alert: str | None = None, lang: str | None = None
    ) -> None:
        await device_page(sources, broadcast, (kind, device, tenant), alert, lang)

    pages.on_shutdown(broadcast.stop)
    ui.run_with(
        app,
        title="Citywarden",
        favicon=FAVICON,
        dark=True,
        tailwind=False,
        storage_secret=storage_secret,
        show_welcome_message=False,
        binding_refresh_interval=None,
        reconnect_timeout=5.0,
        message_history_length=50,
    )
    return broadcast
