"""The pages in a real browser, over the made-up city: nothing leaves the machine, nothing breaks."""

import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.console.browsing import assert_fits_a_phone, city, needs_chromium, opened, overflow, state, tell, until

COUNT_TONES = """window.tones = 0; const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (at) { window.tones += 1; start.call(this, at); }; 0"""
pytestmark = needs_chromium


def number(page: Page, key: str) -> str:
    return page.locator(f'.cw-tile[data-key="{key}"] .cw-number b').inner_text()


def part(page: Page, key: str, name: str) -> str:
    return page.locator(f'.cw-tile[data-key="{key}"] [data-part="{name}"] b').inner_text()


def pixels(page: Page, layer: int) -> int:
    """How many pixels of a map canvas are drawn on."""
    count = """layer => { const c = document.querySelectorAll('.cw-map canvas')[layer];
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"""
    return int(page.evaluate(count, layer))


def strays(page: Page, address: str) -> str:
    """Which of the wall's figures are not those that the server has just computed."""
    known = state(address)["figures"]
    assert isinstance(known, dict)
    agree = {
        "lighting": float(number(page, "lighting")) == pytest.approx(known["lighting"], abs=0.06),
        "flooded": number(page, "flooded") == str(known["flooded"]),
        "gas": float(number(page, "gas")) == pytest.approx(known["lel"], abs=1.5),
        "vehicles": number(page, "vehicles") == str(known["vehicles"]["working"]),
        "offline": part(page, "vehicles", "offline") == str(known["vehicles"]["offline"]),
        "coverage": float(number(page, "coverage")) == pytest.approx(known["coverage"], abs=0.06),
        "not_met": part(page, "coverage", "not_met") == str(known["tasks"]["not_met"]),
    }
    return ", ".join(name for name, same in agree.items() if not same)


def test_the_wall_shows_the_figures_that_were_computed(browser: BrowserContext, futian: str) -> None:
    with opened(browser, futian) as page:
        page.wait_for_selector("article.critical")
        until(lambda: part(page, "coverage", "met"), "23")
        until(lambda: strays(page, futian), "")
        assert number(page, "messages") == "1,284"
        assert part(page, "messages", "lag") == "42 ms"
        assert overflow(page) <= 0
        assert all(pixels(page, layer) > 1000 for layer in (0, 1, 2))
        assert_fits_a_phone(page)


def appears_s(page: Page, address: str, name: str) -> float:
    """How long a new alert of this name takes to be on the page."""
    tell(address, f"alert/{name}")
    return until(page.locator(f'article[data-id="{name}"]').count, 1)


def test_an_alert_appears_within_a_second_and_is_acknowledged_with_a_note(browser: BrowserContext, futian: str) -> None:
    with opened(browser, futian) as page:
        page.wait_for_selector("article.critical")
        assert min(appears_s(page, futian, name) for name in ("hasty", "prompt", "quick", "swift", "fresh")) < 1.0
        card = page.locator('article[data-id="fresh"]')
        assert "甲烷 77 %LEL" in card.inner_text()
        card.get_by_role("button", name="确认").click()
        page.get_by_role("button", name="提交").click()
        assert page.get_by_role("alert").inner_text() == "请填写处置人"
        page.fill('input[name="who"]', "李娜")
        page.fill('textarea[name="note"]', "已通知<b>燃气公司</b>")
        page.get_by_role("button", name="提交").click()
        page.wait_for_selector('article[data-id="fresh"].acknowledged')
        assert state(futian)["calls"] == [["acknowledge", "fresh", "李娜", "已通知<b>燃气公司</b>"]]
        assert "已通知<b>燃气公司</b>" in card.inner_text()
        assert not page.locator("dialog[open]").count()


def test_the_language_switches_where_it_stands_and_by_address(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/?lang=en") as page:
        page.wait_for_selector("article.critical")
        assert "Lighting rate" in page.inner_text(".cw-strip")
        page.evaluate("window.stillHere = true")
        page.get_by_role("button", name="中文").click()
        until(lambda: "亮灯率" in page.inner_text(".cw-strip"), True)
        assert "未处置告警" in page.inner_text(".cw-alerts")
        assert "每小时告警" in page.inner_text(".cw-charts")
        assert "深圳" in page.inner_text(".cw-top")
        assert page.evaluate("window.stillHere && new URL(location).searchParams.get('lang')") == "zh-CN"


def test_a_vehicles_day_says_why(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/vehicles/V03?lang=en") as page:
        page.wait_for_selector(".cw-verdict.not_met")
        text = page.inner_text(".cw-side")
        for said in ("coverage too low", "worked too short", "600–920 m · driven without working", "too fast"):
            assert said in text
        until(lambda: pixels(page, 0) > 3000, True)
        page.get_by_role("button", name="中文").click()
        until(lambda: "覆盖率不足" in page.inner_text(".cw-side"), True)
        page.get_by_title("前一天").click()
        until(lambda: page.inner_text(".cw-days b"), "2026-11-21")
        assert_fits_a_phone(page)


def test_supervision_leads_to_the_vehicle(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/supervision?lang=zh-CN") as page:
        page.wait_for_selector(".cw-table")
        assert "玉洁环境" in page.inner_text(".cw-two")
        assert "福田" in page.inner_text(".cw-two")
        assert "/ 29" in page.inner_text(".cw-strip")
        file = page.get_by_role("link", name="导出当日 CSV").get_attribute("href")
        assert file is not None
        with urllib.request.urlopen(f"{futian}{file}") as answer:
            assert answer.headers["content-disposition"] == 'attachment; filename="citywarden-2026-11-22.csv"'
            assert answer.read().decode("utf-8-sig").count("\n") == 61
        assert_fits_a_phone(page)
        page.get_by_role("link", name="粤B·环103").first.click()
        page.wait_for_selector(".cw-verdict")
        assert "/vehicles/V03?day=2026-11-22" in page.url


def test_an_alert_leads_to_the_devices_history(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/devices/gas/GD-009?alert=a1&lang=en") as page:
        page.wait_for_selector(".nicegui-echart canvas")
        assert "Methane 58 %LEL, second alarm" in page.inner_text(".cw-said")
        assert page.locator(".nicegui-echart").count() == 6
    with opened(browser, f"{futian}/devices/gas/%3Cscript%3E?lang=en") as page:
        page.get_by_text("No such device").wait_for()


def last_two(address: str) -> list[list[str]]:
    """What was asked of the inbox last."""
    calls = state(address)["calls"]
    assert isinstance(calls, list)
    return sorted([str(word) for word in call[:3]] for call in calls[-2:])


def test_the_inbox_filters_and_works_many_at_once(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/alerts?lang=en") as page:
        page.wait_for_selector("article")
        page.get_by_label("Status").select_option("resolved")
        until(lambda: int(page.inner_text(".cw-alerts h2 b").rstrip("+")) >= 60, True)
        assert page.locator("article.resolved").count() >= 10
        counts = [int(text.split()[0]) for text in page.locator(".cw-counts button").all_inner_texts()]
        assert sum(counts) == int(page.inner_text(".cw-alerts h2 b")), "counted whatever is shown of them"
        page.locator(".cw-counts button.minor").click()
        until(lambda: page.inner_text(".cw-alerts h2 b"), str(counts[2]))
        page.locator(".cw-counts button.minor").click()
        page.get_by_label("Status").select_option("open")
        page.fill('input[type="search"]', "灯杆")
        until(lambda: page.locator("article").count(), 2)
        assert parse_qs(urlsplit(page.url).query)["q"] == ["灯杆"]
        for box in page.get_by_role("checkbox").all():
            box.check()
        page.locator(".cw-bulk").get_by_role("button", name="Resolve").click()
        page.fill('input[name="who"]', "Chen")
        page.get_by_role("button", name="Send").click()
        until(lambda: page.locator("dialog[open]").count(), 0)
        until(lambda: last_two(futian), [["resolve", "a15", "Chen"], ["resolve", "a8", "Chen"]])
        assert_fits_a_phone(page)


def test_the_inbox_is_worked_by_keys_and_heard_when_asked(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/alerts?lang=en") as page:
        page.wait_for_selector("article.firing")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        first = page.locator("article").first
        assert page.locator("article.at").get_attribute("data-id") == first.get_attribute("data-id")
        page.keyboard.press("x")
        assert page.locator("article.at").get_by_role("checkbox").is_checked()
        page.keyboard.press("a")
        page.fill('input[name="who"]', "Lin j")  # keys in a field are letters
        page.keyboard.press("Escape")
        until(lambda: page.locator("dialog[open]").count(), 0)
        page.evaluate(COUNT_TONES)
        tell(futian, "alert/silent")
        page.wait_for_selector('article[data-id="silent"]')
        assert page.evaluate("window.tones") == 0
        page.get_by_role("button", name="Sound for critical alerts: off").click()
        until(lambda: page.evaluate("window.tones"), 3)
        tell(futian, "alert/loud")
        until(lambda: page.evaluate("window.tones"), 6)
        assert page.evaluate("localStorage.getItem('citywarden.sound')") == "on"


def test_closed_pages_leave_nothing_behind(browser: BrowserContext, futian: str) -> None:
    with opened(browser, futian) as page:
        page.wait_for_selector("article")
        one: object = 1
        until(lambda: state(futian)["listeners"], one)
    nothing: list[object] = [0, 0, 0, 0]
    until(lambda: [state(futian)[k] for k in ("viewers", "listeners", "tasks", "clients")], nothing)
    tell(futian, "prune")
    assert state(futian)["tabs"] == 0


@pytest.mark.parametrize(("language", "said"), [("zh", "没有这个页面"), ("en", "There is no such page")])
def test_where_there_is_no_page_the_console_says_so(futian: str, language: str, said: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{futian}/nowhere?lang={language}")
    with caught.value as answer:
        text = answer.read().decode()
    assert caught.value.code == 404
    assert said in text
    assert 'href="/?lang=' in text
    assert "HTTPException" not in text


def test_the_map_finds_the_whole_city_again(browser: BrowserContext, futian: str) -> None:
    with opened(browser, futian) as page:
        page.wait_for_selector("article.critical")
        assert page.locator(".cw-home").count() == 0
        page.locator("article.critical .cw-summary").first.click()
        page.locator(".cw-home").click()
        until(page.locator(".cw-home").count, 0)


def test_an_empty_city_is_calm(browser: BrowserContext) -> None:
    with city("--empty", "--lang", "en") as address:
        with opened(browser, address) as page:
            page.get_by_text("No open alerts").wait_for()
            until(lambda: number(page, "lighting"), "–")
            assert overflow(page) <= 0
        for path in ("/alerts", "/supervision", "/vehicles/V01"):
            with opened(browser, f"{address}{path}") as page:
                page.wait_for_selector(".cw-empty, .cw-calm")


def test_five_hundred_long_alerts_do_not_break_the_wall(browser: BrowserContext, futian: str) -> None:
    with opened(browser, futian) as page:
        page.wait_for_selector("article")
        before = int(page.inner_text(".cw-alerts h2 b"))
        tell(futian, "storm")
        until(lambda: page.inner_text(".cw-alerts h2 b"), str(before + 500))
        until(lambda: page.locator("article").count(), 60)
        until(lambda: page.locator(".cw-more").count(), 1)
        assert overflow(page) <= 0
        assert page.evaluate("document.querySelector('.cw-alerts').getBoundingClientRect().bottom <= innerHeight")
