"""What must come out, worked out by hand (10 s sampling unless said)."""

from dataclasses import replace

import pytest

from citywarden.model.work import Evidence, MissedReason, Operation, Verdict
from tests.work.scene import HOUR_S, START_MS, Fix, after, bare, batch, drive, line, report, stand, task, told


def test_a_kilometre_at_8_kmh_with_the_brush_on() -> None:
    found = report(drive(0, 1000), task(min_duration_s=450.0))
    assert (found.status, found.reasons, found.evidence) == (Verdict.MET, (), Evidence.EQUIPMENT)
    assert found.work_duration_s == 450.0
    assert found.planned_m == pytest.approx(1000, abs=0.5)
    assert found.coverage_pct == 100.0
    assert found.passes == 1
    assert found.missed == ()
    assert found.driven_m == found.effective_m == pytest.approx(1000, abs=0.5)
    assert (found.idle_in_work_s, found.unknown_s, found.overspeed_s, found.empty_running_pct) == (0, 0, 0, 0)


def test_what_is_driven_elsewhere_before_the_window_is_not_this_tasks_way() -> None:
    before = drive(0, 1000, y=500, at=-480.0, brush=False)
    found = report([*before, *drive(0, 1000)])
    assert found.driven_m == pytest.approx(1000, abs=0.5)
    inside = report([*drive(0, 1000), *drive(1000, 0, y=500, at=460.0, brush=False)])
    assert inside.driven_m > 1900
    assert inside.empty_running_pct == pytest.approx(50, abs=5)


def test_the_brush_off_for_200_m() -> None:
    fixes = [replace(fix, brush=not 400 <= fix.x < 600) for fix in drive(0, 1000)]
    found = report(fixes)
    (run,) = found.missed
    assert run.reason is MissedReason.NOT_WORKING
    assert run.length_m == pytest.approx(200, abs=10)
    assert run.from_m == pytest.approx(400, abs=17)
    assert run.to_m == pytest.approx(600, abs=17)
    assert (found.status, found.reasons) == (Verdict.NOT_MET, ("low_coverage",))
    assert found.coverage_pct == pytest.approx(80, abs=1)


def test_the_opposite_carriageway_20_m_away() -> None:
    found = report(drive(1000, 0, y=20))
    assert found.coverage_pct == 0.0
    assert found.status is Verdict.NOT_MET


def test_the_same_line_against_its_direction_is_the_wrong_way() -> None:
    found = report(drive(1000, 0))
    assert found.coverage_pct == 0.0
    assert [run.reason for run in found.missed] == [MissedReason.WRONG_WAY]
    assert report(drive(1000, 0), task(bidirectional=True)).coverage_pct == 100.0


def test_a_hole_of_90_s_is_unknown() -> None:
    found = report([fix for fix in drive(0, 1000) if not 200 < fix.s < 290])
    assert found.unknown_s == 90.0
    assert found.work_duration_s == 360.0
    (run,) = found.missed
    assert run.reason is MissedReason.NO_DATA
    assert run.length_m == pytest.approx(200, abs=10)


def test_a_gap_of_60_s_is_none() -> None:
    found = report([fix for fix in drive(0, 1000) if not 200 < fix.s < 260])
    assert (found.unknown_s, found.work_duration_s, found.coverage_pct) == (0.0, 450.0, 100.0)


def light(seconds: float) -> list[Fix]:
    """450 s of work with a stop in the middle; the vehicle stands from 225 s on."""
    first = drive(0, 500)
    last = drive(first[-1].x, 1000)
    wait = first[-1].s + seconds
    standing = [Fix(first[-1].s + 10 * i, first[-1].x, 0.0, 0.0, 90.0) for i in range(1, int(seconds / 10) + 1)]
    return [*first, *standing, *(replace(fix, s=fix.s + wait) for fix in last[1:])]


def test_60_s_at_a_light_is_idle_in_work() -> None:
    found = report(light(60))
    assert found.idle_in_work_s == 60.0
    assert found.work_duration_s == pytest.approx(450, abs=10)
    assert (found.coverage_pct, found.status) == (100.0, Verdict.MET)


def test_five_minutes_with_the_brush_on_is_no_idle_in_work() -> None:
    found = report(light(300))
    assert found.idle_in_work_s == 0.0
    assert found.work_duration_s == pytest.approx(450, abs=10)


def test_25_kmh_with_the_brush_on_is_too_fast() -> None:
    found = report(drive(0, 1000, 25.0))
    assert (found.work_duration_s, found.coverage_pct) == (0.0, 0.0)
    assert found.overspeed_s == pytest.approx(144, abs=10)
    assert [run.reason for run in found.missed] == [MissedReason.TOO_FAST]
    assert "overspeed" in found.reasons


def test_never_driven() -> None:
    found = report(drive(0, 480))
    (run,) = found.missed
    assert (run.reason, run.to_m) == (MissedReason.NOT_DRIVEN, found.planned_m)
    assert run.from_m == pytest.approx(490, abs=15)


def test_a_window_over_midnight_is_judged_whole() -> None:
    night = task(start_ms=START_MS - 2 * HOUR_S * 1000, end_ms=START_MS + 5 * HOUR_S * 1000)
    assert report(drive(0, 1000, at=-225), night, end_s=6 * HOUR_S).status is Verdict.MET


def test_positions_alone_prove_less_and_the_report_says_so() -> None:
    found = report(bare(drive(0, 1000)))
    assert found.evidence is Evidence.GPS_ONLY
    assert (found.work_duration_s, found.coverage_pct, found.status) == (450.0, 100.0, Verdict.MET)
    assert found.notes == ("speed_derived", "heading_derived", "accuracy_unknown")


def test_positions_alone_off_the_road_are_no_work() -> None:
    assert report(bare(drive(0, 1000, y=60))).work_duration_s == 0.0


@pytest.mark.parametrize("every", [300.0, 120.0, 70.0])
def test_sampling_too_coarse_is_not_judged(every: float) -> None:
    found = report(drive(0, 1000, every=every, at=1.0) if every < 300 else drive(0, 2000, every=every))
    assert (found.status, found.reasons) == (Verdict.NOT_JUDGED, ("sampling_too_coarse",))


def test_no_data_at_all_is_not_judged() -> None:
    found = report([])
    assert (found.status, found.reasons) == (Verdict.NOT_JUDGED, ("no_data",))
    assert [run.reason for run in found.missed] == [MissedReason.NO_DATA]


def test_two_passes_twenty_minutes_apart() -> None:
    twice = [*drive(0, 1000), *drive(0, 1000, at=1500)]
    assert report(twice, task(passes=2)).passes == 2
    assert report(drive(0, 1000), task(passes=2)).reasons == ("short_passes",)


def test_two_passes_that_leave_the_road_between() -> None:
    back = drive(1000, 0, 40.0, y=100, at=470, brush=False)
    twice = [*drive(0, 1000), *back, *drive(0, 1000, at=570)]
    assert report(twice, task(passes=2)).passes == 2


def test_there_and_back_at_once_on_a_road_that_takes_both_ways_is_one_pass() -> None:
    assert report([*drive(0, 1000), *drive(1000, 0, at=460)], task(bidirectional=True)).passes == 1


def test_carriageways_20_m_apart_are_told_apart() -> None:
    north = task(line((1000, 20), (0, 20)), id="north")
    fixes = drive(0, 1000)
    assert report(fixes, task(), north).coverage_pct == 100.0
    assert report(fixes, north, task()).coverage_pct == 0.0


def test_a_road_that_crosses_itself() -> None:
    loop = line((0, 0), (400, 0), (400, 300), (200, 300), (200, -300))
    east = drive(0, 400)
    north = [Fix(s, 400, y, 8.0, 0.0) for s, y in ((190 + i * 10, i * 22.0) for i in range(14))]
    west = [Fix(340 + i * 10, 400 - i * 22.0, 300, 8.0, 270.0) for i in range(10)]
    south = [Fix(445 + i * 10, 200, 300 - i * 22.0, 8.0, 180.0) for i in range(28)]
    found = report([*east, *north, *west, *south], task(loop))
    assert found.coverage_pct > 97
    assert found.missed == ()


def test_half_of_a_loop_is_not_the_whole_of_it() -> None:
    ring = line((0, 0), (300, 0), (300, 300), (0, 300), (0, 12))
    found = report(drive(0, 290), task(ring))
    assert found.coverage_pct == pytest.approx(300 / 1188 * 100, abs=3)


def test_parts_of_a_road_follow_each_other() -> None:
    parts = (line((0, 0), (300, 0)), line((700, 0), (1000, 0)))
    found = report(drive(0, 1000), task(parts))
    assert found.planned_m == pytest.approx(600, abs=0.5)
    assert found.coverage_pct == 100.0


def test_a_collecting_truck_stops_and_lifts() -> None:
    fixes: list[Fix] = []
    for stop in range(5):
        at = stop * 100.0
        fixes += [replace(f, brush=None, lift=False) for f in drive(stop * 200, stop * 200 + 178, 16.0, at=at)]
        fixes += stand(stop * 200 + 178, 40, at=at + 50, brush=None, lift=True, heading=90.0)
    found = report(fixes, task(operation=Operation.COLLECT))
    assert found.evidence is Evidence.EQUIPMENT
    assert found.coverage_pct > 75
    idle_lift = [replace(fix, lift=False) for fix in fixes]
    assert report(idle_lift, task(operation=Operation.COLLECT)).coverage_pct == 0.0


def test_a_gcj02_track_on_a_wgs84_plan_is_suspect_and_no_storm_of_deviations() -> None:
    from citywarden.coordinates import wgs84_to_gcj02
    from rules import work
    from tests.work.scene import SETTINGS

    truth = batch(drive(0, 1000))
    lat, lon = wgs84_to_gcj02(truth.fields["lat"], truth.fields["lon"])
    shifted = replace(truth, fields={**truth.fields, "lat": lat, "lon": lon})
    state = work.start([task()], (), SETTINGS, 0)
    state = work.step(state, shifted, START_MS + 500_000).state
    state = work.step(state, None, START_MS + 3 * HOUR_S * 1000).state
    (found,) = work.reports(state, state.now_ms)
    assert (found.status, found.reasons) == (Verdict.NOT_JUDGED, ("datum_suspect",))
    assert [rule for rule, *_ in told(state) if rule.startswith(("route.", "vehicle.datum"))] == [
        "vehicle.datum_suspect"
    ]


def test_a_track_200_m_beside_its_road_is_a_deviation_and_no_datum() -> None:
    state = after(drive(0, 1000, y=200))
    assert "route.deviation" in [rule for rule, *_ in told(state)]
    assert "vehicle.datum_suspect" not in [rule for rule, *_ in told(state)]


def test_late_to_the_window_within_the_grace_counts_and_beyond_does_not() -> None:
    end = START_MS + 400_000
    late = task(end_ms=end)
    assert report(drive(0, 1000), late).status is Verdict.MET
    much_later = task(end_ms=end, start_ms=START_MS - 3_600_000)
    assert report(drive(0, 1000, at=400 + 601), much_later).coverage_pct == 0.0


def test_back_to_back_windows_on_one_road_do_not_share_a_pass() -> None:
    first = task(id="A", end_ms=START_MS + 600_000)
    second = task(id="B", start_ms=START_MS + 600_000, end_ms=START_MS + 1_200_000)
    fixes = drive(0, 1000, at=60)
    assert report(fixes, first, second).coverage_pct == 100.0
    assert report(fixes, second, first).coverage_pct == 0.0
