"""How many messages a device may send, and what is left of those it may not."""

import time
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.database import connect, migrate
from citywarden.model.errors import Unavailable
from citywarden.model.message import DeadLetter, RawMessage, Reject
from citywarden.serve.door import Door
from ingest.deadletters import DeadLetters
from ingest.limiter import CALM, GRACE_MS, SETTLING_MS, WINDOW_MS, Limiter
from ingest.registry import Registry
from ingest.subscription import State, Status
from tests.builders import NOON_MS, device


def burst(count: int, name: str = "L1", at_ms: int = NOON_MS) -> list[RawMessage]:
    return [RawMessage(f"city/t/streetlight/{name}/telemetry", b'{"n":%d}' % n, at_ms) for n in range(count)]


def test_what_a_device_sends_beyond_its_limit_is_refused_and_the_others_are_left_alone() -> None:
    limiter = Limiter(10)
    mixed = burst(15) + burst(10, "L2")
    screened = limiter.screen(mixed, NOON_MS)
    assert screened.kept == mixed[:10] + mixed[15:]
    assert screened.refused == 5
    (letter,) = screened.letters
    assert (letter.reason, letter.payload, letter.item) == (Reject.RATE_LIMITED, b'{"n":10}', -1)
    assert "more than 10 messages a minute" in letter.detail


def test_the_count_goes_over_batches_and_begins_anew_with_the_minute() -> None:
    limiter = Limiter(10)
    assert limiter.screen(burst(8), NOON_MS).refused == 0
    assert limiter.screen(burst(8), NOON_MS + 1000).refused == 6
    assert limiter.screen(burst(8), NOON_MS + 2000).letters == []
    next_minute = limiter.screen(burst(8), NOON_MS + WINDOW_MS)
    assert next_minute.refused == 0
    (letter,) = next_minute.letters
    assert "14 were refused" in letter.detail
    assert letter.payload == b'{"n":7}'


def test_no_limit_is_no_limit() -> None:
    assert Limiter(0).screen(burst(100_000), NOON_MS).refused == 0


def test_what_the_broker_kept_for_us_is_let_in_at_any_speed() -> None:
    limiter = Limiter(10)
    limiter.connected(NOON_MS)
    assert limiter.screen(burst(5000), NOON_MS + 10).refused == 0
    assert limiter.screen(burst(CALM - 1), NOON_MS + 20).refused == 0, "too soon after connecting to say so"
    assert limiter.screen(burst(5000), NOON_MS + SETTLING_MS + 1).refused == 0
    assert limiter.screen(burst(20), NOON_MS + SETTLING_MS + 2).refused == 10, "a small batch: the queue is empty"


def test_a_flood_does_not_pass_for_a_queue_for_ever() -> None:
    limiter = Limiter(10)
    limiter.connected(NOON_MS)
    assert limiter.screen(burst(5000), NOON_MS + GRACE_MS - 1).refused == 0
    assert limiter.screen(burst(5000), NOON_MS + GRACE_MS).refused == 4990


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.lists(st.sampled_from("ABC"), max_size=30)), max_size=12),
    st.integers(1, 12),
)
def test_every_message_is_kept_or_counted_and_no_minute_has_more_than_the_limit(
    batches: list[tuple[int, list[str]]], per_min: int
) -> None:
    limiter = Limiter(per_min)
    passed: Counter[tuple[str, int]] = Counter()
    sent = kept = refused = 0
    for after_ms, names in sorted(batches, key=lambda batch: batch[0]):
        now_ms = NOON_MS + after_ms
        batch = [message for name in names for message in burst(1, name, now_ms)]
        screened = limiter.screen(batch, now_ms)
        sent, kept, refused = sent + len(batch), kept + len(screened.kept), refused + screened.refused
        passed.update((message.topic, now_ms // WINDOW_MS) for message in screened.kept)
    assert sent == kept + refused
    assert max(passed.values(), default=0) <= per_min


def test_screening_costs_little() -> None:
    limiter = Limiter(12_000)
    batch = [message for n in range(2000) for message in burst(1, f"L{n}")]
    took = []
    for i in range(20):
        began = time.process_time()
        limiter.screen(batch, NOON_MS + i)
        took.append((time.process_time() - began) / len(batch))
    assert min(took) < 2e-6


class Away(DeadLetters):
    """Dead letters on a database that does not answer."""

    def add(self, letters: object) -> int:
        raise Unavailable("disk full")


async def test_a_flood_fills_neither_the_log_nor_the_dead_letters(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'db.sqlite'}")
    migrate(engine)
    letters, dead = DeadLetters(engine, 1000), Counter[str]()
    now_ms = [NOON_MS]
    door = Door(Limiter(10), letters, dead, lambda: now_ms[0])
    kept = 0
    for minute in range(5):
        for second in range(60):
            now_ms[0] = NOON_MS + minute * WINDOW_MS + second * 1000
            kept += len(await door.screen(burst(100, at_ms=now_ms[0])))
    assert kept == 50
    assert dead == {"rate_limited": 5 * 6000 - 50}
    stored = letters.find(reason="rate_limited")
    assert len(stored) == 5 * 2 - 1
    assert sum("5990 were refused" in letter.detail for _, letter in stored) == 4
    engine.dispose()


async def test_a_database_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'db.sqlite'}")
    dead = Counter[str]()
    door = Door(Limiter(10), Away(engine, 1000), dead, lambda: NOON_MS)
    door.observe(Status(State.CONNECTING))
    assert len(await door.screen(burst(30))) == 10
    assert dead == {"rate_limited": 20}
    engine.dispose()


def test_dead_letters_are_bounded_in_bytes_too(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'db.sqlite'}")
    migrate(engine)
    letters = DeadLetters(engine, 100_000, limit_bytes=1_000_000)
    for n in range(100):
        payload = bytes([n]) * 100_000
        letters.add([DeadLetter(0, n, -1, "city/t/gas/G1/telemetry", payload, n, Reject.BAD_JSON, "no JSON")])
    kept = [letter.payload[0] for _, letter in letters.find(limit=1000)]
    assert kept[0] == 99
    assert len(kept) <= 11
    engine.dispose()


def test_devices_that_register_themselves_are_bounded_and_decently_named(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'db.sqlite'}")
    migrate(engine)
    registry = Registry(engine, register_unknown=True, most=3)
    odd = ["a b", "x" * 65, "灯", "a\n", "", "a'b", "a,b=c"]
    assert all(registry.lookup(device("gas", name).key) is None for name in odd)
    found = [registry.lookup(device("gas", f"G{n}").key) is not None for n in range(5)]
    assert found == [True, True, True, False, False]
    assert registry.flush() == 3
    engine.dispose()
