"""Somebody who may only look, with a real browser: nothing to press anywhere, and no way round that."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from citywarden.cli.running import wall_ms
from citywarden.model.access import NewUser
from citywarden.model.alert import Status
from citywarden.model.identity import Role
from citywarden.sections import AccessSettings, Settings
from citywarden.serve.prepare import prepare
from citywarden.serve.reception import access_desk
from citywarden.serve.recording import os_identity
from citywarden.serve.server import Options, running
from tests.alerts.alert_builders import finding
from tests.builders import device
from tests.console.browsing import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium (Debian: apt install chromium)")
PASSWORD = "river-lantern-42"
LAMP = device("streetlight", "L1")


async def test_a_viewer_sees_everything_and_can_change_nothing(tmp_path: Path) -> None:
    settings = Settings(tenant="t", language="en", data=tmp_path / "data", access=AccessSettings(login="always"))
    async with running(prepare(settings), Options(port=0), wall_ms) as server, async_playwright() as playwright:
        desk = access_desk(settings)
        desk.add_user(os_identity(), NewUser("zhang", Role.VIEWER, None, PASSWORD), wall_ms())
        server.registry.put([LAMP])
        what = finding("major", wall_ms(), LAMP.id, kind="streetlight", rule="streetlight.not_obeying")
        [raised] = await server.desk.apply([what], wall_ms(), {})
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.goto(f"{server.url}/alerts")
        await log_in(page)
        lamp = f"/devices/streetlight/{LAMP.id}"
        for path, shown, button in (
            ("/alerts", f'article[data-id="{raised.id}"]', "input[type=checkbox], .cw-do button, .cw-bulk"),
            (f"/alerts/{raised.id}", ".cw-title-of", ".cw-do, .cw-sent button, .cw-to-commands"),
            (lamp, ".cw-given", ".cw-orders form, .cw-orders input, .cw-commands button"),
            ("/silences", ".cw-silences", ".cw-silences button"),
            ("/deliveries", ".cw-book", ".cw-targets button"),
        ):
            await page.goto(f"{server.url}{path}")
            await page.locator(shown).first.wait_for()
            assert await page.locator(button).count() == 0, path
        for path, body in (
            (f"/api/v1/alerts/{raised.id}/acknowledge", {}),
            ("/api/v1/alerts/acknowledge", {"ids": [raised.id]}),
            ("/api/v1/alerts/close", {"ids": [raised.id]}),
            (f"/api/v1/devices/streetlight/{LAMP.id}/commands", {"name": "off"}),
        ):
            assert await post(page, path, body) == 403, path
        for path, part, deed in (
            (f"/alerts/{raised.id}", ".cw-sheet-parts", ["act", {"what": "resolve", "by": "zhang"}]),
            (lamp, ".cw-commands", ["give", {"name": "off", "args": {}, "expires_min": 10, "by": "zhang"}]),
        ):
            await page.goto(f"{server.url}{path}")
            await page.locator(part).wait_for()
            await emit(page, part, deed)
            await page.wait_for_timeout(300)
        assert (await server.desk.get(raised.id)).status is Status.FIRING
        assert await commands_of(page) == []
        await browser.close()


async def log_in(page: Page) -> None:
    await page.fill("input[name=name]", "zhang")
    await page.fill("input[name=password]", PASSWORD)
    await page.click("button")
    await page.locator(".cw-who", has_text="zhang").wait_for()


async def post(page: Page, path: str, body: object) -> int:
    """The status of a request that the page itself makes, with the viewer's session."""
    ask = """async ([path, body]) => (await fetch(path, { method: 'POST', body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' } })).status"""
    return int(await page.evaluate(ask, [path, body]))


async def commands_of(page: Page) -> object:
    ask = "async (path) => (await (await fetch(path)).json()).items"
    return await page.evaluate(ask, f"/api/v1/devices/streetlight/{LAMP.id}/commands")


async def emit(page: Page, part: str, deed: Sequence[object]) -> None:
    """What a part of the page would tell the server if it had the button."""
    tell = "([part, deed]) => getElement(Number(document.querySelector(part).id.slice(1))).$emit(...deed)"
    await page.evaluate(tell, [part, deed])
