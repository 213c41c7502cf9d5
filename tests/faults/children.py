"""The programs of the real stack as processes that can be killed and started again with what they have on disk."""

import asyncio
import contextlib
import getpass
import os
import pwd
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg

from ingest.endpoint import Endpoint
from tests.brokers import MOSQUITTO, free_port, listening
from tests.influx import find_influxd
from tests.postgres import find_binaries

START_S = 180.0
STOP_S = 15.0


class Child:
    """A program in a process group of its own. `output`: the file its words go to."""

    def __init__(self, command: Sequence[str | Path], output: Path, user: pwd.struct_passwd | None = None) -> None:
        self.command = [str(word) for word in command]
        self.output = output
        self._user = user
        self.process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def said(self, since: int = 0) -> str:
        """Its words from a byte of the output on."""
        return self.output.read_bytes()[since:].decode("utf-8", "replace") if self.output.exists() else ""

    def size(self) -> int:
        """How much it has said."""
        return self.output.stat().st_size if self.output.exists() else 0

    async def start(self) -> None:
        """Run it until it serves."""
        await self.spawn()

    async def spawn(self) -> None:
        user = self._user
        ids = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with self.output.open("ab") as sink:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, cwd=Path(__file__).parents[2] if user is None else self.output.parent,
                stdout=sink, stderr=subprocess.STDOUT, start_new_session=True, **ids,  # type: ignore[arg-type]
            )  # fmt: skip

    async def kill(self) -> None:
        """kill -9, of all that belongs to it."""
        await self._end(signal.SIGKILL)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; returns its exit code. Killed when it takes longer than STOP_S."""
        if not self.alive:
            return 0
        assert self.process is not None
        self.process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_S):
                return await self.process.wait()
        except TimeoutError:
            await self.kill()
            return -signal.SIGKILL

    async def _end(self, number: int) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        await self.process.wait()


class Broker(Child):
    """Mosquitto with persistence, saved every second. Its port stays the same."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / "mosquitto.conf"
        lines = (
            f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence true",
            f"persistence_location {folder}/", "autosave_interval 1", "max_queued_messages 0",
            "max_inflight_messages 0", "log_dest stderr", "log_type error", f"user {getpass.getuser()}",
        )  # fmt: skip
        config.write_text("\n".join(lines) + "\n")
        assert MOSQUITTO is not None
        super().__init__((MOSQUITTO, "-c", config), folder / "mosquitto.output")

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    async def start(self) -> None:
        await self.spawn()
        await listening(self.port)


class Influx(Child):
    """influxd, its port and token the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        program = find_influxd()
        assert program is not None
        command = [
            program, f"--http-bind-address=127.0.0.1:{self.port}", f"--engine-path={folder / 'engine'}",
            f"--bolt-path={folder / 'influxd.bolt'}", f"--sqlite-path={folder / 'influxd.sqlite'}",
            "--reporting-disabled", "--no-tasks", "--nats-port=-1", "--log-level=error",
        ]  # fmt: skip
        super().__init__(command, folder / "influxd.output")
        self.token = ""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it answers; the first time it gets its first user."""
        await self.spawn()
        async with asyncio.timeout(START_S), httpx.AsyncClient(base_url=self.base, timeout=30) as client:
            while self.alive:
                with contextlib.suppress(httpx.TransportError):
                    if self.token:
                        if (await client.get("/health")).status_code == 200:
                            return
                    elif await self._onboard(client):
                        return
                await asyncio.sleep(0.05)
        raise AssertionError(f"influxd does not start: {self.said()[-2000:]}")

    async def _onboard(self, client: httpx.AsyncClient) -> bool:
        body = {"username": "citywarden", "password": secrets.token_urlsafe(24), "org": "city", "bucket": "city"}
        answer = await client.post("/api/v2/setup", json=body)
        if answer.status_code == 201:
            self.token = str(answer.json()["auth"]["token"])
        return bool(self.token)


class Database(Child):
    """PostgreSQL as it stands in a city: every commit on the disk before it is told."""

    def __init__(self, folder: Path) -> None:
        binaries = find_binaries()
        assert binaries is not None
        self._folder, self._binaries = folder, binaries
        self._owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        command = (binaries / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=")
        super().__init__(list(map(str, command)), folder / "output", self._owner)

    @property
    def url(self) -> str:
        return f"postgresql://test@/postgres?host={quote(str(self._folder), safe='')}"

    async def make(self) -> None:
        """A new cluster."""
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        init = Child(
            [self._binaries / "initdb", "-D", self._folder / "data", "-U", "test", "-A", "trust", "-E", "UTF8",
             "--no-sync", "--locale=C"],
            self._folder / "initdb.output", self._owner,
        )  # fmt: skip
        await init.spawn()
        assert init.process is not None
        assert await init.process.wait() == 0, init.said()

    async def start(self) -> None:
        await self.spawn()
        async with asyncio.timeout(START_S):
            while self.alive:
                with contextlib.suppress(psycopg.OperationalError):
                    psycopg.connect(self.url, connect_timeout=5).close()
                    return
                await asyncio.sleep(0.05)
        raise AssertionError(f"PostgreSQL does not start: {self.said()[-2000:]}")

    async def stop(self, number: int = signal.SIGINT) -> int:
        """SIGINT: sessions are cut off, and it ends in good order."""
        return await super().stop(number)


class Server(Child):
    """`citywarden serve`."""

    def __init__(self, config: Path, data: Path, output: Path) -> None:
        self._words = ["serve", "--config", str(config), "--data", str(data), "--port", "0"]
        super().__init__((sys.executable, "-m", "citywarden", *self._words), output)
        self.data = data
        self.clocked = False

    def be_clocked(self, offset: Path | None) -> None:
        """From the next start on: with a wall clock that is wrong by the ms in a file, or with the real one again."""
        module = ["citywarden"] if offset is None else ["tests.faults.clocked", str(offset)]
        self.command = [sys.executable, "-m", *module, *self._words]
        self.clocked = offset is not None

    async def start(self) -> None:
        """Return when it says that it is up."""
        begin = self.size()
        await self.spawn()
        async with asyncio.timeout(START_S):
            while self.alive:
                if "is up" in self.said(begin):
                    return
                await asyncio.sleep(0.02)
        raise AssertionError(f"the server does not start: {self.said(begin)[-3000:]}")

    @property
    def url(self) -> str:
        """Where its console is."""
        line = next(line for line in reversed(self.said().splitlines()) if "is up" in line)
        return line.split("console ")[1].split(",")[0].strip()
