"""The demo's rules on the demo's city: everything that goes wrong is seen in time, and only that."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from citywarden.columns import concat
from citywarden.log.contract import Slice
from citywarden.model.alert import Finding
from citywarden.model.message import RawMessage
from fleet.city import Size, city
from fleet.incidents import Incident
from ingest.decode import Decoder
from rules import cases, rulefile, thresholds
from rules.night import is_night
from tests.builders import KINDS, NOON_MS
from tests.fleet.simulated import simulate

ZONE = ZoneInfo("Asia/Shanghai")
BOOK = rulefile.parse(files("fleet").joinpath("demo/rules.yaml").read_text("utf-8"), "fleet/demo/rules.yaml", KINDS)
MIDNIGHT_MS = NOON_MS + 12 * 3_600_000
EXPECTED = {
    "rising_water": {"waterlogging.depth", "waterlogging.rise"},
    "flash_flood": {"waterlogging.depth", "waterlogging.rise"},
    "gas_leak": {"gas.methane"},
    "second_gas_leak": {"gas.methane"},
    "dark_lamp": {"streetlight.dark"},
    "day_burner": {"streetlight.day_burner"},
    "cycling_lamp": {"streetlight.cycling"},
    "weak_lamp": {"streetlight.power_low"},
    "silent_detector": {"gas.no_data"},
    "low_battery": {"waterlogging.battery"},
}


@dataclass(frozen=True)
class Told:
    """Raised and cleared findings of the first minutes, and what really happened."""

    findings: list[Finding]
    incidents: tuple[Incident, ...]
    start_ms: int

    def of(self, incident: Incident) -> list[Finding]:
        return [f for f in self.findings if f.subject == incident.device.id]


SMALL = Size(160, 24, 24, 4)
LAMPS = Size(160, 1, 1, 1)


def judge(start_ms: int, size: Size, seconds: float = 260.0) -> Told:
    """A smaller city with the demo's troubles as the server sees it, one step a second."""
    town = city(1, start_ms, size=size)
    stage, simulator, _ = simulate(town, seconds, is_night=is_night, late_ms=2500)
    decoder = Decoder(KINDS, {d.key: d for d in town.devices}.get)
    state = thresholds.enroll(thresholds.start(BOOK, KINDS, ZONE, start_ms), town.devices, start_ms)
    findings: list[Finding] = []
    for now_ms, messages in by_second(stage.messages):
        for columns in decoder.decode(Slice(0, 0, messages)).columns:
            state, found = thresholds.step(state, concat([columns]), now_ms)
            findings += found
        state, found = thresholds.step(state, None, now_ms)
        findings += found
    return Told([f for f in findings if not f.pending], simulator.incidents, start_ms)


def by_second(messages: list[RawMessage]) -> Iterator[tuple[int, tuple[RawMessage, ...]]]:
    seconds: dict[int, list[RawMessage]] = defaultdict(list)
    for message in messages:
        seconds[message.received_ms // 1000].append(message)
    for second in sorted(seconds):
        yield (second + 1) * 1000, tuple(seconds[second])


@pytest.fixture(scope="module", params=[NOON_MS, MIDNIGHT_MS], ids=["noon", "midnight"])
def told(request: pytest.FixtureRequest) -> Told:
    return judge(request.param, SMALL)


def test_the_cases_beside_the_rules_pass() -> None:
    results = cases.run(BOOK, KINDS, ZONE)
    assert len(results) >= 10
    assert [r for r in results if not r.passed] == []


def test_the_first_alert_is_there_within_ten_seconds(told: Told) -> None:
    assert min(f.at_ms for f in told.findings if f.severity) <= told.start_ms + 10_000


def test_everything_that_goes_wrong_is_raised_soon_and_cleared(told: Told) -> None:
    assert {i.act.name for i in told.incidents} == set(EXPECTED)
    for incident in told.incidents:
        found = told.of(incident)
        for rule in EXPECTED[incident.act.name]:
            raised = [f for f in found if f.rule == rule and f.severity]
            cleared = [f for f in found if f.rule == rule and f.severity is None]
            assert raised, (incident.act.name, rule)
            assert raised[0].at_ms - incident.begin_ms <= 40_000
            assert cleared, (incident.act.name, rule)
            assert cleared[-1].at_ms - incident.end_ms <= 130_000


def test_water_and_gas_pass_their_levels_one_after_another(told: Told) -> None:
    levels = {"rising_water": "info minor major critical major minor info ok", "gas_leak": "major critical major ok"}
    for incident in told.incidents:
        if (path := levels.get(incident.act.name)) is not None:
            rule = "waterlogging.depth" if incident.act.kind == "waterlogging" else "gas.methane"
            seen = [f.severity.word if f.severity else "ok" for f in told.of(incident) if f.rule == rule]
            assert " ".join(seen) == path


def test_nothing_else_is_raised(told: Told) -> None:
    wanted = {(i.device.id, rule) for i in told.incidents for rule in EXPECTED[i.act.name]}
    assert {(f.subject, f.rule) for f in told.findings if f.severity} == wanted


def test_dusk_raises_no_storm() -> None:
    """Sunset over Shenzhen on that day is about 17:39: the lamps go on while the demo runs."""
    dusk = judge(NOON_MS + 5 * 3_600_000 + 37 * 60_000, LAMPS)
    lamps = {f.subject for f in dusk.findings if f.severity and f.kind == "streetlight"}
    assert lamps <= {i.device.id for i in dusk.incidents}


def test_each_text_is_in_both_languages() -> None:
    for rule in BOOK.rules:
        assert set(rule.summary) == {"zh-CN", "en"}
