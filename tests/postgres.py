"""A real PostgreSQL for tests: a cluster of its own in a temporary folder, reached over a Unix socket only."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

HOW = "needs PostgreSQL's server programs: apt-get install postgresql"
SOME_SETTINGS = "fsync=off synchronous_commit=off full_page_writes=off listen_addresses= max_connections=40"


def find_binaries() -> Path | None:
    """The folder of initdb and postgres: Debian's newest, else what is on the PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda p: [int(n) for n in p.parents[1].name.split(".") if n.isdigit()], default=None)
    found = str(newest) if newest else shutil.which("initdb")
    return Path(found).parent if found else None


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running cluster. `socket`: its folder."""

    socket: Path
    user: str

    def url(self) -> str:
        return f"postgresql://{self.user}@/postgres?host={quote(str(self.socket), safe='')}"


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A running cluster; skips the test where its programs are missing. As root it runs as user postgres."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(HOW)
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    root = os.geteuid() == 0
    uid, gid = (owner.pw_uid, owner.pw_gid) if root else (None, None)
    no_others: list[int] | None = [] if root else None
    # Not pytest's own folder: that one is closed to other users, and too long for a socket's name.
    with tempfile.TemporaryDirectory(prefix="cw-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        made = subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync",
             "--locale=C"],
            cwd=folder, capture_output=True, text=True, check=False, user=uid, group=gid, extra_groups=no_others,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        settings = [word for setting in SOME_SETTINGS.split() for word in ("-c", setting)]
        with (folder / "output").open("wb") as sink:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", folder / "data", "-k", folder, *settings],
                cwd=folder, stdout=sink, stderr=subprocess.STDOUT, user=uid, group=gid, extra_groups=no_others,
            )  # fmt: skip
        try:
            found = Postgres(folder, "test")
            _await(found, process, folder / "output")
            yield found
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(60)


def _await(server: Postgres, process: subprocess.Popen[bytes], output: Path, timeout_s: float = 60.0) -> None:
    import psycopg

    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(server.url()).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"PostgreSQL does not start: {output.read_text('utf-8', 'replace')[-2000:]}")
