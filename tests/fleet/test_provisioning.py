"""Devices from CSV: all of them, or every bad row named."""

import csv

import pytest

from citywarden.model.device import Device
from fleet.provisioning import BadRow, parse_profile, read_csv, write_csv
from tests import builders

KINDS = {name: builders.KINDS[name] for name in ("gas", "streetlight")}


def test_a_small_file() -> None:
    text = [
        "id,kind,lat,lon,profile,district\n",
        "L1,streetlight,22.5,114.0,nominal_power_w=120;always_on=true,Futian\n",
    ]
    devices, bad = read_csv(text, "city", KINDS)
    assert bad == []
    assert devices == [
        (2, Device("city", "streetlight", "L1", "", "Futian", 22.5, 114.0,
                   profile={"nominal_power_w": 120.0, "always_on": True}))
    ]  # fmt: skip


def test_every_bad_row_is_named_with_its_column() -> None:
    text = [
        "id,kind,lat,lon,crs\n",
        "a b,gas,22,114,\n",
        "G1,boat,,,wgs99\n",
        "G2,gas,95,,\n",
        "G3,gas\n",
        "G4,gas,,,\n",
        "G4,gas,,,\n",
    ]
    _, bad = read_csv(text, "city", KINDS)
    assert [str(row) for row in bad] == [
        "line 2: id: 'a b': expected 1 to 64 letters, digits or _ . : -",
        "line 3: kind: 'boat': expected one of gas, streetlight",
        "line 3: crs: 'wgs99': expected one of bd09, cgcs2000, gcj02, wgs84",
        "line 4: lat: '95': expected -90 to 90 degrees",
        "line 4: lon: is missing; a position is both lat and lon",
        "line 5: row: has 2 cells, expected 5",
        "line 7: id: 'G4' stands there twice",
    ]


def test_a_word_in_the_place_of_a_number_and_a_row_that_is_no_csv() -> None:
    text = ["id,kind,lat,lon\n", "G1,gas,abc,nan\n", "G2,gas,22,114\n", f"G3,{'x' * 200_000}\n", "G4,gas,,\n"]
    devices, bad = read_csv(text, "city", KINDS)
    assert [device.id for _, device in devices] == ["G2"]
    assert [str(row) for row in bad] == [
        "line 2: lat: 'abc': expected -90 to 90 degrees",
        "line 2: lon: 'nan': expected -180 to 180 degrees",
        "line 4: row: is no CSV: field larger than field limit (131072)",
    ]


def test_what_a_device_could_not_be_used_with_is_named() -> None:
    text = [
        "id,kind,profile,name,owner\n",
        "L1,streetlight,interval_s=0,,\n",
        "L2,streetlight,nominal_power_w=bright,,\n",
        'L3,streetlight,"input=power_w:p*0.1,colour:c",,\n',
        "L4,streetlight,input=power_w,,\n",
        "L5,streetlight,input=7,,\n",
        f"L6,streetlight,,{'x' * 257},\n",
        'L7,streetlight,"input=power_w:p*0.1,on:lamp=1,ts:t*1000;interval_s=60",,crew 1\n',
    ]
    devices, bad = read_csv(text, "city", KINDS)
    assert [str(row).replace("'x" + "x" * 256, "'xxx") for row in bad] == [
        "line 2: profile: 'interval_s=0': interval_s is 0.0, expected a number above 0",
        "line 3: profile: 'nominal_power_w=bright': nominal_power_w is 'bright', expected a number above 0",
        "line 4: profile: 'input=power_w:p*0.1,colour:c': colour: expected any of ts, commanded_on, current_a, "
        "dim_pct, energy_kwh, fault, on, power_w, voltage_v",
        "line 5: profile: 'input=power_w': 'power_w': expected entries such as power_w:pwr, depth_cm:data.level*0.1 or "
        "on:lamp=1, by commas",
        "line 6: profile: 'input=7': input is 7.0, expected entries such as power_w:pwr",
        "line 7: name: 'xxx': expected at most 256 characters, none of them a control character",
    ]
    assert [line for line, _ in devices] == [8]
    assert devices[0][1].profile == {"input": "power_w:p*0.1,on:lamp=1,ts:t*1000", "interval_s": 60.0}


def test_a_wrong_header_is_named() -> None:
    assert read_csv(["id,colour\n"], "city", KINDS)[1] == [
        BadRow(1, "colour", "unknown column, expected any of id,kind,tenant,name,district,lat,lon,crs,profile,owner"),
        BadRow(1, "kind", "column is missing"),
    ]
    assert read_csv([], "city", KINDS)[1][0].column == "id"


def test_what_is_written_is_read_back_the_same() -> None:
    devices = [
        Device(
            "a", "gas", "G1", 'name, with "quotes"', "南山", 22.123456789, 114.0, "gcj02", {"x": 1.5, "y": "z"}, "o"
        ),
        Device("b", "streetlight", "L1"),
    ]
    again, bad = read_csv(list(write_csv(devices)), "city", KINDS)
    assert bad == []
    assert [device for _, device in again] == devices


@pytest.mark.parametrize(
    "name", ["=1+1", "+86 755", "-1号井", "@SUM(A1)", "'=x", "''@y", "'plain'", "=cmd|' /C calc'!A0"]
)
def test_a_name_that_looks_like_a_formula_is_written_as_a_text_and_read_back_the_same(name: str) -> None:
    device = Device("a", "gas", "G1", name, name, owner=name)
    lines = list(write_csv([device]))
    assert not {cell[:1] for cell in next(csv.reader(lines[1:]))} & set("=+-@")
    assert [again for _, again in read_csv(lines, "city", KINDS)[0]] == [device]


def test_a_profile_nested_without_end_is_a_bad_row() -> None:
    deep = '{"a":' * 100_000
    (row,) = read_csv(["id,kind,profile\n", f'G1,gas,"{deep.replace(chr(34), chr(34) * 2)}"\n'], "city", KINDS)[1]
    assert row.line == 2


def test_profiles_are_pairs_or_json() -> None:
    assert parse_profile("a=1;b=true;c=x") == {"a": 1.0, "b": True, "c": "x"}
    assert parse_profile('{"a": 2}') == {"a": 2}
