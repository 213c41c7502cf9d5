"""Cutting planned roads, and a vehicle's day in numbers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.work import MissedReason, MissedRun, TaskReport, TrackPoint, Verdict
from dashboards.console.day import groups, spans, totals, track_lines, worst_roads
from dashboards.console.roads import cut, distance_m, length_m, stretches
from tests.console.fakes import NIGHT_MS, TODAY, Clock, FakeWork

LINE = ((114.0, 22.5), (114.01, 22.5), (114.01, 22.51))


async def one_report(task: str) -> TaskReport:
    return await FakeWork(Clock()).report(f"{task}@{TODAY}")


@given(st.floats(-100, 3000), st.floats(-100, 3000))
def test_a_cut_is_as_long_as_asked_and_lies_on_the_line(a: float, b: float) -> None:
    total = length_m(LINE)
    piece = cut(LINE, a, b)
    assert length_m(piece) == pytest.approx(max(0.0, min(b, total) - max(a, 0.0)), abs=0.5)
    assert all(distance_m(point, [LINE]) < 0.5 for point in piece)


def test_distance_to_a_line() -> None:
    assert distance_m((114.005, 22.501), [LINE]) == pytest.approx(111.3, abs=0.5)
    assert distance_m((114.0, 22.5), []) == float("inf")


async def test_a_judged_road_is_covered_but_for_its_missed_runs() -> None:
    work = FakeWork(Clock())
    task = next(t for t in await work.tasks(TODAY) if t.id == f"T03a@{TODAY}")
    pieces = stretches(task, await work.report(task.id), NIGHT_MS)
    assert [(s.state, s.reason, round(s.from_m), round(s.to_m)) for s in pieces if s.state == "missed"] == [
        ("missed", "not_working", 600, 920),
        ("missed", "too_fast", 1500, 1710),
    ]
    assert [s.state for s in pieces] == ["covered", "missed", "covered", "missed", "covered"]
    assert sum(s.to_m - s.from_m for s in pieces) == pytest.approx(length_m(task.lines[0]))


async def test_before_during_and_unjudged() -> None:
    work = FakeWork(Clock())
    task = next(t for t in await work.tasks(TODAY) if t.id == f"T01b@{TODAY}")
    report = await work.report(task.id)
    assert {s.state for s in stretches(task, report, task.start_ms - 1)} == {"ahead"}
    assert [s.state for s in stretches(task, report, NIGHT_MS)] == ["covered", "open"]
    assert {s.state for s in stretches(task, None, NIGHT_MS)} == {"open"}
    unjudged = replace(report, status=Verdict.NOT_JUDGED)
    assert {s.state for s in stretches(task, unjudged, NIGHT_MS)} == {"not_judged"}


async def test_a_line_of_two_parts_is_measured_in_one_go() -> None:
    work = FakeWork(Clock())
    task = next(iter(await work.tasks(TODAY)))
    halves = (cut(LINE, 0, 500), cut(LINE, 500, 1000))
    missed = (MissedRun(400, 600, MissedReason.WRONG_WAY),)
    report = replace(await work.report(task.id), planned_m=1000.0, missed=missed, status=Verdict.NOT_MET)
    lengths = [round(length_m(s.line)) for s in stretches(replace(task, lines=halves), report, NIGHT_MS)]
    assert lengths == [400, 100, 100, 400]


def fixes(*rows: tuple[int, str]) -> list[TrackPoint]:
    return [TrackPoint(s * 1000, 22.5, 114.0 + s / 1e5, 8.0, state, True) for s, state in rows]


def test_spans_join_states_and_name_holes_unknown() -> None:
    track = fixes((0, "working"), (10, "working"), (20, "idle"), (30, "idle"), (130, "working"), (140, "working"))
    assert spans(track) == [
        ("working", 0, 20_000), ("idle", 20_000, 30_000), ("unknown", 30_000, 130_000), ("working", 130_000, 140_000),
    ]  # fmt: skip


def test_a_long_absence_is_not_drawn() -> None:
    lines = track_lines(fixes((0, "working"), (10, "working"), (2000, "working"), (2010, "working")))
    assert [(state, len(line) if isinstance(line, list) else 0) for state, line in lines] == [("working", 2)] * 2


async def test_totals_and_worst_roads() -> None:
    reports = await FakeWork(Clock()).reports(TODAY)
    t = totals(reports, NIGHT_MS)
    assert (t.met, t.judged, t.ahead) == (23, 29, 0)
    assert t.empty_pct == pytest.approx(100 * (t.driven_m - t.effective_m) / t.driven_m)
    worst = worst_roads(reports)
    assert (worst[0][0].vehicle, worst[0][2]) == ("V29", "not_driven")
    assert [missed for _, missed, _ in worst] == sorted((missed for _, missed, _ in worst), reverse=True)
    assert totals([], NIGHT_MS).empty_pct is None


async def test_groups_rank_by_tasks_met() -> None:
    work = FakeWork(Clock())
    tasks = {t.id: t for t in await work.tasks(TODAY)}
    reports = await work.reports(TODAY)
    ranked = groups(tasks, reports, lambda r: "good" if r.status is Verdict.MET else "other", NIGHT_MS)
    assert [(g.name, g.totals.met_pct) for g in ranked] == [("good", 100.0), ("other", 0.0)]
    assert await work.tasks(TODAY + timedelta(days=5)) == ()
