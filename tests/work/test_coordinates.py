"""Datums and the plane, against published vectors and PROJ."""

import numpy as np
import pyproj
import pytest

from citywarden.coordinates import (
    bd09_to_gcj02,
    distance_m,
    from_wgs84,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    meridian,
    project,
    to_wgs84,
    wgs84_to_gcj02,
)

RNG = np.random.default_rng(1)
LAT, LON = RNG.uniform(18, 50, 500), RNG.uniform(80, 130, 500)
SHENZHEN, GUANGZHOU = (22.5431, 114.0579), (23.1291, 113.2644)


def test_the_vector_of_shenzhen() -> None:
    lat, lon = wgs84_to_gcj02(*SHENZHEN)
    assert float(lon) == pytest.approx(114.063014, abs=1e-6)
    assert float(lat) == pytest.approx(22.540383, abs=1e-6)


@pytest.mark.parametrize(("place", "metres"), [(SHENZHEN, 606), (GUANGZHOU, 621)])
def test_how_far_gcj02_is_off(place: tuple[float, float], metres: float) -> None:
    assert float(distance_m(*place, *wgs84_to_gcj02(*place))) == pytest.approx(metres, abs=5)


@pytest.mark.parametrize("crs", ["wgs84", "cgcs2000", "gcj02", "bd09"])
def test_there_and_back_is_better_than_a_millimetre(crs: str) -> None:
    lat, lon = to_wgs84(*from_wgs84(LAT, LON, crs), crs)
    assert distance_m(lat, lon, LAT, LON).max() < 1e-3


def test_one_step_would_not_do() -> None:
    there = wgs84_to_gcj02(*SHENZHEN)
    shift = wgs84_to_gcj02(*there)
    once = (2 * there[0] - shift[0], 2 * there[1] - shift[1])
    assert 0.3 < float(distance_m(*once, *SHENZHEN)) < 2
    assert float(distance_m(*gcj02_to_wgs84(*there), *SHENZHEN)) < 1e-4


def test_bd09_is_one_more_layer() -> None:
    lat, lon = bd09_to_gcj02(*gcj02_to_bd09(LAT, LON))
    assert distance_m(lat, lon, LAT, LON).max() < 1e-3


@pytest.mark.parametrize("place", [(40.71, -74.0), (53.4, -2.98), (-33.9, 151.2)])
def test_outside_china_nothing_moves(place: tuple[float, float]) -> None:
    for crs in ("gcj02", "bd09"):
        assert tuple(map(float, to_wgs84(*place, crs))) == place


def test_an_unknown_word_is_named() -> None:
    with pytest.raises(ValueError, match=r"'wgs48'.*gcj02"):
        to_wgs84(1.0, 2.0, "wgs48")


@pytest.mark.parametrize(
    ("lon", "central"), [(114.06, 114), (112.4, 111), (112.6, 114), (115.5, 117), (-74.0, -75), (0.0, 0)]
)
def test_the_zone_follows_from_the_longitude(lon: float, central: float) -> None:
    assert meridian(lon) == central


@pytest.mark.parametrize(("epsg", "central"), [(4546, 111.0), (4547, 114.0), (4548, 117.0)])
def test_the_plane_is_that_of_proj(epsg: int, central: float) -> None:
    lat, lon = RNG.uniform(3, 54, 2000), central + RNG.uniform(-1.5, 1.5, 2000)
    east, north = pyproj.Transformer.from_crs(4490, epsg, always_xy=True).transform(lon, lat)
    x, y = project(lat, lon, central)
    assert np.abs(x - east).max() < 1e-3
    assert np.abs(y - north).max() < 1e-3


def test_points_of_several_zones_are_projected_in_one_call() -> None:
    x, y = project([22.5, 22.5], [114.5, 111.5], [114.0, 111.0])
    assert x[0] == pytest.approx(x[1])
    assert y[0] == pytest.approx(y[1])


def test_distances_are_those_of_the_ellipsoid() -> None:
    geod = pyproj.Geod(ellps="GRS80")
    for lat, lon in ((22.5, 114.0), (60.0, 10.0), (-35.0, 179.995)):
        _, _, metres = geod.inv(lon, lat, lon + 0.01, lat + 0.02)
        assert float(distance_m(lat, lon, lat + 0.02, lon + 0.01)) == pytest.approx(metres, rel=1e-5)
