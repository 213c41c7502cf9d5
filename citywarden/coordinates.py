"""Where a point is: Chinese datums to WGS-84 and back, and metres on a plane. All functions take and give arrays.

Latitudes and longitudes in degrees. WGS-84 and CGCS2000 agree below our accuracy and are treated as one.
GCJ-02 and BD-09 differ from WGS-84 inside China only.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
LatLon = tuple[Floats, Floats]
Crs = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
CRS: tuple[str, ...] = get_args(Crs)
"""The words a device profile, a plan or a track may use."""

_AXIS_M = 6_378_137.0
_FLATTENING = 1 / 298.257222101
"""CGCS2000 ellipsoid; WGS-84's differs by 0.1 mm."""
_KRASOVSKY_AXIS_M = 6_378_245.0
_KRASOVSKY_E2 = 0.00669342162296594323
_BD_TURN = np.pi * 3000.0 / 180.0
_INVERSE_STEPS = 6
FALSE_EASTING_M = 500_000.0


def to_wgs84(lat: ArrayLike, lon: ArrayLike, crs: str) -> LatLon:
    """Positions of any of `CRS` as WGS-84. Raises ValueError for another word."""
    at = _arrays(lat, lon)
    if crs in ("wgs84", "cgcs2000"):
        return at
    if crs == "gcj02":
        return gcj02_to_wgs84(*at)
    if crs == "bd09":
        return gcj02_to_wgs84(*bd09_to_gcj02(*at))
    raise ValueError(f"unknown crs {crs!r}: expected one of {', '.join(CRS)}")


def from_wgs84(lat: ArrayLike, lon: ArrayLike, crs: str) -> LatLon:
    """WGS-84 positions in any of `CRS`. Raises ValueError for another word."""
    at = _arrays(lat, lon)
    if crs in ("wgs84", "cgcs2000"):
        return at
    if crs == "gcj02":
        return wgs84_to_gcj02(*at)
    if crs == "bd09":
        return gcj02_to_bd09(*wgs84_to_gcj02(*at))
    raise ValueError(f"unknown crs {crs!r}: expected one of {', '.join(CRS)}")


def in_china(lat: Floats, lon: Floats) -> NDArray[np.bool_]:
    """Inside the box in which GCJ-02 differs from WGS-84."""
    inside: NDArray[np.bool_] = (lon >= 72.004) & (lon <= 137.8347) & (lat >= 0.8293) & (lat <= 55.8271)
    return inside


def wgs84_to_gcj02(lat: ArrayLike, lon: ArrayLike) -> LatLon:
    """WGS-84 as GCJ-02; outside China unchanged."""
    lat, lon = _arrays(lat, lon)
    d_lat, d_lon = _gcj_shift(lat, lon)
    return lat + d_lat, lon + d_lon


def gcj02_to_wgs84(lat: ArrayLike, lon: ArrayLike) -> LatLon:
    """GCJ-02 as WGS-84 by fixed-point iteration, to better than a millimetre; outside China unchanged."""
    lat, lon = _arrays(lat, lon)
    true_lat, true_lon = lat, lon
    for _ in range(_INVERSE_STEPS):
        d_lat, d_lon = _gcj_shift(true_lat, true_lon)
        true_lat, true_lon = lat - d_lat, lon - d_lon
    return true_lat, true_lon


def gcj02_to_bd09(lat: ArrayLike, lon: ArrayLike) -> LatLon:
    """GCJ-02 as BD-09; outside China unchanged."""
    lat, lon = _arrays(lat, lon)
    radius = np.hypot(lon, lat) + 2e-5 * np.sin(lat * _BD_TURN)
    angle = np.arctan2(lat, lon) + 3e-6 * np.cos(lon * _BD_TURN)
    inside = in_china(lat, lon)
    return (
        np.where(inside, radius * np.sin(angle) + 0.006, lat),
        np.where(inside, radius * np.cos(angle) + 0.0065, lon),
    )


def bd09_to_gcj02(lat: ArrayLike, lon: ArrayLike) -> LatLon:
    """BD-09 as GCJ-02 by fixed-point iteration; outside China unchanged."""
    lat, lon = _arrays(lat, lon)
    true_lat, true_lon = lat - 0.006, lon - 0.0065
    for _ in range(_INVERSE_STEPS):
        there_lat, there_lon = gcj02_to_bd09(true_lat, true_lon)
        true_lat, true_lon = true_lat + lat - there_lat, true_lon + lon - there_lon
    inside = in_china(true_lat, true_lon)
    return np.where(inside, true_lat, lat), np.where(inside, true_lon, lon)


def meridian(lon: float) -> float:
    """Central meridian (degrees) of the 3-degree Gauss-Krueger zone a longitude lies in: 114.06 -> 114."""
    return float(np.floor((lon + 1.5) / 3.0) * 3.0)


def project(lat: ArrayLike, lon: ArrayLike, central: ArrayLike) -> tuple[Floats, Floats]:
    """Easting and northing in metres, Gauss-Krueger about the `central` meridian (degrees, a number or one a point).

    As EPSG:4547 and its neighbours (x = easting, false easting 500 km); within 1 mm up to 3 degrees off the meridian.
    """
    lat, lon = _arrays(lat, lon)
    e2 = _FLATTENING * (2 - _FLATTENING)
    second = e2 / (1 - e2)
    phi = np.radians(lat)
    sin, cos = np.sin(phi), np.cos(phi)
    t2 = np.square(sin / cos)
    eta2 = second * cos * cos
    normal = _AXIS_M / np.sqrt(1 - e2 * sin * sin)
    a = np.radians(lon - np.asarray(central, np.float64)) * cos
    a2 = a * a
    east = 1 + a2 / 6 * (1 - t2 + eta2 + a2 / 20 * (5 - 18 * t2 + t2 * t2 + 14 * eta2 - 58 * t2 * eta2))
    east += a2 * a2 * a2 / 5040 * (61 - 479 * t2 + 179 * t2 * t2 - t2 * t2 * t2)
    up = 0.5 + a2 / 24 * (5 - t2 + 9 * eta2 + 4 * eta2 * eta2)
    up += a2 * a2 / 720 * (61 - 58 * t2 + t2 * t2 + 270 * eta2 - 330 * t2 * eta2)
    return FALSE_EASTING_M + normal * a * east, _meridian_arc(phi, sin, cos) + normal * (sin / cos) * a2 * up


def distance_m(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """Distance in metres between near points (error < 0.1 % up to 100 km)."""
    lat1, lon1 = _arrays(lat1, lon1)
    lat2, lon2 = _arrays(lat2, lon2)
    e2 = _FLATTENING * (2 - _FLATTENING)
    phi = np.radians((lat1 + lat2) / 2)
    w2 = 1 - e2 * np.square(np.sin(phi))
    turn = (lon2 - lon1 + 180.0) % 360.0 - 180.0
    north = np.radians(lat2 - lat1) * _AXIS_M * (1 - e2) / (w2 * np.sqrt(w2))
    return np.asarray(np.hypot(north, np.radians(turn) * np.cos(phi) * _AXIS_M / np.sqrt(w2)), np.float64)


def _arrays(lat: ArrayLike, lon: ArrayLike) -> LatLon:
    return np.asarray(lat, np.float64), np.asarray(lon, np.float64)


def _meridian_arc(phi: Floats, sin: Floats, cos: Floats) -> Floats:
    n = _FLATTENING / (2 - _FLATTENING)
    radius = _AXIS_M / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    sin2, cos2 = 2 * sin * cos, 1 - 2 * sin * sin
    sin4, cos4 = 2 * sin2 * cos2, 1 - 2 * sin2 * sin2
    sin6 = sin4 * cos2 + cos4 * sin2
    arc = phi + (-1.5 * n + 9 / 16 * n**3) * sin2 + (15 / 16 * n**2 - 15 / 32 * n**4) * sin4 - 35 / 48 * n**3 * sin6
    return np.asarray(radius * (arc + 315 / 512 * n**4 * (2 * sin4 * cos4)), np.float64)


def _gcj_shift(lat: Floats, lon: Floats) -> LatLon:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    common = (20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)) * 2 / 3
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
    d_lat += (20 * np.sin(np.pi * y) + 40 * np.sin(np.pi / 3 * y)) * 2 / 3
    d_lat += (160 * np.sin(np.pi / 12 * y) + 320 * np.sin(np.pi / 30 * y)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
    d_lon += (20 * np.sin(np.pi * x) + 40 * np.sin(np.pi / 3 * x)) * 2 / 3
    d_lon += (150 * np.sin(np.pi / 12 * x) + 300 * np.sin(np.pi / 30 * x)) * 2 / 3
    phi = np.radians(lat)
    magic = 1 - _KRASOVSKY_E2 * np.square(np.sin(phi))
    north = _KRASOVSKY_AXIS_M * (1 - _KRASOVSKY_E2) / (magic * np.sqrt(magic))
    east = _KRASOVSKY_AXIS_M / np.sqrt(magic) * np.cos(phi)
    inside = in_china(lat, lon)
    return np.where(inside, np.degrees(d_lat / north), 0.0), np.where(inside, np.degrees(d_lon / east), 0.0)
