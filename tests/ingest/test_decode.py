"""The decoder: what is taken, what is refused for which reason, and what it remembers."""

import json
from dataclasses import replace

import pytest

from citywarden.log.contract import Slice
from citywarden.model.command import Answer
from citywarden.model.device import Device, DeviceKey
from citywarden.model.message import MAX_PAYLOAD_BYTES, RawMessage, Reject
from ingest.decode import MAX_NAMES, MIN_OUTDATED, OTHER_NAMES, Decoded, Decoder
from ingest.registry import Watch
from ingest.timestamps import parse_ts
from tests.builders import KINDS, NOON_MS
from tests.ingest.decoding import DEVICES, KNOWN, decode, topic


def one(payload: bytes | str, where: str = "city/t/gas/gas-0/telemetry", retained: bool = False) -> Decoded:
    data = payload.encode() if isinstance(payload, str) else payload
    return decode(RawMessage(where, data, NOON_MS, retained))


def reason(decoded: Decoded) -> Reject:
    (letter,) = decoded.dead
    assert not decoded.columns
    return letter.reason


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"h2s_ppm": 1', Reject.BAD_JSON),
        ("", Reject.BAD_JSON),
        ('{"h2s_ppm": 1}x', Reject.BAD_JSON),
        ('\ufeff{"h2s_ppm": 1}', Reject.BAD_JSON),
        ('{"h2s_ppm": 01}', Reject.BAD_JSON),
        ('{"h2s_ppm": 1, "note": NaN}', Reject.BAD_JSON),
        ('{"h2s_ppm": 1, "note": ["\\ud800"]}', Reject.BAD_JSON),
        ('{"h2s_ppm": 1, "note\\udc00": 1}', Reject.BAD_JSON),
        (b'{"h2s_ppm": 1, "note": "\xff"}', Reject.BAD_UTF8),
        (b'{"h2s_ppm": 1, "note": "\xed\xa0\x80"}', Reject.BAD_UTF8),
        ("[" * 5000 + "]" * 5000, Reject.TOO_DEEP),
        ('{"h2s_ppm": 1, "note": ' + "[" * 16 + "]" * 16 + "}", Reject.TOO_DEEP),
        ('[{"h2s_ppm": 1, "note": ' + "[" * 15 + "]" * 15 + "}]", Reject.TOO_DEEP),
        ("7", Reject.NOT_AN_OBJECT),
        ('"on"', Reject.NOT_AN_OBJECT),
        ("null", Reject.NOT_AN_OBJECT),
        ("NaN", Reject.NOT_AN_OBJECT),
        ("[[]]", Reject.NOT_AN_OBJECT),
        ("[]", Reject.EMPTY),
        ("{}", Reject.EMPTY),
        ('{"ts": 1795406400000}', Reject.EMPTY),
        ('{"ts": null, "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": true, "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": 1795406400000.0, "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": "2026-11-23T12:00:00", "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": "0001-01-01T00:00:00+14:00", "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": -1, "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": 123456789012345678901234567890, "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": 18446744073709551615, "h2s_ppm": 1}', Reject.BAD_TS),
        ('{"ts": "2027-01-01T00:00:00Z", "h2s_ppm": 1}', Reject.FUTURE_TS),
        ('{"h2s_ppm": 1e999}', Reject.OUT_OF_RANGE),
        ('{"h2s_ppm": -Infinity}', Reject.OUT_OF_RANGE),
        ('{"h2s_ppm": 500.0000001}', Reject.OUT_OF_RANGE),
        ('{"h2s_ppm": "NaN"}', Reject.WRONG_TYPE),
        ('{"h2s_ppm": [1]}', Reject.WRONG_TYPE),
    ],
)
def test_refused_for_its_reason(payload: bytes | str, expected: Reject) -> None:
    assert reason(one(payload)) is expected


@pytest.mark.parametrize(
    ("payload", "value"),
    [("0", 0.0), ("500", 500.0), ("-0", 0.0), ("-0.0", 0.0), ("1e-400", 0.0), ("1E2", 100.0)],
)
def test_ends_of_the_range_count(payload: str, value: float) -> None:
    (batch,) = one(f'{{"h2s_ppm": {payload}}}').columns
    assert batch.fields["h2s_ppm"].tolist() == [value]


def test_a_whole_number_beyond_what_a_float_holds_exactly_is_fine() -> None:
    for number in ("9007199254740993", "18446744073709551616", "1" + "0" * 300):
        (batch,) = one(f'{{"energy_kwh": {number}}}', topic("streetlight", "streetlight-0")).columns
        assert batch.fields["energy_kwh"][0] == float(number)
    assert reason(one('{"energy_kwh": 1' + "0" * 400 + "}", topic("streetlight", "streetlight-0"))) is (
        Reject.OUT_OF_RANGE
    )


@pytest.mark.parametrize("text", ["a\\u0000", "a\\nb", "\\u009f", "x" * 257, "\\ud800"])
def test_odd_texts_are_refused(text: str) -> None:
    lamp = topic("streetlight", "streetlight-0")
    assert reason(one(f'{{"fault": "{text}"}}', lamp)) is Reject.OUT_OF_RANGE


def test_the_last_of_two_equal_names_counts() -> None:
    (batch,) = one('{"h2s_ppm": 1, "h2s_ppm": 2}').columns
    assert batch.fields["h2s_ppm"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", Reject.BAD_TOPIC),
        ("city/t/gas/gas-0", Reject.BAD_TOPIC),
        ("town/t/gas/gas-0/telemetry", Reject.BAD_TOPIC),
        ("city/t/gas//telemetry", Reject.BAD_TOPIC),
        ("city/t/gas/gas-0/telemetry/x", Reject.BAD_TOPIC),
        ("city/t/gas/gas-0/TELEMETRY", Reject.BAD_TOPIC),
        ("city/t/water/gas-0/telemetry", Reject.UNKNOWN_KIND),
        ("city/t/gas/nobody/telemetry", Reject.UNKNOWN_DEVICE),
        ("city/u/gas/gas-0/telemetry", Reject.UNKNOWN_DEVICE),
        ("city/t/gas/off/telemetry", Reject.DISABLED_DEVICE),
        ("city/t/gas/nobody/status", Reject.UNKNOWN_DEVICE),
    ],
)
def test_messages_from_nowhere_are_refused(where: str, expected: Reject) -> None:
    decoded = one('{"h2s_ppm": 1}', where)
    assert reason(decoded) is expected
    assert decoded.unknown_devices == (expected is Reject.UNKNOWN_DEVICE)


def test_payloads_may_be_256_kib() -> None:
    fits = b'{"h2s_ppm": 1}'.ljust(MAX_PAYLOAD_BYTES)
    assert len(one(fits).columns[0]) == 1
    assert reason(one(fits + b" ")) is Reject.OVERSIZE


def test_channels() -> None:
    def status(payload: bytes, retained: bool = False) -> RawMessage:
        return RawMessage(topic("gas", "gas-1", "status"), payload, NOON_MS, retained)

    decoded = decode(
        status(b"online"),
        status(b"offline", retained=True),
        status(b"ONLINE"),
        RawMessage(topic("gas", "gas-1", "event"), b'{"h2s_ppm": 3}', NOON_MS),
        RawMessage(topic("gas", "gas-1"), b'{"h2s_ppm": 4, "ts": 1795406399000}', NOON_MS),
        RawMessage(topic("gas", "gas-1"), b'{"h2s_ppm": 5}', NOON_MS, True),
        RawMessage(topic("gas", "gas-1", "command"), b"{}", NOON_MS),
        RawMessage(topic("nokind", "nobody", "command/result"), b"\xff", NOON_MS),
        RawMessage(topic("gas", "nobody", "command/result"), b'{"id": "c1", "status": "done"}', NOON_MS),
        RawMessage(topic("gas", "gas-1", "command/result"), b'{"id": "c1", "status": "done", "detail": "x"}', NOON_MS),
        RawMessage(topic("gas", "gas-1", "command/result"), b'{"id": "c1", "status": "perhaps"}', NOON_MS),
    )
    assert [(s.device.id, s.online) for s in decoded.statuses] == [("gas-1", True), ("gas-1", False)]
    assert [(d.offset, d.reason) for d in decoded.dead] == [
        (1002, Reject.WRONG_TYPE),
        (1007, Reject.UNKNOWN_KIND),
        (1008, Reject.UNKNOWN_DEVICE),
        (1010, Reject.WRONG_TYPE),
    ]
    assert decoded.retained == 1
    assert decoded.commands == 1
    assert [(r.device.id, r.id, r.answer, r.detail) for r in decoded.results] == [("gas-1", "c1", Answer.DONE, "x")]
    (batch,) = decoded.columns
    assert batch.fields["h2s_ppm"].tolist() == [4.0, 3.0], "both channels of a device are one device, in time order"
    assert len(batch.devices) == 1
    assert batch.ts_given is not None
    assert batch.ts_given.tolist() == [True, False]


def test_unknown_names_are_counted_up_to_a_limit() -> None:
    decoder = Decoder(KINDS, KNOWN.get)
    items = [{"h2s_ppm": 1, f"extra{i}": 1} for i in range(MAX_NAMES + 10)]
    message = RawMessage(topic("gas", "gas-0"), json.dumps(items).encode(), NOON_MS)
    decoded = decoder.decode(Slice(0, 0, (message,)))
    assert len(decoded.columns[0]) == MAX_NAMES + 10
    assert decoded.unknown_fields["gas", OTHER_NAMES] == 10
    assert len(decoded.unknown_fields) == MAX_NAMES + 1


def test_a_change_of_the_registry_counts_at_once() -> None:
    known = dict(KNOWN)
    decoder = Decoder(KINDS, known.get)
    part = Slice(0, 0, (RawMessage(topic("gas", "gas-0"), b'{"h2s_ppm": 1}', NOON_MS),))
    assert decoder.decode(part).columns
    gone = known.pop(DEVICES[0].key)
    assert decoder.decode(part).unknown_devices == 1
    known[gone.key] = gone
    assert decoder.decode(part).columns


def test_a_decoder_that_follows_the_registry_asks_again_only_about_what_has_changed() -> None:
    asked: list[DeviceKey] = []
    known, watch = dict(KNOWN), Watch()

    def lookup(key: DeviceKey) -> Device | None:
        asked.append(key)
        return known.get(key)

    decoder = Decoder(KINDS, lookup)
    decoder.follow(watch)
    channels = ((0, "telemetry"), (0, "event"), (1, "telemetry"))
    messages = [RawMessage(topic("gas", f"gas-{i}", where), b'{"h2s_ppm": 1}', NOON_MS) for i, where in channels]
    part = Slice(0, 0, tuple(messages))
    assert [len(decoder.decode(part).columns[0]) for _ in range(3)] == [3, 3, 3]
    first, second = DeviceKey("t", "gas", "gas-0"), DeviceKey("t", "gas", "gas-1")
    assert asked == [first, first, second]
    known[first] = moved = replace(known[first], district="Luohu")
    watch.note([moved], ())
    (batch,) = decoder.decode(part).columns
    assert [one.district for one in batch.devices] == ["Luohu", "Futian"]
    assert asked[3:] == [first, first]
    del known[second]
    watch.note((), [second])
    assert [one.reason for one in decoder.decode(part).dead] == [Reject.UNKNOWN_DEVICE]


def test_devices_that_change_all_the_time_get_new_numbers_in_the_end() -> None:
    known, watch = dict(KNOWN), Watch()
    decoder = Decoder(KINDS, known.get)
    decoder.follow(watch)
    part = Slice(0, 0, (RawMessage(topic("gas", "gas-0"), b'{"h2s_ppm": 1}', NOON_MS),))
    first = decoder.seating
    for i in range(MIN_OUTDATED + 3):
        known[DEVICES[0].key] = changed = replace(DEVICES[0], name=str(i))
        watch.note([changed], ())
        assert decoder.decode(part).columns[0].devices == (changed,)
    assert decoder.seating is not first
    assert len(decoder.seating) < 5


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-23T04:00:00Z", NOON_MS),
        ("2026-11-23t04:00:00z", NOON_MS),
        ("2026-11-23 12:00:00+08:00", NOON_MS),
        ("2026-11-22T20:30:00.1239-07:30", NOON_MS + 123),
        ("2026-11-23T04:00:00.123456789Z", NOON_MS + 123),
        ("2000-01-01T00:00:00Z", 946_684_800_000),
        ("1999-12-31T23:59:59.999Z", None),
        ("2026-11-23T04:00Z", None),
        ("20261123T040000Z", None),
        ("2026-11-23T04:00:00+0800", None),
        ("2026-11-23T04:00:00,5Z", None),
        ("2026-02-30T04:00:00Z", None),
        ("2026-11-23T24:00:00Z", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("٢٠٢٦-11-23T04:00:00Z", None),
        (" 2026-11-23T04:00:00Z", None),
    ],
)
def test_times(text: str, ms: int | None) -> None:
    assert parse_ts(text) == ms
