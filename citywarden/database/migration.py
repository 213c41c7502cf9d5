"""Brings a database to the tables of this version, whichever version made it."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, MetaData, inspect, text

from citywarden.model.errors import CitywardenError

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
HEAD = "0004"
"""The newest revision: what the tables of this version are."""

_FIRST, _TABLE_OF_FIRST = "0001", "device"
_LOCK = 0x63697479
"""Any number; PostgreSQL lets one process at a time hold it."""


def migrate(engine: Engine, metadata: MetaData) -> None:
    """Run the revisions that are missing, all or none; a second process that starts meanwhile waits. An empty
    database gets the tables as they are now.

    Raises CitywardenError for a database of a newer version.
    """
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # SQLite's driver would commit before each CREATE TABLE.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                _upgrade(connection, metadata)
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
    else:
        with engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            _upgrade(connection, metadata)


def configuration(connection: Connection, metadata: MetaData) -> "Config":
    """Alembic's configuration for this connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes |= {"connection": connection, "metadata": metadata}
    return config


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _upgrade(connection: Connection, metadata: MetaData) -> None:
    if not inspect(connection).get_table_names():
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    config = configuration(connection, metadata)
    found = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise CitywardenError(
            f"the database has the tables of a newer version (revision {found}, this one knows up to {HEAD}): "
            "start that version, or restore a backup of this one"
        )
    if found is None and inspect(connection).has_table(_TABLE_OF_FIRST):
        command.stamp(config, _FIRST)
    command.upgrade(config, "head")
