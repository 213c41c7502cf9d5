"""The order in which fixes arrive changes nothing in the end."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.columns import concat
from rules import work, worksave
from rules.vehicleday import track
from tests.work.scene import HOUR_S, SETTINGS, START_MS, Fix, batch, drive, line, stand, task, told, zone

END_MS = START_MS + 3 * HOUR_S * 1000
TASKS = (
    task(end_ms=START_MS + 600_000, min_duration_s=600.0, passes=2),
    task(line((0, 300), (600, 300)), id="T2", start_ms=START_MS + 300_000, end_ms=START_MS + 1_500_000),
    task(line((0, 0), (500, 0)), id="T3", vehicle="v2"),
)
ZONES = (zone("depot", -60, -20, -20, 20), zone("disposal", 900, -20, 1100, 20))


def day() -> list[Fix]:
    """Work, a deviation, a stop, a dump, a hole, a silence, work again, a speeding stretch."""
    fixes = [replace(f, y=90.0 if 120 <= f.s <= 220 else 0.0) for f in drive(0, 700)]
    fixes += stand(700, 400, at=330, brush=False)
    fixes += [Fix(740 + i * 10, 700, 5, 0.0, load=9000.0 - 900 * i, brush=False) for i in range(5)]
    fixes += [f for f in drive(0, 600, y=300, at=900) if not 960 < f.s < 1060]
    fixes += [replace(f, speed=25.0) for f in drive(0, 300, 20.0, y=300, at=1700)]
    fixes += drive(0, 200, at=2200, ignition=False)
    return fixes


DAY = day()
OTHER = drive(0, 500, at=30, heading=None, speed=None)


def end(batches: Sequence[tuple[Sequence[Fix], Sequence[Fix]]], clock: Sequence[int]) -> work.State:
    """The state after batches (fixes of v1, fixes of v2) arrived at the given seconds, and time has passed."""
    state = work.start(TASKS, ZONES, SETTINGS, 0)
    for (mine, other), second in zip(batches, clock, strict=True):
        parts = [batch(f, v) for f, v in ((mine, "v1"), (other, "v2")) if f]
        state = work.step(state, concat(parts) if parts else None, START_MS + second * 1000).state
    return work.step(state, None, END_MS).state


def seen(state: work.State) -> object:
    """All that people can see of a state."""
    return told(state), work.reports(state, END_MS), track(state, "v1", 0, END_MS)


WHOLE = seen(end([(DAY, OTHER)], [2500]))


def test_the_whole_shows_something_of_everything() -> None:
    rules = {rule for rule, *_ in told(end([(DAY, OTHER)], [2500]))}
    assert rules >= {
        "route.deviation", "route.missed", "vehicle.illegal_stop", "vehicle.illegal_dump", "vehicle.offline",
        "vehicle.sensor_suspect", "work.short_duration", "work.short_passes",
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_split_shuffle_and_repetition_gives_the_same(data: st.DataObject) -> None:
    everything = [(0, i) for i in range(len(DAY))] + [(1, i) for i in range(len(OTHER))]
    again = data.draw(st.lists(st.sampled_from(everything), max_size=30))
    in_order = data.draw(st.booleans())
    order = list(everything)
    if not in_order:
        data.draw(st.randoms(use_true_random=False)).shuffle(order)
    order = [*order, *again]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=12)))
    parts = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    batches = []
    for part in parts:
        mine, other = {i for who, i in part if who == 0}, {i for who, i in part if who == 1}
        batches.append(([DAY[i] for i in mine], [OTHER[i] for i in other]))
    clock = sorted(data.draw(st.lists(st.integers(0, 9000), min_size=len(parts), max_size=len(parts))))
    assert seen(end(batches, clock)) == WHOLE


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(DAY)), st.integers(0, 9000))
def test_a_restart_in_the_middle_changes_nothing_and_tells_nothing_twice(cut: int, second: int) -> None:
    state = work.start(TASKS, ZONES, SETTINGS, 0)
    state = work.step(state, batch(DAY[:cut], "v1") if cut else None, START_MS + second * 1000).state
    again = worksave.load(worksave.dump(state), TASKS, ZONES, SETTINGS)
    assert told(again) == told(state)
    one, two = (work.step(s, concat([batch(DAY[cut:] or DAY[:1]), batch(OTHER, "v2")]), END_MS) for s in (state, again))
    assert one.findings == two.findings
    assert one.reports == two.reports
    assert seen(work.step(two.state, None, END_MS).state) == WHOLE


def test_of_two_fixes_of_one_time_the_same_one_stays_whichever_came_first() -> None:
    twins = [Fix(50, 100), Fix(50, 400)]
    ends = [end([(DAY, OTHER), ([a], ()), ([b], ())], [1, 2, 3]) for a, b in (twins, twins[::-1])]
    assert seen(ends[0]) == seen(ends[1])


def test_late_data_reopens_only_the_task_it_is_about() -> None:
    hole = [f for f in DAY if not 30 < f.s < 110]
    state = end([(hole, OTHER)], [2500])
    late = work.step(state, batch([f for f in DAY if 30 < f.s < 110]), END_MS)
    assert [one.task for one in late.reports] == ["T1"], "that time is T1's; T2 of the same vehicle comes later"
    assert seen(late.state) == WHOLE


def test_a_new_plan_keeps_what_was_judged_of_tasks_that_stay() -> None:
    state = end([(DAY, OTHER)], [2500])
    kept = work.replan(state, TASKS, ZONES, END_MS)
    assert seen(kept) == seen(state)
    assert work.step(kept, None, END_MS).reports == []
    without = work.replan(state, TASKS[:1], ZONES, END_MS)
    assert {t.id for t in without.table.tasks} == {"T1", "T2", "T3"}, "ended tasks stay for the retention"
    later = work.replan(state, TASKS[:1], ZONES, END_MS + 3 * 86_400_000)
    assert {t.id for t in later.table.tasks} == {"T1"}
    changed = work.replan(state, [replace(TASKS[0], min_coverage_pct=10.0), *TASKS[1:]], ZONES, END_MS)
    (anew,) = work.step(changed, None, END_MS + 1).reports
    assert anew.task == "T1"
