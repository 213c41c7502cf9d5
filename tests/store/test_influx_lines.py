"""Readings as line protocol: golden lines, names that try to break out, and a slow twin on random readings."""

import math
import re
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citywarden.columns import Reading, from_readings
from citywarden.model.kind import Form, JsonScalar
from citywarden.store.contract import Point
from citywarden.store.influx.lines import distinct, point_lines, reading_lines
from citywarden.store.influx.names import identifier, literal, meant, source, stored
from tests.builders import KINDS, NOON_MS, columns, device

NASTY = ("a,b", "a b", "a=b", "a\nb", "a\\", "\\", "a\\,b", "a\\ b", "灯 1", 'a"b', "#a", "%5C", "50%", "\r")


def test_a_reading_is_one_line_of_typed_fields() -> None:
    batch = columns(
        "streetlight",
        [
            (0, {"on": True, "commanded_on": False, "power_w": 150, "current_a": 0.625, "fault": ""}),
            (60, {"on": False, "power_w": 1e-7, "fault": 'lamp "A" \\'}),
            (61, {}),
        ],
    )
    head = "streetlight,device=d1,district=Futian,tenant=t "
    assert [line.decode() for line in reading_lines(batch)] == [
        f'{head}received_ms={NOON_MS}i,on=t,power_w=150.0,current_a=0.625,commanded_on=f,fault="" {NOON_MS}\n',
        f'{head}received_ms={NOON_MS + 60_000}i,on=f,power_w=1e-7,fault="lamp \\"A\\" \\\\" {NOON_MS + 60_000}\n',
        f"{head}received_ms={NOON_MS + 61_000}i {NOON_MS + 61_000}\n",
    ]


def test_a_device_without_a_district_has_no_such_tag() -> None:
    (line,) = reading_lines(columns("gas", [(0, {})], device("gas", district="")))
    assert line.startswith(b"gas,device=d1,tenant=t received_ms=")


def test_no_readings_are_no_lines() -> None:
    assert reading_lines(columns("gas", [])) == []
    assert distinct(columns("gas", [])).tolist() == []


def test_of_two_readings_of_one_time_the_first_is_chosen() -> None:
    assert distinct(columns("gas", [(5, {}), (0, {}), (5, {}), (6, {})])).tolist() == [True, True, False, True]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_stays_one_tag_of_one_line(name: str) -> None:
    (line,) = reading_lines(columns("gas", [(0, {"co_ppm": 1.0})], device("gas", name, district=name, tenant=name)))
    tags = parse(line)[1]
    assert {meant(value) for value in tags.values()} == {name}
    assert set(tags) == {"device", "district", "tenant"}


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_names_stay_different_and_come_back(one: str, other: str) -> None:
    assert meant(stored(one)) == one
    assert (stored(one) == stored(other)) == (one == other)
    assert "\\" not in stored(one) and "\n" not in stored(one)


def test_names_in_queries_cannot_end_their_quotes() -> None:
    assert literal("x' OR 1=1 --\\") == "'x\\' OR 1=1 --%5C'"
    assert identifier('a"; DROP MEASUREMENT gas; "\\') == '"a\\"; DROP MEASUREMENT gas; \\"%5C"'
    assert source("city", "gas") == '"city"."autogen"."gas"'
    assert source("city/month", "gas") == '"city"."month"."gas"'


def test_points_keep_their_types_and_leave_out_what_is_no_number() -> None:
    point = Point(
        "work", {"task": "T 1", "": ""}, 5, {"met": True, "n": 3, "pct": 96.0, "nan": math.nan, "why": "a\nb"}
    )
    assert point_lines([point]) == [b'work,task=T\\ 1 met=t,n=3i,pct=96.0,why="a\nb" 5\n']
    assert point_lines([Point("work", {}, 5, {"nan": math.inf}), Point("work", {}, 5, {})]) == []


def test_of_two_points_of_one_time_the_last_is_written() -> None:
    first, last = (Point("work", {"task": "T"}, 5, {"pct": pct}) for pct in (1.0, 2.0))
    assert point_lines([first, last]) == [b"work,task=T pct=2.0 5\n"]


VALUES: dict[Form, st.SearchStrategy[JsonScalar]] = {
    Form.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    Form.FLAG: st.booleans(),
    Form.TEXT: st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5),
}


@st.composite
def readings(draw: st.DrawFn) -> list[Reading]:
    def values() -> Mapping[str, JsonScalar]:
        return {q.field: draw(VALUES[q.form]) for q in KINDS["streetlight"].quantities if draw(st.booleans())}

    times = draw(st.lists(st.integers(0, 10**12), min_size=1, max_size=6, unique=True))
    who = [device("streetlight", name) for name in ("a", "b c")]
    return [Reading(who[i % 2], ts, ts + 7, values()) for i, ts in enumerate(times)]


@given(readings())
def test_lines_say_what_the_readings_say(sent: list[Reading]) -> None:
    batch = from_readings(KINDS["streetlight"], sent)
    for reading, line in zip(batch.rows(), reading_lines(batch), strict=True):
        name, tags, fields, ts = parse(line)
        assert (name, ts, fields.pop("received_ms")) == ("streetlight", reading.ts_ms, reading.ts_ms + 7)
        assert tags == {"device": reading.device.id, "district": "Futian", "tenant": "t"}
        assert fields == reading.values
        assert all(type(fields[field]) is type(value) for field, value in reading.values.items())


LINE = re.compile(r"((?:\\.|[^ \\\n])+) (.+) (\d+)\n", re.DOTALL)
FIELD = re.compile(r'(\w+)=("(?:\\.|[^"\\])*"|[^,"]+)(?:,|$)', re.DOTALL)


def parse(line: bytes) -> tuple[str, dict[str, str], dict[str, JsonScalar], int]:
    """A line taken apart by the letter of the protocol."""
    found = LINE.fullmatch(line.decode())
    assert found is not None
    name, *tags = re.split(r"(?<!\\),", found[1])
    pairs = [re.split(r"(?<!\\)=", tag) for tag in tags]
    assert all(len(pair) == 2 for pair in pairs)
    fields = FIELD.findall(found[2])
    assert ",".join(f"{key}={value}" for key, value in fields) == found[2]
    unescaped = {key: re.sub(r"\\([,= ])", r"\1", value) for key, value in pairs}
    return name, unescaped, {key: value_of(value) for key, value in fields}, int(found[3])


def value_of(text: str) -> JsonScalar:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in ("t", "f"):
        return text == "t"
    return int(text[:-1]) if text.endswith("i") else float(text)


def test_numbers_read_back_as_the_same_number() -> None:
    values = [0.1 + 0.2, 1e300, 5e-324, -0.0, 12345678901234567890.0, 1.0]
    lines = reading_lines(columns("gas", [(i, {"co_ppm": v}) for i, v in enumerate(values)]))
    assert [parse(line)[2]["co_ppm"] for line in lines] == values
    assert np.signbit([float(parse(lines[3])[2]["co_ppm"])]).tolist() == [True]
