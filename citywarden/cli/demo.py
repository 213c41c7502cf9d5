"""`citywarden demo`: the whole system on this machine, one command, no network."""

import asyncio
import contextlib
import time
from dataclasses import asdict
from pathlib import Path

import click

from citywarden.cli.memory import settle
from citywarden.cli.options import as_json, configured, print_facts, print_json, settings_of
from citywarden.cli.running import run, stop_signal, until_stopped, wall_ms
from citywarden.sections import Settings
from citywarden.serve.demo import DemoOptions, Stage, Summary, demo, narrate


@click.command("demo")
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself after so many seconds, with a summary.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the console; 0: any free one. Default: 8080.")
@click.option("--mqtt-port", type=click.IntRange(0, 65535), default=0, help="Port of the MQTT broker. Default: free.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another city.")
@configured
@as_json
def command(
    seconds: float | None, port: int | None, mqtt_port: int, seed: int, config: Path | None, data: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Run everything embedded with a simulated city, and watch it in the browser. Ctrl-C ends it."""
    settings = settings_of(config, data)
    summary = run(_demo(settings, DemoOptions(seconds, port, mqtt_port, seed)))
    if as_json:
        print_json(asdict(summary))
    else:
        _print(summary)
    if summary.lost:
        raise click.exceptions.Exit(1)


async def _demo(settings: Settings, options: DemoOptions) -> Summary:
    async with demo(settings, options, wall_ms) as stage:
        stopped = stop_signal()
        _welcome(stage, settings)
        telling = asyncio.create_task(narrate(stage, _say))
        settle()
        await until_stopped(stopped, options.seconds)
        click.echo("Stopping: waiting until everything sent is judged, stored and delivered ...", err=True)
        summary = await stage.finish()
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        return summary


def _welcome(stage: Stage, settings: Settings) -> None:
    click.echo(f"Citywarden demo: {len(stage.city.devices)} devices in a simulated Futian, Shenzhen", err=True)
    click.echo(f"  console  {stage.server.url}", err=True)
    click.echo(f"  MQTT     {stage.server.broker}  (city/demo/...)", err=True)
    click.echo(f"  webhooks {stage.receiver_url}  (what a dispatcher gets)", err=True)
    click.echo(f"  data     {settings.data}", err=True)
    click.echo("Things go wrong from now on; alerts appear below. Ctrl-C ends it.", err=True)


def _say(line: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)


def _print(summary: Summary) -> None:
    facts = asdict(summary)
    kinds = facts.pop("kinds")
    print_facts({name.replace("_", " "): count for name, count in facts.items()})
    print_facts({f"  {kind}": count for kind, count in kinds.items()})
