"""The page of the rules in a real browser: what is in force, in words, and the way to its alerts."""

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Page

from citywarden.model.alert import Severity
from dashboards.console.ruling import Wanted, chosen, open_by_rule, span_said
from tests.console.browsing import assert_fits_a_phone, city, needs_chromium, opened, tell, until
from tests.console.fakes import alert
from tests.console.rulefakes import cards


def card(page: Page, rule: str) -> str:
    return page.locator(f'[data-rule="{rule}"]').inner_text()


def test_rules_are_found_by_any_of_their_words() -> None:
    known = cards()

    def ids(kind: str = "", text: str = "") -> list[str]:
        return [one.id for one in chosen(known, Wanted(kind, text))]

    assert len(ids()) == len(known)
    assert set(ids("vehicle")) == {one.id for one in known if one.kind == "vehicle"}
    assert ids(text="Leak TREND") == ids(text="泄漏趋势") == ids(text="ours.leak") == ["ours.leak"]
    assert ids(text="甲烷 58") == []
    assert ids("gas", "rate(methane_lel_pct, 10m)") == ["ours.leak"]


def test_alerts_are_counted_by_rule_with_the_worst_of_them() -> None:
    made = [
        alert(n, None, level, "", "", rule=rule)
        for n, (rule, level) in enumerate(
            [("gas.co", Severity.MINOR), ("gas.co", Severity.CRITICAL), ("disk.low", Severity.MAJOR)]
        )
    ]
    assert open_by_rule(made) == {"gas.co": (2, Severity.CRITICAL), "disk.low": (1, Severity.MAJOR)}
    assert open_by_rule([]) == {}


def test_spans_are_said_in_the_largest_whole_unit() -> None:
    assert [span_said(ms, "zh-CN") for ms in (90_000, 600_000, 7_200_000, 86_400_000)] == [
        "90 秒", "10 分钟", "2 小时", "1 天",
    ]  # fmt: skip
    assert span_said(1500, "en") == "1.5 s"


@needs_chromium
def test_the_page_says_what_each_rule_demands_and_leads_to_its_alerts(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/rules?lang=zh-CN") as page:
        page.wait_for_selector("[data-rule]")
        leak = card(page, "ours.leak")
        for said in (
            "泄漏趋势", "10 分钟内甲烷的变化 ≥ 10 %LEL", "rate(methane_lel_pct, 10m) >= 10", "解除：甲烷 < 5 %LEL",
            "持续 2 分钟后报警", "20 分钟没有数据", "22:00-06:00", "30 分钟", "https://example.org/runbooks/gas",
            "用户规则文件 · rules.yaml:3", "〈名称〉 甲烷上升",
        ):  # fmt: skip
            assert said in leak
        assert card(page, "ours.nameless").count("ours.nameless") == 1
        assert "只能人工解除" in card(page, "vehicle.illegal_dump")
        assert "适用于 400 个设备" in page.inner_text('section[data-kind="streetlight"] h2')
        assert "etc" not in page.inner_text(".cw-rules"), "the folder of the rule file is nobody's business"
        levels = page.locator('[data-rule="waterlogging.depth"] .cw-level').evaluate_all(
            "all => all.map(one => [one.className.split(' ')[1], getComputedStyle(one.firstElementChild).color])"
        )
        assert [level for level, _ in levels] == ["critical", "major", "minor", "info"]
        assert len({colour for _, colour in levels}) == 4
        way = page.locator('[data-rule="gas.methane"] .cw-open')
        assert (way.get_attribute("data-open"), way.inner_text()) == ("2", "2 条未处置")
        query = parse_qs(urlsplit(way.get_attribute("href") or "").query)
        assert query == {"rule": ["gas.methane"], "lang": ["zh-CN"]}
        way.click()
        page.wait_for_selector(".cw-cards article")
        assert page.locator(".cw-cards article").count() == 2
        assert page.locator(".cw-filters select.set option:checked").inner_text() == "甲烷超限"


@needs_chromium
def test_the_page_follows_alerts_language_and_a_phone(browser: BrowserContext, futian: str) -> None:
    with opened(browser, f"{futian}/rules?lang=zh-CN&kind=gas") as page:
        page.wait_for_selector("[data-rule]")
        assert page.locator("section[data-kind]").count() == 1
        page.get_by_role("button", name="EN").click()
        until(lambda: "Change of Methane in 10 min ≥ 10 %LEL" in page.inner_text(".cw-rules"), True)
        assert "the rules that come with the server · default.yaml:" in card(page, "gas.methane")
        page.get_by_role("searchbox").fill("leak")
        page.get_by_role("button", name="Show").click()
        until(lambda: page.locator("[data-rule]").count(), 1)
        assert "Leak trend" in card(page, "ours.leak")
        assert_fits_a_phone(page)
        page.goto(f"{futian}/rules?lang=en&q=zzz")
        until(lambda: "No rule matches" in page.inner_text(".cw-rules"), True)
        page.goto(f"{futian}/rules?lang=en")
        page.wait_for_selector("[data-rule]")
        assert_fits_a_phone(page)
        tell(futian, "alert/fresh-rule?rule=ours.leak")
        until(lambda: "1 open" in card(page, "ours.leak"), True)
        page.goto(f"{futian}/alerts?lang=en&rule=ours.leak")
        until(lambda: "Leak trend" in page.inner_text(".cw-cards"), True)
        page.goto(f"{futian}/alerts/fresh-rule?lang=zh-CN")
        until(lambda: "泄漏趋势" in page.inner_text(".cw-sheet"), True)
        page.get_by_role("link", name="ours.leak").click()
        until(lambda: page.locator("[data-rule]").count(), 1)
        assert "22:00-06:00" in card(page, "ours.leak")


@needs_chromium
def test_a_city_without_rules_says_so(browser: BrowserContext) -> None:
    with city("--empty") as address, opened(browser, f"{address}/rules?lang=zh-CN") as page:
        page.wait_for_selector(".cw-rules .cw-empty")
        assert page.inner_text(".cw-rules .cw-empty") == "没有生效的规则"
