"""Forms complain in the page's language, whatever the browser's is."""

import urllib.error
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from dashboards.console.caseform import lacking, wrong_position
from tests.console.browsing import needs_chromium, opened, until


def complaints(page: Page, *names: str) -> list[str]:
    """What the browser says beside fields of the form that was sent last."""
    return [str(page.locator(f'form [name="{name}"]').evaluate("field => field.validationMessage")) for name in names]


@needs_chromium
def test_a_field_is_complained_of_by_its_label_in_the_pages_language(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/cases/new?lang=zh-CN") as page:
        page.fill('[name="lat"]', "99")
        page.fill('[name="lon"]', "-200")
        page.click('form button[type="submit"]')
        assert complaints(page, "lat", "lon") == ["纬度 (WGS-84)：应不大于 90", "经度 (WGS-84)：应不小于 -180"]
        page.fill('[name="lat"]', "9")
        assert complaints(page, "lat") == [""]
        page.get_by_role("button", name="EN").click()
        until(lambda: page.inner_text("h1, h2").startswith("New case"), True)
        page.click('form button[type="submit"]')
        assert complaints(page, "lon") == ["Longitude (WGS-84): expected at least -180"]
    with opened(browser, f"{futian}/devices/streetlight/SL-0003?lang=zh-CN") as page:
        page.wait_for_selector('form [name="pct"]')
        form = page.locator('form:has([name="pct"])')
        form.locator('[name="pct"]').fill("150")
        form.locator("button").last.click()
        assert complaints(page, "pct") == ["亮度：应不大于 100"]


@needs_chromium
def test_half_a_position_is_no_position(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/cases/new?lang=zh-CN") as page:
        page.locator("label:has([name='category'])").first.click()
        page.fill('[name="title"]', "井盖缺失")
        page.fill('[name="who"]', "李娜")
        page.fill('[name="lat"]', "22.5")
        page.click('form button[type="submit"]')
        until(lambda: page.get_by_role("alert").count(), 1)
        assert page.get_by_role("alert").inner_text() == "位置要同时填写纬度（-90 至 90）和经度（-180 至 180）"


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({}, False),
        ({"lat": None, "lon": ""}, False),
        ({"lat": 22.5, "lon": 114}, False),
        ({"lat": 22.5}, True),
        ({"lat": 90.1, "lon": 114}, True),
        ({"lat": 22.5, "lon": "114"}, True),
        ({"lat": True, "lon": 1}, True),
    ],
)
def test_what_is_a_position(asked: dict[str, Any], wrong: bool) -> None:
    named = {"category": "lid", "title": "x"}
    assert wrong_position(asked) is wrong
    assert lacking({**named, **asked}, "li") == ("case_position_wrong" if wrong else "case_title_missing")
    assert lacking({**named, **asked}, None) == "case_who_missing"
    assert lacking(asked, "li") == "case_title_missing"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/supervision.csv?from=soon&lang=zh-CN", "开始（query.from）：“soon”不符合要求，应为日期，如 2026-11-22"),
        ("/supervision.csv?from=soon&lang=en",
         "From (query.from): 'soon' does not fit, expected a date such as 2026-11-22"),
        ("/supervision.csv?from=2026-11-22&to=2026-11-01&lang=zh-CN", "开始日期应不晚于结束日期，且相隔不超过 366 天"),
        ("/measures.csv?from=2026-11-22T00&lang=zh-CN", "开始（query.from）：最多 10 个字符，现有 13 个"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_made_says_why_in_the_pages_language(futian: str, path: str, said: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(futian + path)
    with refused.value as answer:
        assert (answer.code, answer.read().decode()) == (422, said)
