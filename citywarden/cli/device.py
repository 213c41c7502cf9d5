"""`citywarden device`: the registry at the command line."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import click
from rich.progress import track

from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, settings_of
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import NotFound
from citywarden.sections import Settings
from citywarden.serve.tables import open_database
from fleet import provisioning
from ingest.kinds import all_kinds
from ingest.registry import Registry

ID = click.argument("device")
KIND = click.option("--kind", help="Kind of the device; needed where an id is not unique.")
TENANT = click.option("--tenant", help="Tenant; default: the configured one.")


@click.group("device")
def command() -> None:
    """Register devices, list them, switch them on and off."""


@command.command("add")
@ID
@click.option("--kind", required=True)
@TENANT
@click.option("--name", default="")
@click.option("--district", default="")
@click.option("--lat")
@click.option("--lon")
@click.option("--crs", type=click.Choice(provisioning.CRS), default="wgs84", show_default=True)
@click.option("--profile", help="name=value;name=value, or a JSON object.")
@click.option("--owner", default="")
@configured
@as_json
def add(device: str, config: Path | None, data: Path | None, as_json: bool, **words: str | None) -> None:
    """Register one device."""
    settings = settings_of(config, data)
    cells = {"id": device, "tenant": settings.tenant} | {name: word for name, word in words.items() if word}
    found, wrong = provisioning.parse(cells, all_kinds().keys())
    if found is None:
        raise click.UsageError("; ".join(f"{column}: {what}" for column, what in wrong), click.get_current_context())
    _registry(settings).add([found])
    print_json(_body(found)) if as_json else click.echo(f"registered {found.tenant}/{found.kind}/{found.id}")


@command.command("list")
@KIND
@TENANT
@configured
@as_json
def list_devices(kind: str | None, tenant: str | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """List devices."""
    found = [
        d for d in sorted(_registry(settings_of(config, data)).all(), key=lambda d: d.key)
        if kind in (None, d.kind) and tenant in (None, d.tenant)
    ]  # fmt: skip
    if as_json:
        print_json({"items": [_body(d) for d in found], "next": None})
        return
    rows = [(d.tenant, d.kind, d.id, d.name, d.district, d.owner, "" if d.enabled else "disabled") for d in found]
    print_table(f"{len(found)} devices", ("tenant", "kind", "id", "name", "district", "owner", "state"), rows)


@command.command("show")
@ID
@KIND
@TENANT
@configured
@as_json
def show(
    device: str, kind: str | None, tenant: str | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Everything the registry knows of a device."""
    settings = settings_of(config, data)
    registry = _registry(settings)
    body = _body(registry.get(_find(registry, settings, device, kind, tenant)))
    print_json(body) if as_json else print_facts(body)


def _switch(name: str, enabled: bool, help_text: str) -> None:
    @command.command(name, help=help_text)
    @ID
    @KIND
    @TENANT
    @configured
    def switch(device: str, kind: str | None, tenant: str | None, config: Path | None, data: Path | None) -> None:
        settings = settings_of(config, data)
        registry = _registry(settings)
        key = _find(registry, settings, device, kind, tenant)
        registry.enable(key, enabled)
        click.echo(f"{name}d {key.tenant}/{key.kind}/{key.id}")


_switch("enable", True, "Let a device speak again.")
_switch("disable", False, "Refuse what a device sends; its messages become dead letters.")


@command.command("remove")
@ID
@KIND
@TENANT
@configured
def remove(device: str, kind: str | None, tenant: str | None, config: Path | None, data: Path | None) -> None:
    """Take a device out of the registry; its readings stay."""
    settings = settings_of(config, data)
    registry = _registry(settings)
    key = _find(registry, settings, device, kind, tenant)
    registry.remove(key)
    click.echo(f"removed {key.tenant}/{key.kind}/{key.id}")


@command.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@configured
@as_json
def import_devices(file: TextIO, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Register the devices of a CSV file: all of them, or none and every bad row named."""
    settings = settings_of(config, data)
    lines: Sequence[str] = list(file)
    watched = track(lines, f"reading {file.name}", disable=not sys.stderr.isatty(), transient=True)
    devices, bad = provisioning.read_csv(watched, settings.tenant, all_kinds().keys())
    registry = _registry(settings)
    bad += [
        provisioning.BadRow(line, "id", f"{device.id!r} is registered already")
        for line, device in devices if registry.lookup(device.key)
    ]  # fmt: skip
    if bad:
        for row in bad:
            click.echo(str(row), err=True)
        if as_json:
            print_json({"imported": 0, "bad": [asdict(row) for row in bad]})
        raise click.exceptions.Exit(1)
    registry.add([device for _, device in devices])
    print_json({"imported": len(devices), "bad": []}) if as_json else click.echo(f"registered {len(devices)} devices")


@command.command("export")
@configured
def export(config: Path | None, data: Path | None) -> None:
    """All devices as CSV on stdout; `import` reads it back."""
    devices = sorted(_registry(settings_of(config, data)).all(), key=lambda d: d.key)
    for line in provisioning.write_csv(devices):
        click.echo(line, nl=False)


def _registry(settings: Settings) -> Registry:
    return Registry(open_database(settings.database_url))


def _find(registry: Registry, settings: Settings, device: str, kind: str | None, tenant: str | None) -> DeviceKey:
    tenant = tenant or settings.tenant
    found = [d.key for d in registry.all() if d.id == device and d.tenant == tenant and kind in (None, d.kind)]
    if not found:
        raise NotFound(f"no device {device} in tenant {tenant}")
    if len(found) > 1:
        kinds = ", ".join(key.kind for key in found)
        raise click.UsageError(f"{device} is ambiguous, say --kind ({kinds})", click.get_current_context())
    return found[0]


def _body(device: Device) -> dict[str, object]:
    return asdict(device) | {"profile": dict(device.profile)}
