"""A real browser over the made-up city, and what its pages are asked: nothing leaves the machine, nothing breaks."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update",
    "--disable-sync", "--mute-audio",
]  # fmt: skip
needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="needs /usr/bin/chromium (Debian: apt install chromium)"
)
T = TypeVar("T")


@contextmanager
def city(*arguments: str) -> Iterator[str]:
    """The preview's address, while it runs."""
    # NiceGUI behaves differently when it believes to be under test; people's browsers are what is tested here.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    command = [sys.executable, "-m", "tests.console.preview", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@contextmanager
def opened(browser: BrowserContext, address: str) -> Iterator[Page]:
    """A page that must make no error and no request beyond the server; nothing it remembers outlives it."""
    wrong: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            wrong.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")):
            wrong.append(f"external: {request.url}")

    page = browser.new_page()
    try:
        page.on("console", said)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", asked)
        page.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        page.goto(address)
        yield page
        page.evaluate("localStorage.clear()")
        assert wrong == []
    finally:
        page.close()


def state(address: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{address}/_test/state") as answer:
        found: dict[str, object] = json.load(answer)
        return found


def tell(address: str, path: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{address}/_test/{path}", method="POST")).close()


def until(look: Callable[[], T], wanted: T, within_s: float = 60.0) -> float:
    """Seconds until `look` gives what is wanted."""
    began = monotonic()
    while (found := look()) != wanted:
        assert monotonic() - began < within_s, f"still {found!r}, not {wanted!r}"
        sleep(0.05)
    return monotonic() - began


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def assert_fits_a_phone(page: Page) -> None:
    """A phone scrolls it one way only."""
    page.set_viewport_size({"width": 390, "height": 844})
    until(lambda: overflow(page) <= 0, True)
