"""Zones of the plan: which kinds of zone a point is in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from citywarden.columns import Floats, Ints
from citywarden.model.work import Zone, ZoneKind

Masks = NDArray[np.uint8]
_CELL_DEG = 0.002
_SHIFT = 32
_MAX_CELLS = 250_000


def zone_bit(kind: ZoneKind) -> int:
    """The bit of a kind in a zone mask."""
    return 1 << list(ZoneKind).index(kind)


DEPOT, WATER, DISPOSAL, ALLOWED, FORBIDDEN = (zone_bit(kind) for kind in ZoneKind)
OFF_ROUTE_ALLOWED = DEPOT | WATER | DISPOSAL
"""Where a vehicle may be far from its road."""


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """An index of zones: cells of a grid that a zone touches, and whether it fills them."""

    bits: Masks
    polygons: NDArray[np.object_]
    key: Ints
    zone: Ints
    filled: NDArray[np.bool_]
    kinds: int

    def masks(self, lat: Floats, lon: Floats) -> Masks:
        """(n,) mask of `zone_bit`s of the zones each point (WGS-84 degrees) is in; the border counts as outside."""
        found = np.zeros(len(lat), np.uint8)
        if not len(self.key):
            return found
        wanted = _keys(np.floor(lon / _CELL_DEG), np.floor(lat / _CELL_DEG))
        at = np.searchsorted(self.key, wanted)
        todo = np.flatnonzero(at < len(self.key))
        while len(todo := todo[self.key[at[todo]] == wanted[todo]]):
            cell = at[todo]
            inside = self.filled[cell].copy()
            for zone in np.unique(self.zone[cell[~inside]]):
                mine = np.flatnonzero((self.zone[cell] == zone) & ~inside)
                where = todo[mine]
                inside[mine] = shapely.contains_xy(self.polygons[zone], lon[where], lat[where])
            np.bitwise_or.at(found, todo[inside], self.bits[self.zone[cell[inside]]])
            at = at + 1
            todo = todo[at[todo] < len(self.key)]
        return found


def areas(zones: Sequence[Zone]) -> Areas:
    """An index of `zones`. Zones larger than about 100 km across are cut into coarser work, not refused."""
    polygons = np.array([shapely.Polygon(z.rings[0], z.rings[1:]) for z in zones], object)
    shapely.prepare(polygons)
    keys, owners, filled = [], [], []
    for i, polygon in enumerate(polygons):
        left, low, right, high = (int(np.floor(v / _CELL_DEG)) for v in polygon.bounds)
        if (right - left + 1) * (high - low + 1) > _MAX_CELLS:
            raise ValueError(f"zone {zones[i].name!r} is too large to index: {polygon.bounds}")
        cx, cy = (c.ravel() for c in np.meshgrid(np.arange(left, right + 1), np.arange(low, high + 1)))
        x, y = cx * _CELL_DEG, cy * _CELL_DEG
        boxes = shapely.box(x, y, x + _CELL_DEG, y + _CELL_DEG)
        touched = shapely.intersects(polygon, boxes)
        keys.append(_keys(cx[touched].astype(float), cy[touched].astype(float)))
        owners.append(np.full(int(touched.sum()), i))
        filled.append(shapely.contains_properly(polygon, boxes[touched]))
    key = np.concatenate(keys) if keys else np.zeros(0, np.int64)
    order = np.argsort(key, kind="stable")
    bits = np.array([zone_bit(z.kind) for z in zones], np.uint8)
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int64)
    full = np.concatenate(filled) if filled else np.zeros(0, np.bool_)
    kinds = int(np.bitwise_or.reduce(bits)) if len(bits) else 0
    return Areas(bits, polygons, key[order], owner[order], full[order], kinds)


def _keys(cx: Floats, cy: Floats) -> Ints:
    return cx.astype(np.int64) << _SHIFT | (cy.astype(np.int64) & 0xFFFFFFFF)
