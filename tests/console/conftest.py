"""One browser and one city for the tests of a file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from tests.console.browsing import ARGUMENTS, CHROMIUM, city


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """One browser for all: what it has fetched and compiled for one page serves the next."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = chromium.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
        context.set_default_timeout(60_000)
        yield context
        chromium.close()


@pytest.fixture(scope="module")
def futian() -> Iterator[str]:
    with city() as address:
        yield address
