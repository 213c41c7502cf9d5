"""`citywarden claim`: devices that ask for their identity themselves."""

import asyncio
from pathlib import Path
from typing import TextIO

import click

from citywarden.cli.device import KIND, TENANT
from citywarden.cli.enrolling import find, office
from citywarden.cli.options import as_json, configured, print_facts, print_json, print_table, settings_of
from citywarden.cli.running import wall_ms
from citywarden.model.claim import Mode, State
from citywarden.model.device import Device
from citywarden.model.wire import timestamp
from citywarden.provision import claimant
from fleet import provisioning
from ingest.endpoint import Tls, parse_url
from ingest.kinds import all_kinds

SERIAL = click.argument("serial")


@click.group("claim")
def command() -> None:
    """Claim keys, devices that ask with them, and who gets in."""


@command.command("key")
@TENANT
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), default=Mode.LISTED.value, show_default=True,
              help="listed: those added or imported with --claim; approval: any, when approved.")  # fmt: skip
@click.option("--drop", is_flag=True, help="Take the tenant's key away: no device claims any more.")
@configured
@as_json
def key(tenant: str | None, mode: str, drop: bool, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Make a tenant's claim key and print it, once; the old one is dead."""
    settings = settings_of(config, data)
    tenant = tenant or settings.tenant

    async def act() -> str | None:
        async with office(settings) as opened:
            claims = opened.demand_claims()
            if drop:
                with opened.recorded("claim.key_dropped", tenant):
                    await claims.drop_key(tenant)
                return None
            with opened.recorded("claim.key", tenant, mode):
                return (await claims.make_key(tenant, Mode(mode))).secret

    secret = asyncio.run(act())
    if as_json:
        print_json({"tenant": tenant, "mode": None if drop else mode, "key": secret})
    elif secret is None:
        click.echo(f"no device of {tenant} claims any more")
    else:
        print_facts({"tenant": tenant, "mode": mode, "claim key": secret})
        click.echo("Put it into the devices; it is shown this once.", err=True)


@command.command("list")
@TENANT
@click.option("--state", type=click.Choice([state.value for state in State]))
@configured
@as_json
def list_claims(tenant: str | None, state: str | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Devices that asked, newest first."""
    settings = settings_of(config, data)

    async def read() -> list[dict[str, object]]:
        async with office(settings) as opened:
            found = await opened.demand_claims().asked(tenant, State(state) if state else None)
        return [
            {
                "tenant": one.key.tenant, "kind": one.key.kind, "serial": one.key.id, "state": one.state.value,
                "asked_at": None if one.asked_ms is None else timestamp(one.asked_ms),
                "decided_at": None if one.decided_ms is None else timestamp(one.decided_ms),
                "decided_by": one.decided_by,
            }
            for one in found
        ]  # fmt: skip

    items = asyncio.run(read())
    if as_json:
        print_json({"items": items, "next": None})
        return
    columns = ("tenant", "kind", "serial", "state", "asked_at", "decided_at", "decided_by")
    print_table(f"{len(items)} devices asked", columns, [tuple(one[name] for name in columns) for one in items])


@command.command("approve")
@SERIAL
@KIND
@TENANT
@click.option("--name", default="")
@click.option("--district", default="")
@click.option("--lat")
@click.option("--lon")
@click.option("--owner", default="")
@configured
def approve(
    serial: str, kind: str | None, tenant: str | None, config: Path | None, data: Path | None, **words: str | None
) -> None:
    """Register a device that waits; when it asks again it gets its identity."""
    settings = settings_of(config, data)

    async def act() -> Device:
        async with office(settings) as opened:
            claims = opened.demand_claims()
            found = await claims.find_waiting(tenant or settings.tenant, serial, kind)
            cells = dict(zip(("tenant", "kind", "id"), found, strict=True)) | {n: w for n, w in words.items() if w}
            device, wrong = provisioning.parse(cells, all_kinds())
            if device is None:
                raise click.UsageError("; ".join(f"{column}: {what}" for column, what in wrong))
            with opened.recorded("claim.approve", device.key):
                await claims.approve(device, opened.by)
            return device

    click.echo(f"approved {'/'.join(asyncio.run(act()).key)}")


@command.command("reject")
@SERIAL
@KIND
@TENANT
@configured
def reject(serial: str, kind: str | None, tenant: str | None, config: Path | None, data: Path | None) -> None:
    """A device that waits gets nothing."""
    settings = settings_of(config, data)

    async def act() -> str:
        async with office(settings) as opened:
            claims = opened.demand_claims()
            found = await claims.find_waiting(tenant or settings.tenant, serial, kind)
            with opened.recorded("claim.reject", found):
                await claims.reject(found, opened.by)
            return "/".join(found)

    click.echo(f"rejected {asyncio.run(act())}")


@command.command("reset")
@click.argument("device")
@KIND
@TENANT
@configured
def reset(device: str, kind: str | None, tenant: str | None, config: Path | None, data: Path | None) -> None:
    """Let a registered device claim anew, after a repair or a factory reset; its password is dead at once."""
    settings = settings_of(config, data)

    async def act() -> str:
        async with office(settings) as opened:
            found = find(opened.registry, settings, device, kind, tenant)
            with opened.recorded("claim.reset", found):
                await opened.enrolment.await_claim(found)
            return "/".join(found)

    click.echo(f"{asyncio.run(act())} may claim anew")


@command.command("ask")
@SERIAL
@click.option("--kind", required=True)
@click.option("--broker", required=True, metavar="URL", help="mqtt://host:port or mqtts://...")
@click.option("--key-file", type=click.File("r"), required=True, help="File with the claim key; - for stdin.")
@TENANT
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@configured
@as_json
def ask(  # noqa: PLR0913, PLR0917 (one parameter an option)
    serial: str, kind: str, broker: str, key_file: TextIO, tenant: str | None, ca_file: Path | None,
    config: Path | None, data: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Claim as a device would: to try a claim key, or for a gateway that is provisioned by hand.

    Exit 0 when the identity was issued.
    """
    settings = settings_of(config, data)
    try:
        endpoint = parse_url(broker, Tls(ca_file) if ca_file else None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--broker") from None
    place = claimant.Place(endpoint.host, endpoint.port, None if endpoint.tls is None else endpoint.tls.context())
    secret = key_file.read().strip()
    answer = asyncio.run(claimant.claim(place, tenant or settings.tenant, kind, serial, secret, wall_ms))
    facts: dict[str, object] = {"status": answer.status} | (answer.credentials or {})
    print_json(facts) if as_json else print_facts(facts)
    if answer.credentials is None:
        raise click.exceptions.Exit(1)
