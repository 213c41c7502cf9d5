"""What people do about alerts from the pages: one or many at once, in the name of whoever is logged in."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from citywarden.model.alert import Alert
from citywarden.model.dispatch import AlertDeed, Doing, SilenceNote
from citywarden.model.errors import CitywardenError
from citywarden.model.identity import NEW
from dashboards.console.picture import Json
from dashboards.console.session import MAX_NAME, Session
from dashboards.recording import together

MAX_NOTE = 2000
AT_ONCE = 5000
"""Alerts that are changed together; then the page hears how far it is."""
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
    deed = _deed(wanted)
    if deed is None or (session.sources.dispatch is None and deed.what not in (Doing.ACKNOWLEDGE, Doing.RESOLVE)):
        return Outcome(failed=1)
    for first in range(0, len(wanted.ids), AT_ONCE):
        ids = wanted.ids[first : first + AT_ONCE]
        try:
            action, said = f"alert.{wanted.what}", wanted.note or ""
            async with session.sources.audit.doing(session.who, action, together(ids), said) as intent:
                done = await _do(session, deed, ids)
                intent.subjects = together([alert.id for alert in done])
        except CitywardenError as error:
            log.warning("console could not %s %s alerts: %s", wanted.what, len(ids), error)
            outcome.failed += len(ids)
            continue
        outcome.failed += len(ids) - len(done)
        outcome.changed += [session.broadcast.scene.view(session.broadcast.show(alert)) for alert in done]
        told(first + len(ids), len(wanted.ids))
    return outcome


def _deed(wanted: Wanted) -> AlertDeed | None:
    what = next((one for one in Doing if one == wanted.what), None)
    if what is None or (what is Doing.NOTE and wanted.note is None):
        return None
    return AlertDeed(what, wanted.by, wanted.note, wanted.to)


async def _do(session: Session, deed: AlertDeed, ids: Sequence[str]) -> Sequence[Alert]:
    """The alerts as they are now; those whoever asks cannot see are left out."""
    inbox, desk = session.sources.alerts, session.sources.dispatch
    if desk is not None:
        return await desk.do_all(ids, deed, session.who.tenant)
    move = inbox.acknowledge if deed.what is Doing.ACKNOWLEDGE else inbox.resolve
    seen = [one for one in ids if session.who.sees((await inbox.get(one)).tenant)]
    return [await move(one, deed.by, deed.note) for one in seen]


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
        fresh = SilenceNote(now_ms, now_ms + wanted.span_ms, wanted.by, wanted.note, **taken)  # type: ignore[arg-type]
        async with sources.audit.doing(session.who, "silence.begin", [NEW], wanted.note) as intent:
            intent.subjects = [(await desk.silence(fresh)).id]
        for one in wanted.ids:
            alert = session.broadcast.show(await sources.alerts.get(one))
            outcome.changed.append(session.broadcast.scene.view(alert))
    except CitywardenError as error:
        outcome.failed, outcome.why = 1, error.said(session.language)
