"""`citywarden device import` and `export`: many devices at once, as CSV."""

import asyncio
import io
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import Progress, track

from citywarden.cli.enrolling import CredentialsFile, Office, office
from citywarden.cli.options import as_json, configured, print_json, said, settings_of
from citywarden.model.credential import Credential
from citywarden.model.device import Device
from citywarden.sections import Settings
from fleet import provisioning
from ingest.kinds import all_kinds


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--credentials", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.csv",
              help="Write every device's login and password to this new file, once.")  # fmt: skip
@click.option("--claim", is_flag=True, help="Give no passwords now: each device claims its own, once.")
@configured
@as_json
def import_devices(
    file: BinaryIO, credentials: Path | None, claim: bool, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Register the devices of a CSV file: all of them, or none and every bad row named."""
    settings = settings_of(config, data)
    devices, bad = _read(file, settings)
    count = asyncio.run(_import(settings, devices, bad, credentials, claim))
    if bad:
        bad.sort(key=lambda row: row.line)
        for row in bad:
            click.echo(str(row), err=True)
        if as_json:
            print_json({"imported": 0, "bad": [asdict(row) for row in bad]})
        else:
            click.echo(f"registered nothing: {said(len(bad), 'problem')} in {file.name}")
        raise click.exceptions.Exit(1)
    if as_json:
        print_json({"imported": len(devices), "bad": [], "credentials": str(credentials) if count else None})
        return
    click.echo(f"registered {said(len(devices), 'device')}")
    if count:
        click.echo(f"{count} passwords written to {credentials}; they are kept nowhere else")


def _read(file: BinaryIO, settings: Settings) -> tuple[list[tuple[int, Device]], list[provisioning.BadRow]]:
    try:
        text = provisioning.decode(file.read())
    except provisioning.NotUtf8 as other:
        return [], [other.row]
    lines: Sequence[str] = io.StringIO(text, newline="").readlines()
    watched = track(lines, f"reading {file.name}", disable=not sys.stderr.isatty(), transient=True)
    return provisioning.read_csv(watched, settings.tenant, all_kinds())


async def _import(
    settings: Settings,
    devices: Sequence[tuple[int, Device]],
    bad: list[provisioning.BadRow],
    credentials: Path | None,
    claim: bool,
) -> int:
    """Returns how many passwords were written; adds what is wrong with the registry as it is to `bad`."""
    async with office(settings) as opened:
        bad += [
            provisioning.BadRow(line, "id", f"{device.id!r} is registered already")
            for line, device in devices if opened.registry.find(device.key)
        ]  # fmt: skip
        if bad:
            return 0
        gives, asked = opened.enrolment.gives_credentials, opened.enrolment.enforced
        if gives and asked and not claim and credentials is None:
            raise click.UsageError(
                "where shall the passwords go? --credentials OUT.csv, or --claim for devices that claim their own"
            )
        if (credentials is not None or claim) and (not gives or (claim and credentials is not None)):
            raise click.UsageError(
                "--credentials and --claim exclude each other, and need a broker that is told about devices: "
                "[provisioner] kind"
            )
        kept = CredentialsFile(credentials) if credentials is not None else None
        try:
            with opened.recorded("device.import", f"{len(devices)} devices") as intent:
                issued = await _enrol(opened, [device for _, device in devices], claim, asked or kept is not None)
                intent.detail = f"passwords: {len(issued)}"
        except BaseException:
            if kept is not None:
                kept.discard()
            raise
        if kept is not None:
            kept.write(issued)
        return len(issued)


async def _enrol(opened: Office, devices: Sequence[Device], claim: bool, issue: bool) -> Sequence[Credential]:
    """All or none."""
    bar = Progress(transient=True, disable=not sys.stderr.isatty(), console=Console(stderr=True))
    with bar:
        task = bar.add_task("registering", total=len(devices))
        return await opened.enrolment.add(devices, claim, lambda count: bar.advance(task, count), issue)


@click.command("export")
@configured
def export(config: Path | None, data: Path | None) -> None:
    """All devices as CSV on stdout; `import` reads it back."""
    devices = asyncio.run(_all(settings_of(config, data)))
    for line in provisioning.write_csv(devices):
        click.echo(line, nl=False)


async def _all(settings: Settings) -> Sequence[Device]:
    async with office(settings) as opened:
        return sorted(opened.registry.all(), key=lambda d: d.key)
