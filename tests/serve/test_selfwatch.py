"""What the server says of itself: when it is raised, when it rises, when it is over."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from citywarden.model.alert import SERVER_KIND, Finding, Severity
from citywarden.model.errors import Unavailable
from citywarden.serve import selfwatch
from citywarden.serve.disk import Reserve
from citywarden.serve.selfwatch import SIGNS, Watching
from citywarden.serve.vitals import Spell
from tests.alerts.alert_builders import alert

WHOSE = ("t", "citywarden")


def play(rule: str, values: Mapping[int, float], state: Watching | None = None) -> list[tuple[int, str]]:
    """(s, level) of what is found when the figure has these values at these times."""
    state = Watching() if state is None else state
    found: list[tuple[int, Finding]] = []
    for at_s, value in values.items():
        found += [(at_s, one) for one in selfwatch.step(state, {rule: value}, WHOSE, at_s, round(at_s * 1000))]
    assert {(f.rule, f.kind, f.tenant, f.subject) for _, f in found} <= {(rule, SERVER_KIND, *WHOSE)}
    return [(at_s, f.severity.word if f.severity else "ok") for at_s, f in found]


def test_being_behind_has_to_last_and_has_a_reset_of_its_own() -> None:
    values = {0: 5.0, 1: 40.0, 5: 50.0, 11: 60.0, 20: 310.0, 30: 200.0, 40: 20.0, 50: 9.0, 60: 0.0}
    assert play("ingest.behind", values) == [(11, "major"), (20, "critical"), (30, "major"), (50, "ok")]


def test_a_short_break_starts_the_time_anew() -> None:
    assert play("ingest.behind", {0: 40.0, 8: 0.0, 9: 40.0, 18: 40.0, 19: 40.0}) == [(19, "major")]


def test_the_disk_counts_downwards() -> None:
    values = {0: 5000.0, 1: 1000.0, 2: 200.0, 3: 1100.0, 4: 1200.0, 5: 1300.0}
    assert play("disk.low", values) == [(1, "major"), (2, "critical"), (5, "ok")]


def test_what_was_open_before_a_restart_is_cleared_after_it() -> None:
    held = [alert(kind=SERVER_KIND, rule="store.behind", subject="citywarden"), alert(rule="gas.methane")]
    state = selfwatch.resume("citywarden", held)
    assert play("store.behind", {0: 0.0}, state) == [(0, "ok")]
    assert selfwatch.resume("another", held).held == {}


@pytest.mark.parametrize("sign", SIGNS, ids=lambda s: s.rule)
def test_every_sign_is_said_in_both_languages_and_comes_and_goes(sign: selfwatch.Sign) -> None:
    at, severity = sign.levels[-1]
    well = sign.reset + 1 if sign.below else sign.reset - 1
    found = play(sign.rule, {0: at, round(sign.for_s) + 1: at, round(sign.for_s) + 2: well})
    assert [level for _, level in found] == [severity.word, "ok"]
    assert sign.zh.format(value=at) != sign.en.format(value=at)


def test_a_log_that_is_full_again_and_again_is_stalled_all_the_time() -> None:
    """Where more comes than the server can take, room that is made is used up at once."""
    stalls = Spell(gap_s=10.0)
    for at_s in (0, 2, 3, 9, 14):
        stalls.see(at_s)
    values = {0: 0.0, 6: 6.0, 23: stalls.length_s(23), 24: stalls.length_s(24)}
    assert values[23] == 14
    assert play("log.stalled", values) == [(6, "critical"), (24, "ok")]


def test_a_log_that_was_full_for_a_moment_is_not_talked_about() -> None:
    stalls = Spell(gap_s=10.0)
    assert stalls.length_s(0) == 0
    for begin_s in (100, 200):
        stalls.see(begin_s)
        stalls.see(begin_s + 1)
        assert play("log.stalled", {s: stalls.length_s(s) for s in range(begin_s + 1, begin_s + 50)}) == []


def test_levels_rise() -> None:
    for sign in SIGNS:
        values = [at for at, _ in sign.levels]
        assert values == sorted(values, reverse=sign.below)
        assert [s for _, s in sign.levels] == sorted((s for _, s in sign.levels), key=int)
        assert all(isinstance(s, Severity) for _, s in sign.levels)


def test_the_reserve_is_kept_on_the_fullest_disk_and_looked_at_once_a_second() -> None:
    free, now_s, looks = {Path("a"): 500.0, Path("b"): 300.0}, 0.0, 0

    def look(folder: Path) -> float:
        nonlocal looks
        looks += 1
        return free[folder]

    reserve = Reserve((Path("a"), Path("b")), 100, look, lambda: now_s)
    reserve.check()
    assert (reserve.free_mb, looks) == (300.0, 2)
    free[Path("b")] = 50.0
    reserve.check()
    assert looks == 2
    now_s = 1.0
    with pytest.raises(Unavailable, match=r"50 MB free, 100 MB are kept.*reserve_mb"):
        reserve.check()
    free[Path("b")] = 200.0
    now_s = 2.0
    reserve.check()
