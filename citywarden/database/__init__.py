"""The server's SQL database: one engine, one metadata; the tables live in the rooms that own them."""

import contextlib
from pathlib import Path

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

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
        _private(Path(parsed.database))
    engine = create_engine(parsed)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _private(file: Path) -> None:
    """Its owner's alone, when it is new: claim keys and digests stand in it. What SQLite puts beside it is the same."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # what is wrong is said by SQLite
        file.touch(mode=0o600)


def migrate(engine: Engine) -> None:
    """Bring the database to the tables of this version. Import the rooms that declare tables before.

    Raises CitywardenError for a database of a newer version.
    """
    migration.migrate(engine, metadata)
