"""The one vehicle of the demo that is real: a refuse truck of Jersey City, recorded on 10 December 2015.

It keeps its true positions, so it drives on the other side of the world from the simulated city; only its clock is
moved, as a whole, so that the middle of its morning is now.
"""

from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files

from citywarden.model.device import Device
from fleet.playback import Fix, retime
from fleet.tracks import TrackRow, read_tracks

FILE = "demo/jerseycity_S-15_20151210.csv"
DISTRICT = "Jersey City (recorded)"
NAME = "R01"
TITLE = "实录：泽西城垃圾车 S-15，2015年12月10日 / Recorded: Jersey City refuse truck S-15, 10 Dec 2015"
OWNER = "实录数据 / Recorded data (MIT)"

PIVOT = 111
"""Number of the fix that falls 3 s after the start: three hours of morning behind it, busy hours ahead."""


@cache
def rows() -> tuple[TrackRow, ...]:
    """The recording in order of time, one row a moment."""
    with as_file(files("fleet").joinpath(FILE)) as path:
        track = read_tracks([path])
    by_time: dict[int, TrackRow] = {}
    for row in track.rows():
        by_time.setdefault(row.ts_ms, row)
    return tuple(by_time.values())


def recorded(tenant: str, now_ms: int) -> tuple[Device, tuple[Fix, ...]]:
    """The truck as a device, and its fixes around `now_ms`, sent at the pace they were recorded."""
    found = rows()
    start_ms = now_ms + 3000 - (found[PIVOT].ts_ms - found[0].ts_ms)
    fixes = tuple(replace(fix, device=NAME) for fix in retime(found, start_ms))
    first = found[PIVOT].values
    device = Device(
        tenant, "vehicle", NAME, TITLE, DISTRICT, float(first["lat"]), float(first["lon"]),
        profile={"interval_s": 61.0, "recorded": True}, owner=OWNER,
    )  # fmt: skip
    return device, fixes
