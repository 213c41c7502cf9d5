"""The routing file: targets, routes and manners in YAML, checked whole before anything is used.

targets:
- {name: dispatch, url: "https://dispatch.example/hook", secret_file: /etc/citywarden/hook}
- {name: gas-group, url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...", format: wecom}
- {name: boss, url: "https://dispatch.example/boss"}
routes:                        # every route that fits counts; without `routes` each target hears of everything
- {to: dispatch, repeat: 30m}  # again and again until somebody acknowledges
- {to: gas-group, kind: gas, rule: "gas.*", severity: major, district: [Futian], hours: "22:00-06:00", days: [sat, sun]}
- {to: boss, severity: critical, after: 10m}     # when nobody has acknowledged for so long
inhibitions:                   # while a source is open, targets whose profile names the same thing are not told
- {by: gateway, source: {rule: "*.no_data", kind: gateway}, target: {rule: "*.no_data"}, linger: 1m}
- {by: underpass, source: {rule: flood.depth, severity: major}, target: {kind: pump, up_to: minor}}
flapping: {turns: 6, within: 30m, calm: 15m}     # told once, then held until it is calm; turns: 0 never
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time, tzinfo
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from citywarden.alerts.circumstances import Manners
from citywarden.alerts.flapping import Habit
from citywarden.alerts.formats import FORMATS, misfit
from citywarden.alerts.inhibition import Inhibition
from citywarden.alerts.matching import DAYS, Hours, Matcher, Schedule
from citywarden.alerts.routes import Route, Routes
from citywarden.alerts.target import Target
from citywarden.model.alert import Severity
from citywarden.model.errors import ConfigurationError, Problem
from citywarden.yamlfile import key_of, line_of, parse_yaml


def listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def parse_span(value: object) -> object:
    """Ms of `30s`, `10m`, `4h` or `1d`."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(s|m|h|d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected a duration such as 30s, 10m or 4h")
    return round(float(found[1]) * {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[found[2]])


def _hours(value: object) -> object:
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", value) if isinstance(value, str) else None
    try:
        a, b, c, d = map(int, found.groups()) if found else (99, 0, 99, 0)
        return Hours(time(a, b), time(c, d))
    except ValueError:
        raise ValueError("expected a part of the day such as 22:00-06:00") from None


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(listed)]
SeverityWord = Literal["info", "minor", "major", "critical"]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _format(value: str) -> str:
    if value not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}")
    return value


def _url(value: str, row: ValidationInfo) -> str:
    if re.match(r"(https?|smtps?)://[^/\s]+", value) is None:
        raise ValueError("expected an address such as https://host/path")
    wanted = row.data.get("format")
    if wanted is not None and (what := misfit(wanted, value)) is not None:
        raise ValueError(what)
    return value


class _Target(Row):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    format: Annotated[str, AfterValidator(_format)] = "citywarden"
    url: Annotated[str, AfterValidator(_url)]
    secret: str | None = None
    secret_file: str | None = None
    language: Literal["zh-CN", "en"] | None = None
    min_severity: SeverityWord = "info"
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 15.0
    headers: dict[str, str] = {}
    rate_per_min: Annotated[int, Field(ge=1, le=100_000)] | None = None


def _within_year(value: int) -> int:
    if value > 366 * 86_400_000:
        raise ValueError("expected at most 366d")
    return value


def _no_moment(value: int) -> int:
    if value < 1000:
        raise ValueError("expected at least 1s")
    return value


Span = Annotated[int, AfterValidator(_within_year), BeforeValidator(parse_span)]
LongSpan = Annotated[Span, AfterValidator(_no_moment)]


class _Matcher(Row):
    tenant: Texts = ()
    kind: Texts = ()
    rule: Texts = ()
    subject: Texts = ()
    district: Texts = ()
    severity: SeverityWord = "info"
    up_to: SeverityWord = "critical"

    @property
    def matcher(self) -> Matcher:
        least, most = Severity[self.severity.upper()], Severity[self.up_to.upper()]
        return Matcher(self.tenant, self.kind, self.rule, self.subject, self.district, least, most)


class _Route(_Matcher):
    to: Annotated[Texts, Field(min_length=1)]
    hours: Annotated[Hours | None, BeforeValidator(_hours)] = None
    days: Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], BeforeValidator(listed)] = ()
    after: Span = 0
    repeat: LongSpan | None = None

    @property
    def route(self) -> Route:
        schedule = Schedule(self.hours, frozenset(DAYS.index(day) for day in self.days))
        return Route(self.to, self.matcher, schedule, self.after, self.repeat)


class _Inhibition(Row):
    by: Annotated[str, Field(min_length=1)]
    source: _Matcher
    target: _Matcher
    linger: Span = 60_000


class _Flapping(Row):
    turns: Annotated[int, Field(ge=0, le=100)] = 6
    within: Span = 30 * 60_000
    calm: Span = 15 * 60_000


class _File(Row):
    targets: tuple[_Target, ...]
    routes: tuple[_Route, ...] | None = None
    inhibitions: tuple[_Inhibition, ...] = ()
    flapping: _Flapping = _Flapping()


@dataclass(frozen=True, slots=True)
class Routing:
    """What a routing file says: who hears of what, and how alerts behave."""

    routes: Routes
    manners: Manners


def parse_routes(text: str, file: str, zone: tzinfo, language: str, link: str = "") -> Routing:
    """What a file's text says. `zone` of hours and of times in messages; `language` where a target names none. Secret
    files are relative to the file.

    Raises ConfigurationError with every problem: file, line, key, what is wrong and what was expected.
    """
    base, secrets = Path(file).parent, dict[str, str]()
    parsed, lines = parse_yaml(text, file, _File, partial(_between, base, secrets))
    problems: list[Problem] = []

    def wrong(path: tuple[str | int, ...], what: str) -> None:
        problems.append(Problem(file, line_of(lines, path), key_of(path), what))

    targets = [_target(row, i, wrong, (zone, language, link, secrets)) for i, row in enumerate(parsed.targets)]
    if problems:
        raise ConfigurationError(problems)
    routes = Routes(targets, None if parsed.routes is None else [row.route for row in parsed.routes], zone)
    habit = Habit(parsed.flapping.turns, parsed.flapping.within, parsed.flapping.calm)
    return Routing(
        routes,
        Manners(habit, [Inhibition(i.by, i.source.matcher, i.target.matcher, i.linger) for i in parsed.inhibitions]),
    )


def _between(base: Path, secrets: dict[str, str], tree: object) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong between the parts, and between them and the files they name, however wrong the rest may be.
    `secrets` gets what stands in those files.
    """
    found: list[tuple[tuple[str | int, ...], str]] = []
    for i, row in enumerate(_rows(tree, "targets")):
        if (what := _read_secret(base, secrets, row)) is not None:
            found.append((("targets", i, "secret_file"), what))
    names = [row.get("name") for row in _rows(tree, "targets")]
    known = [name for name in names if isinstance(name, str)]
    if isinstance(tree, dict) and tree.get("targets") == []:
        found.append((("targets",), "it is empty, expected at least one target"))
    for i, name in enumerate(names):
        if isinstance(name, str) and name in names[:i]:
            found.append((("targets", i, "name"), f"`{name}` is there twice, expected a name of its own"))
    for i, route in enumerate(_rows(tree, "routes")):
        to = listed(route.get("to"))
        for unknown in (name for name in to if name not in names) if isinstance(to, list) else ():
            expected = ", ".join(dict.fromkeys(known)) or "a target's name"
            found.append((("routes", i, "to"), f"no target `{unknown}`, expected one of {expected}"))
    return found


def _read_secret(base: Path, secrets: dict[str, str], row: Mapping[str, object]) -> str | None:
    """What is wrong with a target's file, None: it is in `secrets` now, or there is none."""
    file = row.get("secret_file")
    if not isinstance(file, str):
        return None
    if row.get("secret") is not None:
        return "both `secret` and `secret_file` are given, expected one of them"
    try:
        secrets[file] = (base / file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        return f"`{file}` cannot be read ({why}), expected a file with the secret"
    return None


def _rows(tree: object, key: str) -> list[dict[str, object]]:
    rows = tree.get(key) if isinstance(tree, dict) else None
    return [row if isinstance(row, dict) else {} for row in rows] if isinstance(rows, list) else []


def _target(
    row: _Target,
    i: int,
    wrong: Callable[[tuple[str | int, ...], str], None],
    ours: tuple[tzinfo, str, str, Mapping[str, str]],
) -> Target:
    zone, language, link, secrets = ours
    secret = row.secret if row.secret_file is None else secrets[row.secret_file]
    target = Target(
        row.name,
        row.url,
        secret,
        row.format,
        row.language or language,
        Severity[row.min_severity.upper()],
        row.timeout_s,
        row.headers,
        row.rate_per_min,
        link,
        zone,
    )
    try:
        _ = target.key
    except ValueError:
        key = "secret" if row.secret_file is None else "secret_file"
        wrong(("targets", i, key), "it is not base64 after whsec_, expected whsec_ and base64, or any other text")
    return target
