"""`citywarden cases check|export|import`: files that cases, and how long they may take, stand in."""

import asyncio
import time
from pathlib import Path

import click

from citywarden.cases import exchange
from citywarden.cases.desk import CaseDesk
from citywarden.cases.tablefile import parse_table
from citywarden.cli.checking import complain, read_file, read_text
from citywarden.cli.options import configured, settings_of
from citywarden.model.casequery import CaseQuery
from citywarden.model.errors import CitywardenError, ConfigurationError
from citywarden.sections import Settings
from citywarden.serve.casework import case_desk
from citywarden.serve.recording import recorded
from citywarden.serve.tables import open_database


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@configured
def check(file: Path, config: Path | None, data: Path | None) -> None:
    """Validate a table of deadlines; every error at once as FILE:LINE: key: what is wrong, what was expected."""
    settings = settings_of(config, data)
    try:
        table = parse_table(read_text(file), str(file), settings.zone)
    except ConfigurationError as error:
        complain(error)
    click.echo(f"{file}: {len(table.categories)} categories: ok")


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--open", "only_open", is_flag=True, help="Only those that have not ended.")
@click.option("--evidence", is_flag=True, help="With the files themselves, in base64.")
@click.option("--tenant", help="Only of this tenant.")
@configured
def export(
    file: Path, only_open: bool, evidence: bool, tenant: str | None, config: Path | None, data: Path | None
) -> None:
    """Write cases with history and evidence as JSON (docs/cases.md)."""
    desk = _desk(settings_of(config, data))
    try:
        with file.open("wb") as sink:
            for part in desk.export(CaseQuery(tenant, open=True if only_open else None), evidence):
                sink.write(part)
    except OSError as error:
        raise CitywardenError(f"{file}: {error.strerror}") from None
    click.echo(f"{file}: written", err=True)


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@configured
def import_cases(file: Path, config: Path | None, data: Path | None) -> None:
    """Bring in what an export wrote: all of it, or nothing where anything is wrong."""
    desk = _desk(settings_of(config, data))
    try:
        with recorded(desk.ledger.engine, "case.import", "cases", detail=file.name) as intent:
            count = asyncio.run(exchange.bring_in(desk.ledger, desk.store, read_file(file), str(file)))
            intent.subjects = [f"{count} cases"]
    except ConfigurationError as error:
        complain(error)
    click.echo(f"{file}: {count} cases")


def _desk(settings: Settings) -> CaseDesk:
    return case_desk(settings, open_database(settings.database_url), lambda: time.time_ns() // 1_000_000)
