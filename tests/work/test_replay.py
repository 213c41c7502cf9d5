"""`citywarden replay`: recordings in, the contract's report out, with exit codes to build on."""

import gzip
import json
import re
from pathlib import Path

import pytest

from citywarden.cli import run

ROOT = Path(__file__).parents[2]
TRACKS = ROOT / "examples" / "tracks"
GOLDEN = Path(__file__).parent / "golden"
WINDOW = "2026-11-22T06:00+08:00/2026-11-22T07:00+08:00"
EAST_M = 1 / 102_800
TASK_KEYS = [
    "task", "vehicle", "operation", "window", "status", "reasons", "evidence", "work_duration_s", "idle_in_work_s",
    "unknown_s", "planned_m", "covered_m", "coverage_pct", "passes", "driven_m", "effective_m", "empty_running_pct",
    "overspeed_s", "max_deviation_m", "missed",
]  # fmt: skip


def plan(folder: Path, *features: dict[str, object]) -> Path:
    path = folder / "plan.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return path


def road(**known: object) -> dict[str, object]:
    properties = {"task": "T1", "vehicle": "v1", "operation": "sweep", "window": WINDOW} | known
    line = [[114.05, 22.54], [114.05 + 1000 * EAST_M, 22.54]]
    return {"type": "Feature", "properties": properties, "geometry": {"type": "LineString", "coordinates": line}}


def track(folder: Path, rows: int = 46, name: str = "track.csv", extra: str = "") -> Path:
    """A kilometre east at 8 km/h from 06:10 on, 46 fixes of 10 s."""
    lines = ["device,lat,lon,ts,speed_kmh,heading_deg,brush,ignition,hdop"]
    for i in range(rows):
        at = f"2026-11-22T06:{10 + i // 6:02d}:{i % 6 * 10:02d}+08:00"
        lines.append(f"v1,22.54,{114.05 + i * 22.2222 * EAST_M:.7f},{at},8,90,1,1,1")
    text = "\n".join(lines) + "\n" + extra
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def replay(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run(["replay", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_work_that_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = replay(capsys, track(tmp_path), "--plan", plan(tmp_path, road()), "--json")
    document = json.loads(out)
    (task,) = document["tasks"]
    assert (code, err, document["alerts"], document["rejected"]) == (0, "", [], [])
    assert set(TASK_KEYS) <= set(task)
    assert (task["status"], task["reasons"], task["evidence"], task["window"]) == ("met", [], "equipment", WINDOW)
    assert (task["work_duration_s"], task["coverage_pct"], task["passes"], task["missed"]) == (450, 100, 1, [])


def test_work_that_was_not_done_is_1_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = replay(capsys, track(tmp_path, 30), "--plan", plan(tmp_path, road()), "--json")
    document = json.loads(out)
    (task,) = document["tasks"]
    assert (code, task["status"], task["reasons"]) == (1, "not_met", ["low_coverage"])
    (missed,) = task["missed"]
    assert (missed["reason"], missed["length_m"]) == ("not_driven", pytest.approx(355, abs=15))
    alerts = document["alerts"]
    assert [(a["rule"], a["vehicle"], a["task"], a["severity"], a["raised_at"], a["cleared_at"]) for a in alerts] == [
        ("route.missed", "v1", "T1", "major", "2026-11-21T23:00:00.000Z", None)
    ]
    assert "未作业" in alerts[0]["detail"]


def test_a_bad_row_is_named_the_rest_judged_and_the_code_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = track(tmp_path, extra="v1,222.54,114.05,2026-11-22T06:50:00+08:00,8,90,1,1,1\n")
    code, out, _ = replay(capsys, recorded, "--plan", plan(tmp_path, road()), "--json")
    document = json.loads(out)
    assert (code, document["tasks"][0]["status"]) == (1, "met")
    assert [(row["file"], row["line"]) for row in document["rejected"]] == [(str(recorded), 48)]


def test_many_files_plain_and_packed_are_one_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [track(tmp_path, 30, "a.csv"), track(tmp_path, 46, "b.csv.gz")]
    code, out, _ = replay(capsys, *files, "--plan", plan(tmp_path, road()), "--json")
    assert (code, json.loads(out)["tasks"][0]["work_duration_s"]) == (0, 450)


def test_a_daily_window_is_judged_on_the_days_of_the_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daily = road(window="06:00-07:00", timezone="Asia/Shanghai")
    someone_else = road(task="T2", vehicle="v2", window="06:00-07:00")
    code, out, _ = replay(capsys, track(tmp_path), "--plan", plan(tmp_path, daily, someone_else), "--json")
    assert (code, [task["task"] for task in json.loads(out)["tasks"]]) == (0, ["T1@2026-11-22"])


def test_a_vehicle_that_is_not_in_the_recording_did_not_show_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = replay(capsys, track(tmp_path), "--plan", plan(tmp_path, road(task="T2", vehicle="v2")), "--json")
    document = json.loads(out)
    assert (code, document["tasks"][0]["status"], document["tasks"][0]["reasons"]) == (1, "not_judged", ["no_data"])
    assert [(a["rule"], a["vehicle"], a["task"]) for a in document["alerts"]] == [("work.no_show", "v2", "T2")]


def test_a_plan_for_another_day_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = road(window="2026-12-22T06:00+08:00/2026-12-22T07:00+08:00")
    code, out, err = replay(capsys, track(tmp_path), "--plan", plan(tmp_path, other), "--json")
    assert (code, json.loads(out)["tasks"]) == (1, [])
    assert "no task of the plan falls into the recording's time" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["track.csv"], "--plan"),
        (["--plan", "plan.geojson"], "TRACK"),
        (["nowhere.csv", "--plan", "plan.geojson"], "nowhere.csv: cannot be read"),
        (["track.csv", "--plan", "nowhere.geojson"], "nowhere.geojson: cannot be read"),
        (["track.csv", "--plan", "track.csv"], "track.csv:1: not JSON"),
        (["plan.geojson", "--plan", "plan.geojson"], "plan.geojson:1: the header lacks ts, device, lat, lon"),
        (["track.csv", "--plan", "plan.geojson", "--timezone", "Mars/Base"], "'Mars/Base' is not a time zone"),
    ],
)
def test_wrong_use_is_2_and_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    track(tmp_path), plan(tmp_path, road())
    given = [str(tmp_path / word) if "." in word else word for word in arguments]
    code, out, err = replay(capsys, *given)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err


def test_a_rule_file_adds_its_rules_for_vehicles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n  - id: vehicle.brisk\n    kind: vehicle\n    levels:\n      minor: {when: 'speed_kmh >= 8'}\n"
        "    summary: {zh-CN: '快 {speed_kmh}', en: 'brisk {speed_kmh}'}\n",
        "utf-8",
    )
    paths = (track(tmp_path), "--plan", plan(tmp_path, road()), "--rules", rules)
    _, out, _ = replay(capsys, *paths, "--json", "--language", "en", "--timezone", "UTC")
    (alert,) = json.loads(out)["alerts"]
    assert (alert["rule"], alert["vehicle"], alert["task"], alert["severity"]) == ("vehicle.brisk", "v1", None, "minor")
    assert alert["detail"].startswith("brisk 8")


@pytest.mark.parametrize(("language", "words"), [("zh-CN", ["未达标", "未驶过"]), ("en", ["not met", "not driven"])])
def test_the_table_speaks_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, words: list[str]
) -> None:
    arguments = (track(tmp_path, 30), "--plan", plan(tmp_path, road()), "--language", language)
    _, out, _ = replay(capsys, *arguments)
    assert all(word in out for word in words)


def test_the_page_stands_alone_and_speaks_both_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    hostile = road(name="<script>alert(1)</script>")
    replay(capsys, track(tmp_path, 30), "--plan", plan(tmp_path, hostile), "--html", page)
    html = page.read_text("utf-8")
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://", html), "nothing is fetched"
    assert "<script>alert" not in html
    assert {"road covered", "road not_driven", "track working"} <= set(re.findall(r'class="([a-z_ ]+)"', html))
    assert "未驶过" in html
    assert "not driven" in html
    assert "路段漏作业" in html
    assert "Missed road" in html
    assert 'data-language="zh-CN"' in html


@pytest.mark.parametrize("name", ["jerseycity_trucks_20151210", "liverpool_route14_20260126"])
def test_recordings_of_real_vehicles(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The golden reports: what the server says of tracks that nobody made for it."""
    arguments = (
        TRACKS / f"{name}.csv",
        "--plan",
        GOLDEN / f"{name}.geojson",
        "--json",
        "--language",
        "en",
        "--timezone",
        "UTC",
    )
    code, out, _ = replay(capsys, *arguments)
    document = json.loads(out)
    assert code == 1
    golden = GOLDEN / f"{name}.json"
    assert document == json.loads(golden.read_text("utf-8"))
