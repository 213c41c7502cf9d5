"""A real influxd for tests: a child process on a free loopback port, everything it keeps in a temporary folder."""

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.brokers import free_port

ROOT = Path(__file__).parent.parent
HOW = "needs influxd: scripts/install-influxd builds it in 5 to 8 minutes (or name a binary in CITYWARDEN_INFLUXD)"


def find_influxd() -> str | None:
    """CITYWARDEN_INFLUXD, else what scripts/install-influxd has built, else influxd on the PATH."""
    if named := os.environ.get("CITYWARDEN_INFLUXD"):
        return named
    module = (ROOT / "tools" / "influxd" / "go.mod").read_text("utf-8")
    found = re.search(r"github\.com/influxdata/influxdb/v2 v([0-9.]+)", module)
    assert found is not None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = cache / "citywarden" / f"influxd-{found[1]}" / "influxd"
    return str(built) if built.is_file() else shutil.which("influxd")


@dataclass(frozen=True, slots=True)
class Influxd:
    """A running influxd with one organisation, `city`, and a token that may do everything in it."""

    port: int
    token: str

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, bucket: str) -> str:
        return f"influxdb://127.0.0.1:{self.port}/city/{quote(bucket, safe='')}"

    def make_bucket(self, *beside: str) -> str:
        """A new bucket that keeps its rows for ever, and those with these suffixes beside it; returns its name."""
        name, headers = f"test-{secrets.token_hex(6)}", {"Authorization": f"Token {self.token}"}
        orgs = httpx.get(f"{self.base}/api/v2/orgs", params={"org": "city"}, headers=headers, timeout=30).json()
        for suffix in ("", *beside):
            body = {"name": name + suffix, "orgID": orgs["orgs"][0]["id"], "retentionRules": []}
            httpx.post(f"{self.base}/api/v2/buckets", json=body, headers=headers, timeout=30).raise_for_status()
        return name


@contextlib.contextmanager
def influxd(folder: Path, tasks: bool = False, bucket: str = "first", token: str = "") -> Iterator[Influxd]:
    """A running influxd with this bucket and token, which runs no tasks unless asked to; skips where there is none."""
    program = find_influxd()
    if program is None:
        pytest.skip(HOW)
    port = free_port()
    command = [
        program,
        f"--http-bind-address=127.0.0.1:{port}",
        f"--engine-path={folder / 'engine'}",
        f"--bolt-path={folder / 'influxd.bolt'}",
        f"--sqlite-path={folder / 'influxd.sqlite'}",
        "--reporting-disabled",
        *(() if tasks else ("--no-tasks",)),
        "--nats-port=-1",
        "--log-level=warn",
    ]
    output = folder / "output"
    with output.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    try:
        wanted = {"bucket": bucket} | ({"token": token} if token else {})
        yield Influxd(port, _onboard(f"http://127.0.0.1:{port}", wanted, process, output))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _onboard(
    base: str, wanted: dict[str, str], process: subprocess.Popen[bytes], output: Path, timeout_s: float = 60.0
) -> str:
    """Wait until it answers and make the first user; returns the token."""
    body = {"username": "citywarden", "password": secrets.token_urlsafe(24), "org": "city"} | wanted
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(f"{base}/api/v2/setup", json=body, timeout=30)
            if answer.status_code == 201:
                return str(answer.json()["auth"]["token"])
        time.sleep(0.1)
    raise AssertionError(f"influxd does not answer: {output.read_text('utf-8', 'replace')[-2000:]}")
