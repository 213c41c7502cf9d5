"""The life of a case as a pure state machine: which steps are possible, for whom, and what they make of it.

    REPORTED --verify (public reports)--> VERIFIED --accept--> ACCEPTED --file--> FILED --dispatch--> DISPATCHED
    DISPATCHED --begin--> HANDLING --finish--> HANDLED --pass--> CHECKED --close--> CLOSED
    HANDLED --rework--> HANDLING       DISPATCHED, HANDLING --transfer--> DISPATCHED (another unit)
    before FILED --reject--> REJECTED  every open one --withdraw--> WITHDRAWN

A note may be added at any stage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from citywarden.cases.timetable import PHASES, Timetable
from citywarden.model.case import Asked, Case, CaseEvent, Change, Deed, Report, Source, Stage, Step, Why
from citywarden.model.casetime import Phase
from citywarden.model.errors import CitywardenError
from citywarden.model.identity import Role

_BEFORE_FILING = frozenset({Stage.REPORTED, Stage.VERIFIED, Stage.ACCEPTED})
_IN_WORK = frozenset({Stage.DISPATCHED, Stage.HANDLING})
_OPEN = frozenset(stage for stage in Stage if not stage.ended)


class Refusal(StrEnum):
    """Why a step is not taken. The API and the logs use the same words."""

    WRONG_STAGE = "wrong_stage"
    NOT_VERIFIED = "not_verified"
    NO_UNIT = "no_unit"
    SAME_UNIT = "same_unit"
    ANOTHER_UNIT = "another_unit"
    NO_REASON = "no_reason"
    WRONG_REASON = "wrong_reason"
    NO_NOTE = "no_note"
    NO_LIMIT = "no_limit"
    ASKED_ALREADY = "asked_already"
    NOT_ASKED = "not_asked"


IN_CHINESE: Mapping[Refusal, str] = {
    Refusal.WRONG_STAGE: "案件当前阶段不能进行此操作",
    Refusal.NOT_VERIFIED: "公众上报的案件须先现场核实",
    Refusal.NO_UNIT: "请填写处置单位",
    Refusal.SAME_UNIT: "案件已在该单位",
    Refusal.ANOTHER_UNIT: "案件不在该单位",
    Refusal.NO_REASON: "请选择原因",
    Refusal.WRONG_REASON: "该原因不适用于此操作",
    Refusal.NO_NOTE: "请填写备注",
    Refusal.NO_LIMIT: "请填写延长的时间",
    Refusal.ASKED_ALREADY: "已申请延期，正等待答复",
    Refusal.NOT_ASKED: "没有待答复的延期申请",
}


class Refused(CitywardenError):
    """A step that is not possible now."""

    def __init__(self, refusal: Refusal, what: str) -> None:
        super().__init__(f"{refusal}: {what}", IN_CHINESE[refusal])
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Rule:
    """Of a step: from which stages it goes, where it leads (None: it stays), who may, and the reasons it may give."""

    role: Role
    stages: frozenset[Stage]
    to: Stage | None = None
    reasons: frozenset[Why] = frozenset()


def _why(*reasons: Why) -> frozenset[Why]:
    return frozenset({*reasons, Why.OTHER})


_ENOUGH = (Why.NOT_FOUND, Why.DUPLICATE, Why.NOT_OURS, Why.NOT_A_PROBLEM)
_LONGER = _why(Why.WEATHER, Why.MATERIAL, Why.PERMIT, Why.COMPLEX)

RULES: Mapping[Step, Rule] = {
    Step.VERIFY: Rule(Role.DISPATCHER, frozenset({Stage.REPORTED}), Stage.VERIFIED),
    Step.ACCEPT: Rule(Role.DISPATCHER, frozenset({Stage.REPORTED, Stage.VERIFIED}), Stage.ACCEPTED),
    Step.FILE: Rule(Role.DISPATCHER, frozenset({Stage.ACCEPTED}), Stage.FILED),
    Step.REJECT: Rule(Role.DISPATCHER, _BEFORE_FILING, Stage.REJECTED, _why(*_ENOUGH)),
    Step.DISPATCH: Rule(Role.DISPATCHER, frozenset({Stage.FILED}), Stage.DISPATCHED),
    Step.TRANSFER: Rule(Role.DISPATCHER, _IN_WORK, Stage.DISPATCHED, _why(Why.WRONG_UNIT, Why.OVERLOADED)),
    Step.BEGIN: Rule(Role.DISPATCHER, frozenset({Stage.DISPATCHED}), Stage.HANDLING),
    Step.FINISH: Rule(Role.DISPATCHER, frozenset({Stage.HANDLING}), Stage.HANDLED),
    Step.ASK_EXTENSION: Rule(Role.DISPATCHER, _IN_WORK, None, _LONGER),
    Step.GRANT_EXTENSION: Rule(Role.SUPERVISOR, _IN_WORK),
    Step.REFUSE_EXTENSION: Rule(Role.SUPERVISOR, _IN_WORK, None, _why(Why.NOT_NEEDED)),
    Step.PASS: Rule(Role.SUPERVISOR, frozenset({Stage.HANDLED}), Stage.CHECKED),
    Step.REWORK: Rule(
        Role.SUPERVISOR, frozenset({Stage.HANDLED}), Stage.HANDLING,
        _why(Why.NOT_DONE, Why.INCOMPLETE, Why.POOR_EVIDENCE, Why.CAME_BACK),
    ),
    Step.CLOSE: Rule(Role.SUPERVISOR, frozenset({Stage.CHECKED}), Stage.CLOSED),
    Step.WITHDRAW: Rule(Role.SUPERVISOR, _OPEN, Stage.WITHDRAWN, _why(Why.BY_MISTAKE, *_ENOUGH)),
    Step.NOTE: Rule(Role.DISPATCHER, frozenset(Stage)),
}  # fmt: skip
"""The whole machine as a table. Where reasons are listed, one of them has to be given."""


def opened(report: Report, names: tuple[str, str], now_ms: int, table: Timetable) -> tuple[Case, CaseEvent]:
    """A new case. `names`: its id and number."""
    at_ms = now_ms if report.reported_ms is None else report.reported_ms
    case = Case(
        names[0], report.tenant, names[1], report.category, report.title, report.source, Stage.REPORTED, at_ms, now_ms,
        report.reporter, report.text, report.place, report.district, report.lat, report.lon, report.alert, report.about,
        deadline=table.of(report.category, Phase.INTAKE, at_ms),
    )  # fmt: skip
    return case, CaseEvent(now_ms, Change.OPENED, case.stage, report.reporter)


def possible(case: Case, role: Role) -> list[Step]:
    """The steps that can be taken now by somebody with this role, in the order of the table."""
    return [step for step, rule in RULES.items() if _hindrance(case, step) is None and _may(role, rule.role)]


def take(case: Case, deed: Deed, now_ms: int, table: Timetable) -> tuple[Case, CaseEvent]:
    """The case after a step, and the line of its history. Raises Refused."""
    hindered = _hindrance(case, deed.step)
    if hindered is not None:
        raise hindered
    _check(case, deed)
    rule = RULES[deed.step]
    after = replace(case, updated_ms=now_ms)
    if rule.to is not None:
        after = _move(after, rule.to, now_ms, table)
    if (more := _MORE.get(deed.step)) is not None:
        after = more(after, deed, now_ms, table)
    due_ms = after.deadline.due_ms if after.deadline else None
    limit = deed.limit or (case.asked.limit if deed.step is Step.GRANT_EXTENSION and case.asked else None)
    unit = after.unit if deed.step in (Step.DISPATCH, Step.TRANSFER) else deed.unit
    return after, CaseEvent(now_ms, deed.step, after.stage, deed.by, deed.why, deed.note, unit, limit, due_ms)


def _may(role: Role, needed: Role) -> bool:
    return role.rank >= needed.rank


def _hindrance(case: Case, step: Step) -> Refused | None:
    """Why the step is not possible at this stage, whoever takes it."""
    if case.stage not in RULES[step].stages:
        return Refused(Refusal.WRONG_STAGE, f"{case.number} is {case.stage}, {step} is not possible now")
    public = case.source is Source.PUBLIC
    if step is Step.VERIFY and not public:
        return Refused(Refusal.WRONG_STAGE, f"{case.number} is no public report, it is accepted at once")
    if step is Step.ACCEPT and public and case.stage is Stage.REPORTED:
        return Refused(Refusal.NOT_VERIFIED, f"{case.number} is a public report, it is verified on site first")
    if step is Step.ASK_EXTENSION and case.asked:
        return Refused(Refusal.ASKED_ALREADY, f"{case.number} has been asked for already, it waits for an answer")
    if step in (Step.GRANT_EXTENSION, Step.REFUSE_EXTENSION) and not case.asked:
        return Refused(Refusal.NOT_ASKED, f"nobody asked for an extension of {case.number}")
    return None


def _check(case: Case, deed: Deed) -> None:
    """What a step has to say."""
    step, reasons = deed.step, RULES[deed.step].reasons
    if step is Step.NOTE and not deed.note:
        raise Refused(Refusal.NO_NOTE, "expected a note")
    if reasons and deed.why is None:
        raise Refused(Refusal.NO_REASON, f"{step} needs a reason, one of {', '.join(sorted(reasons))}")
    if deed.why is not None and deed.why not in reasons:
        expected = f"expected one of {', '.join(sorted(reasons))}" if reasons else "expected none"
        raise Refused(Refusal.WRONG_REASON, f"{deed.why} is no reason to {step}, {expected}")
    if deed.why is Why.OTHER and not deed.note:
        raise Refused(Refusal.NO_NOTE, "the reason `other` needs a note")
    if step in (Step.DISPATCH, Step.TRANSFER):
        if not deed.unit:
            raise Refused(Refusal.NO_UNIT, f"{step} needs a unit")
        if step is Step.TRANSFER and deed.unit == case.unit:
            raise Refused(Refusal.SAME_UNIT, f"{case.number} is with {case.unit} already")
    elif step in (Step.BEGIN, Step.FINISH, Step.ASK_EXTENSION) and deed.unit not in ("", case.unit):
        raise Refused(Refusal.ANOTHER_UNIT, f"{case.number} is with {case.unit}, not with {deed.unit}")
    if step is Step.ASK_EXTENSION and deed.limit is None:
        raise Refused(Refusal.NO_LIMIT, "say how much longer, such as `4 business h`")


def _move(case: Case, to: Stage, now_ms: int, table: Timetable) -> Case:
    """The case at another stage, with the time it was reached and the deadline that runs from then on."""
    before, after = PHASES.get(case.stage), PHASES.get(to)
    moved = _reached(replace(case, stage=to), now_ms)
    if to.ended:
        closed_ms = now_ms if to is Stage.CLOSED else None
        return replace(moved, ended_ms=now_ms, closed_ms=closed_ms, deadline=None, asked=None)
    if to is Stage.FILED:
        moved = replace(moved, whole=table.of(case.category, Phase.WHOLE, now_ms))
    if after is not None and after is not before:
        deadline = table.of(case.category, after, now_ms)
        handle = deadline if after is Phase.HANDLE else moved.handle
        return replace(moved, deadline=deadline, handle=handle, told_near=False, told_overdue=False, asked=None)
    return moved


def _reached(case: Case, now_ms: int) -> Case:
    """The case with the time its stage was reached."""
    match case.stage:
        case Stage.VERIFIED:
            return replace(case, verified_ms=now_ms)
        case Stage.ACCEPTED:
            return replace(case, accepted_ms=now_ms)
        case Stage.FILED:
            return replace(case, filed_ms=now_ms)
        case Stage.HANDLING:
            return replace(case, begun_ms=now_ms)
        case Stage.HANDLED:
            return replace(case, handled_ms=now_ms)
        case Stage.CHECKED:
            return replace(case, checked_ms=now_ms)
    return case


def _given(case: Case, deed: Deed, now_ms: int, _table: Timetable) -> Case:
    first_ms = now_ms if case.dispatched_ms is None else case.dispatched_ms
    return replace(case, unit=deed.unit, dispatched_ms=first_ms)


def _transferred(case: Case, deed: Deed, now_ms: int, table: Timetable) -> Case:
    deadline = table.of(case.category, Phase.HANDLE, now_ms)
    return replace(
        case, unit=deed.unit, transfers=case.transfers + 1, deadline=deadline, handle=deadline, asked=None,
        begun_ms=None, told_near=False, told_overdue=False,
    )  # fmt: skip


def _again(case: Case, _deed: Deed, now_ms: int, table: Timetable) -> Case:
    deadline = table.deadline(Phase.HANDLE, table.category(case.category).rework, now_ms)
    return replace(case, reworks=case.reworks + 1, deadline=deadline, handle=deadline, handled_ms=None)


def _asked(case: Case, deed: Deed, now_ms: int, _table: Timetable) -> Case:
    assert deed.limit is not None
    assert deed.why is not None
    return replace(case, asked=Asked(deed.limit, deed.why, deed.by, now_ms, deed.note))


def _granted(case: Case, deed: Deed, _now_ms: int, table: Timetable) -> Case:
    assert case.asked is not None
    assert case.deadline is not None
    more = deed.limit or case.asked.limit
    deadline = table.longer(case.deadline, more)
    whole = table.longer(case.whole, more) if case.whole else None
    return replace(
        case, asked=None, deadline=deadline, handle=deadline, whole=whole, extensions=case.extensions + 1,
        told_near=False, told_overdue=False,
    )  # fmt: skip


def _refused(case: Case, _deed: Deed, _now_ms: int, _table: Timetable) -> Case:
    return replace(case, asked=None)


_MORE: Mapping[Step, Callable[[Case, Deed, int, Timetable], Case]] = {
    Step.DISPATCH: _given,
    Step.TRANSFER: _transferred,
    Step.REWORK: _again,
    Step.ASK_EXTENSION: _asked,
    Step.GRANT_EXTENSION: _granted,
    Step.REFUSE_EXTENSION: _refused,
}


def by_time(case: Case, now_ms: int) -> tuple[Case, CaseEvent] | None:
    """What the clock does to an open case: its deadline comes near, or passes; told once each."""
    deadline = case.deadline
    if deadline is None or not case.open:
        return None
    if deadline.overdue(now_ms) and not case.told_overdue:
        told = replace(case, told_near=True, told_overdue=True, updated_ms=now_ms)
        return told, CaseEvent(now_ms, Change.OVERDUE, case.stage, due_ms=deadline.due_ms)
    if deadline.near(now_ms) and not case.told_near:
        told = replace(case, told_near=True, updated_ms=now_ms)
        return told, CaseEvent(now_ms, Change.NEAR_DUE, case.stage, due_ms=deadline.due_ms)
    return None


def alert_resolved(case: Case, now_ms: int) -> tuple[Case, CaseEvent] | None:
    """The alert behind the case is over. The case goes on: somebody still has to look."""
    if not case.open or case.alert_resolved_ms is not None:
        return None
    noted = replace(case, alert_resolved_ms=now_ms, updated_ms=now_ms)
    return noted, CaseEvent(now_ms, Change.ALERT_RESOLVED, case.stage)
