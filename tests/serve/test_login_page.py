"""A person with a real browser before a server that demands a login."""

from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

from citywarden.cli.running import wall_ms
from citywarden.sections import AccessSettings, Settings
from citywarden.serve.prepare import prepare
from citywarden.serve.reception import access_desk, password_file
from citywarden.serve.recording import os_identity
from citywarden.serve.server import Options, running
from tests.console.browsing import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium (Debian: apt install chromium)")
BETTER = "mountain-ferry-77"


async def test_the_first_administrator_logs_in_looks_around_and_leaves(tmp_path: Path) -> None:
    settings = Settings(language="en", data=tmp_path / "data", access=AccessSettings(login="always"))
    async with running(prepare(settings), Options(port=0), wall_ms) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        broken: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                broken.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: broken.append(str(error)))
        await page.goto(f"{server.url}/alerts")
        await log_in(page, password_file(settings).read_text("utf-8").strip())
        await page.wait_for_url(f"{server.url}/alerts")
        for path in ("/", "/account", "/admin/users", "/admin/audit?check=1"):
            await page.goto(f"{server.url}{path}")
            await page.locator(".cw-who", has_text="admin").wait_for()
        await page.locator("text=none changed").or_(page.locator("text=The chain is whole")).wait_for()
        assert broken == [], "nothing of ours is against our own content security policy"
        await make_user(page, server.url)
        users = [(user.name, user.unit) for user in access_desk(settings).users(os_identity())]
        assert users == [("admin", ""), ("zhang", "路灯管理所 / Street lighting")]
        await page.goto(f"{server.url}/account")
        await page.get_by_role("button", name="Sign out", exact=True).click()
        await page.wait_for_url("**/login**")
        await page.goto(f"{server.url}/")
        assert "/login" in page.url
        await browser.close()


async def log_in(page: Page, first: str) -> None:
    """With the password of the file, which has to be changed at once."""
    await page.fill("input[name=name]", "admin")
    await page.fill("input[name=password]", first)
    await page.click("button")
    await page.wait_for_url("**/password**")
    await page.fill("input[name=old]", first)
    await page.fill("input[name=new]", BETTER)
    await page.fill("input[name=again]", BETTER)
    await page.click("button")


async def make_user(page: Page, url: str) -> None:
    await page.goto(f"{url}/admin/users")
    await page.get_by_role("button", name="Add user").click()
    dialog = page.locator("dialog")
    await dialog.locator("input[name=name]").fill("zhang")
    await dialog.locator("select[name=role]").select_option("dispatcher")
    await dialog.locator("input[name=tenant]").fill("north")
    await dialog.locator("input[name=unit]").fill("Street lighting")
    await dialog.get_by_role("button", name="Add user").click()
    await page.locator("tr[data-name=zhang]").wait_for()
    assert await page.locator(".cw-secret code").inner_text()
