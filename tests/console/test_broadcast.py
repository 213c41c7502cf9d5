"""One watcher for all pages: prompt with alerts, patient with slow pages, gone with the last one."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

import pytest

from citywarden.model.alert import Severity
from dashboards.console.broadcast import Broadcast, Viewer
from dashboards.console.words import LANGUAGES, REASONS, language_of, named, reason, word, words
from tests.console.fakes import NIGHT_MS, City, alert, make_city


class Browser:
    """A page that keeps what it is told; a slow one confirms nothing."""

    def __init__(self, slow: bool = False) -> None:
        self.frames: list[Mapping[str, object]] = []
        self._slow = slow
        self.viewer = Viewer(self.take)

    def take(self, frame: Mapping[str, object]) -> None:
        self.frames.append(frame)
        seq = frame["seq"]
        if not self._slow and isinstance(seq, int):
            self.viewer.confirm(seq)


async def until(true: Callable[[], object], within_s: float = 60.0) -> float:
    """Seconds until something is true; fails when it takes too long."""
    began = monotonic()
    while not true():
        assert monotonic() - began < within_s, "it did not happen"
        await asyncio.sleep(0.01)
    return monotonic() - began


def listed(browser: Browser) -> set[str]:
    found: set[str] = set()
    for frame in browser.frames:
        part = frame.get("alerts")
        if isinstance(part, Mapping):
            found |= {a["id"] for a in part["list"]}
    return found


def listeners(city: City) -> int:
    return len(city.live._listeners)


async def test_the_first_frame_is_whole_and_an_alert_follows_at_once() -> None:
    city = make_city()
    broadcast, browser = Broadcast(city.sources), Browser()
    broadcast.attach(browser.viewer)
    await until(lambda: browser.frames)
    assert browser.frames[0]["full"] is True
    await until(lambda: sum(len(_list(frame.get("who", []))) for frame in browser.frames) == 550)
    await until(lambda: len(listed(browser)) >= 10)
    took_s = []
    for name in ("one", "two", "three", "four", "five"):
        city.inbox.put(alert(0, city.devices[0], Severity.CRITICAL, "急", "now", id=name, raised_ms=NIGHT_MS))
        took_s.append(await until(lambda name=name: name in listed(browser)))  # type: ignore[misc]
    assert min(took_s) < 0.3, "it does not wait for the next look at everything"
    await broadcast.stop()


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


async def test_a_change_is_told_as_a_change() -> None:
    city = make_city()
    broadcast, browser = Broadcast(city.sources), Browser()
    broadcast.attach(browser.viewer)
    await until(lambda: browser.frames)
    await asyncio.sleep(1.3)
    city.clock.ms += 10_000
    city.report_all()
    told = len(browser.frames)
    await until(lambda: any("now" in frame for frame in browser.frames[told:]))
    change = next(frame for frame in browser.frames[told:] if "now" in frame)
    assert "full" not in change
    assert 0 < len(_list(change["now"])) < 120
    await broadcast.stop()


async def test_a_slow_page_is_told_little_and_then_everything() -> None:
    city = make_city()
    broadcast, slow, quick = Broadcast(city.sources), Browser(slow=True), Browser()
    broadcast.attach(slow.viewer)
    broadcast.attach(quick.viewer)
    await until(lambda: slow.frames)
    for n in range(8):
        city.inbox.put(alert(0, city.devices[n], Severity.MAJOR, "", "", id=f"n{n}", raised_ms=NIGHT_MS))
        await until(lambda n=n: f"n{n}" in listed(quick))  # type: ignore[misc]
    assert len(slow.frames) == 3
    slow.viewer.confirm(3)
    await until(lambda: len(slow.frames) > 3)
    assert slow.frames[-1]["full"] is True
    assert "n7" in listed(slow)
    await broadcast.stop()


async def test_without_pages_nothing_runs_and_nothing_listens() -> None:
    city = make_city()
    broadcast, one, two = Broadcast(city.sources), Browser(), Browser()
    before = len(asyncio.all_tasks())
    broadcast.attach(one.viewer)
    broadcast.attach(two.viewer)
    await until(lambda: one.frames and two.frames)
    assert listeners(city) == 1
    broadcast.detach(one.viewer)
    assert listeners(city) == 1
    broadcast.detach(two.viewer)
    await until(lambda: listeners(city) == 0)
    assert len(asyncio.all_tasks()) == before


async def test_a_source_that_fails_darkens_the_lamp_and_no_more() -> None:
    city = make_city()

    async def broken(day: object) -> list[object]:
        raise OSError("database is away")

    city.sources.work.tasks = broken  # type: ignore[method-assign,assignment]
    broadcast, browser = Broadcast(city.sources), Browser()
    broadcast.attach(browser.viewer)
    await until(lambda: any(_lamp(frame) is False for frame in browser.frames))
    assert any("now" in frame for frame in browser.frames)
    await broadcast.stop()


def _lamp(frame: Mapping[str, object]) -> object:
    health = frame.get("health")
    return health.get("ok") if isinstance(health, Mapping) else None


async def test_a_resolved_alert_fades_and_goes() -> None:
    city = make_city()
    broadcast, browser = Broadcast(city.sources), Browser()
    broadcast.attach(browser.viewer)
    await until(lambda: len(listed(browser)) >= 10)
    broadcast.show(await city.inbox.resolve("a1", "陈", None))
    await until(lambda: _statuses(browser).get("a1") == "resolved")
    city.clock.ms += 9_000
    await until(lambda: "a1" not in _statuses(browser))
    await broadcast.stop()


def _statuses(browser: Browser) -> dict[str, str]:
    parts = [frame["alerts"] for frame in browser.frames if "alerts" in frame]
    last = parts[-1]
    return {a["id"]: a["status"] for a in last["list"]} if isinstance(last, Mapping) else {}


@pytest.mark.parametrize(("wanted", "default", "found"), [
    ("en", "zh-CN", "en"), ("zh", "en", "zh-CN"), ("fr", "en", "en"), (None, "zh-CN", "zh-CN"), ("en-GB", "zh", "en"),
])  # fmt: skip
def test_the_language_asked_for(wanted: str | None, default: str, found: str) -> None:
    assert language_of(wanted, default) == found


@pytest.mark.parametrize(("name", "zh", "en"), [
    ("示范六街 / Demo Street 6", "示范六街", "Demo Street 6"), ("粤B·环101", "粤B·环101", "粤B·环101"),
    ("一路 → 二路 / 1 → 2", "一路 → 二路", "1 → 2"), ("A / B", "A / B", "A / B"),
    ("甲 / 乙", "甲 / 乙", "甲 / 乙"), ("", "", ""),
])  # fmt: skip
def test_a_name_in_two_languages_is_shown_in_one(name: str, zh: str, en: str) -> None:
    assert (named(name, "zh-CN"), named(name, "en")) == (zh, en)


def test_every_text_stands_in_both_languages() -> None:
    for language in LANGUAGES:
        assert all(words(language).values())
        assert all(reason(key, language) for key in REASONS)
    assert word("no_such_key", "en") == "no_such_key"
    assert reason("some_new_reason", "en") == "some new reason"
