"""A whole server with some data, in a thread of its own, that asks everybody to log in; and a key for each role."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.engine import Engine

from citywarden.access.desk import Desk
from citywarden.cli.running import wall_ms
from citywarden.database import metadata
from citywarden.model.access import NewToken
from citywarden.model.case import Report, Source
from citywarden.model.identity import Identity, Role
from citywarden.sections import AccessSettings, AlertsSettings, MqttSettings, Settings, TargetSettings
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from citywarden.serve.tables import open_database
from tests.alerts.alert_builders import finding
from tests.builders import columns, device

SECRET = "whsec_bm90IGEgc2VjcmV0IGF0IGFsbA=="
ROOT = Identity("root", Role.ADMINISTRATOR)
ITS_OWN = frozenset(
    {"access_token", "access_try", "snapshot", "position", "outbox", "delivery_attempt", "target_state"}
)
"""Tables that the server itself writes all the time."""


@dataclass(frozen=True)
class Served:
    """Where it is, the key of each role, the names that paths may have, and its database."""

    url: str
    keys: Mapping[Role, str]
    ids: Mapping[str, str]
    engine: Engine

    def headers(self, role: Role | None) -> dict[str, str]:
        """What somebody with that role sends; None: somebody who has not logged in."""
        return {} if role is None else {"authorization": f"Bearer {self.keys[role]}"}

    def rows(self) -> Mapping[str, list[tuple[object, ...]]]:
        """All that people and programs can change."""
        with self.engine.connect() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for table in metadata.tables.values()
                if table.name not in ITS_OWN
            }


@contextmanager
def served(folder: Path, devices: Literal["open", "credentials"] = "open") -> Iterator[Served]:
    """Up until the block ends. `devices`: whether they log in at its broker, and may claim."""
    found: list[Served] = []
    up, stop = threading.Event(), threading.Event()
    target = TargetSettings(name="dispatch", url="http://127.0.0.1:1/", secret=SecretStr(SECRET), language="en")
    settings = Settings(
        tenant="t", language="en", data=folder, access=AccessSettings(login="always"),
        alerts=AlertsSettings(targets=(target,)), mqtt=MqttSettings(devices=devices),
    )  # fmt: skip

    async def serve() -> None:
        async with running(prepare(settings), Options(port=0), wall_ms) as server:
            found.append(await _filled(server, settings))
            up.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        assert up.wait(60), "the server did not start"
        yield found[0]
    finally:
        stop.set()
        thread.join(30)
        for one in found:
            one.engine.dispose()


async def _filled(server: Running, settings: Settings) -> Served:
    server.registry.put([device("gas", "G1"), device("streetlight", "L1"), device("vehicle", "V1")])
    await server.store.write(columns("gas", [(n, {"co_ppm": float(n)}) for n in range(5)], device("gas", "G1")))
    now_ms = wall_ms()
    raised = await server.desk.apply([finding("major", now_ms, f"g{n}") for n in range(3)], now_ms, {})
    category = server.cases.categories[0].id
    case = await server.cases.open(Report("t", category, "a lid is missing", Source.PATROL, "li"))
    engine = open_database(settings.database_url)
    desk = Desk(engine)
    keys = {role: desk.add_token(ROOT, NewToken(f"{role}-key", role), now_ms)[1] for role in Role}
    ids = {
        "alerts": raised[0].id, "cases": case.id, "tenant": "t", "kind": "streetlight", "device": "L1", "targets":
        "dispatch", "devices": "L1", "users": "administrator",
    }  # fmt: skip
    return Served(server.url, keys, ids, engine)
