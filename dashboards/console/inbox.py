"""The inbox: every alert, with filters, one by one or many at once; made for the phone as well.

The page asks with the filters of its address; what it shows follows the alerts, a second behind them at most. Of a
long list it gets the first pieces, and more as somebody scrolls.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.alert import Alert, AlertQuery, Severity
from dashboards.console.broadcast import Broadcast
from dashboards.console.deeds import act
from dashboards.console.parts import InboxList
from dashboards.console.picture import Json, severity_counts
from dashboards.console.session import Session, begin, district_names
from dashboards.console.sifting import Sieve, chosen, query_of, sieve_of, sift
from dashboards.sources import Sources

PIECE = 100
"""Alerts the page asks for at a time."""
MOST = 5000
"""Alerts a list shows at most, and a person does something about at once."""
_SEARCHED = ("place", "subject", "zh", "en", "rule", "district", "note", "by", "assigned", "id")
AGAIN_S = 1.0
AGAIN_PAST_S = 10.0
"""How soon a list is worked out again when alerts have changed: of open ones, of those in the database."""


class Listing:
    """What one page is shown, and what it has been sent of it."""

    def __init__(self, session: Session, part: InboxList) -> None:
        self._session = session
        self._part = part
        self._sieve = Sieve()
        self._limit = PIECE
        self._sent: dict[str, dict[str, Json]] = {}
        self._matching: Sequence[Alert] = ()
        self._texts: dict[str, tuple[Alert, str]] = {}
        self._asked = False
        self._at_s = 0.0
        self._again: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None

    async def ask(self, asked: Mapping[str, object]) -> None:
        """The page wants this list, so much of it."""
        self._sieve, limit = sieve_of(asked), asked.get("limit")
        self._limit = min(MOST, max(PIECE, limit)) if isinstance(limit, int) else PIECE
        self._asked = True
        await self.show()

    def changed(self) -> None:
        """Alerts have changed: show it again, though not more often than need be."""
        if self._asked and self._again is None:
            every_s = AGAIN_S if self._sieve.live else AGAIN_PAST_S
            wait_s = max(0.05, self._at_s + every_s - monotonic())
            self._again = asyncio.get_running_loop().call_later(wait_s, self._begin)

    def _begin(self) -> None:
        self._again = None
        self._running = asyncio.create_task(self.show(), name="inbox list")

    def stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    async def matching(self) -> list[str]:
        """Ids of everything the filters let through, the first of them where they are too many."""
        found = self._matching if self._sieve.live else (await self._past(MOST))[0]
        return [alert.id for alert in found[:MOST]]

    async def show(self) -> None:
        """Work the list out and send what is new of it."""
        self._at_s = monotonic()
        session, sieve = self._session, self._sieve
        who, view = session.who, session.broadcast.scene.view
        everything = [a for a in await session.sources.alerts.open() if who.sees(a.tenant)]
        counts: dict[str, int] | None
        if sieve.live:
            found = sift(everything, sieve, session.sources.now_ms(), self._said)
            counts = severity_counts(found)
            self._matching = chosen(found, sieve)
            total, more = len(self._matching), len(self._matching) > self._limit
        else:
            self._matching, more = await self._past(self._limit)
            counts = await self._count()
            total = len(self._matching)
            if counts is not None:
                chosen_words = {level.word for level in sieve.severities} or set(counts)
                total = sum(number for word, number in counts.items() if word in chosen_words)
        rows = [view(alert) for alert in self._matching[: self._limit]]
        fresh = [row for row in rows if self._sent.get(str(row["id"])) != row]
        self._sent = {str(row["id"]): row for row in rows}
        self._part.rows(
            {
                "order": list(self._sent),
                "views": fresh,
                "more": more,
                "counts": counts,
                "total": total,
                "facets": self._facets(everything),
            }
        )

    def _query(self, limit: int) -> AlertQuery:
        sieve, who = self._sieve, self._session.who
        only = next(iter(sieve.severities)) if len(sieve.severities) == 1 else None
        query = query_of(sieve, self._session.sources.now_ms(), limit, only)
        return query if who.tenant is None else replace(query, tenant=who.tenant)

    async def _count(self) -> dict[str, int] | None:
        """By severity, like the open ones are; None where the database cannot tell."""
        if self._sieve.assigned == "some":
            return None
        found = await self._session.sources.alerts.count(self._query(self._limit))
        return {severity.word: found.get(severity, 0) for severity in reversed(Severity)}

    async def _past(self, limit: int) -> tuple[list[Alert], bool]:
        sieve, sources = self._sieve, self._session.sources
        page = await sources.alerts.find(self._query(limit))
        found = [a for a in chosen(page.items, sieve) if sieve.assigned != "some" or a.assigned_to]
        return found, page.next is not None and len(page.items) < MOST

    def _said(self, alert: Alert) -> str:
        known = self._texts.get(alert.id)
        if known is not None and known[0] == alert:
            return known[1]
        scene = self._session.broadcast.scene
        view = scene.view(alert)
        said = [str(view[name]) for name in _SEARCHED if view[name]]
        text = " ".join([*said, *self._session.rules.get(alert.rule, {}).values()])
        if scene.looked:
            self._texts[alert.id] = (alert, text)
        return text

    def _facets(self, alerts: Sequence[Alert]) -> dict[str, Json]:
        """What can be chosen from."""
        return {
            "rules": sorted({a.rule for a in alerts}),
            "kinds": sorted({a.kind for a in alerts} | set(self._session.sources.kinds)),
            "districts": sorted({a.district for a in alerts} - {""}),
            "tenants": sorted({a.tenant for a in alerts}),
        }


def inbox_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the inbox for one browser."""
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "inbox", lang)
        with ui.element("div").classes("cw-body"):
            kinds = {kind.name: [kind.zh, kind.en] for kind in sources.kinds.values()}
            part = InboxList(
                session.language, names=district_names(sources.districts), timezone=sources.timezone.key, kinds=kinds,
                desk=sources.dispatch is not None, titles=session.titles(), **session.hand(),
            )  # fmt: skip
            session.parts.append(part)
    listing = Listing(session, part)
    session.viewer.alerts = listing.changed
    ui.context.client.on_delete(listing.stop)

    async def do(e: GenericEventArguments) -> None:
        asked = dict(e.args)
        if asked.get("ids") == "all":
            asked["ids"] = await listing.matching()
        outcome = await act(session, asked, part.working)
        part.answered(outcome.ok, outcome.changed, outcome.failed, outcome.why)
        await listing.show()

    part.on("query", lambda e: listing.ask(e.args))
    part.on("act", do)
