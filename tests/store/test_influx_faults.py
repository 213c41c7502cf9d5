"""What the write path makes of a server that is full, slow, wrong, gone, or will not have a line. A scripted one."""

import asyncio
import contextlib
import gc
import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime

import httpx
import pytest

from citywarden.model.errors import ConfigurationError, Unavailable
from citywarden.store.contract import Point, Written
from citywarden.store.influx import InfluxStore
from citywarden.store.influx.server import Place, parse_place, retry_after_s
from citywarden.store.schema import UnknownName
from tests.brokers import free_port
from tests.builders import KINDS, columns

Answer = tuple[int, Mapping[str, str], bytes]
Script = Callable[[bytes], Answer | None]
"""What to answer to a body; None: cut the connection."""

GOOD: Answer = (204, {}, b"")


def refusing(*bad: bytes, status: int = 400, said: str = "unable to parse", limit: int = 10**9) -> Script:
    """Like InfluxDB: nothing of a body is taken when it holds one of the bad pieces, or is too long."""

    def answer(body: bytes) -> Answer:
        if body.count(b"\n") > limit:
            return 413, {}, b'{"code":"request too large","message":"too large"}'
        if any(piece in body for piece in bad):
            return status, {}, b'{"code":"invalid","message":"' + said.encode() + b'"}'
        return GOOD

    return answer


class Fake:
    """A server that answers writes by its script and keeps what it took."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.heads: list[str] = []
        self.lines: list[bytes] = []
        self.released = asyncio.Event()
        self.released.set()
        self.visits: set[asyncio.Task[None]] = set()

    def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    int(h.split(":")[1]) for h in head.split("\r\n") if h.lower().startswith("content-length")
                )
                body = await reader.readexactly(length)
                self.heads.append(head)
                if "gzip" in next((h for h in head.split("\r\n") if h.lower().startswith("content-encoding")), ""):
                    body = gzip.decompress(body)
                await self.released.wait()
                answer = self.script(body)
                if answer is None:
                    break
                status, headers, content = answer
                if status == 204:
                    self.lines += body.splitlines()
                more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n{more}\r\n".encode() + content)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def fake(
    script: Script, answer_s: float = 60.0, compress: bool = False
) -> AsyncIterator[tuple[Fake, InfluxStore]]:
    one = Fake(script)
    server = await asyncio.start_server(one.visit, "127.0.0.1", 0)
    url = f"influxdb://127.0.0.1:{server.sockets[0].getsockname()[1]}/city/readings"
    store = await InfluxStore.open(url, "sesame", KINDS, answer_s=answer_s, compress=compress)
    try:
        yield one, store
    finally:
        await store.close()
        one.released.set()
        server.close()
        await asyncio.gather(*one.visits)


def batch(n: int = 1) -> list[tuple[int, dict[str, float | int | bool | str]]]:
    return [(s, {"co_ppm": float(s)}) for s in range(n)]


async def test_a_write_names_bucket_precision_and_token() -> None:
    async with fake(refusing()) as (server, store):
        assert await store.write(columns("gas", batch(2))) == Written(2, 0)
    (head,) = server.heads
    assert head.startswith("POST /api/v2/write?org=city&bucket=readings&precision=ms HTTP/1.1\r\n")
    assert "authorization: token sesame" in head.lower()
    assert len(server.lines) == 2


async def test_requests_carry_ten_thousand_lines_and_may_be_compressed() -> None:
    async with fake(refusing(), compress=True) as (server, store):
        assert await store.write(columns("gas", batch(22_001))) == Written(22_001, 0)
    assert (len(server.heads), len(server.lines)) == (3, 22_001)


def requests() -> list[httpx.Request]:
    """Those in memory, of whoever."""
    return [one for one in gc.get_objects() if isinstance(one, httpx.Request)]


@pytest.mark.parametrize("answer", [GOOD, (400, {}, b"{}"), (503, {}, b"{}")])
async def test_what_was_sent_is_not_kept_until_garbage_is_collected(answer: Answer) -> None:
    """A body is 2 MB, and many are written between two collections."""
    async with fake(lambda _body: answer) as (_, store):
        gc.collect()
        gc.disable()
        before = requests()
        try:
            with contextlib.suppress(Unavailable):
                await store.write(columns("gas", batch(1)))
            after = requests()
        finally:
            gc.enable()
    assert [one for one in after if one not in before] == []


async def test_nothing_to_write_is_no_request() -> None:
    async with fake(refusing()) as (server, store):
        assert await store.write(columns("gas", [])) == Written(0, 0)
        await store.write_points([])
    assert server.heads == []


@pytest.mark.parametrize(
    ("answer", "wait_s", "said"),
    [
        (
            (503, {"Retry-After": "17"}, b'{"message":"hinted handoff queue full"}'),
            17.0,
            "503: hinted handoff queue full",
        ),
        ((429, {"Retry-After": "soon"}, b"slow down"), None, "429: slow down"),
        ((500, {}, b'{"message":"disk full"}'), None, "500: disk full"),
        ((401, {}, b'{"message":"unauthorized access"}'), None, "set store.token to one that is valid"),
        ((403, {}, b"{}"), None, "give it read and write rights"),
        ((404, {}, b'{"message":"bucket not found"}'), None, "citywarden doctor --fix"),
        ((200, {}, b"<html>a proxy</html>"), None, "is it InfluxDB 2"),
        ((302, {"Location": "/login"}, b""), None, "302"),
    ],
)
async def test_what_passes_or_can_be_mended_is_unavailable(answer: Answer, wait_s: float | None, said: str) -> None:
    async with fake(lambda _: answer) as (_, store):
        with pytest.raises(Unavailable) as refusal:
            await store.write(columns("gas", batch()))
    assert said in str(refusal.value)
    assert refusal.value.retry_after_s == wait_s


async def test_a_server_that_is_gone_is_unavailable_and_back_again_when_it_is() -> None:
    cut = True
    async with fake(lambda _: None if cut else GOOD) as (server, store):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await store.write(columns("gas", batch()))
        cut = False
        assert await store.write(columns("gas", batch())) == Written(1, 0)
    assert len(server.lines) == 1


async def test_nobody_listening_is_unavailable() -> None:
    store = await InfluxStore.open(f"influxdb://127.0.0.1:{free_port()}/city/readings", "sesame", KINDS)
    for attempt in (store.write(columns("gas", batch())), store.count("gas"), store.trim("gas", 0)):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await attempt
    await store.close()
    await store.close()
    with pytest.raises(Unavailable, match="closed"):
        await store.write(columns("gas", batch()))


async def test_a_server_that_does_not_answer_in_time_is_unavailable() -> None:
    async with fake(refusing(), answer_s=0.1) as (server, store):
        server.released.clear()
        with pytest.raises(Unavailable, match="in time"):
            await store.write(columns("gas", batch()))


@pytest.mark.parametrize("status", [400, 422])
async def test_bad_lines_are_found_and_all_others_written(status: int) -> None:
    script = refusing(b"co_ppm=7.0 ", b"co_ppm=8.0 ", b"co_ppm=999.0 ", status=status, said="no such number")
    async with fake(script) as (server, store):
        written = await store.write(columns("gas", batch(1000)))
    assert (written.new, written.known) == (997, 0)
    assert [(r.reading.values["co_ppm"], r.words) for r in written.refused] == [
        (7.0, "no such number"),
        (8.0, "no such number"),
        (999.0, "no such number"),
    ]
    assert len({*server.lines}) == 997
    assert len(server.heads) < 70


async def test_when_all_are_refused_nobody_searches() -> None:
    words = "failure writing points to database: partial write: field type conflict dropped=1000"
    async with fake(refusing(b"gas", status=422, said=words)) as (server, store):
        written = await store.write(columns("gas", batch(1000)))
    assert (written.new, len(written.refused), len(server.heads)) == (0, 1000, 1)


async def test_too_large_a_request_is_sent_in_parts() -> None:
    async with fake(refusing(limit=300)) as (server, store):
        assert await store.write(columns("gas", batch(1000))) == Written(1000, 0)
    assert len({*server.lines}) == 1000


async def test_trouble_while_searching_is_unavailable_and_writing_again_is_right() -> None:
    calls = 0

    def script(body: bytes) -> Answer | None:
        nonlocal calls
        calls += 1
        return (503, {}, b"") if calls == 4 else refusing(b"co_ppm=7.0 ")(body)

    async with fake(script) as (server, store):
        with pytest.raises(Unavailable):
            await store.write(columns("gas", batch(100)))
        assert len((await store.write(columns("gas", batch(100)))).refused) == 1
    assert len({*server.lines}) == 99


async def test_a_point_the_server_will_not_have_is_named() -> None:
    async with fake(refusing(b"task=T1")) as (server, store):
        points = [Point("work", {"task": task}, 5, {"met": True}) for task in ("T0", "T1", "T2")]
        with pytest.raises(ValueError, match=r"refused 1 of 3 points: work,task=T1 met=t 5: unable to parse"):
            await store.write_points(points)
    assert len(server.lines) == 2


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("0", 0.0), ("12", 12.0), ("-3", 0.0), ("Mon, 23 Nov 2026 04:00:30 GMT", 30.0), ("later", None)],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header, datetime(2026, 11, 23, 4, tzinfo=UTC)) == expected


def test_a_url_is_host_organisation_and_bucket() -> None:
    assert parse_place("influxdb://db.example:8087/city/readings") == Place(
        "http://db.example:8087", "city", "readings"
    )
    assert parse_place("influxdbs://db.example/a%20b/c%2Fd") == Place("https://db.example:8086", "a b", "c/d")
    assert parse_place("influxdb://[::1]:8086/city/readings").base == "http://[::1]:8086"


@pytest.mark.parametrize(
    "url",
    [
        "http://h:8086/o/b",
        "influxdb://h:8086/o",
        "influxdb:///o/b",
        "influxdb://h:x/o/b",
        "influxdb://t:s@h/o/b",
        "//h",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"store\.url"):
        parse_place(url)


async def test_a_kind_nobody_knows_is_not_written() -> None:
    store = await InfluxStore.open("influxdb://127.0.0.1/city/readings", "", {})
    with pytest.raises(UnknownName, match="gas"):
        await store.write(columns("gas", batch()))
    await store.close()
