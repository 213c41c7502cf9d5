"""What was judged is always what judging anew would say, however seldom it is done."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.model.work import Operation
from rules import work
from rules.judgement import judge
from tests.work.scene import SETTINGS, START_MS, Fix, batch, drive, line, stand, task

GRACE_S = 600
WINDOW_S = 300
TASKS = (
    task(end_ms=START_MS + WINDOW_S * 1000, min_duration_s=200.0),
    task(line((0, 400), (600, 400)), id="T2", operation=Operation.WASH, start_ms=START_MS + 200_000,
         end_ms=START_MS + 500_000),
    task(line((0, 800), (600, 800)), id="T3", operation=Operation.COLLECT, end_ms=START_MS + 400_000),
)  # fmt: skip
END_MS = START_MS + 1_200_000


def judged_anew(state: work.State) -> None:
    """Every report that is held is the one that all fixes give."""
    held = [(n, state.judged[t.id]) for n, t in enumerate(state.table.tasks) if t.id in state.judged]
    fresh = judge(state.court, np.array([n for n, _ in held], np.int64), state.history, state.now_ms)
    assert [(one.report, one.last_ms) for _, one in held] == [(one.report, one.last_ms) for one in fresh]


@st.composite
def ways(draw: st.DrawFn) -> list[Fix]:
    """A vehicle that works, stands, turns off and wanders near and far from its roads, telling now more, now less."""
    fixes: list[Fix] = []
    at, x = 0.0, 0.0
    for _ in range(draw(st.integers(2, 7))):
        y = draw(st.sampled_from([0.0, 30.0, 400.0, 800.0, 2000.0]))
        brush = draw(st.sampled_from([True, False, None]))
        pump = draw(st.sampled_from([True, False, None]))
        if draw(st.booleans()):
            to = draw(st.sampled_from([0.0, 300.0, 600.0]))
            leg = drive(x, to, y=y, at=at) if to != x else stand(x, 60, at=at)
            x = to
        else:
            leg = [replace(f, y=y) for f in stand(x, draw(st.sampled_from([30, 130])), at=at)]
        poor = draw(st.sampled_from(["", "", "", "speed", "heading"]))
        leg = [replace(f, brush=brush, pump=pump) for f in leg]
        leg = [replace(f, speed=None) for f in leg] if poor == "speed" else leg
        fixes += [replace(f, heading=None) for f in leg] if poor == "heading" else leg
        at = fixes[-1].s + draw(st.sampled_from([10, 90]))
    return fixes


@settings(max_examples=30, deadline=None)
@given(fixes=ways(), cuts=st.lists(st.integers(0, 200), max_size=25), late=st.lists(st.integers(0, 200), max_size=3))
def test_what_is_held_is_what_judging_anew_says(fixes: Sequence[Fix], cuts: list[int], late: list[int]) -> None:
    held_back = [fixes[i] for i in late if i < len(fixes)]
    ordered = [f for f in fixes if f not in held_back]
    bounds = sorted({0, len(ordered), *(c for c in cuts if c < len(ordered))})
    parts = [ordered[a:b] for a, b in pairwise(bounds)]
    state = work.start(TASKS, (), SETTINGS, 0)
    for part in [*parts, held_back]:
        newest = max((f.ts_ms for f in part), default=0)
        state = work.step(state, batch(part) if part else None, newest).state
        judged_anew(state)
    state = work.step(state, None, END_MS).state
    judged_anew(state)
    assert {t.id for t in TASKS} == set(state.judged)


def test_a_vehicle_that_is_gone_does_not_reopen_its_task() -> None:
    state = work.start(TASKS[:1], (), SETTINGS, 0)
    state = work.step(state, batch(drive(0, 750)), START_MS + 400_000).state
    before = state.judged["T1"]
    gone = [replace(f, brush=False) for f in drive(0, 600, y=2000.0, at=410)]
    state = work.step(state, batch(gone), START_MS + 800_000).state
    assert state.judged["T1"] is before
    state = work.step(state, batch(drive(0, 600, at=820)), START_MS + 890_000).state
    assert state.judged["T1"] is not before, "it came back to its road within the grace"


def test_a_window_that_ended_before_the_start_is_judged_only_by_fixes_that_are_about_it() -> None:
    since_ms = START_MS + WINDOW_S * 1000
    state = work.start(TASKS[:1], (), SETTINGS, since_ms)
    outcome = work.step(state, batch(drive(0, 200, y=2000.0, at=310)), START_MS + 420_000)
    assert not outcome.findings and not outcome.reports and not outcome.state.judged
    filled_in = work.step(outcome.state, batch(drive(0, 600, at=0)), START_MS + 500_000)
    assert [report.task for report in filled_in.reports] == ["T1"]
    judged_anew(filled_in.state)
    there = work.step(state, batch(drive(0, 200, at=310)), START_MS + 420_000)
    assert [report.task for report in there.reports] == ["T1"], "it works on its road within the grace"
