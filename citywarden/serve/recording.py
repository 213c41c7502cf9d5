"""The record of what commands change: who sits at the command line, and a note of what was done."""

import getpass
import os
import time

from sqlalchemy import Engine

from citywarden.access import audit
from citywarden.model.identity import AuditNote, Identity, Role
from citywarden.sections import Settings
from citywarden.serve.tables import has_database, open_database


def os_identity() -> Identity:
    """Who sits at the command line, as the operating system knows them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Identity(f"cli:{name}", Role.ADMINISTRATOR, source="command line")


def record(engine: Engine, action: str, subject: str, detail: str = "") -> None:
    """Note what a command changed, by whoever sits at the command line. Raises Unavailable."""
    who, now_ms = os_identity(), time.time_ns() // 1_000_000
    audit.append(engine, AuditNote(now_ms, who.name, who.tenant, action, subject, detail, who.source))


def record_there(settings: Settings, action: str, subject: str, detail: str = "") -> None:
    """As `record`, where there is a database to record in: a certificate authority may stand on a machine of its own.
    Raises CitywardenError.
    """
    if not has_database(settings):
        return
    engine = open_database(settings.database_url)
    try:
        record(engine, action, subject, detail)
    finally:
        engine.dispose()
