"""The record of what commands change: who sits at the command line, and a note of what was done."""

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine

from citywarden.access import audit, intentions
from citywarden.model.errors import Unavailable
from citywarden.model.identity import Identity, Intent, Role, note_of
from citywarden.sections import Settings
from citywarden.serve.tables import has_database, open_database


def os_identity() -> Identity:
    """Who sits at the command line, as the operating system knows them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Identity(f"cli:{name}", Role.ADMINISTRATOR, source="command line")


@contextmanager
def recorded_there(settings: Settings, action: str, subject: str, detail: str = "") -> Iterator[Intent]:
    """As `recorded`, where there is a database to record in: a certificate authority may stand on a machine of its
    own. Raises CitywardenError.
    """
    if not has_database(settings):
        yield Intent(action, [subject], detail)
        return
    engine = open_database(settings.database_url)
    try:
        with recorded(engine, action, subject, detail=detail) as intent:
            yield intent
    finally:
        engine.dispose()


@contextmanager
def recorded(engine: Engine, action: str, *subjects: str, detail: str = "") -> Iterator[Intent]:
    """What a command does in this block is written down before, and its outcome after it, as done by whoever sits at
    the command line. Raises Unavailable.
    """
    who, intent = os_identity(), Intent(action, [*subjects], detail)
    key = intentions.intend(engine, who, intent, _now_ms())
    try:
        yield intent
    except Exception as error:
        with suppress(Unavailable):  # the intention stands, and says so
            intentions.settle(engine, key, who, intent, _now_ms(), error)
        raise
    intentions.settle(engine, key, who, intent, _now_ms())


def record(engine: Engine, action: str, subject: str, detail: str = "") -> None:
    """Note what a command did, by whoever sits at the command line. Raises Unavailable."""
    audit.append(engine, note_of(os_identity(), action, subject, detail, _now_ms()))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def record_there(settings: Settings, action: str, subject: str, detail: str = "") -> None:
    """As `record`, where there is a database to record in. Raises CitywardenError."""
    if not has_database(settings):
        return
    engine = open_database(settings.database_url)
    try:
        record(engine, action, subject, detail)
    finally:
        engine.dispose()
