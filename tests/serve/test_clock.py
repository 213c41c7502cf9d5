"""The server's clock when the wall clock is set under it."""

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
        assert machine.clock.hear([right_ms - 200, right_ms, right_ms + 300]) == 0
        assert machine.clock() == right_ms
    assert machine.clock.gap_ms == hours * HOUR_MS


@pytest.mark.parametrize("hours", [-1, 3])
def test_it_follows_the_wall_once_devices_do(hours: int) -> None:
    machine = Machine()
    machine.wall_ms += hours * HOUR_MS
    assert machine.clock() != machine.wall_ms
    assert machine.clock.hear([machine.wall_ms - 500, machine.wall_ms, machine.wall_ms + 20_000]) == hours * HOUR_MS
    assert machine.clock() == machine.wall_ms
    assert machine.clock.gap_ms == 0


def test_a_back_fill_and_a_lone_device_decide_nothing() -> None:
    machine = Machine()
    machine.wall_ms -= HOUR_MS
    right_ms = machine.clock()
    assert machine.clock.hear([right_ms - 20 * HOUR_MS] * 50) == 0
    assert machine.clock.hear([machine.wall_ms]) == 0
    assert machine.clock() == right_ms


def test_a_wall_that_comes_back_is_followed_again() -> None:
    machine = Machine()
    machine.wall_ms += 3 * HOUR_MS
    assert machine.clock() < machine.wall_ms
    machine.wall_ms -= 3 * HOUR_MS
    assert machine.clock() == machine.wall_ms
    assert machine.clock.gap_ms == 0
