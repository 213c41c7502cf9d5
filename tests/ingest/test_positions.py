"""Positions in Chinese datums become WGS-84; what was sent is kept."""

import json

import numpy as np
import pytest

from citywarden.log.contract import Slice
from citywarden.model.device import Device
from citywarden.model.message import RawMessage
from ingest.decode import Decoded, Decoder
from tests.builders import KINDS, NOON_MS, device

TRUCKS = {
    d.id: d
    for d in (device("vehicle", "W"), device("vehicle", "G", crs="gcj02"), device("vehicle", "C", crs="cgcs2000"))
}
GCJ = {"lat": 22.540383, "lon": 114.063014}


def decode(who: Device, **extra: float) -> Decoded:
    topic = f"city/t/vehicle/{who.id}/telemetry"
    message = RawMessage(topic, json.dumps({"ts": NOON_MS, **GCJ, **extra}).encode(), NOON_MS)
    return Decoder(KINDS, lambda key: TRUCKS.get(key.id)).decode(Slice(0, 0, (message,)))


def test_gcj02_is_converted_and_kept() -> None:
    fields = decode(TRUCKS["G"]).columns[0].fields
    assert (fields["lat"][0], fields["lon"][0]) == pytest.approx((22.5431, 114.0579), abs=2e-6)
    assert (fields["raw_lat"][0], fields["raw_lon"][0]) == (GCJ["lat"], GCJ["lon"])


@pytest.mark.parametrize("name", ["W", "C"])
def test_what_needs_no_conversion_has_no_raw_position(name: str) -> None:
    fields = decode(TRUCKS[name]).columns[0].fields
    assert (fields["lat"][0], fields["lon"][0]) == (GCJ["lat"], GCJ["lon"])
    assert np.isnan(fields["raw_lat"][0])


def test_derived_fields_are_not_taken_from_messages() -> None:
    decoded = decode(TRUCKS["W"], raw_lat=1.0)
    assert decoded.unknown_fields == {("vehicle", "raw_lat"): 1}
    assert np.isnan(decoded.columns[0].fields["raw_lat"][0])
