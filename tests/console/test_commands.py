"""Commands on a device's page in a real browser: given, followed to their end, called back; what a page may ask."""

from collections.abc import Mapping

import pytest
from playwright.sync_api import BrowserContext, Page

from citywarden.model.command import Command, State, Wish
from citywarden.model.device import DeviceKey
from dashboards.console.commanding import command_view, wish_of
from tests.builders import NOON_MS, device
from tests.console.browsing import assert_fits_a_phone, needs_chromium, opened, until

LAMP = DeviceKey("sz", "streetlight", "SL-0111")


def newest(page: Page) -> tuple[str, str]:
    """State and words of the command on top."""
    row = page.locator(".cw-given li").first
    return str(row.get_attribute("data-state")), row.inner_text()


def give(page: Page, order: str) -> None:
    page.fill('.cw-orders input[name="who"]', "王建国")
    page.click(f'.cw-order[data-command="{order}"] button[type="submit"]')


@needs_chromium
def test_a_lamp_is_told_to_dim_and_does(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/devices/streetlight/SL-0111?lang=en") as page:
        page.wait_for_selector(".cw-order")
        assert newest(page)[0] == "failed" and "driver does not answer" in newest(page)[1]
        page.click('[data-argument="for_min"] button:has-text("30 min")')
        page.fill('[data-command="dim"] input[name="pct"]', "140")
        give(page, "dim")
        assert page.locator(".cw-given li").count() == 2, "140 % is refused where it is typed"
        page.fill('[data-command="dim"] input[name="pct"]', "40")
        give(page, "dim")
        until(lambda: newest(page)[0], "done")
        assert "Dim · Brightness 40 % · 30 min" in newest(page)[1] and "by 王建国" in newest(page)[1]
        page.click(".cw-language")
        until(lambda: "亮度 40 % · 30 分钟" in newest(page)[1], True)
        assert_fits_a_phone(page)


@needs_chromium
def test_a_dark_lamp_that_does_not_answer_is_told_from_its_alert_and_called_back(
    browser: BrowserContext, futian: str
) -> None:
    with opened(browser, f"{futian}/alerts/a8?lang=zh") as page:
        page.click(".cw-to-commands")
        page.wait_for_selector(".cw-order")
        give(page, "on")
        until(lambda: newest(page)[0] == "sent" and "开灯" in newest(page)[1], True)
        assert "有效期至" in newest(page)[1]
        page.locator(".cw-given li").first.locator("button").click()
        until(lambda: newest(page)[0], "cancelled")
        assert "由 王建国 撤回" in newest(page)[1]


@needs_chromium
def test_a_kind_without_commands_says_so(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/devices/gas/GD-009?lang=en") as page:
        page.wait_for_selector("text=devices of this kind take no commands")
        assert page.locator(".cw-commands").count() == 0


@pytest.mark.parametrize(
    ("state", "attempts", "detail", "said"),
    [
        (State.EXPIRED, 0, "it could not be sent in time", ("cmd_why_unsent", "")),
        (State.EXPIRED, 3, "not acknowledged, sent 3 times", ("cmd_why_unheard", "")),
        (State.EXPIRED, 1, "acknowledged, but not done in time", ("cmd_why_undone", "")),
        (State.CANCELLED, 1, "by li", ("cmd_why_by", "li")),
        (State.FAILED, 1, "rejected: no such lamp", ("cmd_why_rejected", "no such lamp")),
        (State.FAILED, 1, "driver dead", ("", "driver dead")),
        (State.DONE, 1, "late; off", ("cmd_why_late", "off")),
        (State.DONE, 1, "", ("", "")),
    ],
)
def test_how_a_command_ended_is_said_in_words(state: State, attempts: int, detail: str, said: tuple[str, str]) -> None:
    ended = Command("c", LAMP, "on", {}, "li", NOON_MS, NOON_MS + 1, state, attempts, detail=detail)
    view = command_view(ended)
    assert (view["why"], view["said"]) == said
    assert not view["outstanding"] and not view["can_cancel"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"name": "on", "args": {}},
        {"name": 3, "args": {}, "expires_min": 10},
        {"name": "on", "args": [], "expires_min": 10},
        {"name": "on", "args": {"pct": None}, "expires_min": 10},
        {"name": "on", "args": {"pct": {"deep": 1}}, "expires_min": 10},
        {"name": "on", "args": {f"a{n}": n for n in range(33)}, "expires_min": 10},
        {"name": "on", "args": {}, "expires_min": True},
    ],
)
def test_what_makes_no_sense_is_no_wish(asked: Mapping[str, object]) -> None:
    assert wish_of(device("streetlight", "L1"), asked) is None


def test_a_wish_is_about_the_device_of_the_page() -> None:
    asked = {"name": "dim", "args": {"pct": 40}, "expires_min": 5, "device": "another", "id": "mine"}
    lamp = device("streetlight", "L1")
    assert wish_of(lamp, asked) == Wish(lamp.key, "dim", {"pct": 40}, 5.0)
