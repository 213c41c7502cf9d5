"""`citywarden token`: keys of programs."""

from pathlib import Path

import click

from citywarden.cli.options import as_json, configured, print_json, print_table, said, settings_of
from citywarden.cli.running import wall_ms
from citywarden.model.access import NewToken, Token
from citywarden.model.identity import Role
from citywarden.model.wire import timestamp
from citywarden.serve.reception import access_desk
from citywarden.serve.recording import os_identity

DAY_MS = 86_400_000


@click.group("token")
def command() -> None:
    """Make and revoke the keys with which programs use the API (Authorization: Bearer cw_...)."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default="viewer", show_default=True)
@click.option("--tenant", help="The only tenant it sees; default: every one.")
@click.option("--unit", default="", help="The unit whose cases it works off; sees no other cases then.")
@click.option("--scope", "scopes", multiple=True, help="Such as readings:read; default: all that the role may.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Expires after so many days.")
@configured
@as_json
def add(
    name: str, scopes: tuple[str, ...], days: float | None, config: Path | None, data: Path | None, as_json: bool,
    **words: str | None,
) -> None:  # fmt: skip
    """Make a token; its text is shown this once."""
    now_ms = wall_ms()
    new = NewToken(
        name,
        Role(words["role"] or ""),
        words["tenant"],
        scopes,
        None if days is None else now_ms + round(days * DAY_MS),
        words["unit"] or "",
    )
    token, text = access_desk(settings_of(config, data)).add_token(os_identity(), new, now_ms)
    if as_json:
        print_json(_body(token) | {"token": text})
    else:
        click.echo(f"made {token.name}, {token.role}; the token, shown this once:")
        click.echo(text)


@command.command("list")
@configured
@as_json
def list_tokens(config: Path | None, data: Path | None, as_json: bool) -> None:
    """List tokens, newest first."""
    tokens = access_desk(settings_of(config, data)).tokens(os_identity())
    if as_json:
        print_json({"items": [_body(token) for token in tokens], "next": None})
        return
    now_ms = wall_ms()
    rows = [
        (t.id, t.name, t.role, t.tenant or "every", t.unit, " ".join(t.scopes) or "any", _state(t, now_ms),
         _moment(t.used_ms), _moment(t.expires_ms), t.created_by)
        for t in tokens
    ]  # fmt: skip
    columns = ("id", "name", "role", "tenant", "unit", "scopes", "state", "last used", "expires", "made by")
    print_table(said(len(tokens), "token"), columns, rows)


@command.command("revoke")
@click.argument("token")
@configured
@as_json
def revoke(token: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """End a token, by its id or name."""
    found = access_desk(settings_of(config, data)).revoke_token(os_identity(), token, wall_ms())
    print_json(_body(found)) if as_json else click.echo(f"revoked {found.name} ({found.id})")


def _state(token: Token, now_ms: int) -> str:
    return "" if token.good(now_ms) else "revoked" if token.revoked_ms is not None else "expired"


def _moment(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)


def _body(token: Token) -> dict[str, object]:
    return {
        "id": token.id, "name": token.name, "role": token.role.value, "tenant": token.tenant,
        "unit": token.unit, "scopes": list(token.scopes), "created_at": timestamp(token.created_ms),
        "created_by": token.created_by, "expires_at": _moment(token.expires_ms), "used_at": _moment(token.used_ms),
        "revoked_at": _moment(token.revoked_ms),
    }  # fmt: skip
