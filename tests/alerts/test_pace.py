"""Storm control, with time passed in."""

from citywarden.alerts.letter import Notice
from citywarden.alerts.machine import Change
from citywarden.alerts.outbox import Delivery, State
from citywarden.alerts.pace import DIGEST_GAP_MS, MINUTE_MS, Pace, bundle, letter_of, note_sent, ready_ms
from tests.alerts.alert_builders import NOW_MS, alert


def waiting(n: int, digest: str | None = None, first: int = 0) -> list[Delivery]:
    notice = Notice("m", alert(), Change.OPENED)
    return [
        Delivery(seq, f"msg_{seq}", "robot", State.WAITING, notice, NOW_MS, digest=digest)
        for seq in range(first, first + n)
    ]


def test_no_limit_no_waiting_and_no_digests() -> None:
    free = Pace(None)
    for i in range(1000):
        assert ready_ms(free, NOW_MS + i) == NOW_MS + i
        free = note_sent(free, NOW_MS + i, digest=False)
    assert [d.seq for d in bundle(free, waiting(500))] == [0]
    assert bundle(free, []) == ()


def test_never_more_than_twenty_in_any_minute() -> None:
    pace, now_ms, sent = Pace(20), NOW_MS, []
    for _ in range(100):
        now_ms = ready_ms(pace, now_ms)
        pace = note_sent(pace, now_ms, digest=False)
        sent.append(now_ms)
    for at_ms in sent:
        assert sum(at_ms <= other < at_ms + MINUTE_MS for other in sent) <= 20
    assert sent[-1] - sent[0] == 4 * MINUTE_MS


def test_few_go_one_by_one_and_many_become_one() -> None:
    pace = Pace(20)
    assert [d.seq for d in bundle(pace, waiting(3))] == [0]
    assert len(bundle(pace, waiting(5000))) == 1000
    assert letter_of(waiting(1)).id == "msg_0"


def test_a_storm_of_five_thousand_in_a_minute_is_a_few_messages() -> None:
    pace, now_ms, queue, messages = Pace(20), NOW_MS, 0, 0
    coming = 5000
    while coming or queue:
        arrived = min(coming, (now_ms - NOW_MS) * 5000 // MINUTE_MS - (5000 - coming))
        coming, queue = coming - arrived, queue + arrived
        ready = ready_ms(pace, now_ms)
        if ready > now_ms or queue == 0:
            now_ms = max(ready, now_ms + 100)
            continue
        bundled = bundle(pace, waiting(queue))
        pace = note_sent(pace, now_ms, digest=len(bundled) > 1)
        queue -= len(bundled)
        messages += 1
    assert messages <= 20
    assert now_ms - NOW_MS <= MINUTE_MS + 2 * DIGEST_GAP_MS


def test_a_digest_that_was_begun_stays_as_it_was() -> None:
    begun = waiting(4, "msg_d")
    bundled = bundle(Pace(20), [*begun, *waiting(9, first=4)])
    letter = letter_of(bundled)
    assert (letter.id, letter.digest, len(letter.notices)) == ("msg_d", True, 4)
    assert bundle(Pace(20), [*waiting(1, first=9), *begun])[0].seq == 9
