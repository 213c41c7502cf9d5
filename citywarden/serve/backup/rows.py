"""Tables as lines of JSON, out of one database and into another, SQLite or PostgreSQL alike."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
from sqlalchemy import Connection, Engine, Integer, func, insert, select, text
from sqlalchemy import Table as SqlTable

from citywarden.database import metadata
from citywarden.model.errors import CitywardenError
from citywarden.serve.backup.contents import Table

ROWS_AT_ONCE = 1000
_BYTES = "base64"


def write_tables(engine: Engine, folder: Path) -> dict[str, Table]:
    """All tables as of one moment, a file each."""
    folder.mkdir()
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins no transaction for reading; without one each table is of its own moment.
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
        return {str(table.name): _write(connection, table, folder) for table in metadata.sorted_tables}


def _write(connection: Connection, table: SqlTable, folder: Path) -> Table:
    count = 0
    names = tuple(str(column.name) for column in table.columns)
    ordered = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS_AT_ONCE)
    with (folder / f"{table.name}.jsonl").open("wb") as file:
        for row in connection.execute(ordered):
            values = [{_BYTES: base64.b64encode(v).decode()} if isinstance(v, bytes) else v for v in row]
            file.write(orjson.dumps(values) + b"\n")
            count += 1
    return Table(names, count)


def check_tables(tables: Mapping[str, Table]) -> None:
    """Raises CitywardenError when there is a table or column that this program does not know."""
    for name, table in tables.items():
        known = metadata.tables.get(name)
        strange = set(table.columns) - {column.name for column in known.columns} if known is not None else {"*"}
        if strange:
            raise CitywardenError(
                f"the backup has {name}.{min(strange)}, which is not known here: it was made by a newer version"
            )


def read_tables(connection: Connection, folder: Path, tables: Mapping[str, Table]) -> None:
    """Fill empty tables. Raises CitywardenError when a file has other rows than the manifest says."""
    for table in metadata.sorted_tables:
        if table.name not in tables:
            continue
        said, count = tables[table.name], 0
        for rows in _parts(folder / f"{table.name}.jsonl", said.columns):
            connection.execute(insert(table), rows)
            count += len(rows)
        if count != said.rows:
            raise CitywardenError(f"table {table.name} has {count} rows in the backup, its manifest says {said.rows}")
        if connection.dialect.name == "postgresql":
            _advance(connection, table)


def _parts(file: Path, names: tuple[str, ...]) -> Iterator[list[dict[str, object]]]:
    rows: list[dict[str, object]] = []
    with file.open("rb") as lines:
        for line in lines:
            values = (base64.b64decode(v[_BYTES]) if isinstance(v, dict) else v for v in orjson.loads(line))
            rows.append(dict(zip(names, values, strict=True)))
            if len(rows) == ROWS_AT_ONCE:
                yield rows
                rows = []
    if rows:
        yield rows


def _advance(connection: Connection, table: SqlTable) -> None:
    """Have the sequence of a numbered table go on behind its last row."""
    for column in table.primary_key.columns:
        if isinstance(column.type, Integer) and column.autoincrement is not False:
            name = connection.execute(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": f'"{table.name}"', "column": column.name},
            ).scalar_one()
            if name is not None:
                newest = connection.execute(select(func.max(column))).scalar_one()
                connection.execute(text("SELECT setval(:name, :newest, :used)"),
                                   {"name": name, "newest": newest or 1, "used": newest is not None})  # fmt: skip


def is_empty(connection: Connection) -> bool:
    """Whether no table has a row."""
    return not any(connection.execute(select(table).limit(1)).first() for table in metadata.sorted_tables)


def clear(connection: Connection) -> None:
    """Drop every row."""
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())
