"""The server's SQL database: one engine, one metadata; the tables live in the rooms that own them."""

from pathlib import Path

from sqlalchemy import Column, Engine, MetaData, Table, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from citywarden.database import migration
from citywarden.model.errors import CitywardenError

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


POSTGRESQL_DRIVER = "postgresql+psycopg"


def connect(url: str) -> Engine:
    """An engine for a SQLAlchemy URL; a SQLite file gets its folder, WAL, full sync and a 10 s busy timeout.

    `postgresql://` means psycopg 3. Raises CitywardenError for what is no URL, and where its driver is missing.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername=POSTGRESQL_DRIVER)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
    except ArgumentError:
        raise CitywardenError(
            "[database] url is no database's address, expected postgresql://... or sqlite:///..."
        ) from None
    except ModuleNotFoundError as error:
        raise CitywardenError(f"the driver {error.name} is missing: pip install 'citywarden[postgresql]'") from None
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def migrate(engine: Engine) -> None:
    """Make every table, column and index that is missing. Import the rooms that define tables before."""
    migration.migrate(engine, metadata)
    metadata.create_all(engine)
    there = inspect(engine)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            known = {column["name"] for column in there.get_columns(table.name)}
            for column in table.columns:
                if column.name not in known:
                    connection.execute(AddColumn(table, column))
            indexed = {index["name"] for index in there.get_indexes(table.name)}
            for index in table.indexes:
                if index.name not in indexed:
                    index.create(connection, checkfirst=True)


class AddColumn(ExecutableDDLElement):
    """`ALTER TABLE ... ADD COLUMN ...`; the column is nullable or has a default of the server."""

    inherit_cache = False

    def __init__(self, table: Table, column: Column[object]) -> None:
        self.table, self.column = table, column


@compiles(AddColumn)
def _add_column(element: AddColumn, compiler: DDLCompiler, **_: object) -> str:
    table = compiler.preparer.format_table(element.table)
    return f"ALTER TABLE {table} ADD COLUMN {compiler.get_column_specification(element.column)}"
