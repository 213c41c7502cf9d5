"""Readings into the file, each once, and out of it again when they are old."""
# ruff: noqa: S608 (names in the SQL are quoted and come from the kinds, values are parameters)

from collections.abc import Iterator

import numpy as np

from citywarden.columns import Bools, Columns, Ints
from citywarden.model.kind import Form, Kind
from citywarden.store.contract import Written
from citywarden.store.embedded.book import Book
from citywarden.store.embedded.file import Connection
from citywarden.store.embedded.tables import TYPES, folded, marked, newest, quote, readings

GAP_MS = 10 * 60 * 1000
"""Late readings further apart than this are looked up apart: a straggler of last week does not scan the week."""

TRIM_ROWS = 1_000_000
"""About as many readings go in one step, so that writes get in between."""


def write(connection: Connection, book: Book, batch: Columns) -> Written:
    """Write what is new of a batch; of two readings with one device and time the first stays."""
    if not len(batch):
        return Written(0, 0)
    numbers, districts = book.enter(connection, batch.devices)
    device, ts = numbers[batch.device], batch.ts_ms
    first = np.append(True, (device[1:] != device[:-1]) | (ts[1:] != ts[:-1]))
    ahead = ts > book.newest[device]
    columns = _columns(batch, device, districts[batch.device], book.next_batch(batch.kind.name))
    new = _insert(connection, batch.kind, columns, first & ahead)
    for late in _clusters(ts, first & ~ahead):
        new += _insert(connection, batch.kind, columns, late, (int(ts[late].min()), int(ts[late].max())))
    last = np.append(device[1:] != device[:-1], True)
    book.newest[device[last]] = np.maximum(book.newest[device[last]], ts[last])
    book.unfolded[batch.kind.name] += new
    return Written(new, len(batch) - new)


def trim_steps(connection: Connection, kind: Kind, before_ms: int) -> list[int]:
    """Times to trim up to, one after the other, so that each step drops about `TRIM_ROWS`; the last is `before_ms`."""
    row = connection.execute(
        f"SELECT count(*), min(ts) FROM {readings(kind.name)} WHERE ts < ?", [before_ms]
    ).fetchone()
    if row is None or not row[0]:
        return []
    steps = 1 + int(row[0]) // TRIM_ROWS
    return [int(t) for t in np.linspace(int(row[1]), before_ms, steps + 1)[1:]]


def trim(connection: Connection, kind: Kind, before_ms: int) -> int:
    """Drop readings older than `before_ms` whose part in the newest values is folded already; returns how many."""
    row = connection.execute(
        f"DELETE FROM {readings(kind.name)} WHERE ts < ? AND batch <= {marked(kind)}", [before_ms]
    ).fetchone()
    return int(row[0]) if row else 0


def fold(connection: Connection, kind: Kind) -> None:
    """Bring the table of newest values up to the last write that is committed. Touches no table of `write`."""
    connection.execute(f"CREATE TEMP TABLE folded AS {folded(kind)}")
    connection.execute(
        f"CREATE TEMP TABLE seen AS SELECT greatest(max(batch), {marked(kind)}) AS batch FROM {readings(kind.name)}"
    )
    connection.execute(f"DELETE FROM {newest(kind.name)}")
    connection.execute(f"INSERT INTO {newest(kind.name)} BY NAME SELECT * FROM folded")
    connection.execute("DELETE FROM _store.mark WHERE kind = ?", [kind.name])
    connection.execute("INSERT INTO _store.mark SELECT ?, batch FROM seen", [kind.name])


def _columns(batch: Columns, device: Ints, district: Ints, number: int) -> dict[str, np.ndarray]:
    return {
        "batch": np.full(len(batch), number, np.int64),
        "device": device,
        "district": district,
        "ts": batch.ts_ms,
        "received": batch.received_ms,
        **batch.fields,
        **batch.texts,
    }


def _clusters(ts: Ints, chosen: Bools) -> Iterator[Bools]:
    """The chosen readings parted wherever no one was measured for `GAP_MS`."""
    if not chosen.any():
        return
    times = np.unique(ts[chosen])
    starts = times[np.append(True, np.diff(times) > GAP_MS)]
    part = np.searchsorted(starts, ts, side="right") - 1
    for i in range(len(starts)):
        yield chosen & (part == i)


def _insert(
    connection: Connection,
    kind: Kind,
    columns: dict[str, np.ndarray],
    chosen: Bools,
    known_between: tuple[int, int] | None = None,
) -> int:
    """Insert the chosen rows, those known between two times left out; NaN becomes NULL. Returns how many are new."""
    if not chosen.any():
        return 0
    if not chosen.all():
        columns = {name: column[chosen] for name, column in columns.items()}
    names = ("batch", "device", "district", "ts", "received")
    fields = "".join(
        f", CAST({quote(q.field)} AS {TYPES[q.form]}) AS {quote(q.field)}"
        if q.form is not Form.NUMBER
        else f", {quote(q.field)}"
        for q in kind.quantities
    )
    anew = ""
    if known_between is not None:
        low, high = known_between
        anew = (
            f" WHERE NOT EXISTS (SELECT 1 FROM {readings(kind.name)} r"
            f" WHERE r.ts BETWEEN {low} AND {high} AND r.device = b.device AND r.ts = b.ts)"
        )
    connection.register("arrived", columns)
    try:
        row = connection.execute(
            f"INSERT INTO {readings(kind.name)} BY NAME SELECT {', '.join(names)}{fields} FROM arrived b{anew}"
        ).fetchone()
    finally:
        connection.unregister("arrived")
    return int(row[0]) if row else 0
