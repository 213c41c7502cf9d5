"""`citywarden commands`: what devices were told, and how far it got."""

import asyncio
from pathlib import Path

import click

from citywarden.cli.enrolling import find
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, said, settings_of
from citywarden.cli.running import wall_ms
from citywarden.model.command import State, command_body
from citywarden.model.wire import timestamp
from citywarden.serve.commanding import desk_for_commands
from citywarden.serve.recording import os_identity, recorded


@click.group("commands")
def command() -> None:
    """List commands given to devices, look at one, call one back."""


@command.command("list")
@click.option("--device", help="Only of this device.")
@click.option("--kind", help="Kind of the device; needed where an id is not unique.")
@click.option("--tenant", help="Tenant; default with --device: the configured one, else all.")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@configured
@as_json
def list_commands(
    device: str | None, state: str | None, limit: int, config: Path | None, data: Path | None, as_json: bool,
    **which: str | None,
) -> None:  # fmt: skip
    """Commands, newest first."""
    settings = settings_of(config, data)
    desk, registry, engine = desk_for_commands(settings, wall_ms)
    key = find(registry, settings, device, which["kind"], which["tenant"]) if device else None
    page = asyncio.run(desk.find(key, which["tenant"], State(state) if state else None, limit, None))
    engine.dispose()
    if as_json:
        print_json({"items": [command_body(one) for one in page.items], "next": page.next})
        return
    rows = [
        (one.id, timestamp(one.created_ms), "/".join(one.device), one.name,
         " ".join(f"{k}={v}" for k, v in one.args.items()), one.state, one.attempts, one.by, one.detail)
        for one in page.items
    ]  # fmt: skip
    columns = ("id", "given", "device", "command", "arguments", "state", "sent", "by", "detail")
    print_table(said(len(rows), "command"), columns, rows)


@command.command("show")
@click.argument("identifier", metavar="ID")
@configured
@as_json
def show(identifier: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """One command."""
    desk, _, engine = desk_for_commands(settings_of(config, data), wall_ms)
    body = command_body(asyncio.run(desk.get(identifier)))
    engine.dispose()
    print_json(body) if as_json else print_facts({name: value for name, value in body.items() if value is not None})


@command.command("cancel")
@click.argument("identifier", metavar="ID")
@configured
@as_json
def cancel(identifier: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Call a command back before its device has acknowledged it."""
    desk, _, engine = desk_for_commands(settings_of(config, data), wall_ms)
    with recorded(engine, "command.cancel", identifier, detail=identifier) as intent:
        ended = asyncio.run(desk.cancel(identifier, os_identity().name))
        intent.subjects = ["/".join(ended.device)]
    engine.dispose()
    print_json(command_body(ended)) if as_json else click.echo(f"cancelled {ended.id}")
