"""The board of cases: where each stands, what is late, and how well it goes."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from nicegui import ui

from citywarden.model.case import Case
from citywarden.model.casedesk import Cases
from citywarden.model.casequery import CaseQuery, RateRow
from dashboards.console.broadcast import Broadcast
from dashboards.console.caseviews import card_view, category_view
from dashboards.console.markup import Html, figures, html, table
from dashboards.console.parts.caseparts import CaseBoard
from dashboards.console.session import Session, begin, district_names
from dashboards.sources import Sources

SHOWN, ENDED = 400, 6
AGAIN_S = 0.5
REFRESH_S = 20.0
PERCENT = ("filing_pct", "dispatch_pct", "closing_pct", "closing_in_time_pct", "handling_in_time_pct", "rework_pct",
           "extension_pct")  # fmt: skip


def query_of(asked: Mapping[str, object], tenant: str | None) -> CaseQuery:
    """The open cases that the board's filters let through."""

    def word(name: str) -> str | None:
        value = asked.get(name)
        return value.strip()[:200] or None if isinstance(value, str) else None

    return CaseQuery(
        tenant, (), True, word("category"), word("unit"), word("district"), overdue=asked.get("overdue") is True,
        text=word("text"), limit=SHOWN,
    )  # fmt: skip


class Board:
    """What one page shows, and when it is worked out again."""

    def __init__(self, session: Session, desk: Cases, part: CaseBoard) -> None:
        self._session = session
        self._desk = desk
        self._part = part
        self._asked: Mapping[str, object] = {}
        self._again: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None
        self._leave = desk.subscribe(self._changed)

    def stop(self) -> None:
        """The browser is gone."""
        self._leave()
        self._leave = lambda: None
        if self._again is not None:
            self._again.cancel()

    async def ask(self, asked: Mapping[str, object]) -> None:
        """The page wants to see these."""
        self._asked = asked
        await self.show()

    def _changed(self, _cases: Sequence[Case]) -> None:
        if self._again is None:
            self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._begin)

    def _begin(self) -> None:
        self._again = None
        self._running = asyncio.create_task(self.show(), name="case board")

    async def show(self) -> None:
        """Read the board and send it."""
        session, desk, tenant = self._session, self._desk, self._session.who.tenant
        wanted = query_of(self._asked, tenant)
        page = await desk.find(wanted)
        ended = CaseQuery(
            tenant, (), False, wanted.category, wanted.unit, wanted.district, text=wanted.text, limit=ENDED
        )  # fmt: skip
        past = () if wanted.overdue else (await desk.find(ended)).items
        counted, now_ms = await desk.board(tenant), session.sources.now_ms()
        sums = [sum(column) for column in zip(*counted.stages.values(), strict=True)] or [0, 0, 0]
        self._part.rows(
            {
                "cards": [card_view(desk, case, now_ms) for case in (*page.items, *past)],
                "more": page.next is not None,
                "counts": {"open": sums[0], "overdue": sums[1], "near": sums[2], "today": counted.closed_today},
                "stages": {stage.value: list(numbers) for stage, numbers in counted.stages.items()},
                "units": list(await desk.units(tenant)),
            }
        )


async def board_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the board for one browser."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "cases", lang)
        body = ui.element("div").classes("cw-body")
    desk = None if sources.cases is None else sources.cases.seen_by(session.who)
    with body:
        if desk is None:
            session.label("case_none", "cw-empty")
            return
        strip = ui.html(sanitize=False)
        part = CaseBoard(
            session.language, names=district_names(sources.districts), timezone=sources.timezone.key,
            categories=[category_view(one) for one in desk.categories], **session.hand(),
        )  # fmt: skip
        groups = ui.html(sanitize=False)
    session.parts.append(part)
    board = Board(session, desk, part)
    ui.context.client.on_delete(board.stop)
    part.on("query", lambda e: board.ask(e.args))
    rates: dict[str, Sequence[RateRow]] = {}

    def draw() -> None:
        strip.set_content(_strip(session, rates.get("", ())))
        groups.set_content(_groups(session, desk, rates))

    async def read() -> None:
        start_ms, stop_ms = _month(sources)
        for by in ("", "unit", "district", "category"):
            rates[by] = await desk.rates(start_ms, stop_ms, by or None, session.who.tenant)
        draw()
        await board.show()

    await read()
    session.redraw.append(draw)
    ui.timer(REFRESH_S, read, immediate=False)


def _month(sources: Sources) -> tuple[int, int]:
    now_ms = sources.now_ms()
    first = datetime.fromtimestamp(now_ms / 1000, sources.timezone).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return round(first.timestamp() * 1000), now_ms


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _strip(session: Session, rows: Sequence[RateRow]) -> Html:
    if not rows:
        return Html("")
    rates = rows[0].rates
    tiles = [(session.say(f"case_{name}"), _percent(getattr(rates, name)), "%") for name in PERCENT]
    return html('<div class="cw-case-rates">{t}</div>', t=figures(tiles))


def _groups(session: Session, desk: Cases, rates: Mapping[str, Sequence[RateRow]]) -> Html:
    """The month's rates by unit, district and category."""
    names = district_names(session.sources.districts)
    at = 1 if session.language == "en" else 0
    called = {one.id: (one.zh, one.en)[at] for one in desk.categories}

    def group(by: str, name: str) -> str:
        if by == "district":
            return names[name][at] if name in names else name or session.say("unassigned")
        return called.get(name, name) if by == "category" else session.named(name) or session.say("unassigned")

    panels = []
    for by in ("unit", "district", "category"):
        rows = [
            [group(by, row.group), row.tally.due, *(_percent(getattr(row.rates, name)) for name in PERCENT[2:5])]
            for row in rates.get(by, ())
            if row.tally.due
        ]
        heads = [session.say(f"case_by_{by}"), session.say("case_due_count"), *(session.say(f"case_{n}") + " %"
                 for n in PERCENT[2:5])]  # fmt: skip
        inner = table(heads, rows, (1, 2, 3, 4)) if rows else html(
            '<p class="cw-none">{t}</p>', t=session.say("case_no_rates"))  # fmt: skip
        title = f"{session.say('case_month')} · {session.say('case_by_' + by)}"
        panels.append(html('<section class="cw-panel"><p class="cw-h">{t}</p>{b}</section>', t=title, b=inner))
    return html('<div class="cw-three cw-case-groups">{a}{b}{c}</div>', a=panels[0], b=panels[1], c=panels[2])
