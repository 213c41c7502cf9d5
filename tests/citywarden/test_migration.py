"""Databases that another version made."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from citywarden import database
from citywarden.database import connect, migrate, migration
from citywarden.model.errors import CitywardenError
from citywarden.serve.tables import open_database
from tests.databases import BOTH, empty_database


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database that every revision since the first has gone over."""
    with empty_database(request, tmp_path) as found:
        with found.begin() as connection:
            database.metadata.drop_all(connection)
            connection.execute(text("DROP TABLE alembic_version"))
            upgrade(migration.configuration(connection, database.metadata), "head")
        yield found


def test_the_revisions_make_exactly_the_tables_that_the_rooms_declare(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), database.metadata) == []


def test_the_newest_revision_is_the_one_that_is_demanded(engine: Engine) -> None:
    with engine.connect() as connection:
        script = ScriptDirectory.from_config(migration.configuration(connection, database.metadata))
    assert script.get_current_head() == migration.HEAD


def test_a_database_of_the_first_release_keeps_its_rows(tmp_path: Path) -> None:
    """It had no table of revisions."""
    engine = connect(f"sqlite:///{tmp_path / 'old.sqlite'}")
    with engine.begin() as connection:
        upgrade(migration.configuration(connection, database.metadata), "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(
            text(
                "INSERT INTO device (tenant, kind, device, name, district, crs, profile, owner, enabled, removed,"
                " revision) VALUES ('t', 'gas', 'G1', '', '', 'wgs84', '{}', '', 1, 0, 1)"
            )
        )
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT device FROM device")).scalar_one() == "G1"
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == migration.HEAD
        assert compare_metadata(MigrationContext.configure(connection), database.metadata) == []
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'newer.sqlite'}"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CitywardenError, match=r"newer version \(revision 9999, this one knows up to"):
        open_database(url)
    engine.dispose()


def test_two_that_start_at_once_make_the_tables_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'both.sqlite'}"
    code = f"from citywarden.serve.tables import open_database; open_database({url!r}).dispose()"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]
