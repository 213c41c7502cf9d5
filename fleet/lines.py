"""Geometry of a plan file: GeoJSON coordinates checked and brought to WGS-84."""

import marshal
from collections.abc import Mapping

import numpy as np
import shapely
from numpy.typing import NDArray

from citywarden.coordinates import distance_m, to_wgs84
from citywarden.model.errors import Problem
from citywarden.model.work import Coordinates
from fleet.properties import Findings

MIN_LENGTH_M = 1.0
"""A shorter part is no road."""
_PLAIN = 2
"""The version of `marshal` that writes equal values as equal bytes, and 1, 1.0 and true as different ones."""
_NEAR_DEG, _FAR_DEG = 1.0, 10.0


class Shapes:
    """Reads coordinates given in one datum; problems go to the feature's findings.

    Roads, lines and positions that are the same are one object: a road is driven by many tasks, and it shares its
    corners with others.
    """

    def __init__(self, crs: str) -> None:
        self._crs = crs
        self._roads: dict[bytes, tuple[Coordinates, ...]] = {}
        self._known: dict[bytes, Coordinates] = {}
        self._corners: dict[tuple[float, float], tuple[float, float]] = {}

    def lines(self, parts: object, found: Findings) -> tuple[Coordinates, ...]:
        """The parts of a road, in driving order, without repeated vertices; empty when something is wrong."""
        if not isinstance(parts, list) or not parts:
            found.wrong("geometry.coordinates", None, "at least one line of two or more positions")
            return ()
        text = marshal.dumps(parts, _PLAIN)
        if (known := self._roads.get(text)) is not None:
            return known
        if road := self._read(parts, found):
            self._roads[text] = road
        return road

    def _read(self, parts: list[object], found: Findings) -> tuple[Coordinates, ...]:
        lines = []
        for i, part in enumerate(parts):
            at = f"geometry.coordinates[{i}]" if len(parts) > 1 else "geometry.coordinates"
            if (points := self._positions(part, at, found)) is None:
                continue
            step = distance_m(points[:-1, 1], points[:-1, 0], points[1:, 1], points[1:, 0])
            points = points[np.append(True, step > 0)]
            if len(points) < 2 or step.sum() < MIN_LENGTH_M:
                found.wrong(
                    at, f"{len(step) + 1} positions, {step.sum():.2f} m", f"a road of at least {MIN_LENGTH_M:g} m"
                )
                continue
            key = points.tobytes()
            if (line := self._known.get(key)) is None:
                line = self._known[key] = tuple(self._corners.setdefault(at, at) for at in _pairs(points))
            lines.append(line)
        return tuple(lines) if len(lines) == len(parts) else ()

    def rings(self, rings: object, found: Findings) -> tuple[Coordinates, ...]:
        """Rings of a zone, outer first, closed; empty when something is wrong."""
        if not isinstance(rings, list) or not rings:
            found.wrong("geometry.coordinates", None, "at least one ring")
            return ()
        checked = []
        for i, ring in enumerate(rings):
            if (points := self._positions(ring, f"geometry.coordinates[{i}]", found)) is None:
                return ()
            if not np.array_equal(points[0], points[-1]):
                points = np.vstack([points, points[:1]])
            if len(points) < 4:
                found.wrong(f"geometry.coordinates[{i}]", f"{len(points)} positions", "a closed ring of at least 4")
                return ()
            checked.append(points)
        area = shapely.Polygon(checked[0], checked[1:])
        if not area.is_valid or area.area == 0:
            found.wrong("geometry.coordinates", shapely.is_valid_reason(area), "a simple polygon with an area")
            return ()
        return tuple(_pairs(points) for points in checked)

    def _positions(self, part: object, at: str, found: Findings) -> NDArray[np.float64] | None:
        if not isinstance(part, list):
            found.wrong(at, part, "a list of [lon, lat] positions")
            return None
        try:
            points = np.array([position[:2] for position in part], np.float64).reshape(-1, 2)
            numeric = not any(isinstance(word, bool | str | None) for position in part for word in position[:2])
        except (TypeError, ValueError, IndexError):
            numeric = False
        if not numeric:
            found.wrong(at, None, "positions of two numbers, [lon, lat]")
            return None
        if len(points) < 2:
            found.wrong(at, f"{len(points)} positions", "at least two")
            return None
        lon, lat = points[:, 0], points[:, 1]
        bad = np.flatnonzero(~((np.abs(lon) <= 180) & (np.abs(lat) <= 90)))
        if len(bad):
            i = int(bad[0])
            swapped = bool((np.abs(points[:, 1]) <= 180).all() and (np.abs(points[:, 0]) <= 90).all())
            hint = "; they look swapped" if swapped else ""
            found.wrong(f"{at}[{i}]", f"[{lon[i]:g}, {lat[i]:g}]", f"[lon, lat] in degrees, lon first{hint}")
            return None
        lat, lon = to_wgs84(lat, lon, self._crs)
        return np.column_stack([lon, lat])


def check_neighbours(roads: Mapping[int, tuple[Coordinates, ...]], file: str, problems: list[Problem]) -> None:
    """A road far from all others that would lie among them with lat and lon swapped is a mistake."""
    places = {i: lines[0][0] for i, lines in roads.items() if lines}
    if len(places) < 3:
        return
    middle = np.median(np.array(list(places.values())), axis=0)
    for i, (lon, lat) in places.items():
        off = max(abs(lon - middle[0]), abs(lat - middle[1]))
        swapped_off = max(abs(lat - middle[0]), abs(lon - middle[1]))
        if off > _FAR_DEG and swapped_off < _NEAR_DEG:
            what = f"[{lon:g}, {lat:g}] is far from the other roads; lat and lon look swapped, expected [lon, lat]"
            problems.append(Problem(file, None, f"features[{i}].geometry.coordinates", what))


def _pairs(points: NDArray[np.float64]) -> Coordinates:
    return tuple((lon, lat) for lon, lat in points.tolist())
