"""The table of deadlines as people write it (YAML): categories, how long each phase may take, and the calendar."""

import re
from collections.abc import Callable
from datetime import date
from importlib.resources import files
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from citywarden.cases.calendar import WorkCalendar, Works, china, with_exceptions
from citywarden.cases.timetable import Timetable, named
from citywarden.model.case import Category
from citywarden.model.casetime import Clock, Limit, Phase
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.yamlfile import key_of, line_of, problems_of, read_yaml

DEFAULT = "citywarden/cases/default.yaml"
LONGEST = {Clock.NATURAL: 366 * 24 * 60, Clock.BUSINESS_HOURS: 2000 * 60, Clock.BUSINESS_DAYS: 250}
_LIMIT = re.compile(r"(\d{1,6})\s*(business\s+)?(min|h|hours?|days?)")
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def parse_limit(value: object) -> Limit:
    """A length such as `30 min`, `24 h`, `2 days`, `4 business h` or `3 business days`. Raises ValueError."""
    if isinstance(value, Limit):
        return value
    expected = "expected a length such as `30 min`, `24 h`, `4 business h` or `3 business days`"
    found = _LIMIT.fullmatch(str(value).strip())
    if found is None or not int(found[1]):
        raise ValueError(f"`{value}`, {expected}")
    amount, business, unit = int(found[1]), bool(found[2]), found[3][0]
    if business and unit == "d":
        limit = Limit(amount, Clock.BUSINESS_DAYS)
    else:
        minutes = amount * {"m": 1, "h": 60, "d": 24 * 60}[unit]
        limit = Limit(minutes, Clock.BUSINESS_HOURS if business else Clock.NATURAL)
    if limit.amount > LONGEST[limit.clock]:
        raise ValueError(f"`{value}` is too long, {expected}")
    return limit


def _hours(value: object) -> object:
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"`{value}`, expected hours such as 09:00-12:00")
    h1, m1, h2, m2 = map(int, found.groups())
    begin, end = h1 * 60 + m1, h2 * 60 + m2
    if m1 > 59 or m2 > 59 or not begin < end <= 24 * 60:
        raise ValueError(f"`{value}`, expected hours such as 09:00-12:00, the end after the beginning")
    return (begin, end)


Length = Annotated[Limit, BeforeValidator(parse_limit)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Year(_Row):
    holidays: tuple[date, ...] = ()
    workdays: tuple[date, ...] = ()


class _Calendar(_Row):
    hours: Annotated[
        tuple[Annotated[tuple[int, int], BeforeValidator(_hours)], ...], Field(min_length=1, max_length=6)
    ] = ((9 * 60, 12 * 60), (14 * 60, 18 * 60))
    years: dict[Annotated[int, Field(ge=2000, le=2100)], _Year] = {}


class _Names(_Row):
    zh: Annotated[str, Field(alias="zh-CN", min_length=1, max_length=60)]
    en: Annotated[str, Field(min_length=1, max_length=60)]


class _Limits(_Row):
    intake: Length | None = None
    dispatch: Length | None = None
    handle: Length | None = None
    check: Length | None = None
    whole: Length | None = None
    rework: Length | None = None


class _Category(_Limits):
    id: Annotated[str, Field(min_length=1, max_length=60)]
    name: _Names
    rules: tuple[str, ...] = ()
    unit: Annotated[str, Field(max_length=60)] = ""
    overdue: Literal["info", "minor", "major", "critical"] = "minor"


class _File(_Row):
    calendar: _Calendar = _Calendar()
    warn_at_pct: Annotated[int, Field(ge=1, le=99)] = 80
    defaults: _Limits = _Limits()
    categories: Annotated[tuple[_Category, ...], Field(min_length=1)]


def default_table() -> str:
    """The text of the built-in table."""
    return files("citywarden.cases").joinpath("default.yaml").read_text("utf-8")


def parse_table(text: str, file: str, zone: ZoneInfo, works: Works = china) -> Timetable:
    """What a file's text says. `works`: the country's working days.

    Raises ConfigurationError with every problem: file, line, key, what is wrong and what was expected.
    """
    tree, lines, problems = read_yaml(text, file)
    if problems:
        raise ConfigurationError(problems)
    try:
        parsed = _File.model_validate(tree)
    except ValidationError as error:
        raise ConfigurationError(problems_of(file, lines, error, _File)) from None

    def wrong(path: tuple[str | int, ...], what: str) -> None:
        problems.append(Problem(file, line_of(lines, path), key_of(path), what))

    ids = [row.id for row in parsed.categories]
    categories = []
    for i, row in enumerate(parsed.categories):
        if row.id in ids[:i]:
            wrong(("categories", i, "id"), f"`{row.id}` is there twice, expected an id of its own")
        limits: dict[Phase, Limit] = {}
        for phase in Phase:
            limit = getattr(row, phase.value) or getattr(parsed.defaults, phase.value)
            if limit is None:
                wrong(("categories", i), f"`{phase.value}` is missing, expected a length here or under `defaults`")
            else:
                limits[phase] = limit
        rework = row.rework or parsed.defaults.rework or limits.get(Phase.HANDLE)
        if rework is not None:
            categories.append(
                Category(row.id, row.name.zh, row.name.en, limits, rework, row.rules, row.unit, row.overdue)
            )
    _check_calendar(parsed.calendar, wrong)
    if problems:
        raise ConfigurationError(problems)
    off = frozenset(day for year in parsed.calendar.years.values() for day in year.holidays)
    on = frozenset(day for year in parsed.calendar.years.values() for day in year.workdays)
    known = frozenset(parsed.calendar.years)
    calendar = WorkCalendar(zone, with_exceptions(works, off, on, known) if known else works, parsed.calendar.hours)
    return Timetable(named(categories), calendar, parsed.warn_at_pct / 100)


def _check_calendar(calendar: _Calendar, wrong: Callable[[tuple[str | int, ...], str], None]) -> None:
    for i, (before, after) in enumerate(zip(calendar.hours, calendar.hours[1:], strict=False), 1):
        if after[0] < before[1]:
            wrong(("calendar", "hours", i), "it begins before the hours before it end, expected them in order")
    for year, days in calendar.years.items():
        for key, listed in (("holidays", days.holidays), ("workdays", days.workdays)):
            for i, day in enumerate(listed):
                if day.year != year:
                    wrong(("calendar", "years", str(year), key, i), f"{day} is not in {year}, expected a day of it")
        for day in set(days.holidays) & set(days.workdays):
            wrong(("calendar", "years", str(year)), f"{day} is both a holiday and a workday, expected one of them")
