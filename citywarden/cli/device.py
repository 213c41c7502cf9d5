"""`citywarden device`: which devices belong, at the command line: registry, credentials, rights at the broker."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path

import click

from citywarden.cli.devicefile import export, import_devices
from citywarden.cli.enrolling import CredentialsFile, Office, Showing, find, office, shown
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, said, settings_of
from citywarden.model.device import Device, DeviceKey
from citywarden.model.wire import timestamp
from citywarden.provision.handout import Handout
from citywarden.sections import Settings
from citywarden.serve.brokers import is_enforced
from fleet import provisioning
from ingest.kinds import all_kinds

ID = click.argument("device")
KIND = click.option("--kind", help="Kind of the device; needed where an id is not unique.")
TENANT = click.option("--tenant", help="Tenant; default: the configured one.")


@click.group("device")
def command() -> None:
    """Register devices, give them credentials, switch them on and off, compare with the broker."""


command.add_command(import_devices)
command.add_command(export)


@command.command("add")
@ID
@click.option("--kind", required=True, help="One of `citywarden kinds`.")
@TENANT
@click.option("--name", default="", help="What people call it.")
@click.option("--district", default="")
@click.option("--lat", metavar="DEGREES", help="Where it stands; with --lon.")
@click.option("--lon", metavar="DEGREES")
@click.option(
    "--crs",
    type=click.Choice(provisioning.CRS),
    default="wgs84",
    show_default=True,
    help="Datum of that position, and of those the device sends.",
)
@click.option("--profile", help="name=value;name=value, or a JSON object.")
@click.option("--owner", default="", help="Unit that looks after it.")
@click.option("--claim", is_flag=True, help="Give no password now: the device claims its own, once.")
@shown
@configured
@as_json
def add(  # noqa: PLR0913, PLR0917 (one parameter an option)
    device: str, claim: bool, snippet: str | None, qr: bool, qr_file: Path | None,
    config: Path | None, data: Path | None, as_json: bool, **words: str | None,
) -> None:  # fmt: skip
    """Register one device; where a broker is told about devices, print its credentials, once."""
    settings = settings_of(config, data)
    showing = Showing(snippet, qr, qr_file)
    showing.check()
    cells = {"id": device, "tenant": settings.tenant} | {name: word for name, word in words.items() if word}
    found, wrong = provisioning.parse(cells, all_kinds())
    if found is None:
        raise click.UsageError("; ".join(f"{column}: {what}" for column, what in wrong), click.get_current_context())
    handout = asyncio.run(_add(settings, found, claim))
    if as_json:
        print_json(_body(found) | {"credentials": None if handout is None else handout.facts()})
        return
    click.echo(f"registered {found.tenant}/{found.kind}/{found.id}", err=snippet is not None)
    if handout is not None:
        showing.show(handout)
        _say_open(settings)


async def _add(settings: Settings, device: Device, claim: bool) -> Handout | None:
    async with office(settings) as opened:
        with opened.recorded("device.add", device.key, "to claim its password" if claim else ""):
            issued = await opened.enrolment.add([device], claim)
        return opened.enrolment.handout(issued[0]) if issued else None


@command.command("rotate")
@ID
@KIND
@TENANT
@shown
@configured
@as_json
def rotate(  # noqa: PLR0913, PLR0917 (one parameter an option)
    device: str, kind: str | None, tenant: str | None, snippet: str | None, qr: bool, qr_file: Path | None,
    config: Path | None, data: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Give a device a new password; the old one is dead at once, and its session ended."""
    settings = settings_of(config, data)
    showing = Showing(snippet, qr, qr_file)
    showing.check()
    handout = asyncio.run(_rotate(settings, device, kind, tenant))
    print_json(handout.facts()) if as_json else showing.show(handout)
    _say_open(settings)


def _say_open(settings: Settings) -> None:
    if not is_enforced(settings):
        click.echo('note: the broker lets everyone in until [mqtt] devices = "credentials"', err=True)


async def _rotate(settings: Settings, device: str, kind: str | None, tenant: str | None) -> Handout:
    async with office(settings) as opened:
        key = find(opened.registry, settings, device, kind, tenant)
        with opened.recorded("device.rotate", key):
            credential = await opened.enrolment.rotate(key)
        return opened.enrolment.handout(credential)


@command.command("list")
@click.option("--kind", help="Only this kind.")
@click.option("--tenant", help="Only this tenant.")
@click.option("--district", help="Only this district.")
@configured
@as_json
def list_devices(config: Path | None, data: Path | None, as_json: bool, **wanted: str | None) -> None:
    """List devices of every tenant, kind and district, or of one."""

    async def read() -> list[Device]:
        async with office(settings_of(config, data)) as opened:
            return sorted(opened.registry.all(), key=lambda d: d.key)

    found = [d for d in asyncio.run(read()) if all(w in (None, getattr(d, name)) for name, w in wanted.items())]
    if as_json:
        print_json({"items": [_body(d) for d in found], "next": None})
        return
    rows = [(d.tenant, d.kind, d.id, d.name, d.district, d.owner, "" if d.enabled else "disabled") for d in found]
    print_table(said(len(found), "device"), ("tenant", "kind", "id", "name", "district", "owner", "state"), rows)


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

    async def read() -> dict[str, object]:
        async with office(settings) as opened:
            key = find(opened.registry, settings, device, kind, tenant)
            issued = await opened.enrolment.issued(key)
            credentials = None if issued is None else {
                "username": issued.login, "issued_at": timestamp(issued.issued_ms), "pending": issued.pending.value
            }  # fmt: skip
            return _body(opened.registry.get(key)) | {"credentials": credentials}

    body = asyncio.run(read())
    print_json(body) if as_json else print_facts(body)


def _change(name: str, done: str, help_text: str, deed: Callable[[Office, DeviceKey], Awaitable[object]]) -> None:
    @command.command(name, help=help_text)
    @ID
    @KIND
    @TENANT
    @configured
    def change(device: str, kind: str | None, tenant: str | None, config: Path | None, data: Path | None) -> None:
        settings = settings_of(config, data)

        async def act() -> DeviceKey:
            async with office(settings) as opened:
                key = find(opened.registry, settings, device, kind, tenant)
                with opened.recorded(f"device.{name}", key):
                    await deed(opened, key)
                return key

        click.echo(f"{done} {'/'.join(asyncio.run(act()))}")


_change("enable", "enabled", "Let a device speak again.", lambda o, key: o.enrolment.enable(key))
_change("disable", "disabled", "Take a device's rights and end its session; what it sends becomes dead letters.",
        lambda o, key: o.enrolment.disable(key))  # fmt: skip
_change("remove", "removed", "Take a device out of registry and broker; its readings stay.",
        lambda o, key: o.enrolment.remove(key))  # fmt: skip


@command.command("sync")
@click.option("--repair", is_flag=True, help="Make the broker as the registry says.")
@click.option("--credentials", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.csv",
              help="With --repair: new passwords where an account is lost, written to this new file.")  # fmt: skip
@configured
@as_json
def sync(repair: bool, credentials: Path | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Compare registry and broker: accounts that are missing, too many, or may do what they should not.

    Exit 1 when there is a difference (with --repair: one that is left).
    """
    if credentials is not None and not repair:
        raise click.UsageError("--credentials goes with --repair", click.get_current_context())
    found = asyncio.run(_sync(settings_of(config, data), repair, credentials))
    if as_json:
        print_json(found)
    else:
        for title in ("repaired", "different"):
            if rows := found[title]:
                print_table(title, ("login", "fault", "what"), [tuple(row.values()) for row in rows])
        if not found["different"]:
            click.echo("registry and broker agree")
        elif repair:
            click.echo(
                "left: their passwords are lost; --credentials OUT.csv gives new ones, or device rotate", err=True
            )
    if found["different"]:
        raise click.exceptions.Exit(1)


async def _sync(settings: Settings, repair: bool, credentials: Path | None) -> dict[str, list[dict[str, str]]]:
    async with office(settings) as opened:
        different = await opened.enrolment.compare()
        done = []
        if repair and different:
            kept = CredentialsFile(credentials) if credentials is not None else None
            try:
                with opened.recorded("device.sync", f"{len(different)} accounts") as intent:
                    repaired = await opened.enrolment.repair(different, renew=kept is not None)
                    done, different = list(repaired.done), repaired.left
                    intent.subjects, intent.detail = [f"{len(done)} accounts"], ", ".join(d.login for d in done[:50])
            except BaseException:
                if kept is not None:
                    kept.discard()
                raise
            if kept is not None:
                kept.write(repaired.issued)

    def rows(differences: object) -> list[dict[str, str]]:
        assert isinstance(differences, list | tuple)
        return [{"login": d.login, "fault": d.fault.value, "what": d.what} for d in differences]

    return {"repaired": rows(done), "different": rows(list(different))}


def _body(device: Device) -> dict[str, object]:
    told = {fact.name: getattr(device, fact.name) for fact in fields(device) if fact.init}
    return told | {"profile": dict(device.profile)}
