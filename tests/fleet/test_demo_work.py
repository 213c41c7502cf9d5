"""The demo's vehicles before the rules of work: what the cast does wrong is found, and honest work is met."""

from collections import defaultdict
from dataclasses import dataclass, replace

import pytest

from citywarden.log.contract import Slice
from citywarden.model.alert import Finding
from citywarden.model.message import RawMessage
from citywarden.model.work import MissedReason, TaskReport, Verdict
from fleet.city import City, Size, city
from fleet.plan import parse_plan
from fleet.shifts import Behaviour
from fleet.workday import CAST
from ingest.decode import Decoder
from rules import work
from rules.worksettings import WorkSettings
from tests.builders import KINDS, NOON_MS
from tests.fleet.simulated import simulate

DAY_MS = 86_400_000
SECONDS = 640
EXPECTED = {
    Behaviour.SKIP: "route.missed",
    Behaviour.DETOUR: "route.deviation",
    Behaviour.LATE: "work.no_show",
    Behaviour.SPEEDING: "work.overspeed",
    Behaviour.REST: "vehicle.illegal_stop",
}


@dataclass(frozen=True)
class Judged:
    """Fresh findings of the first ten minutes, and the reports of what had ended by then."""

    town: City
    findings: list[Finding]
    reports: dict[str, TaskReport]


@pytest.fixture(scope="module")
def judged() -> Judged:
    town = city(1, NOON_MS, size=Size(0, 0, 0, 16))
    stage, _, _ = simulate(town, SECONDS, late_ms=2500)
    plan = parse_plan(town.plan_text, "plan", tenant="demo")
    tasks = plan.tasks_between(NOON_MS - DAY_MS, NOON_MS + DAY_MS)
    state = work.start(tasks, plan.zones, replace(WorkSettings(), peak_bans_min=()), NOON_MS)
    decoder = Decoder(KINDS, {d.key: d for d in town.devices}.get)
    seconds: dict[int, list[RawMessage]] = defaultdict(list)
    for message in stage.messages:
        seconds[message.received_ms // 2000].append(message)
    findings: list[Finding] = []
    now_ms = NOON_MS
    for second in sorted(seconds):
        now_ms = (second + 1) * 2000
        for batch in (*decoder.decode(Slice(0, 0, tuple(seconds[second]))).columns, None):
            outcome = work.step(state, batch, now_ms)
            state = outcome.state
            findings += [f for f in outcome.findings if not f.pending and now_ms - f.at_ms < 900_000]
    return Judged(town, findings, {r.task: r for r in work.reports(state, now_ms) if r.end_ms < now_ms - 15_000})


@pytest.mark.parametrize("behaviour", list(EXPECTED))
def test_what_the_cast_does_wrong_is_raised_within_two_minutes_and_cleared(
    behaviour: Behaviour, judged: Judged
) -> None:
    vehicle = f"V{next(i for i, (_, part) in enumerate(CAST, 1) if part.behaviour is behaviour):02d}"
    found = [f for f in judged.findings if f.rule == EXPECTED[behaviour] and f.subject.split("/")[0] == vehicle]
    assert found[0].severity is not None
    assert NOON_MS <= found[0].at_ms <= NOON_MS + 120_000
    assert found[-1].severity is None, "it clears"


def test_honest_work_is_met(judged: Judged) -> None:
    normal = {t: r for t, r in judged.reports.items() if judged.town.behaviours[t] is Behaviour.NORMAL}
    assert len(normal) >= 20
    assert {t: (r.status, r.reasons) for t, r in normal.items() if r.status is not Verdict.MET} == {}
    assert {r.operation for r in normal.values()} >= {"sweep", "wash", "sprinkle", "collect"}


@pytest.mark.parametrize(
    ("behaviour", "why"), [(Behaviour.SKIP, MissedReason.NOT_WORKING), (Behaviour.SPEEDING, MissedReason.TOO_FAST)]
)
def test_what_went_wrong_in_the_morning_is_named(behaviour: Behaviour, why: MissedReason, judged: Judged) -> None:
    (place,) = [i for i, (_, part) in enumerate(CAST, 1) if part.morning is behaviour]
    report = judged.reports[f"V{place:02d}-02"]
    assert report.end_ms < NOON_MS
    assert report.status is Verdict.NOT_MET
    assert [run.reason for run in report.missed] == [why]
    assert report.missed[0].length_m > 200


def test_vehicles_that_behave_raise_nothing(judged: Judged) -> None:
    plan = parse_plan(judged.town.plan_text, "plan")
    recent = plan.tasks_between(NOON_MS - 2_400_000, NOON_MS + SECONDS * 1000)
    wild = {task.vehicle for task in recent if judged.town.behaviours[task.id] is not Behaviour.NORMAL}
    tame = set(judged.town.drivers) - wild
    assert len(tame) >= 5
    assert [f for f in judged.findings if f.subject.split("/")[0] in tame] == []
