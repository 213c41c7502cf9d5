"""The server's database with every table: the modules that declare them are imported here."""

from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

import citywarden.access.tables
import citywarden.alerts.tables
import citywarden.cases.tables
import citywarden.commands.ledger
import citywarden.provision.tables
import ingest.deadletters
import ingest.registry
from citywarden.database import connect, migrate
from citywarden.model.errors import CitywardenError
from citywarden.sections import Settings

__all__ = ["citywarden", "database_file", "has_database", "ingest", "open_database"]


def open_database(url: str) -> Engine:
    """Connect and make the tables that are missing. Raises CitywardenError when that is impossible."""
    try:
        engine = connect(url)
        migrate(engine)
    except (SQLAlchemyError, ImportError) as error:
        reason = error.__cause__ or error
        raise CitywardenError(f"the database cannot be used: {reason}") from None
    return engine


def database_file(settings: Settings) -> Path | None:
    """The file of an SQLite database, None for another one."""
    url = make_url(settings.database_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def has_database(settings: Settings) -> bool:
    """Whether there is one to look at: SQLite's file is made when it is first opened, which a look must not do."""
    file = database_file(settings)
    return file is None or file.exists()
