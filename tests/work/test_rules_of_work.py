"""Every rule of the table: what raises it, what clears it, what must not raise it."""

from dataclasses import replace

import pytest

from citywarden.model.alert import Severity
from citywarden.model.work import Operation
from rules import work
from rules.wording import SEVERITY
from tests.work.scene import HOUR_S, SETTINGS, START_MS, Fix, after, batch, drive, rules_of, stand, task, told, zone

ELSEWHERE = task(start_ms=START_MS + 90 * 86_400_000, end_ms=START_MS + 91 * 86_400_000)
"""A plan that has nothing to say about now."""
QUIET = {"work.no_show", "route.missed", "vehicle.offline"}
"""Found of nearly every short track; not what these tests are about."""


def found(fixes: list[Fix], *tasks: object, **known: object) -> list[tuple[str, float, float | None]]:
    """Rules that found something besides `QUIET`, raised and cleared in seconds."""
    state = after(fixes, *tasks, **known)  # type: ignore[arg-type]
    return [(rule, raised, cleared) for rule, _, raised, cleared in told(state) if rule not in QUIET]


def test_deviation_is_raised_after_60_s_and_cleared_after_30_s_back() -> None:
    fixes = [replace(fix, y=120.0 if 100 <= fix.s < 300 else 0.0) for fix in drive(0, 1000)]
    assert found(fixes) == [("route.deviation", 160.0, 330.0)]


def test_a_short_deviation_is_none() -> None:
    assert found([replace(fix, y=120.0 if 100 <= fix.s < 160 else 0.0) for fix in drive(0, 1000)]) == []


def test_two_points_60_s_apart_are_no_deviation_yet() -> None:
    assert found(drive(0, 1000, y=120, every=60.0)[:2]) == []


def test_off_the_road_is_fine_in_depot_water_and_disposal_zones() -> None:
    fixes = drive(0, 1000, y=120)
    for kind in ("depot", "water", "disposal"):
        assert found(fixes, zones=[zone(kind, -50, 80, 1050, 160)]) == []
    assert found(fixes, zones=[zone("allowed_stop", -50, 80, 1050, 160)]) != []


def test_off_the_road_outside_the_window_is_fine() -> None:
    assert found(drive(0, 1000, y=120, brush=False), ELSEWHERE) == []


def test_deviation_is_measured_from_the_nearest_of_the_roads_of_the_hour() -> None:
    from tests.work.scene import line

    beside = task(line((0, 120), (1000, 120)), id="T2")
    assert found(drive(0, 1000, y=120), task(), beside) == []


def test_missed_road_is_raised_at_the_end_of_the_window() -> None:
    state = after(drive(0, 500))
    assert ("route.missed", "v1/T1", 3600.0, None) in told(state)


def test_missed_road_covered_within_the_grace_is_cleared() -> None:
    short = task(end_ms=START_MS + 300_000)
    state = after(drive(0, 1000), short)
    (raised,) = [one for one in told(state) if one[0] == "route.missed"]
    assert raised == ("route.missed", "v1/T1", 300.0, 450.0)


def test_overspeed_for_20_s_and_over_when_slower() -> None:
    fixes = [replace(fix, speed=14.0 if 100 <= fix.s <= 200 else 8.0) for fix in drive(0, 1000)]
    assert found(fixes) == [("work.overspeed", 120.0, 230.0)]
    assert found([replace(fix, speed=12.5 if 100 <= fix.s <= 200 else 8.0) for fix in drive(0, 1000)]) == []
    assert found([replace(fix, brush=False, speed=14.0) for fix in drive(0, 1000)]) == []


def test_idle_for_ten_minutes_with_everything_off() -> None:
    waiting = stand(0, 900, at=0, brush=False)
    assert found([*waiting, *drive(0, 500, at=910)], zones=[zone("allowed_stop", -9, -9, 9, 9)]) == [
        ("work.idle", 600.0, 910.0)
    ]
    in_depot = [zone("depot", -9, -9, 9, 9)]
    assert found([*waiting, *drive(0, 500, at=910)], zones=in_depot) == []
    assert found(stand(0, 900, at=0, brush=False, ignition=False), zones=[zone("allowed_stop", -9, -9, 9, 9)]) == []


def test_a_stop_of_five_minutes_where_none_is_allowed() -> None:
    stop = [*stand(0, 400, at=0, brush=False), *drive(0, 300, at=410, brush=False)]
    assert found(stop, ELSEWHERE) == [("vehicle.illegal_stop", 300.0, 410.0)]
    assert found(stop, ELSEWHERE, zones=[zone("allowed_stop", -9, -9, 9, 9)]) == []
    both = [zone("allowed_stop", -9, -9, 9, 9), zone("forbidden", -9, -9, 9, 9)]
    assert found(stop, ELSEWHERE, zones=both) == [("vehicle.illegal_stop", 300.0, 410.0)]
    assert found(stand(0, 290, at=0), ELSEWHERE) == []


def test_work_outside_the_window() -> None:
    early = task(start_ms=START_MS + 1_200_000)
    assert found(drive(0, 1000), early) == [("work.out_of_window", 60.0, None)]
    assert found(drive(0, 1000, at=650), early) == [], "inside the tolerance"
    assert found([*drive(0, 1000), *drive(0, 200, at=460, brush=False)], early) == [("work.out_of_window", 60.0, 460.0)]


def test_work_in_a_peak_ban() -> None:
    # START_MS is 08:00; the window began at 06:30 and runs into the ban from 07:00 to 09:00.
    settings = replace(SETTINGS, peak_bans_min=((420, 540),))
    through = task(start_ms=START_MS - 5_400_000)
    assert found(drive(0, 1000), through, settings=settings) == [("work.out_of_window", 60.0, None)]
    assert found(drive(0, 1000), task(), settings=settings) == [], "planned into the ban on purpose"


def test_too_short_and_too_few_passes_are_raised_when_the_grace_is_over() -> None:
    demanding = task(min_duration_s=1000.0, passes=2)
    assert ("work.short_duration", "v1/T1", 3600.0, None) in told(after(drive(0, 1000), demanding))
    assert ("work.short_passes", "v1/T1", 3600.0, None) in told(after(drive(0, 1000), demanding))
    within = after(drive(0, 1000), demanding, end_s=3700)
    assert "work.short_duration" not in [rule for rule, *_ in told(within)]


def test_no_show_by_timer_and_over_with_the_first_fix() -> None:
    state = work.start([task()], (), SETTINGS, 0)
    quiet = work.step(state, None, START_MS + 905_000)
    assert quiet.findings == []
    late = work.step(quiet.state, None, START_MS + 915_000)
    (finding,) = late.findings
    assert (finding.rule, finding.subject, finding.at_ms) == ("work.no_show", "v1/T1", START_MS + 900_000)
    there = work.step(late.state, batch(drive(0, 100, at=1000)), START_MS + 1_050_000)
    assert [(f.rule, f.severity, f.at_ms) for f in there.findings] == [("work.no_show", None, START_MS + 1_000_000)]


def test_whoever_is_there_in_time_is_no_no_show() -> None:
    assert "work.no_show" not in rules_of(drive(0, 1000, at=880))


def test_a_load_that_falls_outside_a_disposal_site() -> None:
    loads = [10_000, 10_000, 9_000, 7_500, 5_000, 4_000, 4_000]
    dumping = [Fix(i * 10.0, 0, 0, 0.0, load=float(kg), brush=False) for i, kg in enumerate(loads)]
    assert found(dumping, ELSEWHERE) == [("vehicle.illegal_dump", 30.0, None)]
    assert found(dumping, ELSEWHERE, zones=[zone("disposal", -9, -9, 9, 9)]) == []
    sprinkling = [replace(fix, pump=True) for fix in dumping]
    assert found(sprinkling, ELSEWHERE) == []


def test_a_body_that_rises_outside_a_disposal_site() -> None:
    site = zone("disposal", 500, -9, 520, 9)
    rising = [Fix(i * 10.0, 0, 0, 0.0, lift=i >= 3, brush=False) for i in range(8)]
    assert found(rising, ELSEWHERE, zones=[site]) == [("vehicle.illegal_dump", 30.0, None)]
    assert found(rising, ELSEWHERE) == [], "a plan without a disposal site cannot tell"
    assert found(rising, task(operation=Operation.COLLECT), zones=[site]) == [], "lifting is its work"


@pytest.mark.parametrize(
    ("fixes", "when"),
    [
        (drive(0, 1000, ignition=False), 30.0),
        (drive(0, 2000, 50.0, every=5.0), 30.0),
        (stand(0, 2400, at=0, every=30.0), 1800.0),
    ],
    ids=["ignition off", "50 km/h", "in the depot"],
)
def test_equipment_that_cannot_be_on(fixes: list[Fix], when: float) -> None:
    depot = [zone("depot", -9, -9, 9, 9)]
    suspects = [one for one in found(fixes, ELSEWHERE, zones=depot) if one[0] == "vehicle.sensor_suspect"]
    assert suspects == [("vehicle.sensor_suspect", when, None)]


def test_offline_by_timer_and_back_with_data() -> None:
    state = work.step(work.start([ELSEWHERE], (), SETTINGS, 0), batch(drive(0, 100)), START_MS + 60_000).state
    last_ms = START_MS + 40_000
    assert work.step(state, None, last_ms + 300_000).findings == []
    outcome = work.step(state, None, last_ms + 300_001)
    assert [(f.rule, f.at_ms, f.severity) for f in outcome.findings] == [
        ("vehicle.offline", last_ms + 300_000, Severity.MAJOR)
    ]
    assert work.step(outcome.state, None, last_ms + 900_000).findings == [], "told once"
    back = work.step(outcome.state, batch(drive(0, 10, at=700)), last_ms + 901_000)
    assert [(f.rule, f.at_ms, f.severity) for f in back.findings] == [("vehicle.offline", START_MS + 700_000, None)]


def test_a_parked_vehicle_is_not_offline() -> None:
    assert rules_of(drive(0, 100, ignition=False, brush=False), ELSEWHERE) == []


def test_offline_that_a_back_fill_disproves_is_cancelled() -> None:
    state = work.start([ELSEWHERE], (), SETTINGS, 0)
    track = drive(0, 2000, brush=False)
    state = work.step(state, batch([track[0], track[-1]]), track[-1].ts_ms).state
    assert [rule for rule, *_ in told(state)] == ["vehicle.offline"]
    filled = work.step(state, batch(track[1:-1]), track[-1].ts_ms)
    assert told(filled.state) == []


def test_vehicles_without_a_task_are_watched_too() -> None:
    state = work.start((), (), SETTINGS, 0)
    state = work.step(state, batch(stand(0, 400, at=0, brush=False), "stranger"), START_MS + 400_000).state
    assert [(rule, subject) for rule, subject, *_ in told(state)] == [("vehicle.illegal_stop", "stranger")]


def test_every_rule_says_what_it_found_in_both_languages() -> None:
    state = after(drive(0, 500), task(min_duration_s=3000.0))
    for episode in state.alerts:
        assert episode.finding.rule in SEVERITY
        assert set(episode.finding.summary) == {"zh-CN", "en"}
        assert all("{" not in text for text in episode.finding.summary.values())


def test_nothing_is_said_of_windows_that_had_ended_before_the_start() -> None:
    state = work.start([task()], (), SETTINGS, START_MS + 2 * HOUR_S * 1000)
    outcome = work.step(state, None, START_MS + 3 * HOUR_S * 1000)
    assert (outcome.findings, outcome.reports) == ([], [])
