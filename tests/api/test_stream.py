"""The event stream, read as its bytes: no sleeping, the heart beats as fast as the test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import orjson
import pytest
from fastapi import FastAPI
from starlette.types import Message

from citywarden.live import QUEUE_LIMIT, Live
from citywarden.model.wire import alert_body, report_item
from dashboards.api import mount_api
from dashboards.api.stream import Choice, stream
from dashboards.sources import Sources
from tests.api.fakes import alert, report, sources
from tests.builders import KINDS, columns, device

SILENCE = 60.0


def listeners(live: Live) -> int:
    return len(live._listeners)


async def upcoming(events: AsyncIterator[bytes]) -> tuple[str, dict[str, object]]:
    name, data = (await asyncio.wait_for(anext(events), 60)).decode().strip().split("\n")
    return name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))


async def test_changes_are_named_events_with_json() -> None:
    known = sources()
    async with aclosing(stream(known, Choice(), SILENCE)) as events:
        assert await anext(events) == b"retry: 3000\n\n"
        known.live.tell(alert())
        known.live.update(columns("gas", [(0, {"co_ppm": 1.5})], device("gas", "g1")))
        known.live.tell(report())
        assert await upcoming(events) == ("alert", alert_body(alert(), "en"))
        assert await upcoming(events) == (
            "reading",
            {
                "tenant": "t",
                "kind": "gas",
                "device": "g1",
                "reading": {"ts": "2026-11-23T04:00:00.000Z", "co_ppm": 1.5},
            },
        )
        assert await upcoming(events) == ("task", report_item(report(), known.timezone))


@pytest.mark.parametrize(
    ("choice", "heard"),
    [
        (Choice(frozenset({"alert", "task"})), ["alert", "task"]),
        (Choice(frozenset({"reading"})), ["reading", "reading"]),
        (Choice(kinds=frozenset({"gas"})), ["alert", "reading"]),
        (Choice(frozenset({"reading"}), frozenset({"vehicle"})), ["reading"]),
    ],
)
async def test_a_client_hears_what_it_chose(choice: Choice, heard: list[str]) -> None:
    known = sources()
    async with aclosing(stream(known, choice, SILENCE)) as events:
        await anext(events)
        known.live.tell(alert())
        known.live.update(columns("gas", [(0, {"co_ppm": 1.5})]))
        known.live.update(columns("vehicle", [(0, {"lat": 22.5, "lon": 114.0})]))
        known.live.tell(report())
        assert [(await upcoming(events))[0] for _ in heard] == heard


async def test_silence_is_filled_with_heartbeats() -> None:
    known = sources()
    async with aclosing(stream(known, Choice(), 0.001)) as events:
        await anext(events)
        assert [await anext(events) for _ in range(3)] == [b": heartbeat\n\n"] * 3
        known.live.tell(alert())
        seen = [await anext(events) for _ in range(50)]
        assert any(event.startswith(b"event: alert\n") for event in seen)


async def test_a_slow_client_is_told_that_it_lags() -> None:
    known = sources()
    async with aclosing(stream(known, Choice(frozenset({"task"})), SILENCE)) as events:
        await anext(events)
        for n in range(QUEUE_LIMIT + 5):
            known.live.tell(alert(f"a{n}"))
        known.live.tell(report())
        name, body = await upcoming(events)
        assert (name, body) == ("lagged", {"lost": 6})
        assert (await upcoming(events))[0] == "task"


async def test_the_listener_is_freed_when_the_stream_is_closed() -> None:
    known = sources()
    async with aclosing(stream(known, Choice(), SILENCE)) as events:
        await anext(events)
        assert listeners(known.live) == 1
    assert listeners(known.live) == 0


async def test_a_client_that_goes_away_frees_its_listener() -> None:
    known = sources()
    app = FastAPI()
    mount_api(app, known)
    gone, sent = asyncio.Event(), list[Message]()
    begun = asyncio.Event()
    requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            begun.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v1/stream",
        "raw_path": b"/api/v1/stream",
        "query_string": b"events=alert&kinds=gas,vehicle",
        "headers": [(b"host", b"citywarden")],
        "server": ("citywarden", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    request = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait_for(begun.wait(), 60)
    assert listeners(known.live) == 1
    assert (b"content-type", b"text/event-stream; charset=utf-8") in sent[0]["headers"]
    gone.set()
    await asyncio.wait_for(request, 60)
    assert listeners(known.live) == 0


async def ask(known: Sources, query: str) -> httpx.Response:
    app = FastAPI()
    mount_api(app, known)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://citywarden") as http:
        return await http.get(f"/api/v1/stream?{query}")


async def test_events_and_kinds_that_do_not_exist_are_named() -> None:
    wrong = await ask(sources(), "kinds=gas,submarine")
    assert (wrong.status_code, wrong.json()["errors"][0]["where"]) == (422, "query.kinds")
    assert all(kind in wrong.json()["detail"] for kind in ("submarine", *KINDS))
    assert (await ask(sources(), "events=news")).status_code == 422
