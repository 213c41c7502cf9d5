"""The cases' pages in a real browser: the board, a case worked off, a new one out of an alert, evidence."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.cases.case_builders import PNG
from tests.console.browsing import assert_fits_a_phone, city, needs_chromium, opened, until

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def nanshan() -> Iterator[str]:
    """A city of its own: these tests change its cases."""
    with city("--lang", "en") as address:
        yield address


def numbers(page: Page, column: str = "") -> list[str]:
    """Numbers of the cards, of all columns or one."""
    wanted = f".cw-case-columns {f'.{column}' if column else ''} a:not(.cw-card-leave-active)"
    return [str(number) for number in page.locator(wanted).evaluate_all("(all) => all.map((a) => a.dataset.number)")]


def ask(address: str, path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{address}/api/v1/cases{path}") as answer:
        found: dict[str, object] = json.load(answer)
        return found


def take(page: Page, step: str, **fields: str) -> None:
    """Press a step's button, fill the dialog in and send it."""
    page.click(f'[data-step="{step}"]')
    for name, text in fields.items():
        field = page.locator(f'dialog[open] [name="{name}"]')
        if field.evaluate("(e) => e.tagName") == "SELECT":
            field.select_option(text)
        else:
            field.fill(text)
    page.click('dialog[open] button[type="submit"]')
    until(lambda: page.locator("dialog[open]").count(), 0)


def test_the_board_shows_what_is_where_and_what_is_late(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/cases?lang=en") as page:
        page.wait_for_selector(".cw-case-columns a")
        assert len(numbers(page, "work")) == 3
        assert numbers(page, "dispatch") == ["20261122-0003"]
        late = page.locator(".cw-case-columns a.late")
        until(late.count, 1)
        assert "overdue" in late.inner_text()
        assert "3 bus. h" in page.inner_text(".cw-case-columns .check") or "4 bus. h" in page.inner_text(
            ".cw-case-columns .check"
        )
        page.click(".cw-case-counts .late")
        until(lambda: numbers(page), ["20261121-0001"])
        page.click(".cw-case-counts .late")
        page.fill('input[type="search"]', "mains / nothing")
        until(lambda: len(numbers(page)), 0)
        page.fill('input[type="search"]', "20261122-0003")
        until(lambda: numbers(page), ["20261122-0003"])
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        until(lambda: page.locator("a.at").count(), 1)
        page.keyboard.press("o")
        page.wait_for_url("**/cases/*")
        assert "20261122-0003" in page.inner_text(".cw-case-head")


def test_the_rates_of_the_month_stand_above_and_below(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/cases?lang=en") as page:
        page.wait_for_selector(".cw-case-groups td")
        strip = page.inner_text(".cw-case-rates").lower()
        assert "closed in time" in strip
        assert "95.24" in strip
        groups = page.inner_text(".cw-case-groups")
        for part in ("Drainage team", "Nanshan", "Missed road"):
            assert part in groups
        page.get_by_role("button", name="中文").click()
        until(lambda: "按期结案率" in page.inner_text(".cw-case-rates"), True)
        assert "排水抢险队" in page.inner_text(".cw-case-groups")
        assert_fits_a_phone(page)


def test_a_case_is_worked_off_in_the_browser(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/cases/20261122-0003?lang=en") as page:
        page.wait_for_selector(".cw-case-head")
        page.click('[data-step="dispatch"]')
        page.locator('dialog[open] [name="unit"]').fill("")
        page.click('dialog[open] button[type="submit"]')
        assert page.get_by_role("alert").inner_text() == "Your name is missing"
        page.keyboard.press("Escape")
        take(page, "dispatch", who="Lin", unit="Enforcement team", note="tonight <b>please</b>")
        until(lambda: "Dispatched to Enforcement team" in page.inner_text(".cw-life"), True)
        assert "tonight <b>please</b>" in page.inner_text(".cw-life")
        take(page, "begin")
        take(page, "ask_extension", why="weather", amount="2")
        until(lambda: "2 business days more asked for" in page.inner_text(".cw-case-head"), True)
        take(page, "grant_extension")
        take(page, "finish")
        take(page, "rework", why="incomplete")
        take(page, "finish")
        take(page, "pass")
        take(page, "close")
        page.wait_for_selector(".cw-case-head.ended")
        assert page.locator("[data-step]").all_inner_texts() == ["Add note"]
        assert page.locator(".cw-case-way .done").count() == page.locator(".cw-case-way li").count()
        assert_fits_a_phone(page)
    found = ask(nanshan, "/20261122-0003")
    assert (found["stage"], found["reworks"], found["extensions"]) == ("closed", 1, 1)


def test_two_people_look_at_the_same_case(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/cases/20261122-0002?lang=en") as one:
        one.wait_for_selector('[data-step="file"]')
        with opened(browser, f"{nanshan}/cases/20261122-0002?lang=en") as other:
            other.wait_for_selector('[data-step="file"]')
            take(other, "file", who="Wu")
        one.wait_for_selector('[data-step="dispatch"]')


def test_evidence_is_added_shown_and_refused(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/cases/20261122-0008?lang=en") as page:
        page.wait_for_selector(".cw-case-shots img")
        until(lambda: page.locator(".cw-case-shots img").count(), 2)
        loaded = "[...document.querySelectorAll('.cw-case-shots img')].every((i) => i.naturalWidth > 0)"
        until(lambda: page.evaluate(loaded), True)
        page.set_input_files('input[type="file"]', {"name": "after.png", "mimeType": "image/png", "buffer": PNG})
        until(lambda: page.locator(".cw-case-shots a").count(), 3)
        large = b"\x89PNG\r\n\x1a\n" + b"\0" * (1 << 20)
        page.set_input_files('input[type="file"]', {"name": "big.png", "mimeType": "image/png", "buffer": large})
        until(lambda: "big.png > 1 MB" in page.inner_text(".cw-case-files"), True)


def test_a_case_out_of_an_alert(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/alerts/a3?lang=en") as page:
        page.get_by_role("link", name="Open a case").click()
        page.wait_for_selector(".cw-case-form")
        assert "Methane 30 %LEL" in page.input_value('[name="title"]')
        page.get_by_role("button", name="Open a case").click()
        assert page.get_by_role("alert").inner_text() == "Your name is missing"
        page.fill('[name="who"]', "Lin")
        page.get_by_role("button", name="Open a case").click()
        page.wait_for_selector(".cw-case-head")
        assert "Gas leak" in page.inner_text(".cw-case-head")
        number = page.inner_text(".cw-case-number b")
        page.goto(f"{nanshan}/cases/new?alert=a3&lang=en")  # an alert has one open case
        page.wait_for_selector(".cw-case-head")
        assert page.inner_text(".cw-case-number b") == number


def test_a_new_case_by_hand_on_a_phone(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/cases/new?lang=en") as page:
        page.wait_for_selector(".cw-case-form")
        assert_fits_a_phone(page)
        page.get_by_text("Damaged road", exact=True).click()
        page.fill('[name="title"]', "Manhole cover gone <script>")
        page.select_option('[name="source"]', "public")
        page.fill('[name="who"]', "A citizen")
        page.get_by_role("button", name="Open a case").click()
        page.wait_for_selector('[data-step="verify"]')
        assert "Manhole cover gone <script>" in page.inner_text(".cw-case-head")


def test_a_case_that_is_not_there(browser: BrowserContext, nanshan: str) -> None:
    with opened(browser, f"{nanshan}/cases/20990101-0001?lang=en") as page:
        page.wait_for_selector(".cw-empty")
        assert page.inner_text(".cw-empty") == "No such case"
