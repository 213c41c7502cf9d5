"""A store that is slow and obvious: a dictionary. The contract is tried on it too, and others are compared with it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from citywarden.columns import Columns, Reading, from_readings
from citywarden.model.device import DeviceKey
from citywarden.model.kind import Form, Kinds
from citywarden.store.contract import Buckets, Fold, Point, Written
from citywarden.store.schema import kind_of, measured, tag_of


class MemoryStore:
    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.readings: dict[str, dict[tuple[DeviceKey, int], Reading]] = {name: {} for name in kinds}
        self.trimmed: dict[str, list[Reading]] = {name: [] for name in kinds}
        self.rows: dict[tuple[str, frozenset[tuple[str, str]], int], Point] = {}

    async def write(self, batch: Columns) -> Written:
        table = self.readings[kind_of(self.kinds, batch.kind.name).name]
        before = len(table)
        for reading in batch.rows():
            table.setdefault((reading.device.key, reading.ts_ms), reading)
        return Written(len(table) - before, len(batch) - (len(table) - before))

    async def write_points(self, points: Sequence[Point]) -> None:
        for point in points:
            self.rows[point.measurement, frozenset(point.tags.items()), point.ts_ms] = point

    async def points(
        self, measurement: str, start_ms: int, stop_ms: int, tags: Mapping[str, str] | None = None
    ) -> Sequence[Point]:
        wanted = (tags or {}).items()
        found = [p for p in self.rows.values() if p.measurement == measurement and wanted <= p.tags.items()]
        return sorted((p for p in found if start_ms <= p.ts_ms < stop_ms), key=lambda p: p.ts_ms)

    async def series(self, key: DeviceKey, start_ms: int, stop_ms: int, limit: int = 10_000) -> Sequence[Reading]:
        found = [r for (who, _), r in self.readings[key.kind].items() if who == key and start_ms <= r.ts_ms < stop_ms]
        return sorted(found, key=lambda r: r.ts_ms)[:limit]

    async def latest(self, kind: str, tenant: str | None = None) -> Columns:
        table = kind_of(self.kinds, kind)
        newest: dict[DeviceKey, Reading] = {}
        for r in sorted([*self.readings[kind].values(), *self.trimmed[kind]], key=lambda r: r.ts_ms):
            if tenant in (None, r.device.tenant):
                known = newest[r.device.key].values if r.device.key in newest else {}
                newest[r.device.key] = replace(r, values={**known, **r.values})
        return from_readings(table, list(newest.values()))

    async def window(
        self, kind: str, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None = None
    ) -> Columns:
        found = [
            r
            for (who, ts), r in self.readings[kind_of(self.kinds, kind).name].items()
            if start_ms <= ts < stop_ms and (devices is None or who in devices)
        ]
        return from_readings(self.kinds[kind], sorted(found, key=lambda r: r.ts_ms))

    async def aggregate(
        self, kind: str, field: str, start_ms: int, stop_ms: int, every_ms: int, fold: Fold, by: str = ""
    ) -> Sequence[Buckets]:
        quantity, tag = measured(kind_of(self.kinds, kind), field, fold), tag_of(by)
        if every_ms <= 0:
            raise ValueError(every_ms)
        buckets: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for r in sorted(self.readings[kind].values(), key=lambda r: r.ts_ms):
            if start_ms <= r.ts_ms < stop_ms and field in r.values:
                group = {"": "", "tenant": r.device.tenant, "device": r.device.id, "district": r.device.district}[tag]
                value = 0.0 if quantity.form is Form.TEXT else float(r.values[field])
                buckets[group][r.ts_ms // every_ms * every_ms].append(value)
        return [
            Buckets(group, np.array(sorted(times)), np.array([folded(fold, times[t]) for t in sorted(times)]))
            for group, times in sorted(buckets.items())
        ]

    async def count(self, kind: str) -> int:
        if kind in self.kinds:
            return len(self.readings[kind])
        return sum(p.measurement == kind for p in self.rows.values())

    async def trim(self, kind: str, before_ms: int) -> int:
        if kind not in self.kinds:
            old = [k for k, p in self.rows.items() if p.measurement == kind and p.ts_ms < before_ms]
            for row in old:
                del self.rows[row]
            return len(old)
        table = self.readings[kind]
        gone = [k for k in table if k[1] < before_ms]
        self.trimmed[kind] += [table.pop(k) for k in gone]
        return len(gone)

    async def close(self) -> None: ...


def folded(fold: Fold, values: Sequence[float]) -> float:
    if fold is Fold.MEAN:
        return sum(values) / len(values)
    if fold is Fold.COUNT:
        return float(len(values))
    if fold is Fold.LAST:
        return values[-1]
    if fold is Fold.SUM:
        return sum(values)
    return min(values) if fold is Fold.MIN else max(values)
