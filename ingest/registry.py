"""The registry: which devices exist. A table in the SQL database, and a picture of it in memory for the hot path."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from sys import intern
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from citywarden.coordinates import to_wgs84
from citywarden.database import metadata
from citywarden.model.device import Device, DeviceKey, Profile
from citywarden.model.errors import CitywardenError, NotFound

devices = Table(
    "device",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("device", String(128), nullable=False),
    Column("name", String(256), nullable=False),
    Column("district", String(128), nullable=False),
    Column("lat", Float),
    Column("lon", Float),
    Column("crs", String(16), nullable=False),
    Column("profile", Text, nullable=False),
    Column("owner", String(128), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("removed", Boolean, nullable=False, default=False),
    Column("revision", BigInteger, nullable=False, index=True),
    UniqueConstraint("tenant", "kind", "device"),
)
revisions = Table(
    "device_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
READ_ROWS = 5000
NO_PROFILE: Profile = MappingProxyType({})
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Watch:
    """What has changed in a registry since the last `drain`, whoever noticed it."""

    def __init__(self) -> None:
        self._changed: dict[DeviceKey, Device] = {}
        self._gone: set[DeviceKey] = set()

    def note(self, changed: Iterable[Device], gone: Iterable[DeviceKey]) -> None:
        for device in changed:
            self._changed[device.key] = device
            self._gone.discard(device.key)
        for key in gone:
            self._changed.pop(key, None)
            self._gone.add(key)

    def drain(self) -> tuple[list[Device], list[DeviceKey]]:
        """(devices now different, keys gone)."""
        drained = list(self._changed.values()), list(self._gone)
        self._changed, self._gone = {}, set()
        return drained


class Registry:
    """Registered devices. Every change is written through; `refresh` takes in what other processes changed.

    Positions are kept as they were given, in the device's `crs`; `lookup` and watches give them as WGS-84.
    With `register_unknown` a device that is not known is registered when it first speaks, unless there are `most`
    already or its name is odd; otherwise it is unknown.
    Not thread-safe: one event loop, or one command, owns it.
    """

    def __init__(self, engine: Engine, register_unknown: bool = False, most: int = 200_000) -> None:
        self._engine = engine
        self._most = most
        self._register_unknown = register_unknown
        self._known: dict[DeviceKey, Device] = {}
        self._moved: dict[DeviceKey, Device] = {}
        """Those whose position as WGS-84 is another than the one that was given."""
        self._fresh: dict[DeviceKey, Device] = {}
        self._revision = 0
        self._watches: list[Watch] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self._known)

    def watch(self) -> Watch:
        """A view of every change from now on, for one reader."""
        watch = Watch()
        self._watches.append(watch)
        return watch

    def all(self) -> Sequence[Device]:
        """Every registered device, disabled ones too."""
        return list(self._known.values())

    def lookup(self, key: DeviceKey) -> Device | None:
        """The device, or None when nobody knows it; never touches the database."""
        device = self._moved.get(key) or self._known.get(key)
        if device is None and self._register_unknown and len(self._known) < self._most and _usable(key):
            device = self._known[key] = self._fresh[key] = Device(*key)
        return device

    def placed(self, first: int = 0, end: int | None = None) -> Sequence[Device]:
        """Every registered device, positions as WGS-84; or those from the `first` to before the `end` of them."""
        moved = self._moved.get
        return [moved(key, device) for key, device in islice(self._known.items(), first, end)]

    def find(self, key: DeviceKey) -> Device | None:
        """The device as it was registered, or None; never registers it."""
        return self._known.get(key)

    def get(self, key: DeviceKey) -> Device:
        """The device; raises NotFound."""
        device = self._known.get(key)
        if device is None:
            raise NotFound(f"no device {key.tenant}/{key.kind}/{key.id}")
        return device

    def flush(self) -> int:
        """Write the devices that `lookup` registered; returns how many."""
        fresh = list(self._fresh.values())
        if fresh:
            self.put(fresh)
            for device in fresh:
                self._fresh.pop(device.key, None)
        return len(fresh)

    def add(self, fresh: Iterable[Device]) -> None:
        """Register devices, all or none. Raises CitywardenError naming those that exist already."""
        fresh = list(fresh)
        taken = [d.id for d in fresh if d.key in self._known]
        if taken:
            raise CitywardenError(f"already registered: {', '.join(taken[:10])}{' ...' if len(taken) > 10 else ''}")
        try:
            self.put(fresh)
        except IntegrityError as error:
            raise CitywardenError("a device was registered by another command at the same moment; try again") from error

    def put(self, changed: Iterable[Device]) -> None:
        """Write devices as they are now, new or not, in one transaction."""
        changed = list(changed)
        if not changed:
            return
        with self._engine.begin() as connection:
            revision = _next_revision(connection)
            present = set(_present(connection, {d.key for d in changed}))
            new = [_row(d, revision) for d in changed if d.key not in present]
            if new:
                connection.execute(insert(devices), new)
            for device in changed:
                if device.key in present:
                    connection.execute(update(devices).where(_is(device.key)).values(_row(device, revision)))
        self._note(changed, ())

    def enable(self, key: DeviceKey, enabled: bool) -> Device:
        """Switch a device on or off; raises NotFound."""
        device = replace(self.get(key), enabled=enabled)
        self.put([device])
        return device

    def remove(self, key: DeviceKey) -> None:
        """Take a device out of the registry; its readings stay. Raises NotFound."""
        self.get(key)
        self.discard([key])

    def discard(self, keys: Iterable[DeviceKey]) -> None:
        """Take devices out, all or none; those that are not in it are fine."""
        keys = list(keys)
        with self._engine.begin() as connection:
            revision = _next_revision(connection)
            for key in keys:
                connection.execute(update(devices).where(_is(key)).values(removed=True, revision=revision))
        self._note((), keys)

    def refresh(self) -> tuple[list[Device], list[DeviceKey]]:
        """Take in what changed in the database since the last call; returns (devices now different, keys gone)."""
        changed, gone = [], []
        newest, wanted = self._revision, select(devices).where(devices.c.revision > self._revision)
        with self._engine.connect().execution_options(yield_per=READ_ROWS) as connection:
            for row in connection.execute(wanted):
                device = _device(row)
                newest = max(newest, row.revision)
                if not row.removed and self._known.get(device.key) != device:
                    changed.append(device)
                elif row.removed and device.key in self._known:
                    gone.append(device.key)
        self._revision = newest
        self._note(changed, gone)
        return changed, gone

    def _note(self, changed: Sequence[Device], gone: Sequence[DeviceKey]) -> None:
        placed = [_place(device) for device in changed]
        self._known.update((device.key, device) for device in changed)
        for given, device in zip(changed, placed, strict=True):
            if device is given:
                self._moved.pop(device.key, None)
            else:
                self._moved[device.key] = device
        for key in gone:
            self._known.pop(key, None)
            self._moved.pop(key, None)
        for watch in self._watches:
            watch.note(placed, gone)


def _device(row: Row[Any]) -> Device:
    """What a row says. Words and profiles that thousands of devices share are one object in memory."""
    profile = _profile(row.profile) if row.profile != "{}" else NO_PROFILE
    tenant, kind, district, crs, owner = map(intern, (row.tenant, row.kind, row.district, row.crs, row.owner))
    return Device(
        tenant, kind, row.device, row.name, district, row.lat, row.lon, crs, profile, owner, row.enabled
    )  # fmt: skip


@lru_cache(maxsize=10_000)
def _profile(text: str) -> Profile:
    """One object for all devices that have the same profile; nobody changes it."""
    return MappingProxyType(json.loads(text))


def _usable(key: DeviceKey) -> bool:
    """Whether a name off the wire may become one of ours: the letters that commands and CSV files take too."""
    return _NAME.fullmatch(key.id) is not None and _NAME.fullmatch(key.tenant) is not None


def _place(device: Device) -> Device:
    """The device with its position as WGS-84; `crs` goes on naming what it reports in itself."""
    if device.lat is None or device.lon is None or device.crs in ("wgs84", "cgcs2000"):
        return device
    lat, lon = to_wgs84(device.lat, device.lon, device.crs)
    return replace(device, lat=float(lat), lon=float(lon))


def _is(key: DeviceKey) -> ColumnElement[bool]:
    return (devices.c.tenant == key.tenant) & (devices.c.kind == key.kind) & (devices.c.device == key.id)


def _row(device: Device, revision: int) -> dict[str, object]:
    return {
        "tenant": device.tenant,
        "kind": device.kind,
        "device": device.id,
        "name": device.name,
        "district": device.district,
        "lat": device.lat,
        "lon": device.lon,
        "crs": device.crs,
        "profile": json.dumps(dict(device.profile), ensure_ascii=False, sort_keys=True),
        "owner": device.owner,
        "enabled": device.enabled,
        "removed": False,
        "revision": revision,
    }


def _next_revision(connection: Connection) -> int:
    """Counts up first of all, which takes the write lock: revisions become visible in their order."""
    if connection.execute(update(revisions).values(revision=revisions.c.revision + 1)).rowcount == 0:
        connection.execute(insert(revisions).values(id=1, revision=1))
    return int(connection.execute(select(revisions.c.revision)).scalar_one())


def _present(connection: Connection, keys: set[DeviceKey]) -> Iterable[DeviceKey]:
    """Which of the keys have a row, removed ones too."""
    scopes = {(key.tenant, key.kind) for key in keys}
    for tenant, kind in scopes:
        query = select(devices.c.device).where(devices.c.tenant == tenant, devices.c.kind == kind)
        for (name,) in connection.execute(query):
            key = DeviceKey(tenant, kind, name)
            if key in keys:
                yield key
