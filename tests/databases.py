"""The databases that what is kept in SQL is tested on."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, exists, literal, select, text, union_all

from citywarden import database
from citywarden.serve.tables import open_database
from tests.postgres import Postgres

BOTH = ("sqlite", "postgresql")


@contextmanager
def empty_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[Engine]:
    """An engine of an empty database with all tables, of the kind that `request.param` names."""
    if request.param == "sqlite":
        file = folder / "citywarden.sqlite"
        file.write_bytes(empty_sqlite())
        engine = open_database(f"sqlite:///{file}")
    else:
        server: Postgres = request.getfixturevalue("postgresql")
        engine = open_database(server.url())
    yield engine
    if request.param == "postgresql":
        clear(engine)
    engine.dispose()


@cache
def empty_sqlite() -> bytes:
    """The file of a database with all tables; making the tables takes longer than most tests that need them."""
    with tempfile.TemporaryDirectory(prefix="cw-empty-") as folder:
        file = Path(folder) / "citywarden.sqlite"
        open_database(f"sqlite:///{file}").dispose()
        return file.read_bytes()


def clear(engine: Engine) -> None:
    """Leave no row and let every number begin at 1 again; TRUNCATE of all tables takes several times as long."""
    tables = database.metadata.sorted_tables
    filled = union_all(*(select(literal(table.name)).where(exists().select_from(table)) for table in tables))
    with engine.begin() as connection:
        names = set(connection.scalars(filled))
        for table in reversed(tables):
            if table.name in names:
                connection.execute(delete(table))
        connection.execute(
            text("SELECT setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences "
                 "WHERE schemaname = current_schema() AND last_value IS NOT NULL")
        )  # fmt: skip
