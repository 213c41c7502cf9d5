"""The alert side of the server: database, desk and courier, started together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from citywarden.alerts.delivery import Courier
from citywarden.alerts.desk import AsyncDesk, Desk
from citywarden.alerts.formats import FORMATS
from citywarden.alerts.machine import Policy
from citywarden.alerts.routes import Routes
from citywarden.alerts.target import Target
from citywarden.model.alert import Severity
from citywarden.model.device import Device, DeviceKey
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.serve.tables import open_database
from citywarden.settings import Settings

Lookup = Callable[[DeviceKey], Device | None]


@dataclass(slots=True)
class Alerting:
    """Database, desk and courier. `locate` is set once the registry is there, which needs the database first."""

    engine: Engine
    desk: AsyncDesk
    courier: Courier
    locate: Lookup


@asynccontextmanager
async def alerting(settings: Settings, clock_ms: Callable[[], int]) -> AsyncIterator[Alerting]:
    """Connect, make the tables that are missing, and deliver what waits. Raises CitywardenError."""
    targets = list(targets_of(settings))
    engine = open_database(settings.database_url)
    found: list[Alerting] = []

    def district(tenant: str, kind: str, subject: str) -> str:
        device = found[0].locate(DeviceKey(tenant, kind, subject.partition("/")[0])) if found else None
        return device.district if device else ""

    policy = Policy(stale_ms=round(settings.alerts.stale_after_min * 60_000))
    desk = AsyncDesk(Desk(engine, Routes(targets), policy, district), clock_ms)
    try:
        async with Courier(desk, targets, clock_ms) as courier:
            found.append(Alerting(engine, desk, courier, lambda _key: None))
            yield found[0]
    finally:
        await desk.close()
        engine.dispose()


def targets_of(settings: Settings) -> Sequence[Target]:
    """The configured targets. Raises ConfigurationError naming every one that is wrong."""
    problems, targets = [], []
    link = f"http://{settings.api.listen}"
    names = [one.name for one in settings.alerts.targets]
    for i, one in enumerate(settings.alerts.targets):
        key = f"alerts.targets.{i}"
        if one.format not in FORMATS:
            expected = f"{one.format!r}: expected one of {', '.join(sorted(FORMATS))}"
            problems.append(Problem("configuration", None, f"{key}.format", expected))
            continue
        if names.index(one.name) != i:
            problems.append(Problem("configuration", None, f"{key}.name", f"{one.name!r} stands there twice"))
        target = Target(
            one.name,
            one.url,
            one.secret.get_secret_value() if one.secret else None,
            one.format,
            one.language or settings.language,
            Severity[one.min_severity.upper()],
            one.timeout_s,
            link=link,
            zone=settings.zone,
        )
        try:
            _ = target.key
        except ValueError as error:
            problems.append(Problem("configuration", None, f"{key}.secret", str(error)))
        targets.append(target)
    if problems:
        raise ConfigurationError(problems)
    return targets
