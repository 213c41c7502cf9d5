"""The tables of the DuckDB file, derived from the kinds.

`_store.device`, `_store.district`: numbers for tags, so that a reading is narrow. `_store."reading gas"`: the
readings; `batch` counts the writes. `_store."latest gas"`: per device and field the newest value, up to the write
noted in `_store.mark`. `_store.point`: the other measurements. A view `gas` shows the readings under the names of the
contract. No table has a key and all are made at opening, so that the WAL holds plain rows only.
"""
# ruff: noqa: S608 (names in the SQL are quoted and come from the kinds, values are parameters)

from pathlib import Path

from citywarden.model.errors import CitywardenError
from citywarden.model.kind import Form, Kind, Kinds
from citywarden.store.embedded.file import Connection

VERSION = 1
"""Of the layout; a file with a higher one was written by a newer program."""

TYPES = {Form.NUMBER: "DOUBLE", Form.FLAG: "BOOLEAN", Form.TEXT: "VARCHAR"}

_COMMON = """
CREATE SCHEMA IF NOT EXISTS _store;
CREATE TABLE IF NOT EXISTS _store.version(number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS _store.device(
    number INTEGER NOT NULL, tenant VARCHAR NOT NULL, kind VARCHAR NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS _store.district(number INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS _store.mark(kind VARCHAR NOT NULL, batch BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS _store.point(
    measurement VARCHAR NOT NULL, ts BIGINT NOT NULL, tags VARCHAR NOT NULL, fields VARCHAR NOT NULL);
"""


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def readings(kind: str) -> str:
    """The table of a kind's readings."""
    return "_store." + quote(f"reading {kind}")


def newest(kind: str) -> str:
    """The table of a kind's newest values."""
    return "_store." + quote(f"latest {kind}")


def make(connection: Connection, kinds: Kinds) -> None:
    """Make what is missing, also columns of fields that are new in a kind, and write it to the file proper.

    Raises CitywardenError when the file is of a newer program, or holds a field in another form.
    """
    before = _shape(connection)
    connection.execute(_COMMON)
    row = connection.execute("SELECT max(number) FROM _store.version").fetchone()
    if row is None or row[0] is None:
        connection.execute("INSERT INTO _store.version VALUES (?)", [VERSION])
    elif row[0] > VERSION:
        raise CitywardenError(f"the store was written by a newer version of citywarden (layout {row[0]})")
    for kind in kinds.values():
        _make_kind(connection, kind)
    if _shape(connection) != before:
        connection.execute("CHECKPOINT")


def _make_kind(connection: Connection, kind: Kind) -> None:
    fixed = "device INTEGER NOT NULL, district INTEGER NOT NULL, ts BIGINT NOT NULL, received BIGINT NOT NULL"
    connection.execute(f"CREATE TABLE IF NOT EXISTS {readings(kind.name)}(batch BIGINT NOT NULL, {fixed})")
    connection.execute(f"CREATE TABLE IF NOT EXISTS {newest(kind.name)}({fixed})")
    fields = {q.field: TYPES[q.form] for q in kind.quantities}
    grown = _add_columns(connection, readings(kind.name), fields)
    grown |= _add_columns(connection, newest(kind.name), fields | {f"{field} at": "BIGINT" for field in fields})
    if grown:
        _show(connection, kind)


def _add_columns(connection: Connection, table: str, wanted: dict[str, str]) -> bool:
    found = {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE {table}").fetchall()}
    for name, form in wanted.items():
        if name not in found:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {quote(name)} {form}")
        elif found[name] != form:
            raise CitywardenError(f"the store holds {table}: {name!r} as {found[name]}, the kind says {form}")
    return bool(wanted.keys() - found.keys())


def _show(connection: Connection, kind: Kind) -> None:
    """The view for people who open a copy of the file themselves: the contract's names, time as a timestamp."""
    fields = "".join(f", r.{quote(q.field)}" for q in kind.quantities)
    connection.execute(
        f"CREATE OR REPLACE VIEW {quote(kind.name)} AS SELECT make_timestamp_ms(r.ts) AS time, d.tenant,"
        f" d.name AS device, p.name AS district{fields} FROM {readings(kind.name)} r"
        " JOIN _store.device d ON d.number = r.device JOIN _store.district p ON p.number = r.district"
    )


def _shape(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT table_name, column_name FROM duckdb_columns() ORDER BY ALL").fetchall()


def marked(kind: Kind) -> str:
    """Expression for the number of the last write that is in `newest`; -1 before the first."""
    return f"coalesce((SELECT max(batch) FROM _store.mark WHERE kind = {literal(kind.name)}), -1)"


def folded(kind: Kind) -> str:
    """SELECT of a kind's newest values per device, columns as in `newest`: what was folded before, and what came since.

    `arg_max` passes over rows whose value is NULL, so each field finds its own newest reading.
    """
    pairs = [(quote(q.field), quote(f"{q.field} at")) for q in kind.quantities]
    fresh = "".join(f", {field}, ts AS {at}" for field, at in pairs)
    known = "".join(f", {field}, {at}" for field, at in pairs)
    best = "".join(
        f", arg_max({field}, {at}) AS {field}, max({at}) FILTER ({field} IS NOT NULL) AS {at}" for field, at in pairs
    )
    return (
        "SELECT device, arg_max(district, ts) AS district, max(ts) AS ts, arg_max(received, ts) AS received"
        f"{best} FROM (SELECT device, district, ts, received{fresh} FROM {readings(kind.name)}"
        f" WHERE batch > {marked(kind)}"
        f" UNION ALL SELECT device, district, ts, received{known} FROM {newest(kind.name)}) GROUP BY device"
    )


def copy_to(connection: Connection, target: Path) -> None:
    """Copy every table of the file into a new file."""
    here = connection.execute("SELECT current_database()").fetchall()[0][0]
    literal = str(target).replace("'", "''")
    connection.execute(f"ATTACH '{literal}' AS copy_of_store")
    try:
        connection.execute(f'COPY FROM DATABASE "{here}" TO copy_of_store')
    finally:
        connection.execute("DETACH copy_of_store")
