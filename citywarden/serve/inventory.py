"""Registered things as points in the store, so that Grafana's maps know where a thing that never moves is."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from citywarden.model.device import Device
from citywarden.store.contract import Point
from ingest.registry import Registry, Watch

DEVICE = "device"
DAY_MS = 86_400_000
HOUR_MS = 3_600_000

PART = 100
"""Told at a time, one part a second: 100,000 devices take 17 minutes, and some thousandths of a core."""


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


@dataclass(slots=True)
class Inventory:
    """What of the registry is to be told next: what has changed first; all of it from the start on and every hour
    again, because the points are of a day and a store may have been emptied.
    """

    registry: Registry
    _watch: Watch = field(init=False)
    _changed: list[Device] = field(default_factory=list)
    _left: int = 0
    """Of the round under way. It goes from the last device to the first: a device that is removed meanwhile then makes
    none be passed over.
    """
    _begun_ms: int | None = None

    def __post_init__(self) -> None:
        self._watch = self.registry.watch()

    def part(self, now_ms: int) -> list[Point]:
        """At most PART devices as points; empty when there is nothing to tell now."""
        self._changed += self._watch.drain()[0]
        if self._changed:
            told, self._changed = self._changed[:PART], self._changed[PART:]
            return device_points(told, now_ms)
        if not self._left and (self._begun_ms is None or abs(now_ms - self._begun_ms) >= HOUR_MS):
            self._left, self._begun_ms = len(self.registry), now_ms
        end, self._left = self._left, max(0, self._left - PART)
        return device_points(self.registry.placed(self._left, end), now_ms) if end else []
