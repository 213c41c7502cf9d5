"""The registry: which devices exist. A table in the SQL database, and a picture of it in memory for the hot path."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from citywarden.database import metadata
from citywarden.model.device import Device, DeviceKey
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


class Registry:
    """Registered devices. Every change is written through; `refresh` takes in what other processes changed.

    With `register_unknown` a device that is not known is registered when it first speaks; otherwise it is unknown.
    Not thread-safe: one event loop, or one command, owns it.
    """

    def __init__(self, engine: Engine, register_unknown: bool = False) -> None:
        self._engine = engine
        self._register_unknown = register_unknown
        self._known: dict[DeviceKey, Device] = {}
        self._fresh: dict[DeviceKey, Device] = {}
        self._revision = 0
        self.refresh()

    def __len__(self) -> int:
        return len(self._known)

    def all(self) -> Sequence[Device]:
        """Every registered device, disabled ones too."""
        return list(self._known.values())

    def lookup(self, key: DeviceKey) -> Device | None:
        """The device, or None when nobody knows it; never touches the database."""
        device = self._known.get(key)
        if device is None and self._register_unknown:
            device = self._known[key] = self._fresh[key] = Device(*key)
        return device

    def get(self, key: DeviceKey) -> Device:
        """The device; raises NotFound."""
        device = self._known.get(key)
        if device is None:
            raise NotFound(f"no device {key.tenant}/{key.kind}/{key.id}")
        return device

    def flush(self) -> int:
        """Write the devices that `lookup` registered; returns how many."""
        fresh, self._fresh = self._fresh, {}
        if fresh:
            self.put(fresh.values())
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
        self._known.update((device.key, device) for device in changed)

    def enable(self, key: DeviceKey, enabled: bool) -> Device:
        """Switch a device on or off; raises NotFound."""
        device = replace(self.get(key), enabled=enabled)
        self.put([device])
        return device

    def remove(self, key: DeviceKey) -> None:
        """Take a device out of the registry; its readings stay. Raises NotFound."""
        self.get(key)
        with self._engine.begin() as connection:
            revision = _next_revision(connection)
            connection.execute(update(devices).where(_is(key)).values(removed=True, revision=revision))
        del self._known[key]

    def refresh(self) -> tuple[list[Device], list[DeviceKey]]:
        """Take in what changed in the database since the last call; returns (devices now different, keys gone)."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(devices).where(devices.c.revision > self._revision)).all()
        changed, gone = [], []
        for row in rows:
            key = DeviceKey(row.tenant, row.kind, row.device)
            self._revision = max(self._revision, row.revision)
            if row.removed:
                if self._known.pop(key, None):
                    gone.append(key)
                continue
            device = Device(
                *key, row.name, row.district, row.lat, row.lon, row.crs, json.loads(row.profile), row.owner, row.enabled
            )
            if self._known.get(key) != device:
                self._known[key] = device
                changed.append(device)
        return changed, gone


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
    return int(connection.execute(select(func.coalesce(func.max(devices.c.revision), 0))).scalar_one()) + 1


def _present(connection: Connection, keys: set[DeviceKey]) -> Iterable[DeviceKey]:
    """Which of the keys have a row, removed ones too."""
    scopes = {(key.tenant, key.kind) for key in keys}
    for tenant, kind in scopes:
        query = select(devices.c.device).where(devices.c.tenant == tenant, devices.c.kind == kind)
        for (name,) in connection.execute(query):
            key = DeviceKey(tenant, kind, name)
            if key in keys:
                yield key
