"""What the rules remember does not grow with the time they run, however much the same devices say."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from citywarden.columns import Columns, Reading, from_readings
from citywarden.model.kind import JsonScalar
from citywarden.serve.prepare import default_rules
from rules import engine, rulefile, thresholds, work
from rules.worksettings import WorkSettings
from tests.builders import KINDS, NOON_MS, device

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = 20
STEP_S, EVERY_S = 600, 20
VEHICLES = [device("vehicle", f"V{n}") for n in range(4)]
LAMPS = [device("streetlight", f"L{n}") for n in range(10)]
GAUGES = [device("waterlogging", f"W{n}") for n in range(5)]
LEAKS = [device("gas", f"G{n}") for n in range(5)]


def values_of(kind: str, step: int, tick: int) -> Mapping[str, JsonScalar]:
    match kind:
        case "vehicle":
            moving = {"speed_kmh": 20.0 * (step % 3 > 0), "ignition": step % 4 > 0}
            return {"lat": 22.54 + 1e-4 * (tick % 50), "lon": 114.05, **moving}
        case "streetlight":
            return {"on": tick % 2 == 0, "power_w": 60.0 * (tick % 2), "voltage_v": 200.0 + tick % 70}
        case "waterlogging":
            return {"depth_cm": float(tick % 60)}
    return {"methane_lel_pct": 60.0 if step % 2 else 1.0}


def spoken(step: int) -> list[Columns]:
    """Ten minutes of everybody: lamps flicker, water rises and falls, gas leaks and ends, vehicles drive and pause."""
    found = []
    for devices in (VEHICLES, LAMPS, GAUGES, LEAKS):
        readings = []
        for n, who in enumerate(devices):
            for k in range(STEP_S // EVERY_S):
                tick = step * (STEP_S // EVERY_S) + k
                at_ms = NOON_MS + tick * EVERY_S * 1000
                readings.append(Reading(who, at_ms, at_ms, values_of(who.kind, step, tick + n)))
        found.append(from_readings(KINDS[devices[0].kind], readings))
    return found


def test_twenty_hours_of_the_same_devices() -> None:
    book = rulefile.parse(default_rules(), "rules.yaml", KINDS)
    settings = WorkSettings(retention_s=2 * 3600.0)
    state = engine.State(
        thresholds.start(book, KINDS, ZONE, NOON_MS), work.start((), (), settings, NOON_MS)
    )  # fmt: skip
    sizes: list[tuple[int, int, int]] = []
    found = 0
    for step in range(HOURS * 3600 // STEP_S):
        now_ms = NOON_MS + (step + 1) * STEP_S * 1000
        for batch in (spoken(step), ()):
            outcome = engine.step(state, batch, now_ms)
            state, found = outcome.state, found + len(outcome.findings)
        if (step + 1) % (3600 // STEP_S) == 0:
            state = engine.replan(state, (), (), now_ms)
            episodes = sum(map(len, state.work.episodes.values()))
            sizes.append((len(thresholds.dump(state.levels)), len(state.work.history), episodes))
    assert found > HOURS
    assert all(min(kind) > 0 for kind in zip(*sizes[4:], strict=True))
    early, late = sizes[4:12], sizes[-8:]
    for before, after in zip(zip(*early, strict=True), zip(*late, strict=True), strict=True):
        assert max(after) <= 1.05 * max(before)
