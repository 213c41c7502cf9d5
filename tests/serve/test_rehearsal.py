"""Scenarios of an alert's life: those of the examples pass, a wrong one is told, mistakes are named at once."""

import json
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from citywarden.cli import run
from citywarden.model.errors import ConfigurationError
from citywarden.serve.rehearsal import Outcome, rehearse
from tests.builders import KINDS

EXAMPLES = Path(__file__).parents[2] / "examples" / "alerts"
ZONE = ZoneInfo("Asia/Shanghai")


def play(folder: Path, text: str) -> list[Outcome]:
    """The outcome of scenarios beside the example's rules and routes."""
    for name in ("rules.yaml", "routes.yaml"):
        shutil.copy(EXAMPLES / name, folder)
    head = "rules: rules.yaml\nroutes: routes.yaml\ndevices: {g1: {kind: gas}}\n"
    return rehearse(head + text, str(folder / "mine.alerts.yaml"), KINDS, ZONE)


@pytest.mark.parametrize("outcome", rehearse((EXAMPLES / "life.alerts.yaml").read_text("utf-8"),
                         str(EXAMPLES / "life.alerts.yaml"), KINDS, ZONE), ids=lambda o: o.name)  # fmt: skip
def test_the_examples_live_as_they_say(outcome: Outcome) -> None:
    assert outcome.differences == ()


def test_what_comes_out_differently_is_told_with_its_line(tmp_path: Path) -> None:
    [outcome] = play(tmp_path, """scenarios:
- name: wrong
  steps:
  - {at: 0s, reading: {g1: {temperature_c: 65}}, told: [team opened g1, boss opened g1], open: g1 info firing}
  - {at: 1m, open: []}
""")  # fmt: skip
    first, second = outcome.differences
    assert (first.line, first.what, first.expected, first.got) == (
        7, "told", ("boss opened g1", "team opened g1"), ("team opened g1",),
    )  # fmt: skip
    assert (second.line, second.at_ms, second.what, second.got) == (8, 60_000, "open", ("g1 info firing",))


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        play(tmp_path, """scenarios:
- name: wrong
  steps:
  - {at: 2m, reading: {g9: {temperature_c: 65}}}
  - {at: 1m, say: {subject: g8, rule: x, level: minor}}
""")  # fmt: skip
    said = [str(problem).partition("mine.alerts.yaml:")[2] for problem in caught.value.problems]
    assert said == [
        "7: scenarios[0].steps[0].reading: no device `g9`, expected one of g1",
        "8: scenarios[0].steps[1].at: it is before the step before it, expected the steps in the order of their times",
        "8: scenarios[0].steps[1].say: no device `g8`, expected one, or its `kind`",
    ]
    with pytest.raises(ConfigurationError, match=r"\.at: `soon`, expected a duration.*\n.*\.tell: unknown key"):
        play(tmp_path, "scenarios: [{name: x, steps: [{at: soon, tell: []}]}]")
    with pytest.raises(ConfigurationError, match="`depth_cm` is no field of gas"):
        play(tmp_path, "scenarios: [{name: x, steps: [{at: 0s, reading: {g1: {depth_cm: 1}}}]}]")


def test_the_command_ends_with_1_when_a_scenario_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in EXAMPLES.iterdir():
        shutil.copy(file, tmp_path)
    file = tmp_path / "life.alerts.yaml"
    assert run(["alerts", "check", str(tmp_path / "routes.yaml")]) == 0
    file.write_text(file.read_text().replace("{at: 10m, told: boss overdue g1}", "{at: 10m, told: []}"))
    assert run(["alerts", "test", str(file)]) == 1
    said = capsys.readouterr().out
    assert "6 of 7 scenarios passed" in said
    assert "got       boss overdue g1" in said
    assert run(["alerts", "test", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["failed"] == 1
    file.write_text("routes: none.yaml\nscenarios: [{name: x, steps: [{at: 0s}]}]")
    assert run(["alerts", "test", str(file)]) == 1
    assert "none.yaml: No such file" in capsys.readouterr().err
