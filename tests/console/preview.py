"""`python -m tests.console.preview [--port P] [--empty] [--storm]`: the console over a made-up city.

The tests steer it through `/_test/...`; a person just looks at it.
"""

import argparse
import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import uvicorn
from fastapi import FastAPI
from nicegui import Client
from nicegui import app as pages
from nicegui.app.app import prune_tab_storage

from citywarden.model.alert import Severity
from dashboards.api import mount_api
from dashboards.console import mount
from tests.console.casefakes import cases_of
from tests.console.commandfakes import Lamps, commands_of
from tests.console.dispatch import FakeDispatch, some_silences
from tests.console.fakes import City, alert, make_city


def build(city: City, lamps: Lamps | None = None) -> FastAPI:
    """The console and the tests' handles on one application."""

    async def live_on() -> None:
        while True:
            await asyncio.sleep(1)
            city.clock.ms += 1000
            if city.devices:
                city.report_all()
            if lamps is not None:
                await lamps.go_round()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        going = asyncio.create_task(live_on())
        yield
        going.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.post("/_test/alert/{name}")
    async def raise_alert(name: str, device: str = "GD-001", text: str = "甲烷 77 %LEL", rule: str = "demo") -> None:
        who = next((d for d in city.devices if d.id == device), None)
        facts = {"id": name, "rule": rule, "raised_ms": city.clock(), "updated_ms": city.clock()}
        city.inbox.put(alert(0, who, Severity.CRITICAL, text, f"en {text}", **facts))

    @app.post("/_test/storm")
    async def storm() -> None:
        raise_storm(city)

    @app.post("/_test/prune")
    async def prune() -> None:
        """As an hour later: whose browser has not come by then is let go, and so is what is kept of a tab."""
        Client.prune_instances(client_age_threshold=0.0)
        for tab in pages.storage._tabs.values():
            tab.last_modified -= 3601
        await prune_tab_storage()

    @app.post("/_test/quit")
    async def leave() -> None:
        asyncio.get_running_loop().call_later(0.1, os._exit, 0)

    @app.get("/_test/state")
    async def state() -> dict[str, object]:
        gc.collect()
        return {
            "calls": city.inbox.calls,
            "viewers": len(broadcast.viewers),
            "listeners": len(city.live._listeners),
            "clients": len(Client.instances),
            "tabs": len(pages.storage._tabs),
            "kept": sum(isinstance(one, Client) for one in gc.get_objects()),
            "tasks": sum(task.get_name().startswith("console ") for task in asyncio.all_tasks()),
            "figures": city_figures(),
        }

    def city_figures() -> object:
        f = broadcast.scene.figures()
        return {"lighting": f.lighting_pct, "flooded": f.flooded, "lel": f.max_lel_pct, "vehicles": dict(f.vehicles),
                "coverage": f.coverage_pct, "tasks": dict(f.tasks)}  # fmt: skip

    mount_api(app, city.sources)
    broadcast = mount(app, city.sources, storage_secret="only for the preview")
    return app


def raise_storm(city: City) -> None:
    """Five hundred alerts at once, with far too much text."""
    for n, device in enumerate(city.devices[:500]):
        city.inbox.put(alert(200 + n, device, Severity(1 + n % 4), "很长的说明文字，" * 12, "A very long text, " * 14))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--storm", action="store_true")
    parser.add_argument("--lang", default="zh-CN")
    args = parser.parse_args()
    city = make_city(args.empty, args.lang)
    lamps: Lamps | None = None
    if not args.empty:
        city.sources = replace(city.sources, cases=cases_of(city))
        lamps = commands_of(city)
        city.sources = replace(city.sources, commands=lamps.desk)
    desk = FakeDispatch(city.inbox, city.clock)
    if not args.empty:
        desk.noted = some_silences(city.clock)
    city.sources = replace(city.sources, dispatch=desk)
    if args.storm:
        raise_storm(city)
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", args.port))
        door.listen(128)
        print(f"http://127.0.0.1:{door.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(build(city, lamps), log_level="warning")).run([door])


if __name__ == "__main__":
    main()
