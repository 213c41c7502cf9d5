"""The course of a value as a chart draws it: a line that breaks where nothing came. Pure."""

from collections.abc import Sequence

from citywarden.model.device import Device
from citywarden.model.kind import Kind

Row = tuple[int, float | None]
"""Ms since 1970 and a value; None breaks the line."""
GAP_INTERVALS = 3
"""After so many of the device's intervals without a value the line breaks."""


def gap_ms(kind: Kind, device: Device | None) -> int:
    """How long may be between two values of a device for a line to be drawn from one to the other."""
    wished = None if device is None else device.profile.get("interval_s")
    usable = isinstance(wished, int | float) and not isinstance(wished, bool) and wished > 0
    return round(1000 * GAP_INTERVALS * float(wished if usable and wished else kind.interval_s))


def line_of(rows: Sequence[tuple[int, float]], longest_ms: int, most: int) -> list[Row]:
    """Values in order of time as the points of a line, broken where more than `longest_ms` lie between two of them.

    Of more than `most` values every n-th is kept, and besides it the ends of every piece.
    """
    step = max(1, -(-len(rows) // most))
    found: list[Row] = []
    for i, (ts_ms, value) in enumerate(rows):
        begins = i == 0 or ts_ms - rows[i - 1][0] > longest_ms
        ends = i == len(rows) - 1 or rows[i + 1][0] - ts_ms > longest_ms
        if begins and found:
            found.append(((rows[i - 1][0] + ts_ms) // 2, None))
        if begins or ends or i % step == 0:
            found.append((ts_ms, value))
    return found


def alone(rows: Sequence[Row]) -> list[bool]:
    """Which points have no neighbour to draw a line to."""
    values = [None, *(value for _, value in rows), None]
    return [
        value is not None and before is None and after is None
        for before, value, after in zip(values, values[1:], values[2:], strict=False)
    ]
