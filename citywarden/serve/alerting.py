"""The alert side of the server: database, desk and courier, started together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from citywarden.alerts.circumstances import Manners
from citywarden.alerts.delivery import Courier
from citywarden.alerts.desk import AsyncDesk, Desk
from citywarden.alerts.formats import FORMATS, misfit
from citywarden.alerts.guard import Guard
from citywarden.alerts.machine import Policy
from citywarden.alerts.routefile import Routing, parse_routes
from citywarden.alerts.routes import Routes
from citywarden.alerts.target import Target
from citywarden.model.alert import OWN_KINDS, Severity
from citywarden.model.device import Device, DeviceKey, Profile
from citywarden.model.errors import ConfigurationError, Problem, Unavailable
from citywarden.sections import Settings
from citywarden.serve.tables import open_database
from ingest.registry import Registry

ATTEND_S = 1.0
TRIM_EVERY_MS = 86_400_000
_log = logging.getLogger(__name__)

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
    routing = routing_of(settings)
    engine = open_database(settings.database_url)
    found: list[Alerting] = []
    desk = AsyncDesk(_desk(settings, routing, engine, lambda key: found[0].locate(key) if found else None), clock_ms)
    try:
        async with Courier(desk, routing.routes.targets, clock_ms, guard=guard_of(settings)) as courier:
            found.append(Alerting(engine, desk, courier, lambda _key: None))
            yield found[0]
    finally:
        await desk.close()
        engine.dispose()


def locating(registry: Registry) -> Lookup:
    """The registry as the alerts ask it: the server itself is no device, not even one that registers itself."""
    return lambda key: None if key.kind in OWN_KINDS else registry.lookup(key)


def desk_of(settings: Settings) -> Desk:
    """A desk for a command: the same database, targets and registry as the server's. Raises CitywardenError."""
    routing = routing_of(settings)
    engine = open_database(settings.database_url)
    return _desk(settings, routing, engine, Registry(engine).lookup)


def _desk(settings: Settings, routing: Routing, engine: Engine, locate: Lookup) -> Desk:
    def device(tenant: str, kind: str, subject: str) -> Device | None:
        return locate(DeviceKey(tenant, kind, subject.partition("/")[0]))

    def district(tenant: str, kind: str, subject: str) -> str:
        known = device(tenant, kind, subject)
        return known.district if known else ""

    def profile(tenant: str, kind: str, subject: str) -> Profile:
        known = device(tenant, kind, subject)
        return known.profile if known else {}

    policy = Policy(stale_ms=round(settings.alerts.stale_after_min * 60_000))
    return Desk(engine, routing.routes, policy, district, routing.manners, profile)


async def attend(desk: AsyncDesk, keep_ms: int, clock_ms: Callable[[], int]) -> None:
    """Every second, until cancelled: remind, escalate, release, and take in what other processes did. Once a day, and
    at start, drop what was resolved longer than `keep_ms` ago.
    """
    trimmed_ms: int | None = None
    while True:
        try:
            await desk.tick()
            now_ms = clock_ms()
            if trimmed_ms is None or now_ms - trimmed_ms >= TRIM_EVERY_MS:
                trimmed_ms = now_ms
                await desk.trim(now_ms - keep_ms)
        except Unavailable as error:
            _log.warning("alerts cannot be attended to now: %s", error)
        await asyncio.sleep(ATTEND_S)


def _link(settings: Settings) -> str:
    """The address of the console, for messages."""
    if settings.api.public_url is not None:
        return settings.api.public_url.rstrip("/")
    return f"{'http' if settings.api.cert_file is None else 'https'}://{settings.api.listen}"


def guard_of(settings: Settings) -> Guard:
    """Where messages may go."""
    return Guard(settings.alerts.allow_networks)


def routing_of(settings: Settings) -> Routing:
    """Who hears of what: the routing file's targets and routes, and the targets of the configuration, which hear of
    everything. Raises ConfigurationError naming everything that is wrong.
    """
    file = settings.alerts.routes
    problems: list[Problem] = []
    own: Sequence[Target] = ()
    routing = Routing(Routes(()), Manners())
    try:
        own = targets_of(settings)
    except ConfigurationError as error:
        problems.extend(error.problems)
    if file is not None:
        try:
            text = file.read_text("utf-8")
            routing = parse_routes(text, str(file), settings.zone, settings.language, _link(settings))
        except ConfigurationError as error:
            problems.extend(error.problems)
        except OSError as error:
            what = f"{error.strerror or 'cannot be read'}, expected a readable file (alerts.routes)"
            problems.append(Problem(str(file), None, "", what))
        except UnicodeDecodeError as error:
            problems.append(Problem(str(file), None, "", f"is not UTF-8: {error.reason}"))
    both = {target.name for target in own} & routing.routes.names
    problems += [Problem(str(file), None, "targets", f"`{name}` is in the configuration too") for name in sorted(both)]
    if problems:
        raise ConfigurationError(problems)
    return Routing(routing.routes.with_targets(own), routing.manners)


def targets_of(settings: Settings) -> Sequence[Target]:
    """The configured targets. Raises ConfigurationError naming every one that is wrong."""
    problems, targets = [], []
    link = _link(settings)
    names = [one.name for one in settings.alerts.targets]
    for i, one in enumerate(settings.alerts.targets):
        key = f"alerts.targets.{i}"
        if one.format not in FORMATS:
            expected = f"{one.format!r}: expected one of {', '.join(sorted(FORMATS))}"
            problems.append(settings.problem(f"{key}.format", expected))
            continue
        if (what := misfit(one.format, one.url)) is not None:
            problems.append(settings.problem(f"{key}.url", f"{one.url!r}: {what}"))
        if names.index(one.name) != i:
            problems.append(settings.problem(f"{key}.name", f"{one.name!r} stands there twice"))
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
            problems.append(settings.problem(f"{key}.secret", str(error)))
        targets.append(target)
    if problems:
        raise ConfigurationError(problems)
    return targets
