"""Flux for cases: how many are open, overdue, done in time, and which."""

from collections.abc import Mapping, Sequence

from dashboards.grafana.flux import PLACE, Filters, Query, ranged, text
from dashboards.grafana.names import CASE

BACK = "v.timeRangeStart"
LONG_OPEN = "-365d"
"""A case that is still open may have been reported so long ago."""

_SIDE_BY_SIDE = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n  |> group()'


def _rows(fields: Sequence[str], filters: Filters, start: str) -> str:
    return f"{ranged(CASE, fields, filters).replace('v.timeRangeStart', start)}\n  {_SIDE_BY_SIDE}"


def cases_that(condition: str, fields: Sequence[str], filters: Filters = PLACE, start: str = LONG_OPEN) -> Query:
    """How many cases there are for which the condition on their row holds; 0 is said as 0."""
    body = (
        f'{_rows(fields, filters, start)}\n  |> filter(fn: (r) => {condition}, onEmpty: "keep")\n'
        f"  |> count(column: {text(fields[0])})\n  |> keep(columns: [{text(fields[0])}])"
    )
    return Query(body, CASE, tuple(fields))


def in_time(filters: Filters = PLACE) -> Query:
    """Share of the cases closed, of those reported in the board's range, that were closed by their deadline."""
    body = (
        f"{ranged(CASE, ['in_time'], filters)}\n  |> filter(fn: (r) => r._value >= 0)\n"
        '  |> toFloat()\n  |> group()\n  |> mean()\n  |> keep(columns: ["_value"])'
    )
    return Query(body, CASE, ("in_time",))


def by_stage(words: Mapping[str, str], filters: Filters = PLACE) -> Query:
    """Cases reported in the board's range by the stage they are in, in the given words, most first."""
    known = ", ".join(f"{text(name)}: {text(word)}" for name, word in words.items())
    body = (
        f'import "dict"\n{ranged(CASE, ["stage"], filters)}\n  |> duplicate(column: "_value", as: "stage")\n'
        '  |> group(columns: ["stage"])\n  |> count()\n  |> group()\n  |> sort(columns: ["_value"], desc: true)\n'
        f"  |> map(fn: (r) => ({{r with stage: dict.get(dict: [{known}], key: r.stage, default: r.stage)}}))\n"
        '  |> keep(columns: ["stage", "_value"])'
    )
    return Query(body, CASE, ("stage",))


def case_table(filters: Filters = PLACE, n: int = 200) -> Query:
    """Cases reported in the board's range, the newest first."""
    fields = ("number", "title", "stage", "unit", "overdue", "running_due_ms", "duration_s")
    keep = ", ".join(
        map(text, ("_time", "number", "title", "stage", "district", "unit", "overdue", "running_due_ms", "duration_s"))
    )
    body = (
        f'{_rows(fields, filters, BACK)}\n  |> sort(columns: ["_time"], desc: true)\n  |> limit(n: {n})\n'
        f"  |> keep(columns: [{keep}])"
    )
    return Query(body, CASE, fields)
