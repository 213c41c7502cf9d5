"""`citywarden command`: tell a device to do something."""

import asyncio
import time
from pathlib import Path

import click

from citywarden.cli.enrolling import find
from citywarden.cli.options import as_json, configured, print_facts, print_json, settings_of
from citywarden.cli.running import wall_ms
from citywarden.model.command import Command, State, Wish, command_body, read_words
from citywarden.serve.commanding import desk_for_commands
from citywarden.serve.recording import os_identity, recorded
from ingest.kinds import all_kinds

LOOK_S = 0.25


@click.command("command")
@click.argument("device")
@click.argument("name")
@click.argument("args", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--kind", help="Kind of the device; needed where an id is not unique.")
@click.option("--tenant", help="Tenant; default: the configured one.")
@click.option("--expires-min", type=click.FloatRange(0, 7 * 24 * 60, min_open=True), default=10.0, show_default=True,
              help="How long it is tried.")  # fmt: skip
@click.option("--id", "command_id", default="", help="An id of your own: the same one again is the same command.")
@click.option("--wait", type=click.FloatRange(0, 86_400), default=0.0,
              help="Wait so many seconds for its end; exit code 1 when it failed or did not come.")  # fmt: skip
@configured
@as_json
def command(
    device: str, name: str, args: tuple[str, ...], config: Path | None, data: Path | None, as_json: bool, **how: object
) -> None:
    """Tell a DEVICE to do NAME, such as `citywarden command L0001 dim pct=40 for_min=30`. The running server sends it,
    again and again until the device acknowledges or its time is over. `citywarden kinds` lists what devices can do.
    """
    settings = settings_of(config, data)
    words = dict(_pair(word) for word in args)
    desk, registry, engine = desk_for_commands(settings, wall_ms)
    key = find(registry, settings, device, _text(how["kind"]), _text(how["tenant"]))
    given = read_words(all_kinds()[key.kind], name, words)
    wish = Wish(key, name, given, float(str(how["expires_min"])), str(how["command_id"]))
    told = " ".join([name, *args])
    with recorded(engine, "command.send", "/".join(key), detail=told) as intent:
        queued = asyncio.run(desk.send(wish, os_identity().name))
        intent.detail = f"{told} ({queued.id})"
    deadline = time.monotonic() + float(str(how["wait"]))
    while queued.state.outstanding and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        queued = asyncio.run(desk.get(queued.id))
    engine.dispose()
    _tell(queued, as_json)
    if how["wait"] and queued.state is not State.DONE:
        if queued.state.outstanding:
            still = f"still {queued.state.value} after {float(str(how['wait'])):g} s; it is tried until it expires"
            click.echo(f"citywarden: {queued.id}: {still}", err=True)
        raise click.exceptions.Exit(1)


def _tell(told: Command, as_json: bool) -> None:
    body = command_body(told)
    print_json(body) if as_json else print_facts(
        {name: value for name, value in body.items() if value not in (None, "")}
    )


def _pair(word: str) -> tuple[str, str]:
    key, sign, value = word.partition("=")
    if not sign or not key:
        raise click.UsageError(f"{word!r}: expected KEY=VALUE", click.get_current_context())
    return key, value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
