"""Files that people write, mutilated: read, or refused with what is wrong; never another exception, never for long."""

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.alerts.routefile import parse_routes
from citywarden.alerts.scenariofile import parse_scenarios
from citywarden.cases import exchange
from citywarden.cases.tablefile import default_table, parse_table
from citywarden.model.errors import ConfigurationError
from citywarden.model.kind import Form
from citywarden.serve.prepare import default_rules
from citywarden.settings import load
from fleet import provisioning
from fleet.plan import parse_plan
from fleet.tracks import read_tracks
from rules.expression import check_condition
from rules.rulefile import parse
from tests.builders import KINDS
from tests.fuzz.effort import tries

ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("Asia/Shanghai")
EXPRESSIONS = ("methane_lel_pct >= 25 and not (co_ppm > 3)", "rate(methane_lel_pct, 10m) > 2 or night(-6)",
               "abs(co_ppm - 3) * 2 <= default(o2_pct, 20.5)", 'max(co_ppm, h2s_ppm) > profile.limit')  # fmt: skip
ROUTES = """targets:
- {name: dispatch, url: "https://dispatch.example/hook", secret: whsec_bm90IGEgc2VjcmV0}
- {name: boss, url: "https://dispatch.example/boss", format: wecom}
routes:
- {to: dispatch, repeat: 30m, hours: "22:00-06:00", days: [sat, sun]}
- {to: boss, severity: critical, after: 10m}
flapping: {turns: 6, within: 30m, calm: 15m}
"""
FENCED = st.text(st.sampled_from("(){}[],.:-+*/<>=!\"'&|#%\\ \n\tae09_πé灯\x00"), max_size=60)


def mutilated(text: str) -> st.SearchStrategy[str]:
    """The text with some pieces cut out, doubled, swapped for others or for nonsense."""

    @st.composite
    def make(draw: st.DrawFn) -> str:
        made = text
        for _ in range(draw(st.integers(1, 4))):
            a = draw(st.integers(0, len(made)))
            b = min(len(made), a + draw(st.integers(0, 30)))
            piece = draw(st.one_of(FENCED, st.just(made[a:b] * 2), st.just("")))
            made = made[:a] + piece + made[b:]
        return made

    return make()


def bounded(work: Callable[[], object], allowed: type[Exception] | tuple[type[Exception], ...]) -> None:
    began = time.process_time()
    try:
        work()
    except allowed as error:
        assert str(error)
    assert time.process_time() - began < 5


@tries(300)
@given(st.one_of(*map(mutilated, EXPRESSIONS), FENCED, st.text(max_size=80)))
def test_expressions(text: str) -> None:
    bounded(lambda: check_condition(text, KINDS["gas"], {"limit": Form.NUMBER}), ())


@pytest.mark.parametrize(
    "text",
    ["(" * 100_000, "not " * 100_000, "-" * 100_000, "1" * 100_000, "a." * 50_000, "1 < " * 50_000 + "1", "abs(" * 1000,
     "1e999999999", "9" * 400 + "e9" * 3, "rate(co_ppm, 99999999999999999999d) > 1"],
)  # fmt: skip
def test_expressions_that_want_to_go_deep(text: str) -> None:
    bounded(lambda: check_condition(text, KINDS["gas"], {}), ())


@tries(25)
@given(mutilated(default_rules()))
def test_rule_files(text: str) -> None:
    bounded(lambda: parse(text, "rules.yaml", KINDS), ConfigurationError)


@pytest.mark.parametrize(
    "bomb", ["a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "&a [*a]", "{" * 5000, "- " * 5000, "? " * 5000]
)
def test_yaml_that_unfolds_itself(bomb: str) -> None:
    bounded(lambda: parse(bomb, "rules.yaml", KINDS), ConfigurationError)
    bounded(lambda: parse_routes(bomb, "routes.yaml", ZONE, "en"), ConfigurationError)


@tries(100)
@given(mutilated(ROUTES))
def test_routing_files(text: str) -> None:
    bounded(lambda: parse_routes(text, "routes.yaml", ZONE, "en"), ConfigurationError)


@tries(60)
@given(mutilated((ROOT / "examples/plan.geojson").read_text("utf-8")[:6000]))
def test_plans(text: str) -> None:
    bounded(lambda: parse_plan(text, "plan.geojson", ZONE, "t"), ConfigurationError)


NO_PLANS = (
    "[" * 100_000, '{"type":' * 50_000, "NaN", "1e999", '{"type": "FeatureCollection"}', "null", '"x"',
    '{"type": "FeatureCollection", "features": [1, null, {}, [], {"geometry": 3}]}',
)  # fmt: skip


@pytest.mark.parametrize("text", NO_PLANS)
def test_plans_that_are_none(text: str) -> None:
    bounded(lambda: parse_plan(text, "plan.geojson", ZONE, "t"), ConfigurationError)


TRACK = (ROOT / "examples/tracks/simulated_sweeper_20261120.csv").read_text("utf-8")[:1500]


@tries(80)
@given(text=mutilated(TRACK))
def test_tracks(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz-track.csv"
    file.write_bytes(text.replace("\x00", "\ud800").encode("utf-8", "surrogatepass"))
    bounded(lambda: read_tracks([file]), ConfigurationError)


@tries(150)
@given(mutilated('id,kind,lat,lon,profile\nG1,gas,22.5,114.0,\nL1,streetlight,,,"nominal_power_w=120;x=true"\n'))
def test_device_files(text: str) -> None:
    bounded(lambda: provisioning.read_csv(io.StringIO(text), "t", KINDS), (ConfigurationError, csv.Error))


@tries(100)
@given(text=mutilated((ROOT / "examples/citywarden.toml").read_text("utf-8")))
def test_configurations(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.toml"
    file.write_bytes(text.replace("\x00", "\ud800").encode("utf-8", "surrogatepass"))
    bounded(lambda: load(file, {}), ConfigurationError)


SCENARIOS = """routes: routes.yaml
devices:
  g1: {kind: gas, district: Futian, profile: {underpass: A}}
scenarios:
- name: nobody is there
  start: 2026-11-22T20:00:00+08:00
  steps:
  - {at: 0s, reading: {g1: {methane_lel_pct: 30}}, told: [team opened g1], open: [g1 major firing]}
  - {at: 11m, acknowledge: g1, by: Li, silence: {for: 1h}}
"""


@tries(60)
@given(mutilated(SCENARIOS))
def test_scenario_files(text: str) -> None:
    bounded(lambda: parse_scenarios(text, "scenarios.yaml"), ConfigurationError)


@tries(40)
@given(mutilated(default_table()))
def test_tables_of_deadlines(text: str) -> None:
    bounded(lambda: parse_table(text, "cases.yaml", ZONE), ConfigurationError)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"cases":' * 50_000, "{", "null", '{"cases": [{}]}', "\x00", "9" * 5000]
)
def test_cases_that_are_none(text: str) -> None:
    bounded(lambda: exchange.parse(text.encode(), "cases.json"), ConfigurationError)
