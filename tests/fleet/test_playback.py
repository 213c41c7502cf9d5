"""A recorded track keeps its intervals, whatever the speed at which it is played."""

import itertools
import json
from pathlib import Path

import pytest

from fleet.playback import Fix, choose, play, retime
from fleet.tracks import TrackRow, read_tracks
from tests.builders import NOON_MS

TRACKS = Path(__file__).parents[2] / "examples" / "tracks"


def rows(*seconds: int) -> list[TrackRow]:
    return [TrackRow("T1", s * 1000, {"lat": 40.7, "lon": -74.0}) for s in seconds]


def test_at_its_own_speed_the_first_fix_is_now() -> None:
    fixes = retime(rows(1000, 1060, 1180), NOON_MS)
    assert [f.due_ms - NOON_MS for f in fixes] == [0, 60_000, 180_000]
    assert [f.ts_ms for f in fixes] == [f.due_ms for f in fixes]


def test_played_faster_the_event_times_keep_their_distance_and_end_now() -> None:
    fixes = retime(rows(1000, 1060, 1180), NOON_MS, speed_up=10)
    assert [f.due_ms - NOON_MS for f in fixes] == [0, 6000, 18_000]
    assert [b.ts_ms - a.ts_ms for a, b in itertools.pairwise(fixes)] == [60_000, 120_000]
    assert fixes[-1].ts_ms == fixes[-1].due_ms
    assert all(f.ts_ms <= f.due_ms for f in fixes), "never ahead of the clock"


def test_original_times_stay() -> None:
    assert [f.ts_ms for f in retime(rows(1000, 1060), NOON_MS, 5, original_times=True)] == [1_000_000, 1_060_000]


@pytest.mark.parametrize("speed_up", [0.5, 0.0, -1.0, float("nan"), float("inf")])
def test_slower_than_recorded_cannot_be(speed_up: float) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        retime(rows(1, 2), NOON_MS, speed_up)


def test_an_empty_track_has_no_fixes() -> None:
    assert retime([], NOON_MS) == []


def test_one_vehicle_of_a_real_track_can_be_chosen() -> None:
    track = read_tracks([TRACKS / "jerseycity_trucks_20151210.csv"])
    assert {row.device for row in choose(track, "S-15")} == {"S-15"}
    assert len(choose(track)) == len(track)
    with pytest.raises(ValueError, match="it has 547, P-1, S-15"):
        choose(track, "S-16")


async def test_fixes_are_sent_when_they_are_due() -> None:
    now = [NOON_MS]
    sent: list[tuple[int, str, dict[str, float], bool]] = []

    async def publish(topic: str, payload: bytes, retain: bool) -> None:
        sent.append((now[0] - NOON_MS, topic, json.loads(payload), retain))

    async def sleep(seconds: float) -> None:
        now[0] += round(seconds * 1000)

    counts: list[int] = []
    fixes = [Fix("T1", NOON_MS, NOON_MS, {"lat": 1.0}), Fix("T1", NOON_MS + 500, NOON_MS + 500, {"lat": 2.0})]
    assert await play(fixes, "t", publish, lambda: now[0], sleep, counts.append) == 2
    assert sent == [
        (0, "city/t/vehicle/T1/telemetry", {"ts": NOON_MS, "lat": 1.0}, False),
        (500, "city/t/vehicle/T1/telemetry", {"ts": NOON_MS + 500, "lat": 2.0}, False),
    ]
    assert counts == [1, 2]
