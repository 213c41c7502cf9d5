"""How often somebody may try: in a burst, then slowly, per user and per address."""

from hypothesis import given
from hypothesis import strategies as st

from citywarden.access.tries import KEPT, PER_ADDRESS, PER_USER, Bucket, Pace, Tries, refilled, wait_ms
from tests.builders import NOON_MS


def test_five_wrong_passwords_then_one_every_half_minute() -> None:
    tries = Tries()
    assert [tries.take("zhang", f"10.0.0.{n}", NOON_MS) for n in range(5)] == [0] * 5
    assert tries.take("zhang", "10.0.0.9", NOON_MS) == PER_USER.refill_ms
    assert tries.take("ZHANG", "10.0.0.9", NOON_MS) == PER_USER.refill_ms, "the name's case is no way around"
    assert tries.take("zhang", "10.0.0.9", NOON_MS + PER_USER.refill_ms) == 0
    assert tries.take("li", "10.0.0.9", NOON_MS) == 0, "others are not kept out"


def test_one_address_cannot_try_everybody() -> None:
    tries = Tries()
    assert not any(tries.take(f"user{n}", "10.0.0.1", NOON_MS) for n in range(PER_ADDRESS.burst))
    assert tries.take("another", "10.0.0.1", NOON_MS) == PER_ADDRESS.refill_ms
    assert tries.take("another", "10.0.0.2", NOON_MS) == 0


def test_the_right_password_forgives() -> None:
    tries = Tries()
    for _ in range(5):
        tries.take("zhang", "a", NOON_MS)
    tries.forgive("zhang", "a")
    assert tries.take("zhang", "a", NOON_MS) == 0


def test_what_is_remembered_is_bounded() -> None:
    tries = Tries(per_address=Pace(10 * KEPT, 1000))
    for n in range(KEPT + 50):
        tries.take(f"user{n}", "a", NOON_MS)
    assert len(tries._buckets) <= KEPT


@given(st.integers(1, 20), st.integers(100, 60_000), st.lists(st.integers(0, 100_000), max_size=60))
def test_never_more_than_the_burst_and_what_time_gives(burst: int, refill_ms: int, steps: list[int]) -> None:
    pace, now_ms, taken = Pace(burst, refill_ms), NOON_MS, 0
    bucket: Bucket | None = None
    for step in steps:
        now_ms += step
        bucket = refilled(bucket, pace, now_ms)
        if wait_ms(bucket, pace) == 0:
            bucket, taken = Bucket(bucket.left - 1, bucket.at_ms), taken + 1
        else:
            later = refilled(bucket, pace, now_ms + wait_ms(bucket, pace) + 1)
            assert later.left > 0.99
    assert taken <= burst + (now_ms - NOON_MS) / refill_ms + 1


def test_a_clock_that_jumps_back_gives_nothing() -> None:
    empty = Bucket(0.0, NOON_MS)
    assert refilled(empty, PER_USER, NOON_MS - 3_600_000).left == 0.0
