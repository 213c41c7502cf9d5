"""The decoder on generated messages: a slow twin that is right by the letter, odd bytes, books that must balance."""

import json
import math
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from citywarden.model.kind import Form
from citywarden.model.message import RawMessage
from ingest.decode import Decoded
from ingest.payload import parse, parse_all
from tests.builders import KINDS, NOON_MS
from tests.fuzz.effort import tries
from tests.ingest.decoding import DEVICES, decode, topic


def twin_value_ok(form: Form, low: float | None, high: float | None, value: object) -> bool:
    if form is Form.FLAG:
        return value is True or value is False
    if form is Form.TEXT:
        return type(value) is str and len(value) <= 256 and all(ord(c) > 31 and not 127 <= ord(c) < 160 for c in value)
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        return False
    return (low is None or value >= low) and (high is None or value <= high)  # type: ignore[operator]


def twin_accepts(kind: str, item: object) -> bool:
    """Whether an item without odd nesting is taken, by the letter of the contract."""
    if type(item) is not dict:
        return False
    known = {q.field: q for q in KINDS[kind].sent}
    named = [name for name in item if name in known]
    if not named or any(q.required and q.field not in item for q in known.values()):
        return False
    if "ts" in item:
        ts = item["ts"]
        if type(ts) is str:
            ts = int(datetime.fromisoformat(ts).timestamp() * 1000)
        if type(ts) is not int or not 946_684_800_000 <= ts <= NOON_MS + 300_000:
            return False
    if any(isinstance(v, float) and not math.isfinite(v) for v in item.values()):
        return False
    return all(twin_value_ok(known[n].form, known[n].low, known[n].high, item[n]) for n in named)


ODD: st.SearchStrategy[object] = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.5, 1e300, math.nan, math.inf, 10**18, "", "1.5", "on", "x" * 257, "\x07", [], {}]
)


TIMES = st.sampled_from(
    [NOON_MS, NOON_MS - 1, NOON_MS + 300_000, NOON_MS + 300_001, 0, 1795406400, "2026-11-23T04:00:00Z", 1.0, None, True]
)


@st.composite
def item(draw: st.DrawFn, kind: str) -> object:
    if draw(st.integers(0, 20)) == 0:
        return draw(ODD)
    values: dict[str, Any] = {}
    if draw(st.integers(0, 3)) > 0:
        values["ts"] = draw(TIMES) if draw(st.integers(0, 4)) == 0 else NOON_MS - draw(st.integers(0, 5))
    for q in KINDS[kind].sent:
        fate = draw(st.integers(0, 12))
        if fate == 0:
            values[q.field] = draw(ODD)
        elif fate < 9 or q.required:
            good: dict[Form, st.SearchStrategy[Any]] = {
                Form.FLAG: st.booleans(),
                Form.TEXT: st.text(st.characters(codec="utf-8", min_codepoint=160), max_size=5),
                Form.NUMBER: st.sampled_from([q.low or 0, q.high or 1e9, (q.low or 0) + 0.5, 1]),
            }
            values[q.field] = draw(good[q.form])
    if draw(st.integers(0, 6)) == 0:
        values["extra"] = draw(ODD)
    return values


@st.composite
def message(draw: st.DrawFn) -> tuple[RawMessage, list[object]]:
    """A message and the items in it."""
    who = draw(st.sampled_from(DEVICES))
    items = draw(st.lists(item(who.kind), min_size=1, max_size=4))
    single = len(items) == 1 and isinstance(items[0], dict)
    payload = json.dumps(items[0] if single else items, ensure_ascii=draw(st.booleans())).encode()
    return RawMessage(topic(who.kind, who.id), payload, NOON_MS), items


@tries(80)
@given(st.lists(message(), max_size=12))
def test_it_accepts_what_the_slow_twin_accepts(sent: list[tuple[RawMessage, list[object]]]) -> None:
    decoded = decode(*(m for m, _ in sent))
    expected: list[tuple[str, str, int, dict[str, object]]] = []
    refused: list[tuple[int, int]] = []
    for i, (raw, items) in enumerate(sent):
        kind, name = raw.topic.split("/")[2:4]
        for k, one_item in enumerate(items):
            if twin_accepts(kind, one_item):
                assert isinstance(one_item, dict)
                ts = one_item.get("ts", NOON_MS)
                fields = {q.field: one_item[q.field] for q in KINDS[kind].sent if q.field in one_item}
                expected.append((kind, name, ts if isinstance(ts, int) else NOON_MS, fields))
            else:
                refused.append((1000 + i, -1 if raw.payload.startswith(b"{") else k))
    got = [(b.kind.name, r.device.id, r.ts_ms, dict(r.values)) for b in decoded.columns for r in b.rows()]
    order = {name: i for i, name in enumerate(dict.fromkeys(kind for kind, *_ in got))}
    assert sorted(expected, key=lambda e: (order[e[0]], e[1], e[2])) == got
    assert [(d.offset, d.item) for d in decoded.dead] == sorted(refused)


def accounted(decoded: Decoded, messages: list[RawMessage]) -> None:
    """Every message is somewhere, and whole messages in exactly one place."""
    whole = [d.offset for d in decoded.dead if d.item == -1]
    assert len(whole) == len(set(whole))
    readings = sum(map(len, decoded.columns)) + sum(d.item >= 0 for d in decoded.dead)
    items = 0
    taken = decoded.retained + decoded.commands + len(decoded.statuses) + len(decoded.results) + len(whole)
    for i, raw in enumerate(messages):
        if 1000 + i in whole or raw.retained or not raw.topic.endswith(("/telemetry", "/event")):
            continue
        value = json.loads(raw.payload)
        items += len(value) if isinstance(value, list) else 1
        taken += 1
    assert readings == items
    assert taken == len(messages)


JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ts", "on", "h2s_ppm", "x"]), inner),
    max_leaves=8,
)


PAYLOADS = st.one_of(
    st.binary(max_size=60),
    JSONS.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b'{"h2s_ppm": 1}', b"online", b'{"on": true}', b'[{"depth_cm": 3}, {"depth_cm": "3"}]']),
)


TOPICS = st.one_of(
    st.sampled_from([topic(d.kind, d.id, c) for d in DEVICES for c in ("telemetry", "event", "status", "command")]),
    st.text(max_size=20),
    st.builds(topic, st.text(max_size=5), st.text(max_size=5)),
)


@tries(150)
@given(st.lists(st.builds(RawMessage, TOPICS, PAYLOADS, st.just(NOON_MS), st.booleans()), max_size=8))
def test_anything_is_accounted_for_exactly_once(messages: list[RawMessage]) -> None:
    accounted(decode(*messages), messages)


@tries(150)
@given(st.data())
def test_mutated_payloads_never_raise(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    values = data.draw(item(kind))
    payload = bytearray(json.dumps([values, values]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        payload = payload or bytearray(b"x")
    raw = RawMessage(topic(kind, f"{kind}-0"), bytes(payload), NOON_MS)
    accounted(decode(raw), [raw])


ALONE = st.sampled_from(
    [b'{"a": 1}', b"7", b"null", b'"null"', b"", b"1,2", b'{"a": [1', b'2]}, null, {"b": 2}',
     b'2]},"\\u006eull",{"b":2}', b'[{"a": 1}]',
     b"{", b"}", b"]", b"[", b"\xff", b" 1 ", b"NaN", b"1e999", b'{"a": "nul', b'l"}', b'{"a":1},{"b":2',
     b'"c":3}', b'"\\ud800"'],
)  # fmt: skip


@given(st.lists(ALONE, min_size=1, max_size=600))
@tries(200)
def test_payloads_read_together_are_what_they_are_alone(payloads: list[bytes]) -> None:
    together = parse_all(payloads)
    assert [repr(value) for value in together] == [repr(parse(payload)) for payload in payloads]


@given(st.lists(st.sampled_from([b'{"a": 1}', b"[1, 2]", b"3", b'{"b": {"c": [4]}}']), min_size=1, max_size=600))
def test_good_payloads_are_read_together(payloads: list[bytes]) -> None:
    assert parse_all(payloads) == [json.loads(payload) for payload in payloads]
