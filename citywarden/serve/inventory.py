"""Registered things as points in the store, so that Grafana's maps know where a thing that never moves is."""

from collections.abc import Iterable

from citywarden.model.device import Device
from citywarden.store.contract import Point

DEVICE = "device"
DAY_MS = 86_400_000


def device_point(device: Device, now_ms: int) -> Point | None:
    """The device at the start of this UTC day: one row a day, written again when it changes.

    Its position is WGS-84 (as `Registry.placed` gives it). None for a device without one.
    """
    if device.lat is None or device.lon is None:
        return None
    tags = {"tenant": device.tenant, "device": device.id, "kind": device.kind, "district": device.district}
    fields: dict[str, float | int | bool | str] = {
        "name": device.name or device.id,
        "lat": float(device.lat),
        "lon": float(device.lon),
        "owner": device.owner,
        "enabled": device.enabled,
    }
    return Point(DEVICE, tags, now_ms // DAY_MS * DAY_MS, fields)


def device_points(devices: Iterable[Device], now_ms: int) -> list[Point]:
    """The points of all devices that have a position."""
    return [point for device in devices if (point := device_point(device, now_ms)) is not None]
