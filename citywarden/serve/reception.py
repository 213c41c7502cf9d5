"""The way in, put together: reception, first administrator, and the doorman before the application."""

import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, inspect
from starlette.types import ASGIApp

from citywarden.access import tables
from citywarden.access.admission import Login, is_loopback
from citywarden.access.desk import Desk
from citywarden.access.heads import Heads
from citywarden.access.reception import Reception
from citywarden.access.sessions import Terms
from citywarden.database import connect
from citywarden.model.access import NewUser
from citywarden.model.errors import CitywardenError
from citywarden.model.identity import Identity, Role
from citywarden.model.unit import proper
from citywarden.sections import Settings
from citywarden.serve.casework import table_of
from citywarden.serve.doorman import Doorman
from citywarden.serve.tables import has_database, open_database

FIRST = "admin"
SETUP = Identity("setup", Role.ADMINISTRATOR)
"""Who made the first administrator."""

_log = logging.getLogger(__name__)


def terms_of(settings: Settings) -> Terms:
    """How long sessions last."""
    return Terms(round(settings.access.session_idle_h * 3_600_000), round(settings.access.session_days * 86_400_000))


def desk_on(settings: Settings, engine: Engine) -> Desk:
    """A desk on a database; units may be called by a half of their names in the table of deadlines, or of users'."""

    def unit_of(name: str) -> str:
        if not name.strip():
            return ""
        planned = [category.unit for category in table_of(settings).categories.values() if category.unit]
        return proper(name, [*planned, *desk.units(None)])

    desk = Desk(engine, terms=terms_of(settings), unit_of=unit_of, heads=Heads(settings.data / "audit.heads"))
    return desk


def access_desk(settings: Settings) -> Desk:
    """A desk for a command: the same database as the server's. Raises CitywardenError."""
    return desk_on(settings, open_database(settings.database_url))


def open_reception(settings: Settings, engine: Engine, clock_ms: Callable[[], int]) -> Reception:
    """The server's reception on its own database."""
    return Reception(desk_on(settings, engine), clock_ms)


def login_of(settings: Settings, listen: str) -> tuple[Login, bool]:
    """(when a login is demanded, whether `listen` is a loopback address)."""
    return Login(settings.access.login), is_loopback(listen.rpartition(":")[0])


def is_demanded(settings: Settings, listen: str) -> bool:
    """Is a login demanded of everybody who comes to `listen`?"""
    login, loopback = login_of(settings, listen)
    return login is Login.ALWAYS or not loopback


def password_file(settings: Settings) -> Path:
    """Where the first administrator's password stands until somebody takes it away."""
    return settings.data / "administrator.password"


def make_first(settings: Settings, desk: Desk, now_ms: int) -> Path | None:
    """Where there is no user yet: make an administrator whose password is generated, has to be changed at the first
    login and stands in a file only its owner can read. Returns that file. Raises CitywardenError.
    """
    if desk.count():
        return None
    file = password_file(settings)
    file.unlink(missing_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CitywardenError(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        _, password = desk.add_user(SETUP, NewUser(FIRST, Role.ADMINISTRATOR), now_ms)
        out.write(f"{password}\n")
    _log.warning(
        "the first administrator is %s, with the password in %s; it is changed at the first login", FIRST, file
    )
    return file


def examine_access(settings: Settings) -> str:
    """When a login is demanded, how many users there are, and whether the first password still lies about."""
    demanded = is_demanded(settings, settings.api.listen)
    said = "login demanded" if demanded else f"no login on {settings.api.listen}, which is loopback"
    users = _count_users(settings)
    first = "; the first administrator will be made at start" if demanded and not users else ""
    file = password_file(settings)
    lying = f"; WARNING: {file} is still there: log in, change the password, delete the file" if file.exists() else ""
    return f"{said}, {users} user{'' if users == 1 else 's'}{first}{lying}"


def _count_users(settings: Settings) -> int:
    if not has_database(settings):
        return 0
    engine = connect(settings.database_url)
    try:
        return Desk(engine).count() if inspect(engine).has_table(tables.user.name) else 0
    finally:
        engine.dispose()


def session_key(data: Path) -> str:
    """The key that signs browser sessions: made at first start, kept in the data folder, readable by its owner only."""
    file = data / "session.key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text("utf-8")


def behind_door(app: ASGIApp, reception: Reception, settings: Settings, listen: str) -> Doorman:
    """The application behind the door of its address."""
    login, loopback = login_of(settings, listen)
    return Doorman(app, reception, login, loopback)
