"""The cases' pages on the application."""

from nicegui import ui

from dashboards.console.caseboard import board_page
from dashboards.console.caseform import form_page
from dashboards.console.casesheet import sheet_page
from dashboards.console.views import Views

ANSWER_S = 30.0


def add_cases(views: Views) -> None:
    """Add `/cases`, `/cases/new?alert` and `/cases/{id or number}`."""

    @ui.page("/cases", response_timeout=ANSWER_S)
    async def board(lang: str | None = None) -> None:
        view = views.mine()
        await board_page(view.sources, view, lang)

    @ui.page("/cases/new", response_timeout=ANSWER_S)
    async def new(alert: str | None = None, lang: str | None = None) -> None:
        view = views.mine()
        await form_page(view.sources, view, alert, lang)

    @ui.page("/cases/{ref}", response_timeout=ANSWER_S)
    async def sheet(ref: str, lang: str | None = None) -> None:
        view = views.mine()
        await sheet_page(view.sources, view, ref, lang)
