"""Charts of the dispatcher's pages: the course of an alert's value, and the measures. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from zoneinfo import ZoneInfo

from dashboards.console import palette
from dashboards.console.chartparts import FONT, Options, axis, base, grid, nothing, trace, wall_ms
from dashboards.console.course import Row
from dashboards.console.words import word

RULES = (palette.ACCENT, palette.ORANGE, palette.GOOD, palette.RED, palette.YELLOW, palette.BLUE, "#b48cff", "#ff8fab")
"""Colours of the noisiest rules; the others are grey."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on a course: what happened, in a word."""

    at_ms: int
    said: str
    colour: str


def course_chart(
    rows: Sequence[Row],
    name: str,
    zone: ZoneInfo,
    threshold: tuple[float, str] | None,
    marks: Sequence[Mark],
    shaded: tuple[int, int, str],
) -> Options:
    """A value over time with the line (and text) it must not cross; moments stand upright; `shaded`: from, to, colour
    of the time the alert lasted.
    """
    lines: list[Options] = [
        {
            "xAxis": wall_ms(mark.at_ms, zone),
            "lineStyle": {"color": mark.colour, "type": "solid", "width": 1.6},
            "label": {"show": True, "formatter": mark.said, "color": mark.colour, "fontFamily": FONT, "fontSize": 12,
                      "position": "end", "distance": 4 + 14 * (i % 2)},
        }
        for i, mark in enumerate(marks)
    ]  # fmt: skip
    if threshold is not None:
        lines.append(
            {
                "yAxis": threshold[0],
                "lineStyle": {"color": shaded[2], "type": "dashed", "width": 1.8},
                "label": {"show": True, "formatter": threshold[1], "position": "insideStartTop", "color": shaded[2],
                          "fontFamily": FONT, "fontSize": 13},
            }
        )  # fmt: skip
    edges = [{"xAxis": wall_ms(shaded[0], zone)}, {"xAxis": wall_ms(shaded[1], zone)}]
    low, high = bounds(
        [value for _, value in rows if value is not None] + ([] if threshold is None else [threshold[0]])
    )
    series: Options = trace(rows, zone) | {
        "name": name,
        "markArea": {"silent": True, "itemStyle": {"color": shaded[2], "opacity": 0.12}, "data": [edges]},
        "markLine": {"silent": True, "symbol": "none", "data": lines},
    }
    return base(1.1) | {
        "grid": grid(1.0, top=40, right=24),
        "xAxis": axis("time", 1.1),
        "yAxis": axis("value", 1.1, scale=True, min=low, max=high),
        "series": [series],
    }


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers below and above all values, for an axis; 0 where they do not really go below it."""
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    room = max(most - least, abs(most) * 0.1, 1.0)
    power = 10.0 ** floor(log10(room))
    step = next(power * part for part in (0.2, 0.5, 1.0, 2.0) if room / (power * part) <= 6)
    least = max(least, 0.0) if least > -0.05 * room else least
    return floor(least / step) * step, ceil(most * (1 + 1e-9) / step) * step


def per_day_chart(per_day: Mapping[str, Mapping[str, int]], called: Callable[[str], str], language: str) -> Options:
    """Stacked bars a day, a colour each for the rules that raise most. `called`: what a rule is called."""
    totals: dict[str, int] = {}
    for rules in per_day.values():
        for rule, n in rules.items():
            totals[rule] = totals.get(rule, 0) + n
    foremost = sorted(totals, key=lambda rule: (-totals[rule], rule))[: len(RULES)]
    rest = [sum(n for rule, n in rules.items() if rule not in foremost) for rules in per_day.values()]
    lines = [
        (rule, [rules.get(rule, 0) for rules in per_day.values()], c) for rule, c in zip(foremost, RULES, strict=False)
    ]
    lines = [(called(rule), data, colour) for rule, data, colour in lines]
    if any(rest):
        lines.append((word("others", language), rest, palette.GREY))
    series = [
        {
            "type": "bar",
            "stack": "day",
            "name": name,
            "data": data,
            "itemStyle": {"color": colour},
            "barMaxWidth": 56,
        }
        for name, data, colour in lines
    ]
    legend = {"type": "scroll", "top": 0, "left": 0, "icon": "roundRect", "itemWidth": 12, "itemHeight": 8,
              "textStyle": {"color": palette.TEXT, "fontFamily": FONT, "fontSize": 13},
              "pageTextStyle": {"color": palette.DIM}, "pageIconColor": palette.ACCENT}  # fmt: skip
    return (
        base(1.1)
        | nothing(not series, language, 1.0)
        | {
            "grid": grid(1.0, top=40),
            "legend": legend,
            "xAxis": axis("category", 1.1, data=[day[5:] for day in per_day]),
            "yAxis": axis("value", 1.1, minInterval=1),
            "series": series,
        }
    )


def ages_chart(ages: Mapping[str, int], labels: Sequence[str], language: str) -> Options:
    """Open alerts by age: the older, the redder."""
    colours = (palette.GOOD, palette.ACCENT, palette.YELLOW, palette.ORANGE, palette.RED)
    data = [
        {"value": n, "itemStyle": {"color": colour, "borderRadius": [0, 4, 4, 0]}}
        for n, colour in zip(ages.values(), colours, strict=False)
    ]
    return base(1.1) | {
        "grid": grid(1.0, top=6, right=40),
        "xAxis": axis("value", 1.1, minInterval=1, splitNumber=3),
        "yAxis": axis("category", 1.1, data=list(labels), inverse=True),
        "series": [
            {
                "type": "bar",
                "name": word("still_open", language),
                "data": data,
                "barMaxWidth": 26,
                "label": {"show": True, "position": "right", "color": palette.TEXT, "fontFamily": FONT, "fontSize": 15},
            }
        ],
    }
