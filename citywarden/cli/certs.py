"""`citywarden certs`: a private certificate authority for the server and for devices."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import click

from citywarden.certs.authority import (
    AUTHORITY_DAYS,
    CRL_DAYS,
    DAY_MS,
    DEVICE_DAYS,
    SERVER_DAYS,
    Authority,
    Handed,
    state_of,
    superseded,
)
from citywarden.certs.shelf import Issued
from citywarden.cli.options import as_json, configured, print_json, print_table, said, settings_of
from citywarden.cli.running import wall_ms
from citywarden.model.credential import login_of
from citywarden.model.device import DeviceKey
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.wire import timestamp
from citywarden.sections import Settings
from citywarden.serve.certificates import certificates_folder
from citywarden.serve.recording import recorded_there
from citywarden.serve.tables import open_database
from ingest.registry import Registry

F = TypeVar("F", bound=Callable[..., object])
FOLDER = click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path),
                      help="Folder of the authority. Default: certs in the data folder.")  # fmt: skip
PASSPHRASE = click.option("--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                          envvar="CITYWARDEN_CERTS_PASSPHRASE_FILE",
                          help="File with the passphrase of the authority's key.")  # fmt: skip
OUT = click.option("--out", type=click.Path(file_okay=False, path_type=Path),
                   help="Where to put cert.pem, key.pem and ca.pem. Default: in the authority's folder.")  # fmt: skip


def _days(default: int) -> Callable[[F], F]:
    return click.option("--days", type=click.IntRange(1, 36_500), default=default, show_default=True)


@click.group("certs")
def command() -> None:
    """Certificates of a private authority: for the server, and for devices that log in with one."""


@command.command("init")
@click.option("--name", default="Citywarden", show_default=True, help="Name of the authority.")
@_days(AUTHORITY_DAYS)
@FOLDER
@PASSPHRASE
@configured
@as_json
def init(
    name: str, days: int, folder: Path | None, passphrase_file: Path | None,
    config: Path | None, data: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Begin an authority: its key (readable by its owner only), its certificate, an empty list of revocations."""
    settings = settings_of(config, data)
    with recorded_there(settings, "cert.init", name) as intent:
        file = _authority(settings, folder, passphrase_file).begin(name, wall_ms(), days)
        intent.detail = str(file)
    if as_json:
        print_json({"ca": str(file), "crl": str(file.with_name("crl.pem")), "encrypted": passphrase_file is not None})
        return
    click.echo(f"{file}: give this to whoever is to trust the server and its devices")
    if passphrase_file is None:
        click.echo("the key is not encrypted: keep the folder where only you can read it, or use --passphrase-file")


@command.command("server")
@click.argument("names", nargs=-1, required=True)
@_days(SERVER_DAYS)
@OUT
@FOLDER
@PASSPHRASE
@configured
@as_json
def server(
    names: tuple[str, ...], out: Path | None, folder: Path | None, passphrase_file: Path | None, config: Path | None,
    data: Path | None, **how: int,
) -> None:  # fmt: skip
    """Issue a server's certificate for NAMES: host names and addresses, as clients will call it."""
    settings = settings_of(config, data)
    with recorded_there(settings, "cert.issue", names[0]) as intent:
        handed = _authority(settings, folder, passphrase_file).issue_server(names, wall_ms(), how["days"], out)
        intent.subjects, intent.detail = [handed.issued.name], _said(handed)
    _tell(handed, bool(how["as_json"]))


@command.command("issue")
@click.argument("device")
@click.option("--kind", help="Kind of the device; needed where an id is not unique.")
@click.option("--tenant", help="Tenant; default: the configured one.")
@click.option(
    "--login", "as_login", is_flag=True, help="DEVICE is a login as it stands: the server's own, a gateway's."
)
@_days(DEVICE_DAYS)
@OUT
@FOLDER
@PASSPHRASE
@configured
@as_json
def issue(
    device: str, kind: str | None, tenant: str | None, out: Path | None, config: Path | None, data: Path | None,
    **how: object,
) -> None:  # fmt: skip
    """Issue a certificate to a registered DEVICE (its id, or tenant/kind/id). Its name is the device's login, so a
    broker that takes it for the user name knows who is speaking.
    """
    settings = settings_of(config, data)
    authority = _authority(settings, _path(how["folder"]), _path(how["passphrase_file"]))
    login = device if how["as_login"] else login_of(_find(settings, device, kind, tenant))
    with recorded_there(settings, "cert.issue", login) as intent:
        handed = authority.issue_device(login, wall_ms(), int(str(how["days"])), out)
        intent.detail = _said(handed)
    _tell(handed, bool(how["as_json"]))


@command.command("revoke")
@click.argument("name")
@FOLDER
@PASSPHRASE
@configured
@as_json
def revoke(
    name: str, folder: Path | None, passphrase_file: Path | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Revoke all certificates of NAME (tenant/kind/id, a host, or a serial number) and sign the list anew.

    A broker reads the list when it is told to (Mosquitto: SIGHUP); connections that are open stay, so disable the
    device too.
    """
    settings = settings_of(config, data)
    authority = _authority(settings, folder, passphrase_file)
    known = {one.name for one in authority.issued()} | {one.serial for one in authority.issued()}
    if name not in known:
        ending = sorted(one for one in known if one.endswith(f"/{name}"))
        if len(ending) > 1:
            raise click.UsageError(f"{name} is ambiguous: {', '.join(ending)}", click.get_current_context())
        name = ending[0] if ending else name
    with recorded_there(settings, "cert.revoke", name) as intent:
        revoked = authority.revoke(name, wall_ms())
        intent.subjects, intent.detail = [revoked[0].name], " ".join(one.serial for one in revoked)
    crl = authority.folder / "crl.pem"
    if as_json:
        print_json({"revoked": [_body(one, wall_ms()) for one in revoked], "crl": str(crl)})
        return
    click.echo(f"revoked {said(len(revoked), 'certificate')} of {revoked[0].name}; bring {crl} to the broker")


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Revoked, expired and replaced ones too.")
@FOLDER
@configured
@as_json
def list_certificates(
    everything: bool, folder: Path | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Certificates that were issued; those that expire soon are named on stderr."""
    authority, now_ms = _authority(settings_of(config, data), folder, None), wall_ms()
    if not authority.exists:
        raise NotFound(f"no authority in {authority.folder}; `citywarden certs init` begins one")
    issued = authority.issued()
    old = superseded(issued)
    shown = [
        one for one in issued if everything or (state_of(one, now_ms) in ("good", "expiring") and one.serial not in old)
    ]  # fmt: skip
    _warn(authority, issued, now_ms)
    if as_json:
        print_json({"items": [_body(one, now_ms) for one in shown], "next": None})
        return
    rows = [(one.name, one.purpose, state_of(one, now_ms), timestamp(one.expires_ms), one.serial) for one in shown]
    print_table(said(len(rows), "certificate"), ("name", "purpose", "state", "expires", "serial"), rows)


@command.command("crl")
@_days(CRL_DAYS)
@FOLDER
@PASSPHRASE
@configured
@as_json
def crl(
    days: int, folder: Path | None, passphrase_file: Path | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Sign the list of revocations anew, before it expires."""
    settings = settings_of(config, data)
    authority = _authority(settings, folder, passphrase_file)
    with recorded_there(settings, "cert.crl", str(authority.folder / "crl.pem"), f"good for {days} days"):
        file = authority.renew_revocations(wall_ms(), days)
    expires = timestamp(authority.expiries()["list of revocations"])
    print_json({"crl": str(file), "expires_at": expires}) if as_json else click.echo(f"{file}, good until {expires}")


def _authority(settings: Settings, folder: Path | None, passphrase_file: Path | None) -> Authority:
    passphrase = passphrase_file.read_bytes().strip() if passphrase_file else None
    if passphrase == b"":
        raise CitywardenError(f"{passphrase_file} is empty, expected a passphrase")
    return Authority(folder or certificates_folder(settings), passphrase)


def _find(settings: Settings, device: str, kind: str | None, tenant: str | None) -> DeviceKey:
    parts = device.split("/")
    if len(parts) == 3:
        tenant, kind, device = parts
    tenant = tenant or settings.tenant
    registry = Registry(open_database(settings.database_url))
    found = [d.key for d in registry.all() if d.id == device and d.tenant == tenant and kind in (None, d.kind)]
    if not found:
        raise NotFound(f"no device {device} in tenant {tenant}; `citywarden device add` registers one")
    if len(found) > 1:
        kinds = ", ".join(key.kind for key in found)
        raise click.UsageError(f"{device} is ambiguous, say --kind ({kinds})", click.get_current_context())
    return found[0]


def _said(handed: Handed) -> str:
    return f"{handed.issued.purpose}, serial {handed.issued.serial}, until {timestamp(handed.issued.expires_ms)}"


def _tell(handed: Handed, as_json: bool) -> None:
    if as_json:
        files = {name: str(handed.folder / f"{name}.pem") for name in ("cert", "key", "ca")}
        print_json(_body(handed.issued, handed.issued.issued_ms) | files)
        return
    click.echo(f"{handed.folder}: cert.pem, key.pem, ca.pem")
    click.echo(f"{handed.issued.name}, good until {timestamp(handed.issued.expires_ms)}")


def _warn(authority: Authority, issued: Sequence[Issued], now_ms: int) -> None:
    """What expires within a month, on stderr."""
    for what, expires_ms in authority.expiries().items():
        if expires_ms - now_ms < 30 * DAY_MS:
            click.echo(f"citywarden: warning: the {what} expires on {timestamp(expires_ms)}", err=True)
    old = superseded(issued)
    for one in issued:
        if state_of(one, now_ms) in ("expiring", "expired") and one.serial not in old:
            click.echo(f"citywarden: warning: {one.name} expires on {timestamp(one.expires_ms)}", err=True)


def _body(issued: Issued, now_ms: int) -> dict[str, object]:
    told = asdict(issued)
    times = {name: told.pop(f"{name}_ms") for name in ("issued", "expires", "revoked")}
    return told | {
        "state": state_of(issued, now_ms),
        **{f"{name}_at": None if ms is None else timestamp(ms) for name, ms in times.items()},
    }


def _path(value: object) -> Path | None:
    return value if isinstance(value, Path) else None
