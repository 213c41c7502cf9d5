"""Spans of time as people write them in rule files: `90s`, `10m`, `2h`, `1d`."""

import re

UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_MS = 366 * UNIT_MS["d"]
EXPECTED = "a duration such as 90s, 10m, 2h or 1d"

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def read_span(text: str) -> int | None:
    """Milliseconds of a span, or None when it is not one or longer than a year. A bare `0` is a span too."""
    if text.strip() == "0":
        return 0
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        return None
    span_ms = round(float(match[1]) * UNIT_MS[match[2]])
    return span_ms if span_ms <= LONGEST_MS else None


_SAID = {"zh": ("天", "小时", "分钟", "秒"), "en": ("d", "h", "min", "s")}


def say_span(span_ms: int, language: str) -> str:
    """A span for people, in `zh` or `en`: 600000 is `10 分钟` or `10 min`."""
    for unit, said in zip(("d", "h", "m", "s"), _SAID[language], strict=True):
        if span_ms and span_ms % UNIT_MS[unit] == 0:
            return f"{span_ms // UNIT_MS[unit]} {said}"
    return f"{span_ms / 1000:g} {_SAID[language][-1]}"


def write_span(span_ms: int) -> str:
    """The shortest way to write a span: 600000 is `10m`."""
    for unit in ("d", "h", "m", "s"):
        if span_ms and span_ms % UNIT_MS[unit] == 0:
            return f"{span_ms // UNIT_MS[unit]}{unit}"
    return f"{span_ms}ms" if span_ms else "0s"
