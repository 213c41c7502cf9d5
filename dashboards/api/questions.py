"""Parameters that several requests share: times, limits, cursors."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Path, Query
from pydantic import BeforeValidator, WithJsonSchema

from dashboards.api.mistakes import Unfit

EARLIEST_MS = -62_135_596_800_000
LATEST_MS = 253_402_300_799_999
"""The years 1 to 9999."""

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+ -]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment(value: object) -> int:
    """Ms since 1970 UTC of an integer or an RFC 3339 text; a `+` that a URL turned into a space counts as `+`.

    A leap second is the second after. Raises ValueError.
    """
    text = str(value).strip()
    if re.fullmatch(r"-?\d{1,15}", text):
        ms = int(text)
    elif found := _RFC3339.fullmatch(text):
        day, minute, second, fraction, offset = found.groups()
        leap = second == "60"
        offset = "+00:00" if offset in "Zz" else offset.replace(" ", "+")
        moment = datetime.fromisoformat(f"{day}T{minute}{'59' if leap else second}{(fraction or '')[:7]}{offset}")
        ms = (moment - _EPOCH) // timedelta(milliseconds=1) + 1000 * leap
    else:
        raise Unfit(
            "expected RFC 3339 with offset (2026-11-22T06:00:00+08:00) or integer ms since 1970",
            "应为带时区的时间（如 2026-11-22T06:00:00+08:00），或 1970 年以来的毫秒数",
        )
    if not EARLIEST_MS <= ms <= LATEST_MS:
        raise Unfit("expected a time within the years 1 to 9999", "应为公元 1 年至 9999 年之间的时间")
    return ms


Moment = Annotated[
    int,
    BeforeValidator(parse_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": EARLIEST_MS, "maximum": LATEST_MS},
            ],
            "description": "RFC 3339 with offset, or integer milliseconds since 1970 UTC",
        }
    ),
]

Limit = Annotated[int, Query(ge=1, le=10_000, description="Items a page holds at most")]
Cursor = Annotated[
    str | None, Query(min_length=1, max_length=512, description="`next` of the page before; leave out for the first")
]
Tenant = Annotated[str | None, Query(min_length=1, max_length=200)]
Word = Annotated[str, Path(min_length=1, max_length=200)]
