"""`citywarden simulate`: a city's worth of telemetry, or a recorded track, published to a broker."""

import asyncio
import contextlib
import csv
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO, TypeVar

import click
import orjson

from citywarden.cli.crowd import Crowd
from citywarden.cli.options import as_json, print_json
from citywarden.cli.running import run, stop_signal, until_stopped, wall_ms
from citywarden.model.credential import login_of
from citywarden.model.device import DeviceKey
from citywarden.provision.handout import read_csv
from fleet.city import City, Size, city
from fleet.playback import Fix, Publish, choose, play, retime
from fleet.simulator import Doors, Simulator
from fleet.tracks import read_tracks
from ingest.endpoint import Endpoint, parse_url
from ingest.kinds import all_kinds
from ingest.publisher import Publisher
from rules.night import is_night

DEVICES, SEED = 550, 7

GIVE_UP_S = 30.0
"""A broker that acknowledges nothing for so long has failed."""

KINDS_AT_HOME = ("streetlight", "waterlogging", "gas", "vehicle")
"""The kinds the city has places for; others stand at junctions."""

CSV_HEADER = ("id", "kind", "tenant", "name", "district", "lat", "lon", "crs", "profile", "owner")

Count = Callable[[], int]
Passwords = Mapping[str, str] | None
"""By login; None: one connection for all devices, as whom the endpoint says."""
T = TypeVar("T")


@click.command()
@click.option("--broker", metavar="URL", help="mqtt://[user:password@]host:port or mqtts://...")
@click.option("--username", help="User of the broker that may speak for all devices, as a gateway does.")
@click.option("--password-file", type=click.File("r"), help="File with its password; - for stdin.")
@click.option("--credentials", type=click.File("r", encoding="utf-8"), metavar="FILE",
              help="Each device with its own login, of a file that `device import --credentials` wrote.")  # fmt: skip
@click.option("--devices", type=click.IntRange(4), default=DEVICES, show_default=True, help="Devices of all kinds.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Messages per second in all.  [default: as often "
              "as such devices report, about 90/s for 550]")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="End after so long.  [default: until Ctrl-C]")
@click.option("--tenant", default="demo", show_default=True, help="Tenant part of the topics.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Same seed, same city.")
@click.option("--track", "tracks", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True,
              metavar="FILE", help="Play recorded tracks (.csv, .csv.gz) instead of a city.")  # fmt: skip
@click.option("--speed-up", type=click.FloatRange(1), default=1.0, show_default=True, metavar="X",
              help="With --track: publish X times as fast as recorded.")  # fmt: skip
@click.option("--device", help="With --track: only this vehicle.")
@click.option("--from-now/--original-times", "from_now", default=True, show_default=True,
              help="With --track: shift all event times together, or leave them as recorded.")  # fmt: skip
@click.option("--devices-csv", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the simulated devices for `citywarden device import FILE`, and end.")  # fmt: skip
@as_json
def simulate(  # noqa: PLR0913, PLR0917 (one parameter an option)
    broker: str | None,
    username: str | None,
    password_file: TextIO | None,
    credentials: TextIO | None,
    devices: int,
    rate: float | None,
    seconds: float | None,
    tenant: str,
    seed: int,
    tracks: tuple[Path, ...],
    speed_up: float,
    device: str | None,
    from_now: bool,
    devices_csv: Path | None,
    as_json: bool,
) -> None:
    """Publish realistic telemetry of every kind, or a recorded track, to an MQTT broker.

    The server must know the devices: register them with --devices-csv and `citywarden device import`, or run it with
    `[registry] unknown_devices = "register"`.

    A track keeps its recorded intervals in the event times (`ts`), whatever the speed-up, so that speeds, work and
    coverage are judged as they were driven. By default all times are shifted together so that the last fix carries
    the moment it is sent: at --speed-up 1 the first fix is now; faster, the first fix lies in the past and the event
    time catches up with the clock (so alerts of its older part are recorded, but page nobody). With --original-times
    they stay as recorded. Positions are never changed.
    """
    if devices_csv is not None:
        count = write_devices(devices_csv, _town(seed, tenant, devices))
        click.echo(f"{count} devices written to {devices_csv}", err=True)
        return
    if broker is None:
        raise click.UsageError("--broker URL is needed: where shall the messages go?", click.get_current_context())
    if device is not None and not tracks:
        raise click.UsageError("--device chooses a vehicle of a --track: give both", click.get_current_context())
    endpoint = _endpoint(broker, username, password_file)
    passwords = None if credentials is None else read_csv(list(credentials), credentials.name)
    if tracks:
        fixes = _fixes(tracks, device, speed_up, from_now)
        published = run(play_tracks(endpoint, fixes, tenant, seconds, passwords))
    else:
        published = run(play_city(endpoint, _town(seed, tenant, devices), rate, seconds, passwords))
    print_json({"published": published}) if as_json else click.echo(f"{published} messages published")


async def play_city(
    endpoint: Endpoint,
    town: City,
    rate: float | None,
    seconds: float | None,
    passwords: Mapping[str, str] | None = None,
) -> int:
    """Publish what a city's devices say; returns how many messages. Raises Unavailable."""
    async with _speaking(endpoint, passwords, {login_of(d.key) for d in town.devices}) as publish:
        doors = Doors(publish, wall_ms, asyncio.sleep, is_night)
        simulator = Simulator(town, all_kinds(), doors, rate=rate, history=False)
        playing = asyncio.create_task(simulator.run(seconds))
        async with _telling(lambda: simulator.summary().messages):
            await _until_over(playing, None, simulator.stop)
    return simulator.summary().messages


async def play_tracks(
    endpoint: Endpoint,
    fixes: Sequence[Fix],
    tenant: str,
    seconds: float | None,
    passwords: Mapping[str, str] | None = None,
) -> int:
    """Publish recorded fixes when they are due; returns how many. Raises Unavailable."""
    sent = [0]

    def count(number: int) -> None:
        sent[0] = number

    logins = {login_of(DeviceKey(tenant, "vehicle", fix.device)) for fix in fixes}
    async with _speaking(endpoint, passwords, logins) as publish:
        playing = asyncio.create_task(play(fixes, tenant, publish, wall_ms, asyncio.sleep, count))
        async with _telling(lambda: sent[0], len(fixes)):
            await _until_over(playing, seconds, playing.cancel)
    return sent[0]


async def _until_over(playing: asyncio.Task[T], seconds: float | None, stop: Callable[[], object]) -> None:
    """Until it is done, the time is up, or Ctrl-C: then `stop` ends it, and the count is still told."""
    stopped = asyncio.create_task(until_stopped(stop_signal(), seconds))
    await asyncio.wait({playing, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not playing.done():
        stop()
    with contextlib.suppress(asyncio.CancelledError):
        await playing


def write_devices(file: Path, town: City) -> int:
    """The devices of a city as a file for `citywarden device import`; returns how many."""
    with file.open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text)
        table.writerow(CSV_HEADER)
        for d in town.devices:
            profile = orjson.dumps(dict(d.profile)).decode()
            table.writerow((d.id, d.kind, d.tenant, d.name, d.district, d.lat, d.lon, d.crs, profile, d.owner))
    return len(town.devices)


def _town(seed: int, tenant: str, devices: int) -> City:
    others = [kind for kind in all_kinds() if kind not in KINDS_AT_HOME]
    return city(seed, wall_ms(), tenant, Size.of(devices, len(others)), others, with_recorded=False)


def _fixes(tracks: Sequence[Path], device: str | None, speed_up: float, from_now: bool) -> list[Fix]:
    track = read_tracks(tracks)
    for rejected in track.rejected:
        click.echo(f"citywarden: {rejected.file}:{rejected.line}: {rejected.reason}; left out", err=True)
    try:
        rows = choose(track, device)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--device") from None
    return retime(rows, wall_ms(), speed_up, original_times=not from_now)


def _endpoint(broker: str, username: str | None, password_file: TextIO | None) -> Endpoint:
    """The broker, with a user given apart from its URL."""
    try:
        endpoint = parse_url(broker)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--broker") from None
    if (username is None) != (password_file is None) or (username and endpoint.username):
        raise click.UsageError("--username and --password-file go together, and not with a user in the URL")
    return endpoint if password_file is None else replace(
        endpoint, username=username, password=password_file.read().strip()
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _speaking(endpoint: Endpoint, passwords: Passwords, logins: set[str]) -> AsyncIterator[Publish]:
    """One publisher for all, or each device over a connection of its own."""
    if passwords is None:
        async with Publisher(endpoint) as publisher:
            yield _patient(publisher)
        return
    async with Crowd(endpoint, passwords) as crowd:
        crowd.check(logins)
        yield lambda topic, payload, retain: crowd.publish(topic, payload, retain, GIVE_UP_S)
        if crowd.silent:
            click.echo(f"citywarden: {len(crowd.silent)} devices have no credentials and stayed silent", err=True)


def _patient(publisher: Publisher) -> Publish:
    def publish(topic: str, payload: bytes, retain: bool) -> Awaitable[None]:
        return publisher.publish(topic, payload, retain, timeout_s=GIVE_UP_S)

    return publish


@contextlib.asynccontextmanager
async def _telling(count: Count, of: int | None = None) -> AsyncIterator[None]:
    """A line of progress on stderr meanwhile: once a second on a terminal, every 10 s elsewhere."""
    teller = asyncio.create_task(_tell(count, of))
    try:
        yield
    finally:
        teller.cancel()


async def _tell(count: Count, of: int | None) -> None:
    terminal = sys.stderr.isatty()
    begun = time.monotonic()
    while True:
        await asyncio.sleep(1.0 if terminal else 10.0)
        done = count()
        share = "" if of is None else f" of {of}"
        line = f"{done}{share} messages, {done / (time.monotonic() - begun):.0f}/s"
        click.echo(f"\r\033[K{line}" if terminal else line, err=True, nl=not terminal)
