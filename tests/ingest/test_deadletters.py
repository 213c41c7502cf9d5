"""Dead letters: once each, bounded, and back into the log as the message that was refused."""

from sqlalchemy import Engine

from citywarden.model.message import DeadLetter, RawMessage, Reject
from ingest.deadletters import DeadLetters


def letter(offset: int, item: int = -1, reason: Reject = Reject.BAD_JSON) -> DeadLetter:
    return DeadLetter(0, offset, item, f"city/t/gas/g{offset}/telemetry", b"\xff{", 1000 + offset, reason, "why")


def test_the_same_letter_twice_is_one(engine: Engine) -> None:
    letters = DeadLetters(engine, 1000)
    assert letters.add([letter(1), letter(2, 0), letter(2, 1)]) == 3
    assert letters.add([letter(2, 0), letter(2, 1), letter(3)]) == 1
    assert [one.offset for _, one in letters.find()] == [3, 2, 2, 1]
    assert letters.counts() == {"bad_json": 4}


def test_a_log_that_began_anew_does_not_hide_letters(engine: Engine) -> None:
    letters = DeadLetters(engine, 1000)
    letters.add([letter(1)])
    anew = DeadLetter(0, 1, -1, "x", b"", 99_000, Reject.BAD_TOPIC, "why")
    assert letters.add([anew]) == 1


def test_a_message_is_replayed_once_for_all_its_items(engine: Engine) -> None:
    letters = DeadLetters(engine, 1000)
    letters.add([letter(2, 0), letter(2, 1), letter(1)])
    ids = [number for number, _ in letters.find()]
    assert letters.messages(ids) == [
        RawMessage("city/t/gas/g2/telemetry", b"\xff{", 1002),
        RawMessage("city/t/gas/g1/telemetry", b"\xff{", 1001),
    ]
    letters.mark_replayed(ids[1:2], 5)
    assert [one.offset for _, one in letters.find()] == [1]
    assert letters.messages(ids) == [RawMessage("city/t/gas/g1/telemetry", b"\xff{", 1001)]


def test_only_the_newest_are_kept(engine: Engine) -> None:
    letters = DeadLetters(engine, 100)
    letters.add([letter(i, reason=Reject.OVERSIZE) for i in range(1500)])
    kept = letters.find(limit=10_000)
    assert len(kept) == 100
    assert kept[0][1].offset == 1499


def test_pages_go_back_in_time(engine: Engine) -> None:
    letters = DeadLetters(engine, 1000)
    letters.add([letter(i) for i in range(5)])
    first = letters.find(limit=2)
    assert [one.offset for _, one in letters.find(limit=2, before=first[-1][0])] == [2, 1]
    assert letters.find(reason="oversize") == []
