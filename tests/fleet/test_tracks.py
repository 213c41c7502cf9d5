"""Track files: any column order, every bad row by its line, damaged files as far as they go."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from citywarden.model.errors import ConfigurationError
from fleet.tracks import Track, TrackRow, read_tracks
from tests.builders import KINDS

GOOD = "ts,device,lat,lon,speed_kmh,brush\n1795406400000,v1,22.5,114.05,8.0,1\n"
GOOD += "2026-11-23T12:00:10+08:00,v1,22.5,114.06,,false\n"


def read(tmp_path: Path, text: str, name: str = "t.csv") -> Track:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return read_tracks([path])


def test_times_flags_and_empty_cells(tmp_path: Path) -> None:
    assert list(read(tmp_path, GOOD).rows()) == [
        TrackRow("v1", 1_795_406_400_000, {"lat": 22.5, "lon": 114.05, "speed_kmh": 8.0, "brush": True}),
        TrackRow("v1", 1_795_406_410_000, {"lat": 22.5, "lon": 114.06, "brush": False}),
    ]


def test_columns_in_any_order_with_a_byte_order_mark_and_more(tmp_path: Path) -> None:
    track = read(tmp_path, "\ufefflon,lat,driver,device,ts\n114.05,22.5,Li,v1,1795406400000\n\n")
    assert (len(track), track.rejected) == (1, ())


def test_rows_come_in_order_of_time_and_columns_in_order_of_vehicle(tmp_path: Path) -> None:
    text = "ts,device,lat,lon\n3,b,1,1\n1,b,1,1\n2,a,1,1\n"
    track = read(tmp_path, text)
    assert [(row.ts_ms, row.device) for row in track.rows()] == [(1, "b"), (2, "a"), (3, "b")]
    assert (track.devices, track.device.tolist(), track.ts_ms.tolist()) == (("a", "b"), [0, 1, 1], [2, 1, 3])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("yesterday,v1,1,1,8,1", "ts: 'yesterday' is neither RFC 3339 nor ms"),
        ("2026-11-23T12:00:10,v1,1,1,8,1", "has no offset from UTC"),
        ("1,,1,1,8,1", "device: empty"),
        ("1,v1,91,1,8,1", "lat: '91' is out of range, expected -90 to 90"),
        ("1,v1,,1,8,1", "lat: empty, expected degrees"),
        ("1,v1,nan,1,8,1", "lat: 'nan' is out of range"),
        ("1,v1,1,1,fast,1", "speed_kmh: 'fast' is not a number"),
        ("1,v1,1,1,201,1", "speed_kmh: '201' is out of range, expected 0 to 200"),
        ("1,v1,1,1,inf,1", "speed_kmh: 'inf' is out of range"),
        ("1,v1,1,1,8,yes", "brush: 'yes' is not 0, 1, true or false"),
        ("1,v1,1,1", "4 columns, expected 6"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_used(tmp_path: Path, row: str, reason: str) -> None:
    track = read(tmp_path, GOOD + row + "\n1795406420000,v1,22.5,114.07,8.0,TRUE\n")
    assert len(track) == 3
    (rejected,) = track.rejected
    assert (rejected.line, Path(rejected.file).name) == (4, "t.csv")
    assert reason in rejected.reason


def test_lines_are_counted_over_quoted_line_breaks(tmp_path: Path) -> None:
    track = read(tmp_path, 'ts,device,lat,lon,note\n1,v1,1,1,"a\nb"\n2,v1,999,1,c\n')
    assert [row.line for row in track.rejected] == [4]


@pytest.mark.parametrize("header", ["", "time,device,lat,lon", "ts,device,lat", "ts,device,lat,lon,lat"])
def test_a_wrong_header_is_one_clear_error(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, header + "\n1,v1,1,1\n")
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith(str(tmp_path / "t.csv") + ":1: the header")


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_tracks([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert [p.file for p in caught.value.problems] == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]


def test_gzip_and_several_files(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    plain.write_text(GOOD)
    packed.write_bytes(gzip.compress(GOOD.replace("v1", "v2").encode()))
    told: list[int] = []
    track = read_tracks([plain, packed], told.append)
    assert (track.devices, len(track)) == (("v1", "v2"), 4)
    assert sum(told) >= plain.stat().st_size


def test_a_damaged_gzip_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    rows = "".join(f"{i},v{i % 97},1.{i * 7919 % 100003},1\n" for i in range(30_000))
    whole = gzip.compress(("ts,device,lat,lon\n" + rows).encode())
    (tmp_path / "t.csv.gz").write_bytes(whole[: len(whole) // 2])
    track = read_tracks([tmp_path / "t.csv.gz"])
    assert 5_000 < len(track) < 30_000
    assert "damaged" in track.rejected[-1].reason


def test_a_track_as_columns_of_its_kind(tmp_path: Path) -> None:
    columns = read(tmp_path, GOOD).columns(KINDS["vehicle"], "city", "gcj02")
    assert (columns.devices[0].key, len(columns)) == (("city", "vehicle", "v1"), 2)
    assert set(columns.fields) == {q.field for q in KINDS["vehicle"].numeric}
    assert np.isnan(columns.fields["lift"]).all()
    assert columns.fields["lat"][0] == pytest.approx(22.5027, abs=1e-3), "brought from GCJ-02 to WGS-84"


def test_an_empty_file_with_a_header_is_an_empty_track(tmp_path: Path) -> None:
    assert len(read(tmp_path, "ts,device,lat,lon\n")) == 0
