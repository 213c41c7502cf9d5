"""The store contract on one bucket of InfluxDB 2, and the down-sampled buckets beside it.

Where it differs from the contract, because InfluxDB does:

* A reading is identified by tenant, device, district and time. Written again it overwrites itself, so the last one
  stays, and nobody can tell that it was known: `Written.known` counts only doubles within a batch.
* A device that was moved to another district, and sends an old reading again, has two rows for one time. `series` and
  `window` give the one that was received first; `aggregate` and `count` see both.
* A point written again keeps fields that only its older self had.
* Records (`schema.RECORDS`) are in a bucket of their own, which keeps them for years.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

import orjson

from citywarden.columns import Columns, Reading
from citywarden.model.device import DeviceKey
from citywarden.model.errors import Unavailable
from citywarden.model.kind import Form, Kind, Kinds, Quantity
from citywarden.store.contract import Buckets, Fold, Point, Refused, Written
from citywarden.store.influx import answers, queries
from citywarden.store.influx.downsampling import DISTRICT, HOUR, KEPT, MINUTE, NEWEST, newest
from citywarden.store.influx.lines import RECEIVED, distinct, point_lines, reading_lines
from citywarden.store.influx.names import source, stored_measurement
from citywarden.store.influx.server import ANSWER_S, Server, parse_place, words
from citywarden.store.influx.write import Writer
from citywarden.store.schema import MEASUREMENTS, RECORDS, kind_of, measured, tag_of

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
HOURS_FROM_MS, HOURS_SETTLED_MS = 48 * HOUR_MS, 2 * HOUR_MS
"""Longer windows in whole hours are aggregated from hourly folds, which are made after so long."""

MINUTES_FROM_MS, MINUTES_SETTLED_MS = 2 * HOUR_MS, 15 * MINUTE_MS
"""The same for whole minutes, where devices are not told apart."""

RECENTLY_MS = HOUR_MS
"""Whose newest reading is no older gives its values in one pass; for others each field is looked for on its own."""

NAMED_DEVICES = 200
"""Up to so many devices a window names them in its query; for more it is quicker to read all and choose here."""


class InfluxStore:
    """A `Store` in InfluxDB 2. Get one with `open`."""

    def __init__(self, server: Server, kinds: Kinds, compress: bool, clock_ms: Callable[[], int]) -> None:
        self._server = server
        self._kinds = kinds
        self._bucket = server.place.bucket
        self._writer = Writer(server, self._bucket, compress)
        self._recorder = Writer(server, self._bucket + KEPT, compress)
        self._clock_ms = clock_ms

    @classmethod
    async def open(
        cls,
        url: str,
        token: str,
        kinds: Kinds,
        *,
        compress: bool = False,
        answer_s: float = ANSWER_S,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> "InfluxStore":
        """A store on `influxdb://host:8086/org/bucket`. Asks nothing of the server yet. Raises ConfigurationError."""
        return cls(Server(parse_place(url), token, answer_s), kinds, compress, clock_ms)

    async def write(self, batch: Columns) -> Written:
        """`known`: doubles within the batch. `refused`: what InfluxDB will never take; all others are written."""
        return await self.write_all([batch])

    async def write_all(self, batches: Sequence[Columns]) -> Written:
        """As `write`, in as few requests as there can be."""
        lines: list[bytes] = []
        ends: list[int] = []
        singles = [_without_doubles(batch) for batch in batches]
        for batch in singles:
            kind_of(self._kinds, batch.kind.name)
            lines += reading_lines(batch)
            ends.append(len(lines))
        refused = []
        for i, said in await self._writer.write(lines):
            which = bisect_right(ends, i)
            refused.append(Refused(singles[which].row(i - ends[which] + len(singles[which])), said))
        known = sum(map(len, batches)) - len(lines)
        return Written(len(lines) - len(refused), known, tuple(refused))

    async def write_points(self, points: Sequence[Point]) -> None:
        """Raises ValueError for points that InfluxDB will never take; the others are written."""
        refused: list[str] = []
        kept = [point for point in points if point.measurement in RECORDS]
        others = [point for point in points if point.measurement not in RECORDS]
        for writer, chosen in ((self._recorder, kept), (self._writer, others)):
            lines = point_lines(chosen)
            refused += [f"{lines[i].decode().strip()[:200]}: {said}" for i, said in await writer.write(lines)]
        if refused:
            raise ValueError(f"InfluxDB refused {len(refused)} of {len(points)} points: {'; '.join(refused[:3])}")

    async def points(
        self, measurement: str, start_ms: int, stop_ms: int, tags: Mapping[str, str] | None = None
    ) -> Sequence[Point]:
        bucket = self._home(measurement)
        asked, typed = queries.points(bucket, measurement, start_ms, stop_ms, tags or {})
        (rows,) = await self._ask(asked)
        (types,) = await self._ask(typed) if rows else ([],)
        return answers.points(measurement, rows, types)

    async def series(self, key: DeviceKey, start_ms: int, stop_ms: int, limit: int = 10_000) -> Sequence[Reading]:
        kind = kind_of(self._kinds, key.kind)
        if limit <= 0:
            return []
        (found,) = await self._ask(queries.series(self._bucket, kind, key, start_ms, stop_ms, limit))
        return answers.readings(kind, found, limit)

    async def latest(self, kind: str, tenant: str | None = None) -> Columns:
        found = kind_of(self._kinds, kind)
        buckets, known = [self._bucket, self._bucket + NEWEST], answers.Newest(found)
        try:
            heard = await self._ask(*queries.latest(buckets, found, RECEIVED, tenant))
        except answers.QueryRefused:
            buckets.pop()
            heard = await self._ask(*queries.latest(buckets, found, RECEIVED, tenant))
        known.hear(chain.from_iterable(heard))
        since_ms = self._clock_ms() - RECENTLY_MS
        (whole,) = await self._ask(queries.last_readings(self._bucket, found, since_ms, tenant))
        known.take(whole, found.quantities, skip=1)
        lacking = known.lacking(whole)
        for quantity in found.quantities:
            if devices := lacking.get(quantity.field):
                few = len(devices) <= min(NAMED_DEVICES, len(known.heard) // 4)
                named = sorted(devices) if few else None
                older = await self._ask(*queries.latest(buckets, found, quantity.field, tenant, named))
                known.take(chain.from_iterable(older), [quantity])
        return answers.newest(known)

    async def window(
        self, kind: str, start_ms: int, stop_ms: int, devices: Sequence[DeviceKey] | None = None
    ) -> Columns:
        found = kind_of(self._kinds, kind)
        wanted = None if devices is None else {key for key in devices if key.kind == kind}
        if wanted is not None and not wanted:
            return answers.columns(found, [])
        named = sorted(wanted) if wanted is not None and len(wanted) <= NAMED_DEVICES else None
        (rows,) = await self._ask(queries.window(self._bucket, found, start_ms, stop_ms, named))
        if wanted is not None and named is None:
            rows = [s for s in rows if DeviceKey(s.home[0], kind, s.home[1]) in wanted]
        return answers.columns(found, rows)

    async def aggregate(
        self, kind: str, field: str, start_ms: int, stop_ms: int, every_ms: int, fold: Fold, by: str = ""
    ) -> Sequence[Buckets]:
        """Long windows come from the folds that InfluxDB keeps, but for their first and newest buckets."""
        found = kind_of(self._kinds, kind)
        quantity, tag = measured(found, field, fold), tag_of(by)
        if every_ms <= 0:
            raise ValueError(f"every_ms must be positive, got {every_ms}")

        async def raw(start: int, stop: int) -> list[Buckets]:
            if start >= stop:
                return []
            window = (start, stop)
            asked = queries.aggregate(self._bucket, kind, quantity, window, every_ms, fold, tag)
            return answers.buckets(await self._ask(*asked), fold, tag)

        table, settled_ms = self._folds(quantity, kind, stop_ms - start_ms, every_ms, fold, tag)
        first = -(-start_ms // every_ms) * every_ms
        last = min(stop_ms, self._clock_ms() - settled_ms) // every_ms * every_ms
        if not table or last <= first:
            return await raw(start_ms, stop_ms)
        try:
            asked = queries.folded(table, field, (first, last), every_ms, fold, tag)
            folds = answers.buckets(await self._ask(asked), fold, tag)
        except answers.QueryRefused:
            return await raw(start_ms, stop_ms)
        return answers.joined([await raw(start_ms, first), folds, await raw(last, stop_ms)])

    def _folds(
        self, quantity: Quantity, kind: str, span_ms: int, every_ms: int, fold: Fold, by: str
    ) -> tuple[str, int]:
        """The table of folds to read for such a window, and how old its rows have to be; "" for none."""
        whole = by != "device" and fold is not Fold.LAST
        measurement = kind + DISTRICT if whole else kind
        if quantity.form is Form.TEXT:
            return "", 0
        if every_ms % HOUR_MS == 0 and span_ms >= HOURS_FROM_MS:
            return source(self._bucket + HOUR, measurement), HOURS_SETTLED_MS
        if every_ms % MINUTE_MS == 0 and span_ms >= MINUTES_FROM_MS and whole:
            return source(self._bucket + MINUTE, measurement), MINUTES_SETTLED_MS
        return "", 0

    async def count(self, kind: str) -> int:
        """Readings stored of a kind, or points of another measurement."""
        if kind in MEASUREMENTS:
            return len(await self.points(kind, 0, queries.END_MS))
        return answers.total(await self._ask(queries.count(self._bucket, kind_of(self._kinds, kind).name)))

    async def trim(self, kind: str, before_ms: int) -> int:
        """Drop readings (or points of another measurement) older than `before_ms`; `latest` still knows the devices.

        The down-sampled buckets keep theirs. InfluxDB does the same by itself to what is older than its retention.
        """
        if kind in MEASUREMENTS:
            gone = len(await self.points(kind, 0, before_ms))
        else:
            found = kind_of(self._kinds, kind)
            gone = answers.total(await self._ask(queries.count(self._bucket, found.name, before_ms)))
            await self._keep_newest(found, before_ms)
        body = {"start": _rfc3339(0), "stop": _rfc3339(before_ms - 1), "predicate": f"_measurement={_predicate(kind)}"}
        query = {"org": self._server.place.org, "bucket": self._home(kind)}
        await self._call("/api/v2/delete", query, orjson.dumps(body), "application/json")
        return gone

    def _home(self, measurement: str) -> str:
        """The bucket of a measurement."""
        return self._bucket + KEPT if measurement in RECORDS else self._bucket

    async def _keep_newest(self, kind: Kind, before_ms: int) -> None:
        flux = newest(self._bucket, {kind.name: kind}, _rfc3339(0), _rfc3339(before_ms))
        query = {"org": self._server.place.org}
        await self._call("/api/v2/query", query, flux.encode(), "application/vnd.flux")

    async def _ask(self, *statements: str) -> list[list[answers.Series]]:
        database, org = self._bucket.partition("/")[0], self._server.place.org
        query, body = {"db": database, "epoch": "ms", "org": org}, ";".join(statements).encode()
        try:
            return answers.parse(await self._call("/query", query, body, "application/vnd.influxql"))
        except answers.QueryRefused as error:
            if str(error) in {f"database not found: {name}" for name in (database, database + KEPT)}:
                raise Unavailable(self._server.missing(str(error))) from error
            raise

    async def _call(self, path: str, query: Mapping[str, str], body: bytes, form: str) -> bytes:
        answer = await self._server.post(path, query, body, {"Content-Type": form, "Accept": "application/json"})
        if not answer.is_success:
            raise answers.QueryRefused(f"{self._server.place}: {words(answer)}")
        return answer.content

    async def close(self) -> None:
        """May be called twice."""
        await self._server.close()


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _predicate(name: str) -> str:
    return orjson.dumps(stored_measurement(name)).decode()


def _without_doubles(batch: Columns) -> Columns:
    chosen = distinct(batch)
    return batch if chosen.all() else batch.take(chosen)
