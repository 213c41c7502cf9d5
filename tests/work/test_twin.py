"""The vectorised judge against its slow twin, on random roads and random drives."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import work
from rules.examination import examine
from tests.work.scene import SETTINGS, Fix, after, line, task
from tests.work.twin import Twin


@st.composite
def roads(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Two to six corners, legs of 80 to 300 m, bends of at most 60 degrees: one branch everywhere."""
    bearing = draw(st.floats(0, 2 * math.pi))
    turning = draw(st.sampled_from([-1, 1]))
    places = [(0.0, 0.0)]
    for _ in range(draw(st.integers(1, 4))):
        leg = draw(st.floats(120, 300))
        x, y = places[-1]
        places.append((x + leg * math.sin(bearing), y + leg * math.cos(bearing)))
        bearing += turning * math.radians(draw(st.floats(0, 50)))
    return places


@st.composite
def drives(draw: st.DrawFn, road: list[tuple[float, float]]) -> list[Fix]:
    """A vehicle that mostly follows the road, and now and then does everything else."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    gaps, lacks = draw(st.booleans()), draw(st.booleans())
    silent_brush = draw(st.booleans())
    legs = np.array(road)
    measure = np.append(0, np.cumsum(np.hypot(*np.diff(legs, axis=0).T)))
    at, second, kmh, brush, side, way = float(rng.uniform(-60, 60)), 0.0, 8.0, True, 0.0, 1
    fixes = []
    for _ in range(draw(st.integers(3, 90))):
        if rng.random() < 0.12:
            kmh = float(rng.choice([0.0, 0.5, 1.5, 3.0, 6.0, 8.0, 11.0, 12.3, 14.0, 25.0]))
        brush = brush if rng.random() > 0.08 else not brush
        side = side if rng.random() > 0.06 else float(rng.choice([0.0, 5.0, 14.0, 20.0, 30.0, 70.0]))
        way = way if rng.random() > 0.03 else -way
        pause = float(rng.choice([10.0, 10.0, 10.0, 5.0, 30.0, 60.0, 61.0, 200.0])) if gaps else 10.0
        second += pause
        at += way * kmh / 3.6 * pause
        leg = int(np.clip(np.searchsorted(measure, at, side="right") - 1, 0, len(legs) - 2))
        dx, dy = (legs[leg + 1] - legs[leg]) / (measure[leg + 1] - measure[leg])
        x, y = legs[leg] + np.array([dx, dy]) * (at - measure[leg]) + np.array([dy, -dx]) * side
        fix = Fix(
            second, float(x + rng.normal(0, 2)), float(y + rng.normal(0, 2)), kmh,
            float((np.degrees(np.arctan2(way * dx, way * dy)) + rng.normal(0, 8)) % 360), brush=brush,
        )  # fmt: skip
        if lacks:
            fix = replace(fix, **{name: None for name in ("speed", "heading", "brush", "hdop") if rng.random() < 0.3})  # type: ignore[arg-type]
        fixes.append(replace(fix, brush=None) if silent_brush else fix)
    return fixes


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_judge_agrees_with_its_twin(data: st.DataObject) -> None:
    road = data.draw(roads())
    fixes = data.draw(drives(road))
    one = task(line(*road), bidirectional=data.draw(st.booleans()), end_ms=task().start_ms + 20_000_000)
    expected = Twin(one, SETTINGS).judge(fixes)
    state = after(fixes, one, end_s=30_000)
    (found,) = work.reports(state, state.now_ms)
    coverage = examine(state.court, np.array([0]), state.history).coverage
    assert found.work_duration_s == pytest.approx(expected.work_s, abs=0.01)
    assert found.unknown_s == pytest.approx(expected.unknown_s, abs=0.01)
    assert found.overspeed_s == pytest.approx(expected.overspeed_s, abs=0.01)
    assert found.idle_in_work_s == pytest.approx(expected.idle_s, abs=0.01)
    assert found.driven_m == pytest.approx(expected.driven_m, abs=0.01)
    assert found.passes == expected.passes
    assert (coverage.visits > 0).tolist() == expected.covered
    explained = {why for why in expected.reasons if why}
    for run in found.missed:
        size = found.planned_m / len(expected.reasons)
        inside = expected.reasons[round(run.from_m / size) : round(run.to_m / size)]
        assert all(inside), "a missed run holds no covered cell"
        assert run.reason.value in explained
        assert run.reason.value in inside
