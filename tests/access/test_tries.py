"""How often somebody may try: in a burst, then slowly, per user and per address, over restarts. On both databases."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, select

from citywarden.access import tables, tries
from citywarden.access.desk import Desk
from citywarden.access.passwords import Passwords
from citywarden.access.tries import KEPT, LONGEST_MS, PER_ADDRESS, PER_USER, Bucket, Pace, refilled, take, wait_ms
from tests.access.conftest import CHEAP
from tests.builders import NOON_MS


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as opened:
        yield opened


def kept(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(tables.bucket)).scalar_one()


def test_five_wrong_passwords_then_one_every_half_minute(connection: Connection) -> None:
    assert [take(connection, "zhang", f"10.0.0.{n}", NOON_MS) for n in range(5)] == [0] * 5
    assert take(connection, "zhang", "10.0.0.9", NOON_MS) == PER_USER.refill_ms
    assert take(connection, "ZHANG", "10.0.0.9", NOON_MS) == PER_USER.refill_ms, "the name's case is no way around"
    assert take(connection, "li", "10.0.0.9", NOON_MS) == 0, "others are not kept out"
    assert take(connection, "zhang", "10.0.0.9", NOON_MS + PER_USER.refill_ms) == 0


def test_one_address_cannot_try_everybody(connection: Connection) -> None:
    assert not any(take(connection, f"user{n}", "10.0.0.1", NOON_MS) for n in range(PER_ADDRESS.burst))
    assert take(connection, "another", "10.0.0.1", NOON_MS) == PER_ADDRESS.refill_ms
    assert take(connection, "another", "10.0.0.2", NOON_MS) == 0


def test_the_right_password_forgives(connection: Connection) -> None:
    for _ in range(5):
        take(connection, "zhang", "a", NOON_MS)
    tries.forgive(connection, "zhang", "a")
    assert take(connection, "zhang", "a", NOON_MS) == 0


def test_who_is_forgiven_everything_leaves_no_trace(connection: Connection) -> None:
    take(connection, "zhang", "a", NOON_MS)
    tries.forgive(connection, "zhang", "a")
    assert kept(connection) == 0


def test_a_restart_gives_no_new_tries(engine: Engine) -> None:
    for _ in range(5):
        Desk(engine, Passwords(CHEAP)).take_try("zhang", "10.0.0.1", NOON_MS)
    again = Desk(engine, Passwords(CHEAP))
    assert again.take_try("zhang", "10.0.0.2", NOON_MS + 1000) == PER_USER.refill_ms - 1000
    assert again.take_try("zhang", "10.0.0.2", NOON_MS + PER_USER.refill_ms) == 0


def test_what_is_kept_is_bounded_and_names_nobody(connection: Connection) -> None:
    rows = [{"digest": f"{n:064x}", "left": 0.0, "at_ms": NOON_MS + n} for n in range(KEPT)]
    connection.execute(tables.bucket.insert(), rows)
    assert take(connection, "my password, typed in the wrong field", "a", NOON_MS + KEPT) == 0
    left = set(connection.execute(select(tables.bucket.c.digest)).scalars())
    assert len(left) == KEPT
    assert not left & {rows[0]["digest"], rows[1]["digest"]}, "the oldest went"
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in left)


def test_what_is_full_again_is_forgotten(connection: Connection) -> None:
    for n in range(10):
        take(connection, f"user{n}", "a", NOON_MS)
    take(connection, "later", "b", NOON_MS + LONGEST_MS + 1)
    assert kept(connection) == 2


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


def test_a_clock_that_steps_back_gives_nothing() -> None:
    empty = Bucket(0.0, NOON_MS)
    assert refilled(empty, PER_USER, NOON_MS - 60_000).left == 0.0


def test_what_was_kept_while_the_clock_was_wrong_keeps_nobody_out(connection: Connection) -> None:
    for _ in range(5):
        take(connection, "zhang", "a", NOON_MS + 10 * 365 * 86_400_000)
    assert take(connection, "zhang", "a", NOON_MS) == 0
