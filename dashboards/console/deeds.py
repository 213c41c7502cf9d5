"""What people do about alerts from the pages: one or many at once, in the name of whoever is logged in."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from citywarden.model.alert import Alert
from citywarden.model.dispatch import SilenceNote
from citywarden.model.errors import CitywardenError
from dashboards.console.picture import Json
from dashboards.console.session import MAX_NAME, Session
from dashboards.sources import Dispatch, Inbox

MAX_NOTE = 2000
TOLD_EVERY = 25
"""After as many alerts the page hears how far it is."""
LONGEST_SILENCE_MS = 366 * 86_400_000
SCOPES: Mapping[str, tuple[str, ...]] = {
    "alert": ("tenant", "rule", "subject"),
    "subject": ("tenant", "kind", "subject"),
    "rule": ("tenant", "rule"),
}
"""What a silence that is made from an alert covers, by the fields it takes over."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page asks for. `to`: whom an alert is given to; `span_ms`, `scope`: of a silence."""

    what: str
    ids: Sequence[str]
    by: str
    note: str | None = None
    to: str | None = None
    span_ms: int = 0
    scope: str = "alert"


@dataclass(slots=True)
class Outcome:
    """What came of it: the alerts as they are now, and what went wrong, in the words of the part that refused."""

    changed: list[dict[str, Json]] = field(default_factory=list)
    failed: int = 0
    why: str = ""

    @property
    def ok(self) -> bool:
        return self.failed == 0 and not self.why


def parse(session: Session, asked: Mapping[str, object]) -> Wanted | None:
    """What the browser asked for; None when it makes no sense, or nobody says in whose name."""
    by, ids, span = session.by(asked.get("by")), asked.get("ids"), asked.get("span_ms")
    if by is None or not isinstance(ids, Sequence) or isinstance(ids, str):
        return None

    def text(name: str, longest: int) -> str | None:
        value = asked.get(name)
        return value.strip()[:longest] or None if isinstance(value, str) else None

    span_ms = min(int(span), LONGEST_SILENCE_MS) if isinstance(span, int | float) else 0
    scope = str(asked.get("scope") or "alert")
    what = str(asked.get("what"))
    return Wanted(
        what, [str(one) for one in ids], by, text("note", MAX_NOTE), text("to", MAX_NAME), span_ms,
        scope if scope in SCOPES else "alert",
    )  # fmt: skip


async def act(
    session: Session, asked: Mapping[str, object], told: Callable[[int, int], None] = lambda _done, _all: None
) -> Outcome:
    """Do to each alert what a person chose; `told` hears how far it is. Never raises for what a part refuses."""
    wanted = parse(session, asked)
    if wanted is None or not session.may:
        return Outcome(failed=1, why="" if session.may else "not_allowed")
    outcome = Outcome()
    if wanted.what == "silence":
        await _silence(session, wanted, outcome)
        return outcome
    move = _move(session.sources.alerts, session.sources.dispatch, wanted)
    if move is None:
        return Outcome(failed=1)
    for n, alert_id in enumerate(wanted.ids, 1):
        try:
            if not session.who.sees((await session.sources.alerts.get(alert_id)).tenant):
                raise CitywardenError(f"no alert {alert_id!r}")
            alert = session.broadcast.show(await move(alert_id))
            await session.sources.audit.note(session.who, f"alert.{wanted.what}", alert_id, wanted.note or "")
            outcome.changed.append(session.broadcast.scene.view(alert))
        except CitywardenError as error:
            log.warning("console could not %s alert %s: %s", wanted.what, alert_id, error)
            outcome.failed += 1
        if n % TOLD_EVERY == 0:
            told(n, len(wanted.ids))
    return outcome


def _move(inbox: Inbox, desk: Dispatch | None, w: Wanted) -> Callable[[str], Awaitable[Alert]] | None:
    match w.what:
        case "acknowledge":
            return lambda one: inbox.acknowledge(one, w.by, w.note)
        case "resolve":
            return lambda one: inbox.resolve(one, w.by, w.note)
        case "assign" if desk is not None:
            return lambda one: desk.assign(one, w.by, w.to, w.note)
        case "close" if desk is not None:
            return lambda one: desk.close(one, w.by, w.note)
        case "note" if desk is not None and w.note is not None:
            note = w.note
            return lambda one: desk.note(one, w.by, note)
    return None


async def _silence(session: Session, wanted: Wanted, outcome: Outcome) -> None:
    """One silence over all alerts chosen: of their rules, subjects and so on, each taken once."""
    desk, sources = session.sources.dispatch, session.sources
    if desk is None or wanted.span_ms <= 0 or not wanted.note:
        outcome.failed, outcome.why = 1, "why_missing"
        return
    alerts = [a for one in wanted.ids if session.who.sees((a := await sources.alerts.get(one)).tenant)]
    taken = {name: sorted({str(getattr(a, name)) for a in alerts}) for name in SCOPES[wanted.scope]}
    now_ms = sources.now_ms()
    try:
        made = await desk.silence(
            SilenceNote(now_ms, now_ms + wanted.span_ms, wanted.by, wanted.note, **taken)  # type: ignore[arg-type]
        )
        await sources.audit.note(session.who, "silence.begin", made.id, wanted.note)
        for one in wanted.ids:
            alert = session.broadcast.show(await sources.alerts.get(one))
            outcome.changed.append(session.broadcast.scene.view(alert))
    except CitywardenError as error:
        outcome.failed, outcome.why = 1, str(error)
