"""`citywarden user`: who may log in."""

from pathlib import Path
from typing import TextIO

import click

from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, said, settings_of
from citywarden.cli.running import wall_ms
from citywarden.model.access import NewUser, User, UserChange
from citywarden.model.identity import Role
from citywarden.model.wire import timestamp
from citywarden.serve.reception import access_desk
from citywarden.serve.recording import os_identity

NAME = click.argument("name")
ROLE = click.Choice([role.value for role in Role])
PASSWORD = click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    help="File (- for stdin) whose first line is the password.",
)


@click.group("user")
def command() -> None:
    """Make users, give them roles and passwords, keep them out."""


@command.command("add")
@NAME
@click.option("--role", type=ROLE, default=Role.VIEWER.value, show_default=True)
@click.option("--tenant", help="The only tenant this user sees; default: every one.")
@click.option("--unit", default="", help="The unit whose cases this user works off; sees no other cases then.")
@PASSWORD
@configured
@as_json
def add(
    name: str, password_file: TextIO | None, config: Path | None, data: Path | None, as_json: bool,
    **words: str | None,
) -> None:  # fmt: skip
    """Make a user. Without a password one is generated, shown this once, and changed at the first login."""
    desk = access_desk(settings_of(config, data))
    role, given = Role(words["role"] or ""), _first_line(password_file)
    new = NewUser(name, role, words["tenant"], given, words["unit"] or "")
    user, password = desk.add_user(os_identity(), new, wall_ms())
    _tell(user, password, as_json, f"made {user.name}, {user.role}")


@command.command("list")
@configured
@as_json
def list_users(config: Path | None, data: Path | None, as_json: bool) -> None:
    """List users."""
    users = access_desk(settings_of(config, data)).users(os_identity())
    if as_json:
        print_json({"items": [_body(user) for user in users], "next": None})
        return
    rows = [(u.name, u.role, u.tenant or "every", u.unit, _state(u), _moment(u.login_ms), u.created_by) for u in users]
    print_table(said(len(users), "user"), ("name", "role", "tenant", "unit", "state", "last login", "made by"), rows)


@command.command("show")
@NAME
@configured
@as_json
def show(name: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """One user, with open sessions."""
    desk = access_desk(settings_of(config, data))
    sessions = [
        {"id": s.id, "address": s.address, "seen_at": timestamp(s.seen_ms), "agent": s.agent}
        for s in desk.sessions(name, wall_ms())
    ]
    body = _body(desk.user(os_identity(), name))
    if as_json:
        print_json(body | {"sessions": sessions})
        return
    print_facts(body | {"sessions": len(sessions)})
    for session in sessions:
        click.echo(f"  {session['id']}  {session['address']}  {session['seen_at']}  {session['agent']}")


@command.command("role")
@NAME
@click.argument("role", type=ROLE)
@click.option("--tenant", help="Also: the only tenant the user sees from now on; '' for every one.")
@configured
@as_json
def role(name: str, role: str, tenant: str | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Give a user another role; ends the user's sessions."""
    desk = access_desk(settings_of(config, data))
    user = desk.change_user(os_identity(), name, UserChange(Role(role), tenant), wall_ms())
    _tell(user, None, as_json, f"{user.name} is {user.role} of {user.tenant or 'every tenant'}")


@command.command("unit")
@NAME
@click.argument("unit")
@configured
@as_json
def unit(name: str, unit: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Say which UNIT a user belongs to, '' for none; ends the user's sessions. `citywarden cases units` lists them."""
    desk = access_desk(settings_of(config, data))
    user = desk.change_user(os_identity(), name, UserChange(unit=unit), wall_ms())
    _tell(user, None, as_json, f"{user.name} belongs to {user.unit or 'no unit'}")


@command.command("password")
@NAME
@PASSWORD
@configured
@as_json
def password(name: str, password_file: TextIO | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Give a user a new password, to be changed at the next login; ends the user's sessions."""
    desk = access_desk(settings_of(config, data))
    made = desk.reset_password(os_identity(), name, _first_line(password_file), wall_ms())
    _tell(desk.user(os_identity(), name), made, as_json, f"new password for {name}")


def _switch(name: str, enabled: bool, help_text: str) -> None:
    @command.command(name, help=help_text)
    @NAME
    @configured
    @as_json
    def switch(name: str, config: Path | None, data: Path | None, as_json: bool) -> None:
        desk = access_desk(settings_of(config, data))
        user = desk.change_user(os_identity(), name, UserChange(enabled=enabled), wall_ms())
        _tell(user, None, as_json, f"{name} may {'log in again' if enabled else 'not log in any more'}")


_switch("enable", True, "Let a user log in again.")
_switch("disable", False, "Keep a user out, and end the user's sessions.")


@command.command("remove")
@NAME
@configured
def remove(name: str, config: Path | None, data: Path | None) -> None:
    """Take a user away; what the user did stays in the audit."""
    access_desk(settings_of(config, data)).remove_user(os_identity(), name, wall_ms())
    click.echo(f"removed {name}")


def _first_line(file: TextIO | None) -> str | None:
    return None if file is None else str(file.readline()).rstrip("\r\n")


def _tell(user: User, password: str | None, as_json: bool, said: str) -> None:
    if as_json:
        print_json(_body(user) | ({"password": password} if password else {}))
        return
    click.echo(said)
    if password:
        click.echo(f"password (shown this once): {password}")


def _state(user: User) -> str:
    return "disabled" if not user.enabled else "password to be changed" if user.must_change else ""


def _moment(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)


def _body(user: User) -> dict[str, object]:
    return {
        "name": user.name, "role": user.role.value, "tenant": user.tenant, "unit": user.unit,
        "enabled": user.enabled, "must_change": user.must_change, "created_at": timestamp(user.created_ms),
        "created_by": user.created_by, "login_at": _moment(user.login_ms),
    }  # fmt: skip
