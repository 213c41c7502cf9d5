"""What becomes of a command: step by step with the time passed in, and over a real database."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from citywarden.commands.desk import CommandDesk, command_of
from citywarden.commands.ledger import Ledger
from citywarden.commands.machine import MOST_OUTSTANDING, RETRY_S, cancelled, heard, is_due, looked_at, sent
from citywarden.model.command import (
    Answer,
    BadCommand,
    Command,
    CommandResult,
    State,
    Wish,
    checked,
    command_message,
    read_words,
)
from citywarden.model.device import DeviceKey
from citywarden.model.errors import CitywardenError, NotFound, Unavailable
from citywarden.model.kind import JsonScalar
from tests.builders import KINDS, NOON_MS, device

LAMP = DeviceKey("t", "streetlight", "L1")
EXPIRES_MS = NOON_MS + 600_000


def command(name: str = "c1", **known: object) -> Command:
    made = Command(name, LAMP, "dim", {"pct": 40}, "li", NOON_MS, EXPIRES_MS, updated_ms=NOON_MS, next_ms=NOON_MS)
    return replace(made, **known)  # type: ignore[arg-type]


def says(answer: Answer, detail: str = "", who: DeviceKey = LAMP, which: str = "c1") -> CommandResult:
    return CommandResult(who, which, answer, detail)


@pytest.mark.parametrize(
    ("kind", "name", "args", "wrong"),
    [
        ("streetlight", "on", {}, None),
        ("streetlight", "dim", {"pct": 0, "for_min": 1}, None),
        ("streetlight", "dim", {}, "pct: is missing, expected a number from 0 to 100 %"),
        ("streetlight", "dim", {"pct": 101}, "pct: 101, expected a number from 0 to 100 %"),
        ("streetlight", "dim", {"pct": True}, "expected a number"),
        ("streetlight", "dim", {"pct": float("nan")}, "expected a number"),
        ("streetlight", "on", {"for_min": 0, "x": 1}, "x: unknown, expected any of for_min; for_min: 0, expected"),
        ("streetlight", "explode", {}, "expected one of on, off, dim"),
        ("gas", "on", {}, "gas: this kind has no commands"),
    ],
)
def test_arguments_are_checked_against_the_kinds_table(
    kind: str, name: str, args: dict[str, JsonScalar], wrong: str | None
) -> None:
    if wrong is None:
        assert checked(KINDS[kind], name, args) == args
    else:
        with pytest.raises(BadCommand) as refused:
            checked(KINDS[kind], name, args)
        assert wrong in str(refused.value)


def test_words_become_what_the_table_says() -> None:
    assert read_words(KINDS["streetlight"], "dim", {"pct": "40", "for_min": "2.5"}) == {"pct": 40, "for_min": 2.5}
    with pytest.raises(BadCommand, match="'much', expected a number"):
        read_words(KINDS["streetlight"], "dim", {"pct": "much"})


def test_it_is_sent_again_until_it_is_acknowledged() -> None:
    one, waits, now_ms = command(), [], NOON_MS
    for _ in range(6):
        assert is_due(one, now_ms)
        one = sent(one, now_ms)
        assert one.next_ms is not None
        assert not is_due(one, now_ms)
        waits.append((one.next_ms - now_ms) / 1000)
        now_ms = one.next_ms
    assert waits == [*RETRY_S, RETRY_S[-1], RETRY_S[-1]]
    assert (one.state, one.attempts, one.sent_ms) == (State.SENT, 6, NOON_MS)
    one = heard(one, says(Answer.ACKNOWLEDGED), now_ms)
    assert (one.state, is_due(one, now_ms + 10**6)) == (State.ACKNOWLEDGED, False)
    one = heard(one, says(Answer.DONE, "at 40 %"), now_ms + 1)
    assert (one.state, one.detail, one.updated_ms) == (State.DONE, "at 40 %", now_ms + 1)


def test_what_is_at_its_end_stays_there() -> None:
    done = heard(command(), says(Answer.DONE), NOON_MS)
    for answer in Answer:
        assert heard(done, says(answer), NOON_MS + 5) == done
    assert sent(done, NOON_MS + 5) == replace(done, attempts=1, sent_ms=NOON_MS), "it was quicker than our notes"
    assert looked_at(done, EXPIRES_MS + 1) == done
    assert cancelled(done, "li", NOON_MS) is None


@pytest.mark.parametrize(
    ("answer", "state", "detail"),
    [(Answer.FAILED, State.FAILED, "no power"), (Answer.REJECTED, State.FAILED, "rejected: no power")],
)
def test_a_device_may_fail_or_refuse(answer: Answer, state: State, detail: str) -> None:
    one = heard(sent(command(), NOON_MS), says(answer, "no power"), NOON_MS + 1)
    assert (one.state, one.detail, one.next_ms) == (state, detail, None)


def test_time_ends_what_nobody_did_and_says_where_it_stuck() -> None:
    assert looked_at(command(), EXPIRES_MS - 1).state is State.QUEUED
    ends = [command(), sent(command(), NOON_MS), heard(command(), says(Answer.ACKNOWLEDGED), NOON_MS)]
    assert [looked_at(one, EXPIRES_MS).detail for one in ends] == [
        "it could not be sent in time",
        "not acknowledged, sent 1 times",
        "acknowledged, but not done in time",
    ]


def test_a_device_that_did_it_after_all_is_believed() -> None:
    late = heard(looked_at(sent(command(), NOON_MS), EXPIRES_MS), says(Answer.DONE, "at 40 %"), EXPIRES_MS + 5)
    assert (late.state, late.detail) == (State.DONE, "late; at 40 %")
    assert heard(looked_at(command(), EXPIRES_MS), says(Answer.FAILED), EXPIRES_MS + 5).state is State.EXPIRED


def test_another_devices_word_counts_for_nothing() -> None:
    other = DeviceKey("t", "streetlight", "L2")
    assert heard(command(), says(Answer.DONE, who=other), NOON_MS) == command()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["send", "look", "cancel", *Answer]), st.integers(0, 900_000)), max_size=12))
def test_whatever_happens_it_ends_once_and_for_all(steps: list[tuple[str, int]]) -> None:
    one, ended = command(), None
    for step, after_ms in sorted(steps, key=lambda s: s[1]):
        now_ms = NOON_MS + after_ms
        if step == "send":
            one = sent(one, now_ms)
        elif step == "look":
            one = looked_at(one, now_ms)
        elif step == "cancel":
            one = cancelled(one, "li", now_ms) or one
        else:
            one = heard(one, says(Answer(step)), now_ms)
        if ended is not None:
            assert one.state is ended or (ended, one.state) == (State.EXPIRED, State.DONE)
        ended = None if one.state.outstanding else one.state
        assert one.state.outstanding or one.next_ms is None
    assert not looked_at(one, EXPIRES_MS + 10**6).state.outstanding


def test_the_ledger_keeps_everything_and_an_id_is_one_command(engine: Engine) -> None:
    ledger = Ledger(engine)
    one = ledger.put(command(args={"pct": 40, "note": "灯", "x": True}))
    assert ledger.get("c1") == one
    assert ledger.put(command(args={"pct": 40, "note": "灯", "x": True}, by="wang")) == one
    with pytest.raises(CitywardenError, match="belongs to another command"):
        ledger.put(command(args={"pct": 41}))
    with pytest.raises(NotFound):
        ledger.get("c2")
    assert ledger.due(NOON_MS) == [one]
    assert ledger.due(NOON_MS - 1) == []
    ledger.change("c1", lambda known: sent(known, NOON_MS))
    assert ledger.due(NOON_MS + 5000) == []
    assert [c.attempts for c in Ledger(engine).due(NOON_MS + 10_000)] == [1], "a restart goes on"
    strange = ledger.hear([says(Answer.DONE, who=DeviceKey("t", "streetlight", "L2")), says(Answer.DONE, which="x")], 1)
    assert len(strange) == 2
    assert ledger.hear([says(Answer.ACKNOWLEDGED), says(Answer.DONE, "ok")], NOON_MS + 9) == []
    assert ledger.get("c1").state is State.DONE
    assert ledger.trim(NOON_MS + 10) == 1


def test_a_device_has_only_so_many_outstanding(engine: Engine) -> None:
    ledger = Ledger(engine)
    for n in range(MOST_OUTSTANDING):
        ledger.put(command(f"c{n}"))
    with pytest.raises(CitywardenError, match="not at their end"):
        ledger.put(command("more"))
    ledger.put(command("other", device=DeviceKey("t", "streetlight", "L2")))
    ledger.cancel("c0", "li", NOON_MS)
    ledger.put(command("more"))
    assert [one.id for one in ledger.expire(EXPIRES_MS)] == [*(f"c{n}" for n in range(1, 8)), "other", "more"]
    with pytest.raises(CitywardenError, match="too late"):
        ledger.cancel("more", "li", EXPIRES_MS)


def test_pages_are_newest_first(engine: Engine) -> None:
    ledger = Ledger(engine)
    for n in range(7):
        ledger.put(command(f"c{n}", device=DeviceKey("t" if n % 2 else "u", "streetlight", f"L{n}")))
    first = ledger.find(None, None, None, 4, None)
    rest = ledger.find(None, None, None, 4, first.next)
    assert [one.id for one in (*first.items, *rest.items)] == [f"c{n}" for n in range(6, -1, -1)]
    assert rest.next is None
    assert [one.id for one in ledger.find(None, "u", State.QUEUED, 10, None).items] == ["c6", "c4", "c2", "c0"]
    assert [one.id for one in ledger.find(DeviceKey("t", "streetlight", "L3"), None, None, 10, None).items] == ["c3"]


async def test_a_broker_that_is_away_delays_a_command_and_time_ends_it(tmp_path: Path, engine: Engine) -> None:
    now_ms = [NOON_MS]
    lamp = device("streetlight", "L1")
    desk = CommandDesk(Ledger(engine), KINDS, {lamp.key: lamp}.get, lambda: now_ms[0])
    published: list[tuple[str, bytes]] = []

    async def refuse(_topic: str, _payload: bytes, _timeout_s: float) -> None:
        raise Unavailable("no broker")

    async def take(topic: str, payload: bytes, _timeout_s: float) -> None:
        published.append((topic, payload))

    await desk.send(Wish(lamp.key, "off", {}, 5.0, "c1"), "li")
    with pytest.raises(Unavailable):
        await desk.go_round(refuse)
    assert (await desk.get("c1")).state is State.QUEUED
    assert await desk.go_round(take) == 1
    assert published[0][0] == "city/t/streetlight/L1/command"
    assert await desk.go_round(take) == 0
    now_ms[0] += 5 * 60_000
    assert await desk.go_round(take) == 0
    assert (await desk.get("c1")).state is State.EXPIRED
    other = desk.narrowed("u")
    with pytest.raises(NotFound):
        await other.get("c1")
    with pytest.raises(NotFound):
        await other.send(Wish(lamp.key, "off"), "li")
    assert (await other.find(None, None, None, 10, None)).items == []


def test_who_is_told_must_exist_and_be_enabled() -> None:
    for known, error in ((None, NotFound), (device("streetlight", "L1", enabled=False), CitywardenError)):
        with pytest.raises(error):
            command_of(Wish(LAMP, "on"), KINDS, known, "li", NOON_MS)
    lamp = device("streetlight", "L1")
    for wish in (Wish(LAMP, "on", expires_min=0), Wish(LAMP, "on", id="a b"), Wish(LAMP, "on", expires_min=1e9)):
        with pytest.raises(BadCommand):
            command_of(wish, KINDS, lamp, "li", NOON_MS)
    made = command_of(Wish(LAMP, "dim", {"pct": 5}, 1.0), KINDS, lamp, "li", NOON_MS)
    assert command_message(made) == {
        "id": made.id, "name": "dim", "args": {"pct": 5}, "expires_at": "2026-11-23T04:01:00.000Z",
    }  # fmt: skip
