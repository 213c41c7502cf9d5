"""The real parts, started natively with the very files that Compose mounts; only paths, ports and users differ."""

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from asyncio import create_subprocess_exec
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.brokers import DYNSEC, MOSQUITTO, free_port, listening
from tests.postgres import HOW, find_binaries

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


def make_secrets(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, DEPLOY / "generate-secrets", folder], capture_output=True, text=True, check=True
    )
    return done.stdout


def secret(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8").strip()


@asynccontextmanager
async def deployed_mosquitto(folder: Path) -> AsyncIterator[int]:
    """Mosquitto with the mounted files; only the container's paths, the port and the user differ."""
    port = free_port()
    assert MOSQUITTO is not None
    if DYNSEC is None:
        pytest.skip("needs Mosquitto's dynamic-security plugin: apt-get install mosquitto")
    (folder / "data").mkdir()
    text = (DEPLOY / "mosquitto.conf").read_text("utf-8")
    changes = {
        "listener 1883": f"listener {port} 127.0.0.1\nuser {getpass.getuser()}",
        "/mosquitto/": f"{folder}/",
        "/usr/lib/mosquitto_dynamic_security.so": DYNSEC,
        f"/secrets{folder}/": f"{folder}/secrets/mosquitto/",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "mosquitto.conf").write_text(text)
    with (folder / "output").open("wb") as sink:
        process = await create_subprocess_exec(
            MOSQUITTO, "-c", str(folder / "mosquitto.conf"), stdout=sink, stderr=sink
        )
    try:
        await listening(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


@contextlib.contextmanager
def deployed_postgres(password: str) -> Iterator[int]:
    """PostgreSQL as its image sets it up: a user and database `citywarden`, passwords by SCRAM; gives its port."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(HOW)
    root = os.geteuid() == 0
    owner = pwd.getpwnam("postgres") if root else pwd.getpwuid(os.geteuid())
    uid, gid = (owner.pw_uid, owner.pw_gid) if root else (None, None)
    groups: list[int] | None = [] if root else None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cw-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        shutil.copy(DEPLOY / "postgresql.conf", folder / "postgresql.conf")
        (folder / "password").write_text(password)
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        made = subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "citywarden", "--pwfile", folder / "password",
             "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256", "--data-checksums", "-E", "UTF8",
             "--locale=C"],
            cwd=folder, capture_output=True, text=True, check=False, user=uid, group=gid, extra_groups=groups,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        command: list[str | Path] = [
            binaries / "postgres", "-D", folder / "data", "-c", f"config_file={folder / 'postgresql.conf'}",
            "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-k", folder,
        ]  # fmt: skip
        with (folder / "output").open("wb") as sink:
            process = subprocess.Popen(
                command, cwd=folder, stdout=sink, stderr=subprocess.STDOUT, user=uid, group=gid, extra_groups=groups
            )
        try:
            _make_database(folder, port, process)
            yield port
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _make_database(folder: Path, port: int, process: subprocess.Popen[bytes], timeout_s: float = 60.0) -> None:
    """Wait until it answers and make the database, as the image does for POSTGRES_DB."""
    import psycopg

    where = f"host={folder} port={port} user=citywarden dbname=postgres"
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            with psycopg.connect(where, autocommit=True) as connection:
                connection.execute("CREATE DATABASE citywarden")
            return
        time.sleep(0.05)
    raise AssertionError(f"PostgreSQL does not start: {(folder / 'output').read_text('utf-8', 'replace')[-2000:]}")
