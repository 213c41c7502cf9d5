"""`citywarden doctor`: does everything the configuration names work, and what to do where it does not."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import click

from citywarden.cli.options import as_json, configured, print_json, settings_of
from citywarden.serve.examination import examine
from citywarden.settings import describe


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Set up what is missing in InfluxDB: buckets, retention, down-sampling.")
@configured
@as_json
def command(fix: bool, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Test every configured connection; --json also prints what is in force, secrets redacted."""
    settings = settings_of(config, data)
    checks = asyncio.run(examine(settings, fix))
    if as_json:
        print_json(
            {"ok": all(c.ok for c in checks), "checks": [asdict(c) for c in checks], "settings": describe(settings)}
        )
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            click.echo(f"{'ok ' if check.ok else 'BAD'} {check.name:<{width}}  {check.found}")
            if not check.ok and check.advice:
                click.echo(f"    {'':<{width}}  -> {check.advice}")
    if not all(check.ok for check in checks):
        raise click.exceptions.Exit(1)
