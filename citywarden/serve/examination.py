"""Testing every configured connection, and saying what to do about what does not work."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text

import citywarden.serve.tables  # noqa: F401 (declares every table)
from citywarden.alerts.formats import FORMATS
from citywarden.alerts.guard import Guard
from citywarden.alerts.mail import parse_postbox
from citywarden.alerts.post import client
from citywarden.alerts.target import Target
from citywarden.database import connect
from citywarden.model.errors import CitywardenError, ConfigurationError, Occupied
from citywarden.model.message import RawMessage
from citywarden.model.redaction import redact
from citywarden.sections import Settings
from citywarden.serve.alerting import guard_of, routing_of
from citywarden.serve.belonging import examine_accounts
from citywarden.serve.brokers import is_enforced, kind_of
from citywarden.serve.certificates import RENEW, examine_certificates
from citywarden.serve.exposure import warnings
from citywarden.serve.occupancy import occupant
from citywarden.serve.prepare import Prepared, prepare
from citywarden.serve.reception import examine_access
from citywarden.serve.stores import examine_store, folds_to_make, open_store, set_up_store
from citywarden.serve.tables import has_database
from dashboards.grafana.door import Grafana
from ingest.endpoint import Endpoint
from ingest.mqtt import receive, wall_clock_ms
from ingest.subscription import State, Status, Subscription

TIMEOUT_S = 15.0
FIX_TIMEOUT_S = 600.0
"""Filling new down-sampled buckets with what is there takes its time."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. `advice` says what to do when it does not work."""

    name: str
    ok: bool
    found: str
    advice: str = ""


async def examine(settings: Settings, fix: bool = False, now_ms: int | None = None) -> Sequence[Check]:
    """Try everything the server would use, side by side; a server that runs on the same data is left alone.

    `fix`: set up what is missing in the store first.
    """
    try:
        prepared = prepare(settings)
    except ConfigurationError as error:
        return [Check("files", False, str(problem), "mend the file named here") for problem in error.problems]
    tries: list[tuple[str, Callable[[], Awaitable[str]], str]] = [
        ("files", lambda: _files(prepared), ""),
        ("data", lambda: asyncio.to_thread(_folder, settings), "make the folder writable, or name another with --data"),
        ("log", lambda: asyncio.to_thread(_log, settings), "free the disk, or stop what holds the file"),
        ("database", lambda: asyncio.to_thread(_database, settings), "check [database] url, and that the server runs"),
        (
            "store",
            lambda: _store(prepared, fix),
            "check [store] url and token; the embedded file has one owner",
        ),
        ("listen", lambda: asyncio.to_thread(occupant, settings), "choose another address in [api] listen, or --port"),
        ("access", lambda: asyncio.to_thread(examine_access, settings), "check [access], and the database"),
    ]
    if prepared.endpoint is not None:
        endpoint = prepared.endpoint
        tries.append(("mqtt", lambda: _mqtt(endpoint), "check [mqtt] url, user and password, and that the broker runs"))
    if kind_of(settings) != "none" and is_enforced(settings):
        examined = partial(examine_accounts, settings, prepared.kinds, lambda: now_ms or 0)
        tries.append(("accounts", examined, "citywarden device sync tells, --repair mends; or check [provisioner]"))
    if settings.grafana.token is not None:
        advice = "check [grafana] url and token, and the data source's own url and token in Grafana"
        tries.append(("grafana", lambda: asyncio.to_thread(_grafana, settings), advice))
    tries.append(("certificates", partial(asyncio.to_thread, _certificates, settings, now_ms), RENEW))
    tries.append(("encryption", partial(_encryption, settings), ""))
    guard = guard_of(settings)
    for target in routing_of(settings).routes.targets:
        tries.append((f"target {target.name}", partial(_target, target, guard), "check its url; nothing was sent"))
    return await asyncio.gather(*(_try(*one, FIX_TIMEOUT_S if fix else TIMEOUT_S) for one in tries))


async def _try(name: str, attempt: Callable[[], Awaitable[str]], advice: str, timeout_s: float) -> Check:
    try:
        async with asyncio.timeout(timeout_s):
            return Check(name, True, await attempt())
    except TimeoutError:
        return Check(name, False, f"no answer within {timeout_s:g} s", advice)
    except Exception as error:
        return Check(name, False, " ".join(redact(str(error)).split()) or type(error).__name__, advice)


async def _files(prepared: Prepared) -> str:
    tasks, warnings = len(prepared.plan.templates), len(prepared.plan.warnings)
    ignored = f", {warnings} warnings" if warnings else ""
    return f"{len(prepared.book.rules)} rules, {tasks} planned roads, {len(prepared.plan.zones)} zones{ignored}"


def _folder(settings: Settings) -> str:
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    probe = settings.data / f".probe-{os.getpid()}"
    probe.write_bytes(b"x")
    probe.unlink()
    space = os.statvfs(settings.data)
    free = f"{settings.data}, {space.f_bavail * space.f_frsize / 2**30:.1f} GiB free"
    if settings.data.stat().st_mode & stat.S_IROTH:
        return f"{free}; WARNING: everybody on this machine may look into it: chmod o-rwx {settings.data}"
    return free


def _log(settings: Settings) -> str:
    if not settings.log_path.exists():
        return "will be made at first start"
    connection = sqlite3.connect(f"file:{settings.log_path}?mode=ro", uri=True)
    try:
        found = connection.execute("PRAGMA quick_check").fetchone()[0]
    finally:
        connection.close()
    if found != "ok":
        raise CitywardenError(f"{settings.log_path}: {found}")
    return f"{settings.log_path}, {settings.log_path.stat().st_size / 2**20:.1f} MiB"


def _database(settings: Settings) -> str:
    if not has_database(settings):
        return "will be made at first start"
    engine = connect(settings.database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        return f"{engine.dialect.name} answers"
    finally:
        engine.dispose()


async def _store(prepared: Prepared, fix: bool) -> str:
    done = await set_up_store(prepared.settings, prepared.kinds) if fix else ()
    if problems := await examine_store(prepared.settings, prepared.kinds):
        raise CitywardenError(f"{'; '.join(problems)} (doctor --fix does it)")
    if lacking := await folds_to_make(prepared.settings):
        done = [*done, lacking]
    if prepared.settings.store.url == "embedded" and not prepared.settings.store_path.exists():
        return "will be made at first start"
    try:
        store = await open_store(prepared.settings, prepared.kinds)
    except Occupied:
        return "in use by the running server"
    try:
        counts = [await store.count(kind) for kind in prepared.kinds]
    finally:
        await store.close()
    return "; ".join([*done, f"{sum(counts)} readings"])


def _grafana(settings: Settings) -> str:
    token = settings.grafana.token.get_secret_value() if settings.grafana.token else ""
    with Grafana(settings.grafana.url, token) as grafana:
        return grafana.health()


def _certificates(settings: Settings, now_ms: int | None) -> str:
    told = examine_certificates(settings, wall_clock_ms() if now_ms is None else now_ms)
    return ", ".join(f"{what}: {left}" for what, left in told.items()) or "none in use"


async def _encryption(settings: Settings) -> str:
    """A warning is no error: the way there may be the operator's own."""
    found = warnings(settings, routing_of(settings).routes.targets)
    return f"warning: {'; '.join(found)}" if found else "nothing leaves this machine in the clear that ought not to"


async def _mqtt(endpoint: Endpoint) -> str:
    """Log in with a throw-away session and subscribe to nothing of the city's."""
    answer: asyncio.Future[Status] = asyncio.get_running_loop().create_future()

    def observe(status: Status) -> None:
        if status.state in (State.CONNECTED, State.REFUSED, State.LOST) and not answer.done():
            answer.set_result(status)

    async def sink(_batch: Sequence[RawMessage]) -> None:
        return None

    probe = Subscription(endpoint, f"citywarden-doctor-{os.getpid()}", (f"city/doctor/{os.getpid()}",),
                         session_expiry_s=0)  # fmt: skip
    task = asyncio.create_task(receive(probe, sink, observe))
    try:
        status = await answer
    finally:
        task.cancel()
        await asyncio.wait({task})
    if status.state is not State.CONNECTED:
        raise CitywardenError(status.detail)
    return f"{endpoint} lets us in"


async def _target(target: Target, guard: Guard) -> str:
    if FORMATS[target.format].carry is not None:
        box = parse_postbox(target.url)
        return f"{box.host} is {(await guard.addresses(box.host, box.port))[0]}"
    async with client(guard) as http:
        answer = await http.head(target.url, headers=dict(target.headers), timeout=TIMEOUT_S)
    return f"answers ({answer.status_code} to HEAD)"
