"""The silences: which hold, come and are over, and a new one with what it would cover."""

from collections.abc import Mapping
from datetime import datetime

from nicegui import ui
from nicegui.events import GenericEventArguments

from citywarden.model.alert import Severity
from citywarden.model.dispatch import SilenceNote
from citywarden.model.errors import CitywardenError
from citywarden.model.identity import NEW
from dashboards.console.broadcast import Broadcast
from dashboards.console.deeds import LONGEST_SILENCE_MS
from dashboards.console.parts import SilenceBook
from dashboards.console.picture import Json
from dashboards.console.session import Session, begin, district_names
from dashboards.sources import Dispatch, Sources

SHOWN = 500
PREVIEW = 8
REFRESH_S = 5.0
PARTS = ("tenant", "kind", "rule", "subject", "district")


def silence_view(note: SilenceNote) -> dict[str, Json]:
    """A silence as the page shows it."""
    plain = {"id": note.id, "starts_ms": note.starts_ms, "ends_ms": note.ends_ms, "by": note.by, "why": note.why,
             "ended_by": note.ended_by, "severity": note.severity.word, "up_to": note.up_to.word}  # fmt: skip
    return plain | {part: list(getattr(note, part)) for part in PARTS}


def note_of(asked: Mapping[str, object], by: str, now_ms: int, tenant: str | None) -> SilenceNote:
    """The silence somebody filled in: for a span from now, or from and until. `tenant`: the only one they see."""

    def patterns(name: str) -> tuple[str, ...]:
        value = asked.get(name)
        return tuple(str(one)[:200] for one in value[:100]) if isinstance(value, list) else ()

    def moment(name: str) -> int | None:
        value = asked.get(name)
        return int(value) if isinstance(value, int | float) else None

    levels = {level.word: level for level in Severity}
    span_ms, from_ms, until_ms = moment("span_ms"), moment("from_ms"), moment("until_ms")
    starts_ms = now_ms if span_ms or from_ms is None else from_ms
    ends_ms = starts_ms + min(span_ms, LONGEST_SILENCE_MS) if span_ms else until_ms or 0
    mine = patterns("tenant") if tenant is None else (tenant,)
    return SilenceNote(
        starts_ms, ends_ms, by, str(asked.get("why") or "").strip()[:2000], mine, patterns("kind"), patterns("rule"),
        patterns("subject"), patterns("district"), severity=levels.get(str(asked.get("severity")), Severity.INFO),
        up_to=levels.get(str(asked.get("up_to")), Severity.CRITICAL),
    )  # fmt: skip


def silences_page(sources: Sources, broadcast: Broadcast, lang: str | None = None) -> None:
    """Build the page of the silences for one browser."""
    desk = sources.dispatch
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "silences", lang)
        body = ui.element("div").classes("cw-body")
    if desk is None:
        with body:
            session.label("no_silences", "cw-empty")
        return
    offset = datetime.fromtimestamp(sources.now_ms() / 1000, sources.timezone).utcoffset()
    with body:
        part = SilenceBook(
            session.language, silences=[], known={}, timezone=sources.timezone.key,
            names=district_names(sources.districts), kinds={k.name: [k.zh, k.en] for k in sources.kinds.values()},
            offset=0 if offset is None else round(offset.total_seconds() * 1000), titles=session.titles(),
            **session.hand(),
        )  # fmt: skip
    session.parts.append(part)
    _serve(session, desk, part)


def _serve(session: Session, desk: Dispatch, part: SilenceBook) -> None:
    sources, who = session.sources, session.who
    everything = False

    async def show() -> None:
        page = await desk.silences(everything, SHOWN, None)
        mine = [s for s in page.items if who.tenant is None or not s.tenant or who.tenant in s.tenant]
        alerts = [a for a in await sources.alerts.open() if who.sees(a.tenant)]
        known = {name: sorted({str(getattr(a, name)) for a in alerts} - {""}) for name in PARTS}
        known["kind"] = sorted({*known["kind"], *sources.kinds})
        now: dict[str, object] = {"silences": [silence_view(s) for s in mine], "known": known}
        if any(part.props.get(name) != value for name, value in now.items()):
            part.props.update(now)
            part.update()

    async def preview(e: GenericEventArguments) -> None:
        found = [a for a in await desk.fitting(note_of(e.args, "", 0, who.tenant)) if who.sees(a.tenant)]
        part.fitting(len(found), [session.broadcast.scene.view(a) for a in found[:PREVIEW]])

    async def start(e: GenericEventArguments) -> None:
        by = session.by(e.args.get("by"))
        if by is None or not session.may:
            part.answered(False, "who_missing" if session.may else "not_allowed")
            return
        try:
            fresh = note_of(e.args, by, sources.now_ms(), who.tenant)
            async with sources.audit.doing(who, "silence.begin", [NEW], fresh.why) as intent:
                intent.subjects = [(await desk.silence(fresh)).id]
        except CitywardenError as error:
            part.answered(False, error.said(session.language))
            return
        part.answered(True)
        await show()

    async def end(e: GenericEventArguments) -> None:
        by = session.by(e.args.get("by")) or who.name
        if session.may:
            silence = await desk.get_silence(str(e.args.get("id")))
            if who.tenant is None or who.tenant in silence.tenant:
                async with sources.audit.doing(who, "silence.end", [silence.id]):
                    await desk.end_silence(silence.id, by)
        await show()

    async def ended(e: GenericEventArguments) -> None:
        nonlocal everything
        everything = bool(e.args)
        await show()

    part.on("preview", preview)
    part.on("begin", start)
    part.on("end", end)
    part.on("ended", ended)
    ui.timer(REFRESH_S, show)
