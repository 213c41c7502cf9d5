"""Connections that say in our words when the database does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from citywarden.model.errors import Unavailable


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A connection whose work is kept when the block ends well. Raises Unavailable; nothing has happened then."""
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        raise Unavailable(f"database: {error.orig}") from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to read with. Raises Unavailable."""
    try:
        with engine.connect() as connection:
            yield connection
    except OperationalError as error:
        raise Unavailable(f"database: {error.orig}") from error
