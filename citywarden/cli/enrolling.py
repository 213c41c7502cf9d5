"""What the commands about devices share: registry and broker opened together, credentials shown once."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import Engine

from citywarden.cli.options import print_facts
from citywarden.cli.running import wall_ms
from citywarden.model.credential import Credential
from citywarden.model.device import DeviceKey
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import Intent
from citywarden.provision.handout import SNIPPETS, Handout, csv_lines, qr_text, write_qr
from citywarden.sections import Settings
from citywarden.serve.belonging import open_belonging
from citywarden.serve.claimoffice import ClaimOffice
from citywarden.serve.enrolment import NO_PROVISIONER, Enrolment
from citywarden.serve.recording import os_identity, recorded
from citywarden.serve.tables import open_database
from dashboards.sources import UNRECORDED
from ingest.kinds import all_kinds
from ingest.registry import Registry

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Office:
    """Registry, broker accounts and claims of a command."""

    engine: Engine
    registry: Registry
    enrolment: Enrolment
    claims: ClaimOffice | None

    def recorded(self, action: str, key: DeviceKey | str, detail: str = "") -> AbstractContextManager[Intent]:
        """See `recording.recorded`."""
        return recorded(self.engine, action, key if isinstance(key, str) else "/".join(key), detail=detail)

    @property
    def by(self) -> str:
        return os_identity().name

    def demand_claims(self) -> ClaimOffice:
        if self.claims is None:
            raise CitywardenError(NO_PROVISIONER)
        return self.claims


@asynccontextmanager
async def office(settings: Settings) -> AsyncIterator[Office]:
    """Open it for one command. Raises ConfigurationError, CitywardenError."""
    engine = open_database(settings.database_url)
    try:
        registry = Registry(engine)

        belonging = open_belonging(settings, engine, registry, all_kinds(), UNRECORDED.doing, wall_ms)
        try:
            yield Office(engine, registry, belonging.enrolment, belonging.claims)
        finally:
            await belonging.enrolment.close()
    finally:
        engine.dispose()


def find(registry: Registry, settings: Settings, device: str, kind: str | None, tenant: str | None) -> DeviceKey:
    """The device meant. Raises NotFound, and UsageError where the kind must be said."""
    tenant = tenant or settings.tenant
    found = [d.key for d in registry.all() if d.id == device and d.tenant == tenant and kind in (None, d.kind)]
    if not found:
        raise NotFound(f"no device {device} in tenant {tenant}")
    if len(found) > 1:
        kinds = ", ".join(key.kind for key in found)
        raise click.UsageError(f"{device} is ambiguous, say --kind ({kinds})", click.get_current_context())
    return found[0]


def shown(command: F) -> F:
    """Options for how credentials are shown; the command takes `snippet`, `qr` and `qr_file`."""
    snippet = click.option("--snippet", type=click.Choice(SNIPPETS), help="Print client code that works as it stands.")
    qr = click.option("--qr", is_flag=True, help="Print the credentials as a QR code, for a fitter's phone.")
    file = click.option(
        "--qr-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write the QR code as .svg or .png; the file must be new.",
    )
    return snippet(qr(file(command)))


@dataclass(frozen=True, slots=True)
class Showing:
    """How credentials are to be shown."""

    snippet: str | None = None
    qr: bool = False
    qr_file: Path | None = None

    def check(self) -> None:
        """Raises UsageError for what could only fail when the password exists already."""
        if self.qr_file is None:
            return
        if self.qr_file.suffix not in (".svg", ".png"):
            raise click.BadParameter("expected a name that ends in .svg or .png", param_hint="--qr-file")
        if self.qr_file.exists():
            raise click.BadParameter(f"{self.qr_file} exists already", param_hint="--qr-file")

    def show(self, handout: Handout) -> None:
        """On stdout, for people."""
        if self.qr_file is not None:
            write_qr(handout, self.qr_file)
        if self.snippet is not None:
            click.echo(handout.snippet(self.snippet), nl=False)
            return
        if self.qr:
            click.echo(qr_text(handout), nl=False)
        facts = handout.facts()
        print_facts({name: facts[name] for name in ("broker", "username", "password", "client_id")})
        click.echo("The password is shown this once; only its digest is kept.", err=True)


class CredentialsFile:
    """A new file for credentials, made before anything changes; `write` fills it, `discard` takes it away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            raise CitywardenError(f"{path} exists already; credentials are written to a new file only") from None
        except OSError as error:
            raise CitywardenError(f"{path}: {error.strerror}") from None

    def write(self, credentials: Sequence[Credential]) -> None:
        self.path.write_text("".join(csv_lines(credentials)), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
