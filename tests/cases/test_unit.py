"""Somebody of a unit: sees the cases that are with the unit and the own reports, does the unit's steps."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citywarden.access import users
from citywarden.access.desk import Desk
from citywarden.cases.desk import CaseDesk
from citywarden.cases.unit import STEPS
from citywarden.model.access import Forbidden, NewUser, UserChange
from citywarden.model.case import Case, Deed, Place, Stage, Step, Why
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Clock, Limit
from citywarden.model.errors import NotFound
from citywarden.model.identity import LOCAL, Identity, Role
from citywarden.model.unit import proper
from tests.cases.case_builders import HOUR_MS, MONDAY_MS, PNG, deed, evidence_store, ledger, report, walk
from tests.databases import BOTH, empty_database

LIGHTS, DRAINS = "路灯管理所 / Street lighting", "排水抢险队 / Drainage team"
SUN = Identity("sun", Role.DISPATCHER, "t", unit=LIGHTS)
CHIEF = Identity("chief", Role.SUPERVISOR, "t", unit=LIGHTS)
NOW_MS = MONDAY_MS + HOUR_MS


@pytest.fixture(params=BOTH)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CaseDesk]:
    with empty_database(request, tmp_path) as engine:
        made = CaseDesk(ledger(engine), evidence_store(tmp_path), lambda: NOW_MS, "t", users.units)
        yield made
        await made.close()


def given(desk: CaseDesk, unit: str, until: Step = Step.DISPATCH, tenant: str = "t") -> Case:
    """A case that is with a unit."""
    filed = walk(desk.ledger, desk.ledger.open(report(tenant=tenant), MONDAY_MS), Step.FILE, MONDAY_MS)
    case = desk.ledger.take(filed.id, deed(Step.DISPATCH, unit=unit), MONDAY_MS)
    for step in (Step.BEGIN, Step.FINISH):
        if until in (Step.BEGIN, Step.FINISH) and not (step is Step.FINISH and until is Step.BEGIN):
            case = desk.ledger.take(case.id, deed(step), MONDAY_MS)
    return case


async def test_a_unit_sees_its_own_cases_and_nothing_of_others(desk: CaseDesk) -> None:
    mine, theirs, fresh = given(desk, LIGHTS), given(desk, DRAINS), desk.ledger.open(report(), MONDAY_MS)
    seen = desk.seen_by(SUN)
    assert [case.number for case in (await seen.find(CaseQuery())).items] == [mine.number]
    assert (await seen.find(CaseQuery(unit=DRAINS))).items == []
    for other in (theirs, fresh):
        for ask in (seen.get, seen.history, seen.evidence):
            with pytest.raises(NotFound):
                await ask(other.id)
        with pytest.raises(NotFound):
            await seen.take(other.id, Deed(Step.NOTE, "sun", "x"))
        with pytest.raises(NotFound):
            await seen.get(other.number)
    assert (await seen.board("t")).stages == {Stage.DISPATCHED: (1, 0, 0)}
    assert (await desk.board("t")).stages[Stage.DISPATCHED] == (2, 0, 0)
    assert await seen.units("t") == [LIGHTS]
    exported = json.loads(b"".join(seen.export(CaseQuery())))
    assert [one["number"] for one in exported["cases"]] == [mine.number]
    assert [row.group for row in await seen.rates(MONDAY_MS, NOW_MS, "unit", "t")] == [LIGHTS]
    assert (await seen.rates(MONDAY_MS, NOW_MS, None, "t"))[0].tally.dispatched == 1


async def test_who_reports_a_case_sees_what_becomes_of_it(desk: CaseDesk) -> None:
    seen = desk.seen_by(SUN)
    own = await seen.open(report(reporter="sun"))
    assert [case.number for case in (await seen.find(CaseQuery())).items] == [own.number]
    assert seen.possible(own, SUN.role) == [Step.NOTE], "whose it will be is for the centre to say"
    noted = await seen.take(own.id, Deed(Step.NOTE, "sun", "灯杆倾斜"))
    assert noted.stage is Stage.REPORTED


async def test_a_unit_does_the_work_in_its_own_name(desk: CaseDesk) -> None:
    case, seen = given(desk, LIGHTS), desk.seen_by(SUN)
    assert set(seen.possible(case, SUN.role)) == {Step.BEGIN, Step.ASK_EXTENSION, Step.NOTE}
    await seen.take(case.id, Deed(Step.BEGIN, "sun"))
    longer = Limit(2, Clock.BUSINESS_DAYS)
    await seen.take(case.id, Deed(Step.ASK_EXTENSION, "sun", why=Why.MATERIAL, limit=longer))

    async def photo() -> AsyncIterator[bytes]:
        yield PNG

    await seen.attach(case, photo(), "after.png", Place.AFTER, "sun")
    assert [one.name for one in await seen.evidence(case.id)] == ["after.png"]
    done = await seen.take(case.id, Deed(Step.FINISH, "sun"))
    assert (done.stage, [e.unit for e in await seen.history(case.id) if e.change == "finish"]) == (
        Stage.HANDLED, [LIGHTS])  # fmt: skip


@pytest.mark.parametrize("who", [SUN, CHIEF], ids=lambda who: str(who.role))
async def test_neither_gives_out_nor_checks_its_own_work_whatever_the_role(desk: CaseDesk, who: Identity) -> None:
    seen = desk.seen_by(who)
    case, finished = given(desk, LIGHTS), given(desk, LIGHTS, Step.FINISH)
    for step in set(Step) - STEPS:
        for one in (case, finished):
            assert step not in seen.possible(one, who.role)
            with pytest.raises(Forbidden, match="not a unit's step"):
                await seen.take(one.id, Deed(step, who.name, "x", Why.OTHER, DRAINS))


async def test_nobody_acts_for_another_unit(desk: CaseDesk) -> None:
    case = given(desk, LIGHTS)
    with pytest.raises(Forbidden, match="not to 排水抢险队"):
        await desk.seen_by(SUN).take(case.id, Deed(Step.BEGIN, "sun", unit=DRAINS))


async def test_a_case_that_goes_to_another_unit_is_gone_and_the_page_hears_of_it_once(desk: CaseDesk) -> None:
    seen, heard = desk.seen_by(SUN), list[tuple[str, ...]]()
    seen.subscribe(lambda cases: heard.append(tuple(case.unit for case in cases)))
    case = desk.ledger.open(report(), MONDAY_MS)
    for step in (Step.ACCEPT, Step.FILE):
        await desk.take(case.id, deed(step))
    assert heard == []
    await desk.take(case.id, deed(Step.DISPATCH, unit=LIGHTS))
    await desk.take(case.id, Deed(Step.TRANSFER, "Li", why=Why.WRONG_UNIT, unit=DRAINS))
    await desk.take(case.id, deed(Step.BEGIN))
    assert heard == [(LIGHTS,), (DRAINS,)]
    with pytest.raises(NotFound):
        await seen.get(case.id)


async def test_within_a_tenant_a_unit_is_that_tenants(desk: CaseDesk) -> None:
    mine, theirs = given(desk, LIGHTS), given(desk, LIGHTS, tenant="u")
    seen = desk.narrowed("t").seen_by(SUN)
    assert [case.id for case in (await seen.find(CaseQuery())).items] == [mine.id]
    with pytest.raises(NotFound):
        await seen.get(theirs.id)
    assert (await seen.board(None)).stages == {Stage.DISPATCHED: (1, 0, 0)}


async def test_who_belongs_to_no_unit_sees_all(desk: CaseDesk) -> None:
    for everybody in (LOCAL, Identity("wu", Role.VIEWER)):
        assert desk.seen_by(everybody) is desk


async def test_units_are_those_of_the_table_of_people_and_of_cases(desk: CaseDesk, engine_of: Desk) -> None:
    root = Identity("root", Role.ADMINISTRATOR)
    engine_of.add_user(root, NewUser("zhou", Role.DISPATCHER, "t", None, "园林绿化队"), MONDAY_MS)
    engine_of.add_user(root, NewUser("he", Role.DISPATCHER, "u", None, "别家的队"), MONDAY_MS)
    engine_of.add_user(root, NewUser("gone", Role.DISPATCHER, "t", None, "撤销的队"), MONDAY_MS)
    engine_of.change_user(root, "gone", UserChange(enabled=False), MONDAY_MS)
    given(desk, "临时小组")
    units = await desk.units("t")
    assert {LIGHTS, DRAINS, "园林绿化队", "临时小组"} <= set(units)
    assert not {"别家的队", "撤销的队"} & set(units)


@pytest.fixture
def engine_of(desk: CaseDesk) -> Desk:
    """The people in the same database."""
    return Desk(desk.ledger.engine)


async def test_a_unit_may_be_called_by_half_of_its_name(desk: CaseDesk) -> None:
    case = walk(desk.ledger, desk.ledger.open(report(), MONDAY_MS), Step.FILE, MONDAY_MS)
    assert (await desk.take(case.id, deed(Step.DISPATCH, unit="street LIGHTING"))).unit == LIGHTS
    assert (await desk.take(case.id, deed(Step.BEGIN, unit="路灯管理所"))).stage is Stage.HANDLING


@pytest.mark.parametrize(
    ("said", "meant"),
    [("路灯管理所", LIGHTS), (" Street Lighting ", LIGHTS), (LIGHTS, LIGHTS), ("lighting", "lighting"), ("", ""),
     ("a / b / c", "a / b / c")],
)  # fmt: skip
def test_a_name_is_meant_whole(said: str, meant: str) -> None:
    assert proper(said, [DRAINS, LIGHTS, "x / y / z"]) == meant
