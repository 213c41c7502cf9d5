"""The whole way of a command: asked for by API or command line, over the broker to a simulated lamp, and back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from citywarden.cli import run
from citywarden.cli.running import wall_ms
from citywarden.model.device import DeviceKey
from citywarden.serve.commanding import obey
from citywarden.serve.server import Running
from fleet.city import City
from fleet.simulator import Doors, Simulator
from ingest.publisher import Publisher
from tests.builders import KINDS, device
from tests.serve.conftest import Serving
from tests.serve.test_wire_to_webhook import until, webhooks

RULES = """rules:
- id: streetlight.not_obeying
  kind: streetlight
  levels:
    minor: {when: "commanded_on != on", for: 1s}
  summary: {en: "{name} does not obey"}
"""
LAMPS = [device("streetlight", name, profile={"interval_s": 1.0, "recorded": True}) for name in ("L1", "L2")]
STUBBORN = DeviceKey("t", "streetlight", "L2")


@asynccontextmanager
async def street(server: Running) -> AsyncIterator[Simulator]:
    """Two simulated lamps at noon: L1 does what it is told, L2 says so and does not."""
    server.registry.put(LAMPS)
    city = City("t", 1, wall_ms(), tuple(LAMPS), {}, {}, {}, {}, {}, {})
    async with Publisher(server.broker, "street") as publisher:
        doors = Doors(publisher.publish, wall_ms, asyncio.sleep, lambda _lat, _lon, _ms: False)
        simulator = Simulator(city, KINDS, doors, history=False)
        simulator.obedience.stubborn.add(STUBBORN)
        listening = asyncio.Event()
        tasks = [
            asyncio.create_task(simulator.run()),
            asyncio.create_task(obey(server.broker, "t", simulator.take, listening)),
        ]
        try:
            await listening.wait()
            yield simulator
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def ended(http: httpx.AsyncClient, command: str, attempts: int = 0) -> dict[str, object]:
    """A command at its end, when so many attempts are noted: an answer may be quicker than the note."""

    async def over() -> bool:
        found = (await http.get(f"/api/v1/commands/{command}")).json()
        return found["state"] not in ("queued", "sent", "acknowledged") and found["attempts"] >= attempts

    await until(over)
    return dict((await http.get(f"/api/v1/commands/{command}")).json())


async def test_a_lamp_obeys_and_one_that_does_not_raises_an_alert(serving: Serving) -> None:
    async with (
        serving(RULES) as (server, receiver),
        httpx.AsyncClient(base_url=server.url, timeout=60) as http,
        street(server),
    ):
        given = await http.post(
            "/api/v1/devices/streetlight/L1/commands", json={"name": "dim", "args": {"pct": 40, "for_min": 5}}
        )
        assert given.status_code == 202
        assert given.json()["state"] == "queued"
        end = await ended(http, given.json()["id"], 1)
        assert (end["state"], end["detail"], end["attempts"]) == ("done", "on at 40 %", 1)

        async def dimmed() -> bool:
            found = await http.get("/api/v1/devices", params={"kind": "streetlight"})
            (lamp,) = (one for one in found.json()["items"] if one["id"] == "L1")
            return (lamp["latest"] or {}).get("dim_pct") == 40.0

        await until(dimmed)
        told = await http.post("/api/v1/devices/streetlight/L2/commands", json={"name": "on", "id": "mine-1"})
        again = await http.post("/api/v1/devices/streetlight/L2/commands", json={"name": "on", "id": "mine-1"})
        assert told.json()["id"] == again.json()["id"] == "mine-1"
        assert (await ended(http, "mine-1"))["state"] == "done", "it says so"
        (raised,) = await webhooks(receiver, 1)
        assert (raised["rule"], raised["subject"]) == ("streetlight.not_obeying", "L2")
        listed = (await http.get("/api/v1/devices/streetlight/L2/commands")).json()["items"]
        assert [one["id"] for one in listed] == ["mine-1"]


async def test_a_command_waits_over_a_restart_for_a_lamp_that_was_away(serving: Serving) -> None:
    async with serving(RULES) as (server, _), httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        server.registry.put(LAMPS)
        given = (await http.post("/api/v1/devices/streetlight/L1/commands", json={"name": "off"})).json()

        async def sent() -> bool:
            return bool((await http.get(f"/api/v1/commands/{given['id']}")).json()["state"] == "sent")

        await until(sent)
        called_back = (await http.post("/api/v1/devices/streetlight/L2/commands", json={"name": "on"})).json()
        assert (await http.post(f"/api/v1/commands/{called_back['id']}/cancel")).json()["state"] == "cancelled"
        assert (await http.post(f"/api/v1/commands/{called_back['id']}/cancel")).status_code == 409
    async with (
        serving(RULES) as (server, _),
        httpx.AsyncClient(base_url=server.url, timeout=60) as http,
        street(server),
    ):
        assert (await ended(http, given["id"], 2))["state"] == "done"


IMPOSSIBLE = [
    ("streetlight/L1", {"name": "dim"}, 409, "pct: is missing"),
    ("streetlight/L1", {"name": "explode"}, 409, "expected one of on, off, dim"),
    ("streetlight/L9", {"name": "on"}, 404, "L9"),
    ("gas/G1", {"name": "on"}, 409, "gas: this kind has no commands"),
    ("boat/B1", {"name": "on"}, 404, "no kind"),
    ("streetlight/L1", {"name": "on", "id": "a b"}, 422, "id"),
]


async def test_what_cannot_be_commanded_is_said(serving: Serving) -> None:
    async with serving(RULES) as (server, _), httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        server.registry.put([*LAMPS, device("gas", "G1")])
        for path, body, status, words in IMPOSSIBLE:
            answer = await http.post(f"/api/v1/devices/{path}/commands", json=body)
            assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


async def test_answers_that_make_no_sense_change_nothing(serving: Serving) -> None:
    async with serving(RULES) as (server, _), httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        server.registry.put(LAMPS)
        given = (await http.post("/api/v1/devices/streetlight/L1/commands", json={"name": "on"})).json()["id"]
        done = orjson.dumps({"id": given, "status": "done"})
        async with Publisher(server.broker) as publisher:
            await publisher.publish("city/t/streetlight/L2/command/result", done)
            await publisher.publish("city/t/streetlight/L1/command/result", b'{"id": "unknown", "status": "done"}')
            await publisher.publish("city/t/streetlight/L1/command/result", b"rubbish")

            async def dead() -> bool:
                return bool((await http.get("/api/v1/deadletters")).json()["items"])

            await until(dead)
            assert (await http.get(f"/api/v1/commands/{given}")).json()["state"] in ("queued", "sent")
            await publisher.publish("city/t/streetlight/L1/command/result", done)
        assert (await ended(http, given))["state"] == "done"


def test_the_command_line_queues_lists_and_calls_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYWARDEN_DATA", str(tmp_path / "data"))

    def call(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    call("device", "add", "L1", "--kind", "streetlight")
    call("device", "add", "G1", "--kind", "gas")
    code, out, _ = call("command", "L1", "dim", "pct=40", "for_min=30", "--json")
    given = json.loads(out)
    assert (code, given["state"], given["args"]) == (0, "queued", {"pct": 40, "for_min": 30})
    code, _, err = call("command", "L1", "dim", "pct=400")
    assert (code, "pct: 400, expected a number from 0 to 100 %" in err) == (1, True)
    code, _, err = call("command", "G1", "on")
    assert (code, "gas: this kind has no commands" in err) == (1, True)
    assert call("command", "L1", "dim", "40")[0] == 2
    items = json.loads(call("commands", "list", "--device", "L1", "--json")[1])["items"]
    assert [one["id"] for one in items] == [given["id"]]
    assert "dim" in call("commands", "list")[1]
    assert json.loads(call("commands", "show", given["id"], "--json")[1])["by"]
    assert call("commands", "cancel", given["id"])[0] == 0
    assert call("commands", "cancel", given["id"])[0] == 1
    assert call("command", "L1", "on", "--wait", "0.1")[0] == 1
    assert "command.send" in call("audit", "--json")[1]
