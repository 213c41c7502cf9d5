"""Hang the console's pages into a FastAPI application."""

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, StreamingResponse
from nicegui import app as pages
from nicegui import ui

from citywarden.model.identity import Role
from dashboards.api.mistakes import mistake_of
from dashboards.api.rights import identity_of, lacking
from dashboards.console.account import account_page
from dashboards.console.administration import users_page
from dashboards.console.auditing import audit_page
from dashboards.console.broadcast import Broadcast
from dashboards.console.casepages import add_cases
from dashboards.console.desk import day_of
from dashboards.console.device import device_page
from dashboards.console.dispatching import add_dispatching
from dashboards.console.gateway import add_gateway
from dashboards.console.inbox import inbox_page
from dashboards.console.lost import lost
from dashboards.console.parts import style_pages
from dashboards.console.settlement import LONGEST_DAYS, settlement
from dashboards.console.sight import Bands
from dashboards.console.supervision import supervision_page
from dashboards.console.vehicle import vehicle_page
from dashboards.console.views import Views
from dashboards.console.wall import wall_page
from dashboards.console.words import language_of, word
from dashboards.sources import Sources

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#4cc9f0" stroke-width="2.4">'
    '<rect width="32" height="32" rx="7" fill="#0c131e" stroke="none"/>'
    '<path d="M6 26V15l5-3v14M13 26V8l7-2v20M22 26V13l4 3v10"/></svg>'
)
ANSWER_S = 30.0
"""Pages that read the database first may take that long."""
TAB_S = 3600.0
"""What NiceGUI keeps of a browser's tab, which is nothing of ours, goes after so long; it would keep it for 30 days."""


def mount(app: FastAPI, sources: Sources, *, storage_secret: str, bands: Bands | None = None) -> Broadcast:
    """Add the pages `/`, `/alerts`, `/supervision`, `/vehicles/{device}`, `/devices/{kind}/{device}`, the file
    `/supervision.csv?from&to`, and those of `dispatching`.

    Call it once in a process, and after all other routes: what nobody else has taken is the console's.
    Returns what watches the sources for the pages (its `viewers` are the open ones).
    """
    views = Views(sources, bands)
    style_pages()
    if sources.access is not None:
        add_gateway(app, sources, sources.access)
        _administration(views)

    _city(views)
    _settlement(app, sources, views)
    add_dispatching(app, views)
    if sources.cases is not None:
        add_cases(views)
    pages.add_exception_handler(404, partial(lost, sources))
    for one in (app, pages):
        one.add_exception_handler(RequestValidationError, partial(_unfit, sources))
    pages.on_shutdown(views.stop)
    pages.storage.max_tab_storage_age = TAB_S
    # NiceGUI's application is the process's: one that served pages before takes no middleware until it is built anew.
    pages.middleware_stack = None
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
    return views.whole


async def _unfit(sources: Sources, request: Request, error: Exception) -> Response:
    """What is wrong with an address, in the page's language."""
    assert isinstance(error, RequestValidationError)
    language = language_of(request.query_params.get("lang"), sources.language)
    return PlainTextResponse("\n".join(mistake_of(one, language).what for one in error.errors()), 422)


def _city(views: Views) -> None:
    @ui.page("/")
    def wall(lang: str | None = None) -> None:
        view = views.mine()
        wall_page(view.sources, view, lang)

    @ui.page("/alerts")
    def inbox(lang: str | None = None) -> None:
        view = views.mine()
        inbox_page(view.sources, view, lang)

    @ui.page("/supervision", response_timeout=ANSWER_S)
    async def supervision(day: str | None = None, lang: str | None = None) -> None:
        view = views.mine()
        await supervision_page(view.sources, view, day, lang)

    @ui.page("/vehicles/{device}", response_timeout=ANSWER_S)
    async def vehicle(device: str, day: str | None = None, lang: str | None = None) -> None:
        view = views.mine()
        await vehicle_page(view.sources, view, device, day, lang)

    @ui.page("/devices/{kind}/{device}", response_timeout=ANSWER_S)
    async def history(
        kind: str, device: str, tenant: str | None = None, alert: str | None = None, lang: str | None = None
    ) -> None:
        view = views.mine()
        await device_page(view.sources, view, (kind, device, tenant), alert, lang)


def _settlement(app: FastAPI, sources: Sources, views: Views) -> None:
    @app.get("/supervision.csv", include_in_schema=False)
    def csv(
        request: Request,
        start: Annotated[date | None, Query(alias="from")] = None,
        stop: Annotated[date | None, Query(alias="to")] = None,
        lang: str | None = None,
    ) -> Response:
        who = identity_of(request)
        if not who.may(Role.SUPERVISOR):
            return PlainTextResponse(lacking(who, Role.SUPERVISOR).said(language_of(lang, sources.language)), 403)
        language = language_of(lang, sources.language)
        first = start or stop or day_of(sources.now_ms(), sources)
        last = stop or first
        if not 0 <= (last - first).days < LONGEST_DAYS:
            return PlainTextResponse(word("days_wrong", language).replace("{n}", str(LONGEST_DAYS)), 422)
        name = f"citywarden-{first}.csv" if first == last else f"citywarden-{first}-{last}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(
            settlement(views.of(who).sources, first, last, language), media_type="text/csv", headers=headers
        )


def _administration(views: Views) -> None:
    """One's own account; users, tokens and the record for administrators."""

    @ui.page("/account", response_timeout=ANSWER_S)
    async def account(lang: str | None = None) -> None:
        view = views.mine()
        await account_page(view.sources, view, lang)

    @ui.page("/admin/users", response_timeout=ANSWER_S)
    async def users(lang: str | None = None) -> None:
        view = views.mine()
        await users_page(view.sources, view, lang)

    @ui.page("/admin/audit", response_timeout=ANSWER_S)
    async def audit(
        by: str = "",
        action: str = "",
        since: str = "",
        until: str = "",
        cursor: str = "",
        check: str = "",
        lang: str | None = None,
    ) -> None:
        view = views.mine()
        await audit_page(view.sources, view, (by, action, since, until, cursor, check), lang)
