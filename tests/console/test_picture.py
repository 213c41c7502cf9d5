"""The figures, the map's rows and their changes, the order of the alerts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.alert import Severity, Status
from citywarden.model.device import DeviceKey
from citywarden.model.work import Verdict
from dashboards.console.desk import alerts_by_hour, read_work, work_hours
from dashboards.console.picture import Row, figures, row_changes, rows, share, tiles, urgency
from dashboards.console.sight import Bands, Seen
from tests.builders import device
from tests.console.fakes import HOUR_MS, NIGHT_MS, TODAY, Clock, FakeWork, alert


def lamp(state: str, due: bool = True) -> Seen:
    return Seen(device("streetlight"), state, (114.0, 22.5), due=due)


def test_lighting_rate_counts_silent_lamps_as_due_but_never_as_lit() -> None:
    street = [*[lamp("lit")] * 8, lamp("dark"), lamp("no_data"), lamp("off", due=False), lamp("faulty", due=False)]
    f = figures({"streetlight": street}, [], Bands(), NIGHT_MS)
    assert (f.lamps_lit, f.lamps_due, f.lamps_silent, f.lamps_faulty) == (8, 10, 1, 2)
    assert f.lighting_pct == 80.0


def test_nothing_to_count_is_no_figure() -> None:
    f = figures({}, [], Bands(), NIGHT_MS)
    assert (f.lighting_pct, f.coverage_pct, f.max_depth_cm, f.max_lel_pct) == (None, None, None, None)
    shown = {str(t["key"]): t["value"] for t in tiles(f, {}, Bands()) if isinstance(t, dict)}
    assert shown == {"lighting": "–", "flooded": "0", "gas": "–", "vehicles": "0", "coverage": "–", "messages": "–"}


def test_flood_and_gas_ignore_those_without_data() -> None:
    wet = [Seen(device("waterlogging"), "yellow", None, 15.0), Seen(device("waterlogging"), "no_data", None, 80.0)]
    gas = [Seen(device("gas"), "low", None, 25.0), Seen(device("gas"), "safe", None, 24.9)]
    f = figures({"waterlogging": wet, "gas": gas}, [], Bands(), NIGHT_MS)
    assert (f.flooded, f.max_depth_cm, f.gas_high, f.max_lel_pct) == (1, 15.0, 1, 25.0)


async def test_coverage_and_tasks_come_from_the_reports() -> None:
    reports = await FakeWork(Clock()).reports(TODAY)
    f = figures({}, reports, Bands(), NIGHT_MS)
    assert f.tasks == {"met": 23, "not_met": 6, "running": 30, "not_judged": 1}
    assert f.coverage_pct == pytest.approx(100 * sum(r.covered_m for r in reports) / sum(r.planned_m for r in reports))


async def test_a_task_that_has_not_begun_is_to_come_and_not_missing() -> None:
    reports = await FakeWork(Clock()).reports(TODAY)
    before = min(r.start_ms for r in reports if r.status is Verdict.OPEN) - 1
    f = figures({}, reports, Bands(), before)
    morning = [r for r in reports if r.status is not Verdict.OPEN]
    assert f.tasks == {"met": 23, "not_met": 6, "ahead": 30, "not_judged": 1}
    assert f.coverage_pct == pytest.approx(100 * sum(r.covered_m for r in morning) / sum(r.planned_m for r in morning))
    parts = next(t["parts"] for t in tiles(f, {}, Bands()) if isinstance(t, dict) and t["key"] == "coverage")
    assert [part[:2] for part in parts] == [
        ["met", "23"], ["not_met", "6"], ["running", "0"], ["ahead", "30"], ["not_judged", "1"],
    ]  # fmt: skip


async def test_hours_are_demanded_of_tasks_that_have_begun() -> None:
    work = await read_work(FakeWork(Clock()), TODAY, NIGHT_MS)
    evening = min(r.start_ms for r in work.reports.values() if r.status is Verdict.OPEN)
    for now_ms, hours in ((evening - 1, 1.5), (evening, 3.0)):
        rows = work_hours(work, {"V01": "粤B·环101"}, now_ms, limit=30)
        assert {row.vehicle: row.required_h for row in rows}["V01"] == hours
    assert next(row.name for row in rows if row.vehicle == "V01") == "粤B·环101"


@pytest.mark.parametrize(
    ("pct", "text"), [(None, "–"), (100.0, "100"), (99.96, "99.9"), (0.01, "0.1"), (73.25, "73.2")]
)
def test_a_share_never_rounds_to_all_or_nothing(pct: float | None, text: str) -> None:
    assert share(pct) == text


states = st.sampled_from(["lit", "dark"])
pictures = st.dictionaries(
    st.integers(0, 9).map(lambda n: DeviceKey("t", "gas", str(n))), st.tuples(states, st.none(), st.floats(0, 9))
)


@given(pictures, pictures)
def test_changes_lead_from_one_picture_to_the_next(
    before: dict[DeviceKey, tuple[str, None, float]], after: dict[DeviceKey, tuple[str, None, float]]
) -> None:
    old: dict[DeviceKey, Row] = {k: (s, v, x, x, None) for k, (s, v, x) in before.items()}
    new: dict[DeviceKey, Row] = {k: (s, v, x, x, None) for k, (s, v, x) in after.items()}
    changed, gone = row_changes(old, new)
    assert {k: r for k, r in (old | changed).items() if k not in gone} == new
    assert all(old.get(k) != r for k, r in changed.items())


def test_rows_hide_flicker_nobody_can_see() -> None:
    still = Seen(device("waterlogging"), "dry", (114.0, 22.5), 0.31)
    flicker = replace(still, value=0.44)
    assert rows({"waterlogging": [still]}) == rows({"waterlogging": [flicker]})
    assert rows({"waterlogging": [replace(still, place=None)]}) == {}


def test_most_severe_first_then_newest_and_acknowledged_below() -> None:
    gas = device("gas")
    minor, old = alert(1, gas, Severity.MINOR, "", ""), alert(9, gas, Severity.CRITICAL, "", "")
    new, seen = alert(2, gas, Severity.CRITICAL, "", ""), alert(3, gas, Severity.CRITICAL, "", "")
    seen = replace(seen, status=Status.ACKNOWLEDGED)
    assert [a.id for a in sorted([minor, old, new, seen], key=urgency)] == ["a2", "a9", "a3", "a1"]


def test_alerts_by_hour_has_every_hour_and_none_older() -> None:
    gas = device("gas")
    raised = [NIGHT_MS, NIGHT_MS - HOUR_MS, NIGHT_MS - HOUR_MS, NIGHT_MS - 13 * HOUR_MS]
    table = alerts_by_hour([alert(1, gas, Severity.MAJOR, "", "", raised_ms=ms) for ms in raised], NIGHT_MS)
    assert [counts.get("major", 0) for _, counts in table] == [0] * 10 + [2, 1]
