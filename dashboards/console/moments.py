"""Moments as people read them."""

from datetime import datetime, tzinfo


def moment(ts_ms: int | None, zone: tzinfo) -> str:
    """`2026-11-22 18:30` by a zone's clock; a dash for never."""
    return "–" if ts_ms is None else f"{datetime.fromtimestamp(ts_ms / 1000, zone):%Y-%m-%d %H:%M}"
