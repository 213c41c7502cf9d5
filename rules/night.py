"""Night by the position of the sun."""

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from astral import Observer
from astral.sun import elevation

from citywarden.columns import Bools, Floats, Ints
from rules.expression import HORIZON_DEG

CELL_DEG = 0.1
"""Positions are rounded to this: the sun sets at most about 15 s earlier or later within a cell."""
_COLUMNS = 3601
_ROWS = 1801
_MINUTE_MS = 60_000
_MINUTES = 1 << 32


def is_night(lat: float, lon: float, now_ms: int, below_deg: float = HORIZON_DEG) -> bool:
    """Whether the sun stands lower than `below_deg` (degrees, without refraction) at a place, to the minute.

    The default is between sunset and sunrise; -6 is civil, -12 nautical night. Positions in degrees of any datum.
    """
    row, column = round(lat / CELL_DEG), round(lon / CELL_DEG)
    return _dark(row, column, now_ms // _MINUTE_MS, below_deg)


def cell(lat: float, lon: float) -> int:
    """A number for the rounded position of a place, -1 where it is NaN or no position on Earth."""
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        return -1
    return (round(lat / CELL_DEG) + _ROWS // 2) * _COLUMNS + round(lon / CELL_DEG) + _COLUMNS // 2


def cells(lat: Floats, lon: Floats) -> Ints:
    """`cell` of each place."""
    good = (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
    row = np.rint(np.where(good, lat, 0) / CELL_DEG).astype(np.int64) + _ROWS // 2
    column = np.rint(np.where(good, lon, 0) / CELL_DEG).astype(np.int64) + _COLUMNS // 2
    return np.where(good, row * _COLUMNS + column, -1)


def is_night_at(place: Ints, at_ms: Ints, below_deg: float) -> Bools:
    """`is_night` for the places (numbers of `cell`) at the instants `at_ms`; False where the place is -1."""
    pairs = np.where(place < 0, -1, place * _MINUTES + at_ms // _MINUTE_MS)
    if len(pairs) and (pairs == pairs[0]).all():
        return np.full(len(pairs), _of_pair(int(pairs[0]), below_deg))
    distinct, index = np.unique(pairs, return_inverse=True)
    return np.fromiter((_of_pair(pair, below_deg) for pair in distinct.tolist()), np.bool_, len(distinct))[index]


def _of_pair(pair: int, below_deg: float) -> bool:
    if pair < 0:
        return False
    place, minute = divmod(pair, _MINUTES)
    row, column = divmod(place, _COLUMNS)
    return _dark(row - _ROWS // 2, column - _COLUMNS // 2, minute, below_deg)


@lru_cache(maxsize=1 << 16)
def _dark(row: int, column: int, minute: int, below_deg: float) -> bool:
    when = datetime.fromtimestamp(minute * 60, UTC)
    return elevation(Observer(row * CELL_DEG, column * CELL_DEG), when, with_refraction=False) < below_deg
