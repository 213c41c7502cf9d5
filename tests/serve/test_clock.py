"""The server's clock when the wall clock is set under it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from citywarden.serve.clock import JUMP_MS, ServerClock

HOUR_MS = 3_600_000


@dataclass
class Machine:
    """A wall clock and a steady one, both set by hand; `clock` is under test."""

    wall_ms: int = 1_795_406_400_000
    steady_ms: int = 5000
    clock: ServerClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = ServerClock(lambda: self.wall_ms, lambda: self.steady_ms)

    def hear(self, *stamped_ms: int) -> int:
        """Different devices give their newest messages these times."""
        return self.clock.hear({f"device {i}": ts_ms for i, ts_ms in enumerate(stamped_ms)})

    def pass_ms(self, ms: int) -> None:
        self.wall_ms += ms
        self.steady_ms += ms


def test_it_is_the_wall_clock_as_long_as_that_runs_evenly() -> None:
    machine = Machine()
    machine.pass_ms(10 * HOUR_MS)
    assert machine.clock() == machine.wall_ms
    for _ in range(1000):
        machine.pass_ms(60_000)
        machine.wall_ms += 500  # a steady clock that is slow by half a second a minute
        assert machine.clock() == machine.wall_ms
    assert machine.clock.gap_ms == 0


@pytest.mark.parametrize("step_ms", [-JUMP_MS, -5000, 5000, JUMP_MS])
def test_small_steps_are_followed_at_once(step_ms: int) -> None:
    machine = Machine()
    machine.wall_ms += step_ms
    assert machine.clock() == machine.wall_ms


@pytest.mark.parametrize("hours", [-24, -1, 3, 48])
def test_it_keeps_its_course_through_a_jump_while_devices_agree_with_it(hours: int) -> None:
    machine = Machine()
    right_ms = machine.wall_ms
    machine.wall_ms += hours * HOUR_MS
    for _ in range(100):
        machine.pass_ms(1000)
        right_ms += 1000
        assert machine.hear(right_ms - 200, right_ms, right_ms + 300) == 0
        assert machine.clock() == right_ms
    assert machine.clock.gap_ms == hours * HOUR_MS


@pytest.mark.parametrize("hours", [-1, 3])
def test_it_follows_the_wall_once_devices_do(hours: int) -> None:
    machine = Machine()
    machine.wall_ms += hours * HOUR_MS
    assert machine.clock() != machine.wall_ms
    assert machine.hear(machine.wall_ms - 500, machine.wall_ms, machine.wall_ms + 20_000) == hours * HOUR_MS
    assert machine.clock() == machine.wall_ms
    assert machine.clock.gap_ms == 0


def test_a_back_fill_decides_nothing() -> None:
    machine = Machine()
    machine.wall_ms -= HOUR_MS
    right_ms = machine.clock()
    assert machine.hear(*[right_ms - 20 * HOUR_MS] * 50) == 0
    assert machine.clock() == right_ms


@pytest.mark.parametrize("ahead_h", [(3, 0), (0, 3), (3, 8), (0,), (1,)])
def test_few_devices_that_do_not_speak_for_the_wall_as_one_decide_nothing(ahead_h: Sequence[int]) -> None:
    machine = Machine()
    right_ms = machine.clock()
    machine.wall_ms += 3 * HOUR_MS
    assert machine.hear(*[right_ms + hours * HOUR_MS for hours in ahead_h]) == 0
    assert machine.clock() == right_ms


def test_one_who_speaks_for_the_wall_after_another_has_spoken_against_it_needs_company() -> None:
    machine = Machine()
    right_ms = machine.clock()
    machine.wall_ms += 3 * HOUR_MS
    assert machine.clock.hear({"a": right_ms}) == 0
    assert machine.clock.hear({"a": machine.wall_ms}) == 0
    assert machine.clock.hear({"b": machine.wall_ms}) == 0
    assert machine.clock.hear({"c": machine.wall_ms}) == 3 * HOUR_MS


def test_what_devices_said_one_after_the_other_counts_together() -> None:
    machine = Machine()
    machine.wall_ms += 3 * HOUR_MS
    strange_ms = machine.wall_ms + 9 * HOUR_MS
    assert machine.clock.hear({"strange": strange_ms}) == 0
    assert machine.clock.hear({"a": machine.wall_ms}) == 0
    assert machine.clock.hear({"b": machine.wall_ms + 100}) == 3 * HOUR_MS


def test_a_queue_from_the_time_asleep_is_believed_before_it_is_too_new() -> None:
    """Ten devices that spoke every 30 s for three hours; what they said is no more than 5 minutes ahead until then."""
    machine = Machine()
    asleep_ms = machine.clock()
    machine.wall_ms += 3 * HOUR_MS
    for said_ms in range(asleep_ms, asleep_ms + 5 * 60_000, 30_000):
        if machine.hear(*[said_ms + i for i in range(10)]):
            break
    assert machine.clock() == machine.wall_ms


def test_it_is_in_doubt_until_somebody_has_spoken_who_can_decide() -> None:
    machine = Machine()
    assert not machine.clock.doubtful()
    right_ms = machine.clock()
    machine.wall_ms += 3 * HOUR_MS
    assert machine.clock.doubtful()
    machine.hear()
    assert machine.clock.doubtful(), "nobody has said what time it is"
    machine.hear(right_ms)
    assert not machine.clock.doubtful()
    machine.wall_ms += HOUR_MS
    assert machine.clock.doubtful(), "another gap is another question"
    machine.hear(machine.wall_ms)
    assert not machine.clock.doubtful()
    assert machine.clock() == machine.wall_ms


def test_the_same_jump_again_is_another_question() -> None:
    machine = Machine()
    right_ms = machine.clock()
    for _ in range(2):
        machine.wall_ms += 3 * HOUR_MS
        assert machine.clock.doubtful()
        assert machine.hear(right_ms, right_ms, right_ms, right_ms) == 0
        machine.wall_ms -= 3 * HOUR_MS
        assert machine.clock() == machine.wall_ms
    machine.wall_ms += 3 * HOUR_MS
    assert machine.clock.doubtful()
    assert machine.clock.hear({"newcomer": machine.wall_ms}) == 3 * HOUR_MS


def test_devices_without_clocks_are_not_waited_for_for_ever() -> None:
    machine = Machine()
    machine.wall_ms += 3 * HOUR_MS
    for _ in range(59):
        machine.hear()
        machine.pass_ms(1000)
        assert machine.clock.doubtful()
    machine.pass_ms(1000)
    assert not machine.clock.doubtful()


def test_a_wall_that_comes_back_is_followed_again() -> None:
    machine = Machine()
    machine.wall_ms += 3 * HOUR_MS
    assert machine.clock() < machine.wall_ms
    machine.wall_ms -= 3 * HOUR_MS
    assert machine.clock() == machine.wall_ms
    assert machine.clock.gap_ms == 0
