"""Night by the sun, to the minute."""

from datetime import UTC, datetime, timedelta

import numpy as np
from astral import Observer
from astral.sun import sun

from rules.night import cell, cells, is_night, is_night_at

SHENZHEN = (22.5431, 114.0579)


def ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def test_sunset_and_sunrise_in_shenzhen() -> None:
    times = sun(Observer(*SHENZHEN), datetime(2026, 11, 22, tzinfo=UTC).date())
    for name, before, after in (("sunset", False, True), ("sunrise", True, False)):
        at = times[name]
        assert is_night(*SHENZHEN, ms(at - timedelta(minutes=3))) is before
        assert is_night(*SHENZHEN, ms(at + timedelta(minutes=3))) is after


def test_civil_night_begins_later() -> None:
    at = ms(sun(Observer(*SHENZHEN), datetime(2026, 11, 22, tzinfo=UTC).date())["sunset"] + timedelta(minutes=10))
    assert is_night(*SHENZHEN, at)
    assert not is_night(*SHENZHEN, at, below_deg=-6)


def test_polar_night_and_midnight_sun() -> None:
    assert is_night(78.2, 15.6, ms(datetime(2026, 12, 21, 12, tzinfo=UTC)))
    assert not is_night(78.2, 15.6, ms(datetime(2026, 6, 21, 0, tzinfo=UTC)))


def test_columns_say_the_same_and_no_place_is_no_night() -> None:
    noon = ms(datetime(2026, 11, 22, 4, tzinfo=UTC))
    at = noon + np.arange(0, 86_400_000, 1_800_000)
    lat, lon = np.full(len(at), SHENZHEN[0]), np.full(len(at), SHENZHEN[1])
    lat[::5] = np.nan
    dark = is_night_at(cells(lat, lon), at, -0.833)
    assert dark.tolist() == [not np.isnan(a) and is_night(a, b, int(t)) for a, b, t in zip(lat, lon, at, strict=True)]
    assert cells(lat, lon).tolist() == [cell(a, b) for a, b in zip(lat, lon, strict=True)]
    assert cell(91, 0) == -1
