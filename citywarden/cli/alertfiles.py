"""`citywarden alerts check|test`: routing files and scenarios, without a server."""

from dataclasses import asdict
from pathlib import Path

import click

from citywarden.alerts.routefile import parse_routes
from citywarden.cli.checking import complain, read_text
from citywarden.cli.options import as_json, configured, print_json, settings_of
from citywarden.model.errors import ConfigurationError
from citywarden.serve.rehearsal import rehearse
from ingest.kinds import all_kinds


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@configured
def check(file: Path, config: Path | None, data: Path | None) -> None:
    """Validate a routing file; every error at once as FILE:LINE: key: what is wrong, what was expected."""
    settings = settings_of(config, data)
    try:
        routing = parse_routes(read_text(file), str(file), settings.zone, settings.language)
    except ConfigurationError as error:
        complain(error)
    routes = "every alert to every target" if routing.routes.routes is None else f"{len(routing.routes.routes)} routes"
    click.echo(f"{file}: {len(routing.routes.targets)} targets, {routes}: ok")


@click.command("test")
@click.argument("file", type=click.Path(path_type=Path))
@configured
@as_json
def test(file: Path, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Play the scenarios of a file; prints the steps that differ, and ends with 1 when one does."""
    settings = settings_of(config, data)
    try:
        outcomes = rehearse(read_text(file), str(file), all_kinds(), settings.zone)
    except ConfigurationError as error:
        complain(error)
    failed = [outcome for outcome in outcomes if outcome.differences]
    if as_json:
        cases = [{"name": o.name, "passed": not o.differences, "differences": list(map(asdict, o.differences))}
                 for o in outcomes]  # fmt: skip
        print_json({"passed": len(outcomes) - len(failed), "failed": len(failed), "scenarios": cases})
    else:
        for outcome in failed:
            for d in outcome.differences:
                click.echo(f"{file}:{d.line}: {outcome.name}: {d.what} at {d.at_ms / 1000:g} s")
                click.echo(f"  expected  {'; '.join(d.expected) or 'nothing'}")
                click.echo(f"  got       {'; '.join(d.got) or 'nothing'}")
        click.echo(f"{file}: {len(outcomes) - len(failed)} of {len(outcomes)} scenarios passed")
    if failed:
        raise click.exceptions.Exit(1)
