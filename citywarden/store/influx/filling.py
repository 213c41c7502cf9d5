"""Folding what lay in a bucket before the buckets beside it were made: in pieces, the newest first, resumable.

What is left stands in the description of the bucket that lacks it, so that whoever comes next (this server, the next
one, `citywarden doctor --fix`) goes on there. A piece that is folded twice gives the same rows.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count

from influxdb_client.client.influxdb_client import InfluxDBClient

from citywarden.model.errors import Unavailable
from citywarden.model.kind import Kinds
from citywarden.store.influx.administration import administer, bucket, organisation
from citywarden.store.influx.downsampling import HOUR, MINUTE, NEWEST, districts, fold, newest
from citywarden.store.influx.server import Place, Server, parse_place, words

HOUR_MS = 3_600_000
PIECES_MS = {MINUTE: 6 * HOUR_MS, HOUR: 6 * HOUR_MS, NEWEST: 24 * HOUR_MS}
"""The buckets that are filled, by suffix, and how much time is folded in one go."""

ANSWER_S = 600.0
"""A quarter of a day of 100,000 devices takes InfluxDB minutes."""

_MARK = re.compile(r"Citywarden still folds what there was from (\S+) to (\S+)")
_TO = re.compile(r"(?m)^( +\|> to\(.*\))$")

Told = Callable[[Sequence["Filling"]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Filling:
    """The bucket with this suffix lacks the folds of the readings from `start_ms` to before `before_ms`."""

    suffix: str
    start_ms: int
    before_ms: int

    @property
    def piece_ms(self) -> tuple[int, int]:
        """What is to be folded next, in whole hours: [start, stop)."""
        size = PIECES_MS[self.suffix]
        return max(self.start_ms, (self.before_ms - 1) // size * size), self.before_ms

    @property
    def pieces(self) -> int:
        """How many pieces are left."""
        size = PIECES_MS[self.suffix]
        return -(-self.before_ms // size) - self.start_ms // size

    def after(self) -> "Filling | None":
        """What is left once the piece is folded; None: nothing."""
        begin, _ = self.piece_ms
        return None if begin <= self.start_ms else replace(self, before_ms=begin)

    def mark(self) -> str:
        """For the description of the bucket."""
        return f"Citywarden still folds what there was from {_iso(self.start_ms)} to {_iso(self.before_ms)}"


def planned(suffix: str, oldest_ms: int, now_ms: int, days: int | None) -> Filling:
    """Everything from the oldest reading, or what the bucket keeps, to the end of this hour."""
    start_ms = oldest_ms if days is None else max(oldest_ms, now_ms - days * 24 * HOUR_MS + HOUR_MS)
    return Filling(suffix, start_ms // HOUR_MS * HOUR_MS, now_ms // HOUR_MS * HOUR_MS + HOUR_MS)


def marked(suffix: str, description: str | None) -> Filling | None:
    """What a bucket with this description lacks."""
    found = _MARK.fullmatch(description or "")
    if found is None or suffix not in PIECES_MS:
        return None
    try:
        start_ms, before_ms = (int(datetime.fromisoformat(time).timestamp()) * 1000 for time in found.groups())
    except ValueError:
        return None
    return Filling(suffix, start_ms, before_ms) if start_ms < before_ms else None


def statements(bucket: str, kinds: Kinds, filling: Filling) -> list[str]:
    """Flux that folds the next piece, one after the other. It answers with no rows: a piece has millions."""
    start, stop = map(_iso, filling.piece_ms)
    if filling.suffix == NEWEST:
        texts = [newest(bucket, kinds, start, stop)]
    else:
        texts = [fold(bucket, kinds, filling.suffix, start, stop)]
    if filling.suffix == HOUR:
        texts.append(districts(bucket, kinds, start, stop))
    number = count()
    none = "\n    |> filter(fn: (r) => false)\n    |> yield(name: "
    return [_TO.sub(lambda to: f'{to[1]}{none}"{next(number)}")', text) for text in texts]


async def fill(url: str, token: str, kinds: Kinds, told: Told | None = None) -> list[str]:
    """Fold all that is marked as lacking, a piece at a time; `told` hears what is left before each and at last.

    Returns a line for each bucket that is whole now. Raises Unavailable, as `set_up` does; what is done stays done.
    """
    place, done = parse_place(url), []
    left = await administer(place, token, lambda client: _lacking(client, place))
    server = Server(place, token, ANSWER_S)
    try:
        while left and kinds:
            if told is not None:
                await told(left)
            filling, rest = left[0], left[0].after()
            for flux in statements(place.bucket, kinds, filling):
                await _run(server, flux)
            await administer(place, token, partial(_note, place=place, suffix=filling.suffix, rest=rest))
            if rest is None:
                done.append(f"bucket {place.bucket}{filling.suffix} filled with what {place.bucket} had")
            left = [*([] if rest is None else [rest]), *left[1:]]
    finally:
        await server.close()
    if told is not None:
        await told(left)
    return done


async def fillings(url: str, token: str) -> list[Filling]:
    """What is lacking now. Raises as `fill` does."""
    place = parse_place(url)
    return await administer(place, token, lambda client: _lacking(client, place))


def _lacking(client: InfluxDBClient, place: Place) -> list[Filling]:
    org_id = organisation(client, place)
    found = [(suffix, bucket(client, org_id, place.bucket + suffix)) for suffix in PIECES_MS]
    marks = [marked(suffix, one.description) for suffix, one in found if one is not None]
    return [mark for mark in marks if mark is not None]


def _note(client: InfluxDBClient, place: Place, suffix: str, rest: Filling | None) -> None:
    found = bucket(client, organisation(client, place), place.bucket + suffix)
    if found is not None:
        found.description = "" if rest is None else rest.mark()
        client.buckets_api().update_bucket(found)


async def _run(server: Server, flux: str) -> None:
    """InfluxDB says 200 before it begins; what goes wrong later stands in the table it sends."""
    form = {"Content-Type": "application/vnd.flux", "Accept": "application/csv"}
    answer = await server.post("/api/v2/query", {"org": server.place.org}, flux.encode(), form)
    if not answer.is_success:
        raise Unavailable(f"{server.place} cannot fold what there was: {words(answer)}")
    if "error,reference" in answer.text[:2000]:
        raise Unavailable(f"{server.place} cannot fold what there was: {' '.join(answer.text.split())[:300]}")


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
