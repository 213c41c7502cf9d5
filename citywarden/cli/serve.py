"""`citywarden serve`: the server against the configured components."""

from pathlib import Path

import click

from citywarden.cli.memory import settle
from citywarden.cli.options import configured, settings_of
from citywarden.cli.running import run, stop_signal, until_stopped, wall_ms
from citywarden.serve.prepare import Prepared, prepare
from citywarden.serve.server import Options, running

STOP_S = 25.0


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of console and API; 0: any free one.")
@click.option("--mqtt-port", type=click.IntRange(0, 65535), default=1883, show_default=True,
              help="Port of the embedded MQTT broker, when no broker is configured.")  # fmt: skip
@configured
def command(port: int | None, mqtt_port: int, config: Path | None, data: Path | None) -> None:
    """Run the server. What the configuration does not name is embedded. SIGTERM or Ctrl-C stops it cleanly."""
    prepared = prepare(settings_of(config, data))
    for warning in prepared.plan.warnings:
        click.echo(f"citywarden: warning: {warning}", err=True)
    run(_serve(prepared, Options(port, mqtt_port)))


async def _serve(prepared: Prepared, options: Options) -> None:
    async with running(prepared, options, wall_ms) as server:
        stopped = stop_signal(STOP_S)
        click.echo(f"Citywarden is up: console {server.url}, broker {server.broker}", err=True)
        settle()
        await until_stopped(stopped)
        click.echo("Stopping ...", err=True)
