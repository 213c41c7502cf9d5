"""The dispatcher's pages in a real browser: one alert worked off, silences, deliveries, measures, devices."""

import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.console.browsing import assert_fits_a_phone, city, needs_chromium, opened, state, tell, until

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def luohu() -> Iterator[str]:
    """A city of its own: these tests change a good deal of it."""
    with city("--lang", "en") as address:
        yield address


def send(page: Page, **fields: str) -> None:
    """Fill in the open dialog and send it."""
    for name, text in fields.items():
        page.fill(f'dialog[open] [name="{name}"]', text)
    page.locator("dialog[open]").get_by_role("button", name="Send").click()
    until(lambda: page.locator("dialog[open]").count(), 0)


def calls(address: str) -> list[object]:
    found = state(address)["calls"]
    assert isinstance(found, list)
    return found


def test_one_alert_is_worked_off_by_keys(browser: BrowserContext, luohu: str) -> None:
    with opened(browser, f"{luohu}/alerts/a1?lang=en") as page:
        page.wait_for_selector(".cw-course canvas")
        said = page.inner_text(".cw-sheet")
        for part in ("Methane 58 %LEL", "gas.methane", "GD-009", "Raised", "Rose to Critical", "delivered"):
            assert part in said
        page.keyboard.press("a")
        send(page, who="Lin", note="on my way")
        page.wait_for_selector(".cw-what-now.acknowledged")
        page.keyboard.press("i")
        send(page, to="Wang")
        until(lambda: "Given to Wang" in page.inner_text(".cw-life"), True)
        page.keyboard.press("n")
        page.locator("dialog[open]").get_by_role("button", name="Send").click()
        assert page.get_by_role("alert").inner_text() == "Please write a note"
        send(page, note="valve <i>closed</i>")
        until(lambda: "valve <i>closed</i>" in page.inner_text(".cw-life"), True)
        page.keyboard.press("s")
        send(page, note="works")
        until(lambda: "A silence covers it" in page.inner_text(".cw-why"), True)
        page.keyboard.press("c")
        send(page)
        page.wait_for_selector(".cw-what-now.resolved")
        assert_fits_a_phone(page)
    assert [call[:3] for call in calls(luohu) if isinstance(call, list)] == [
        ["acknowledge", "a1", "Lin"], ["assigned", "a1", "Lin"], ["noted", "a1", "Lin"], ["closed", "a1", "Lin"],
    ]  # fmt: skip
    with opened(browser, f"{luohu}/alerts/none?lang=en") as page:
        page.get_by_text("No such alert").wait_for()


def test_the_inbox_keeps_its_filters_in_its_address(browser: BrowserContext, luohu: str) -> None:
    with opened(browser, f"{luohu}/alerts?lang=en&kind=waterlogging&severity=critical,major") as page:
        until(lambda: page.locator("article").count(), 2)
        page.get_by_role("button", name="Clear filters").click()
        until(lambda: page.locator("article").count() > 5, True)
        page.get_by_label("Any rule").select_option("route.missed")
        until(lambda: page.locator("article").count(), 1)
        assert "rule=route.missed" in page.url and "kind" not in page.url
        page.keyboard.press("Escape")
        page.locator("h2").first.click()
        page.keyboard.press("?")
        assert "select all that match" in page.inner_text("dialog[open]")


def test_silences_show_what_they_would_cover(browser: BrowserContext, luohu: str) -> None:
    with opened(browser, f"{luohu}/silences?lang=en&rule=waterlogging.*") as page:
        until(lambda: "1 open alerts would be silenced" in page.inner_text(".cw-fit"), True)
        page.fill('input[name="rule"]', "nothing.*")
        until(lambda: "No open alert fits" in page.inner_text(".cw-fit"), True)
        page.select_option('select[name="severity"]', "major")
        page.fill('input[name="who"]', "Lin")
        page.get_by_role("button", name="Create").click()
        assert page.get_by_role("alert").inner_text() == "Please say why"
        page.fill('input[name="why"]', "a test")
        page.get_by_role("button", name="Create").click()
        mine = page.locator(".cw-silence.silences_active").filter(has_text="a test")
        mine.wait_for()
        assert "nothing.*" in mine.inner_text() and "Major" in mine.inner_text()
        mine.get_by_role("button", name="End now").click()
        until(mine.count, 0)
        page.get_by_label("Show ended ones").check()
        page.get_by_text("cut short by Lin").wait_for()
        assert_fits_a_phone(page)


def test_deliveries_are_looked_into_and_sent_again(browser: BrowserContext, luohu: str) -> None:
    with opened(browser, f"{luohu}/deliveries?lang=en&state=refused") as page:
        page.locator(".cw-message").first.click()
        shown = page.locator("dialog[open]")
        shown.wait_for()
        assert "400 Bad Request" in shown.inner_text() and '"rule": "gas.methane"' in shown.inner_text()
        shown.get_by_role("button", name="Send again").click()
        until(lambda: "It waits again" in shown.inner_text(), True)
        page.keyboard.press("Escape")
        old = page.locator('[data-target="旧平台"]')
        assert "it answered 410" in old.inner_text()
        old.get_by_role("button", name="Enable again").click()
        until(lambda: "Taking messages" in old.inner_text(), True)
        assert_fits_a_phone(page)


def test_measures_and_devices_lead_on(browser: BrowserContext, luohu: str) -> None:
    with opened(browser, f"{luohu}/measures?lang=en") as page:
        page.wait_for_selector(".cw-measures canvas")
        assert "3.1" in page.inner_text(".cw-strip") and "Futian" in page.inner_text(".cw-three")
        file = page.get_by_role("link", name="CSV").get_attribute("href")
        assert file is not None
        with urllib.request.urlopen(f"{luohu}{file}") as answer:
            lines = answer.read().decode("utf-8-sig").splitlines()
        assert lines[1].startswith("Rule,") and lines[1].endswith("184.0,911.5,4210.0,2210.0,9004.0,40200.0")
        assert_fits_a_phone(page)
    with opened(browser, f"{luohu}/devices?lang=en&kind=gas") as page:
        until(lambda: page.locator(".cw-things a").count(), 60)
        page.fill('input[type="search"]', "GD-00")
        until(lambda: page.locator(".cw-things a").count(), 10)
        assert_fits_a_phone(page)
        page.locator(".cw-things a").first.click()
        page.wait_for_url("**/devices/gas/GD-00*")


def test_a_storm_is_taken_on_at_once(browser: BrowserContext, luohu: str) -> None:
    tell(luohu, "storm")
    with opened(browser, f"{luohu}/alerts?lang=en") as page:
        until(lambda: int(page.inner_text(".cw-alerts h2 b") or 0) > 500, True)
        first = page.locator("article").first.get_attribute("data-id")
        page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
        until(lambda: page.locator("article").first.get_attribute("data-id") != first, True)
        assert page.locator("article").count() <= 80
        page.keyboard.press("*")
        page.keyboard.press("a")
        send(page, who="Lin")
        until(lambda: sum(call[0] == "acknowledge" for call in calls(luohu) if isinstance(call, list)) >= 500, True)


def test_a_lost_connection_is_said(browser: BrowserContext, luohu: str) -> None:
    page = browser.new_page()
    page.goto(f"{luohu}/alerts?lang=en")
    page.wait_for_selector("article")
    tell(luohu, "quit")
    page.get_by_text("Connection to the server lost").wait_for()
    page.close()
