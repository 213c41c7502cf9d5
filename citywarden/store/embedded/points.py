"""Rows of the measurements that are no device kind, tags and fields as JSON."""
# ruff: noqa: S608 (names in the SQL are quoted and come from the kinds, values are parameters)

import math
from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from citywarden.store.contract import Point
from citywarden.store.embedded.file import Connection


def write(connection: Connection, points: Sequence[Point]) -> None:
    """Write points, each in place of one with the same measurement, tags and time. NaN and infinity are left out."""
    rows = {(p.measurement, p.ts_ms, _packed(p.tags)): _packed(_finite(p.fields)) for p in points}
    if not rows:
        return
    measurement, ts, tags = zip(*rows, strict=True)
    columns = {
        "measurement": np.array(measurement, object),
        "ts": np.array(ts, np.int64),
        "tags": np.array(tags, object),
        "fields": np.array(list(rows.values()), object),
    }
    connection.register("arrived", columns)
    try:
        connection.execute(
            f"DELETE FROM _store.point p USING arrived b WHERE p.ts BETWEEN {min(ts)} AND {max(ts)}"
            " AND p.measurement = b.measurement AND p.ts = b.ts AND p.tags = b.tags"
        )
        connection.execute("INSERT INTO _store.point BY NAME SELECT * FROM arrived")
    finally:
        connection.unregister("arrived")


def find(
    connection: Connection, measurement: str, start_ms: int, stop_ms: int, tags: Mapping[str, str] | None
) -> list[Point]:
    """Points of a window, oldest first, that carry all of `tags`."""
    rows = connection.execute(
        "SELECT ts, tags, fields FROM _store.point WHERE measurement = ? AND ts >= ? AND ts < ?"
        + " AND json_extract_string(tags, ?) = ?" * len(tags or {})
        + " ORDER BY ts, tags",
        [
            measurement,
            start_ms,
            stop_ms,
            *(part for tag, value in (tags or {}).items() for part in (_path(tag), value)),
        ],
    ).fetchall()
    return [Point(measurement, orjson.loads(own), ts, orjson.loads(fields)) for ts, own, fields in rows]


def count(connection: Connection, measurement: str) -> int:
    """Points of a measurement."""
    row = connection.execute("SELECT count(*) FROM _store.point WHERE measurement = ?", [measurement]).fetchone()
    return int(row[0]) if row else 0


def trim(connection: Connection, measurement: str, before_ms: int) -> int:
    """Drop points older than `before_ms`; returns how many."""
    row = connection.execute(
        "DELETE FROM _store.point WHERE measurement = ? AND ts < ?", [measurement, before_ms]
    ).fetchone()
    return int(row[0]) if row else 0


def _packed(values: Mapping[str, object]) -> str:
    return orjson.dumps(dict(values), option=orjson.OPT_SORT_KEYS).decode()


def _finite(fields: Mapping[str, float | int | bool | str]) -> dict[str, float | int | bool | str]:
    return {name: v for name, v in fields.items() if not isinstance(v, float) or math.isfinite(v)}


def _path(tag: str) -> str:
    """JSON pointer of a tag."""
    return "/" + tag.replace("~", "~0").replace("/", "~1")
