"""How alerts are worked off: what is open and how long, how long people take, which rules are noisy."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from io import StringIO

from nicegui import ui

from citywarden.model.dispatch import Lengths, Measures, Share
from dashboards.console.alertcharts import ages_chart, per_day_chart
from dashboards.console.broadcast import Broadcast
from dashboards.console.desk import day_of
from dashboards.console.markup import Html, bar, figures, html, join, table
from dashboards.console.session import Session, begin, district_names
from dashboards.console.words import word
from dashboards.sources import Dispatch, Sources

LONGEST_DAYS = 366
PERIODS = (1, 7, 30, 90)
AGE_WORDS = {"15m": "15m", "1h": "1h", "4h": "4h", "24h": "24h", "older": "older_age"}


_UNITS: Sequence[tuple[float, float, str, str]] = (
    (60.0, 1.0, "秒", "s"),
    (5400.0, 60.0, "分", "min"),
    (172_800.0, 3600.0, "小时", "h"),
    (float("inf"), 86_400.0, "天", "days"),
)
"""(lengths below so many s, are said in units of so many s, called so)."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the city, both inclusive."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def each(self, known: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
        """Every day of it, those of which nothing is known too."""
        days = (str(self.first + timedelta(days=n)) for n in range(self.days))
        return {day: known.get(day, {}) for day in days}

    def bounds_ms(self, sources: Sources) -> tuple[int, int]:
        """From the first midnight until the one after the last day."""
        edges = (self.first, self.last + timedelta(days=1))
        start, stop = (datetime.combine(day, clock_time(), sources.timezone).timestamp() for day in edges)
        return round(start * 1000), round(stop * 1000)


def period_of(start: str | None, stop: str | None, today: date) -> Period:
    """The period of an address; the last seven days where it makes no sense."""
    try:
        first, last = date.fromisoformat(start or ""), date.fromisoformat(stop or "")
    except ValueError:
        return Period(today - timedelta(days=6), today)
    known = 0 <= (last - first).days < LONGEST_DAYS and date.min.year < first.year < date.max.year
    return Period(first, last) if known and last.year < date.max.year else Period(today - timedelta(days=6), today)


def span(seconds: float | None, language: str) -> tuple[str, str]:
    """A length in the unit people say it in: (number, unit)."""
    if seconds is None:
        return "–", ""
    _, length_s, chinese, english = next(unit for unit in _UNITS if seconds < unit[0])
    value = seconds / length_s
    return (
        f"{value:.0f}" if value >= 10 or length_s == 1 else f"{value:.1f}"
    ), english if language == "en" else chinese


async def measures_page(
    sources: Sources, broadcast: Broadcast, wanted: tuple[str | None, str | None], lang: str | None = None
) -> None:
    """Build the page of the measures for one browser. `wanted`: first and last day."""
    today = day_of(sources.now_ms(), sources)
    period, desk = period_of(*wanted, today), sources.dispatch
    found = None if desk is None else await desk.measures(*period.bounds_ms(sources))
    with ui.element("main").classes("cw-page"):
        session = begin(sources, broadcast, "measures", lang)
        body = ui.element("div").classes("cw-body cw-measures")

    def draw() -> None:
        body.clear()
        with body:
            _page(session, found, period, today)

    draw()
    session.redraw.append(draw)


def _page(session: Session, found: Measures | None, period: Period, today: date) -> None:
    say = session.say
    ui.html(_head(session, period, today), sanitize=False)
    if found is None:
        ui.html(html('<p class="cw-empty">{t}</p>', t=say("nothing_raised")), sanitize=False)
        return
    ui.html(_figures(session, found), sanitize=False)
    with ui.element("div").classes("cw-two"):
        with ui.element("section").classes("cw-panel"):
            ui.label(say("per_day")).classes("cw-h")
            ui.echart(per_day_chart(period.each(found.per_day), session.rule, session.language)).classes("tall")
        with ui.element("section").classes("cw-panel"):
            ui.label(say("open_by_age")).classes("cw-h")
            labels = [_age(say, name) for name in found.open_by_age]
            ui.echart(ages_chart(found.open_by_age, labels, session.language)).classes("tall")
    if not found.raised:
        ui.html(html('<p class="cw-empty">{t}</p>', t=say("nothing_raised")), sanitize=False)
        return
    names, at = district_names(session.sources.districts), 1 if session.language == "en" else 0

    def district(one: Share) -> Html:
        return html("{n}", n=names[one.name][at] if one.name in names else one.name or say("unassigned"))

    def rule(one: Share) -> Html:
        link = session.link("/alerts", status="any", rule=one.name)
        return html('<a href="{l}" title="{id}">{n}</a>', l=link, id=one.name, n=session.rule(one.name))

    rules = _shares(session, "noisiest", "rule", [(rule(s), s) for s in found.rules[:20]], found.raised)
    districts = _shares(session, "per_district", "district", [(district(s), s) for s in found.districts], found.raised)
    ui.html(html('<div class="cw-three">{a}{b}</div>', a=rules, b=districts), sanitize=False)


def _age(say: object, name: str) -> str:
    assert callable(say)
    told = str(say(AGE_WORDS[name]))
    return told if name == "older" else f"< {told}"


def _head(session: Session, period: Period, today: date) -> Html:
    """Title, the periods to choose from, a field for any other, and the file to take along."""
    say = session.say

    def link(days: int) -> Html:
        first = today - timedelta(days=days - 1)
        here = Html(' class="here"' if (period.first, period.last) == (first, today) else "")
        href = session.link("/measures", **{"from": str(first), "to": str(today)})
        return html('<a href="{h}"{c}>{t}</a>', h=href, c=here, t=say({1: "24h", 7: "7d", 30: "30d", 90: "90d"}[days]))

    chosen = {"from": str(period.first), "to": str(period.last)}
    return html(
        '<div class="cw-title"><h1>{t}</h1><nav class="cw-periods">{links}</nav>'
        '<form class="cw-form cw-line" action="{path}" method="get"><input type="date" name="from" value="{a}" '
        'aria-label="{from_}"><input type="date" name="to" value="{b}" aria-label="{until}">'
        '<input type="hidden" name="lang" value="{lang}"><button class="cw-act">{show}</button></form>'
        '<div class="cw-exports"><a href="{csv}" download>{csv_t}</a></div></div>',
        t=say("measures"),
        links=join(link(days) for days in PERIODS),
        path="/measures",
        a=chosen["from"],
        b=chosen["to"],
        from_=say("from"),
        until=say("until"),
        lang=session.language,
        show=say("show"),
        csv=session.link("/measures.csv", **chosen),
        csv_t=say("export_csv"),
    )


def _figures(session: Session, found: Measures) -> Html:
    say, language = session.say, session.language

    def length(key: str, lengths: Lengths) -> tuple[str, str, str]:
        (median, unit), p90 = span(lengths.median_s, language), " ".join(span(lengths.p90_s, language))
        beside = f"{unit} · {say('p90')} {p90}" if lengths.count else ""
        return (f"{say(key)} ({say('median')})", median, beside)

    open_now = sum(found.open_by_age.values())
    share = "–" if not found.raised else f"{100 * found.to_acknowledge.count / found.raised:.0f}"
    return figures(
        [
            (say("raised_count"), f"{found.raised:,}", ""),
            (say("open_alerts"), f"{open_now:,}", ""),
            (say("acknowledged_share"), share, "%" if found.raised else ""),
            length("to_acknowledge", found.to_acknowledge),
            length("to_resolve", found.to_resolve),
        ]
    )


def _shares(session: Session, title: str, what: str, rows: Sequence[tuple[Html, Share]], raised: int) -> Html:
    say, language = session.say, session.language

    def pair(lengths: Lengths) -> str:
        said = (" ".join(span(value, language)).strip() for value in (lengths.median_s, lengths.p90_s))
        return " / ".join(said) if lengths.count else "–"

    heads = [say(what), say("raised_count"), say("share"), say("still_open")]
    heads += [f"{say(key)} ({say('median')} / 90 %)" for key in ("to_acknowledge", "to_resolve")]
    body = [
        [name, one.raised, bar(100 * one.raised / raised), one.open, pair(one.to_acknowledge), pair(one.to_resolve)]
        for name, one in rows
    ]
    return html(
        '<section class="cw-panel"><p class="cw-h">{t}</p>{b}</section>',
        t=say(title),
        b=table(heads, body, (1, 3, 4, 5)),
    )


async def measures_csv(sources: Sources, desk: Dispatch, period: Period, language: str) -> Iterator[str]:
    """The measures as lines of CSV: per rule and per district, then alerts per day and rule."""
    found = await desk.measures(*period.bounds_ms(sources))
    return _lines(found, language)


def _lines(found: Measures, language: str) -> Iterator[str]:
    def say(key: str) -> str:
        return word(key, language)

    yield "\ufeff"
    lengths = [
        f"{say(k)} {say(how)} (s)" for k in ("to_acknowledge", "to_resolve") for how in ("median", "p90", "longest")
    ]
    yield _row(["", say("name"), say("raised_count"), say("still_open"), *lengths])
    for what, shares in (("rule", found.rules), ("district", found.districts)):
        for s in shares:
            told = [getattr(part, name) for part in (s.to_acknowledge, s.to_resolve) for name in _LENGTHS]
            yield _row([say(what), s.name, s.raised, s.open, *("" if value is None else value for value in told)])
    yield _row([])
    yield _row([say("when"), say("rule"), say("raised_count")])
    for day, rules in found.per_day.items():
        for rule, n in rules.items():
            yield _row([day, rule, n])


_LENGTHS = ("median_s", "p90_s", "longest_s")


def _row(cells: Sequence[object]) -> str:
    """One line; a text that a spreadsheet would take for a formula is quoted for it."""
    buffer = StringIO()
    safe = [f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell for cell in cells]
    csv.writer(buffer).writerow(safe)
    return buffer.getvalue()
