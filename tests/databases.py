"""The databases that what is kept in SQL is tested on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from citywarden import database
from citywarden.serve.tables import open_database
from tests.postgres import Postgres

BOTH = ("sqlite", "postgresql")


@contextmanager
def empty_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[Engine]:
    """An engine of an empty database with all tables, of the kind that `request.param` names."""
    if request.param == "sqlite":
        url = f"sqlite:///{folder / 'citywarden.sqlite'}"
    else:
        server: Postgres = request.getfixturevalue("postgresql")
        url = server.url()
    engine = open_database(url)
    yield engine
    if request.param == "postgresql":
        tables = ", ".join(f'"{table.name}"' for table in database.metadata.sorted_tables)
        with engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    engine.dispose()
