"""The `ts` of a payload: RFC 3339 with an offset, or integer ms since 1970 UTC."""

import re
from datetime import UTC, datetime, timedelta

EARLIEST_MS = 946_684_800_000
"""2000-01-01 UTC: no device here is older, and seconds mistaken for ms fall before it."""

EXPECTED = "RFC 3339 with offset (2026-11-22T06:00:00+08:00) or integer ms since 1970"

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_is_rfc3339 = _RFC3339.fullmatch
_read = datetime.fromisoformat
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def parse_ts(value: object) -> int | None:
    """Time in ms since 1970 UTC, fractions of a ms cut off; None when `value` is no time of this century."""
    if type(value) is int:
        ms = value
    elif type(value) is str and _is_rfc3339(value):
        try:
            ms = (_read(value) - _EPOCH) // _MS
        except (ValueError, OverflowError):
            return _parse_small_letters(value)
    else:
        return None
    return ms if EARLIEST_MS <= ms <= LATEST_MS else None


LATEST_MS = 253_402_300_799_999
"""End of the year 9999, the last that RFC 3339 can write."""


def _parse_small_letters(value: str) -> int | None:
    """RFC 3339 allows `t` and `z`, the standard library does not."""
    upper = value.upper()
    return parse_ts(upper) if upper != value else None
