"""The routing file: targets and routes in YAML, checked whole before anything is used.

targets:
- {name: dispatch, url: "https://dispatch.example/hook", secret_file: /etc/citywarden/hook}
- {name: gas-group, url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...", format: wecom}
routes:                        # every route that fits counts; without `routes` each target hears of everything
- {to: dispatch}
- {to: gas-group, kind: gas, rule: "gas.*", severity: major, district: [Futian], hours: "22:00-06:00"}
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import time, tzinfo
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from citywarden.alerts.formats import FORMATS
from citywarden.alerts.routes import Hours, Route, Routes
from citywarden.alerts.target import Target
from citywarden.model.alert import Severity
from citywarden.model.errors import ConfigurationError, Problem

_LARGEST_BYTES = 256 * 1024
_DEEPEST = 6


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _hours(value: object) -> object:
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", value) if isinstance(value, str) else None
    try:
        a, b, c, d = map(int, found.groups()) if found else (99, 0, 99, 0)
        return Hours(time(a, b), time(c, d))
    except ValueError:
        raise ValueError("expected a part of the day such as 22:00-06:00") from None


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)]
SeverityWord = Literal["info", "minor", "major", "critical"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Target(_Row):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
    secret: str | None = None
    secret_file: Path | None = None
    format: str = "citywarden"
    language: Literal["zh-CN", "en"] | None = None
    min_severity: SeverityWord = "info"
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 15.0
    headers: dict[str, str] = {}
    rate_per_min: Annotated[int, Field(ge=1, le=100_000)] | None = None


class _Route(_Row):
    to: Annotated[Texts, Field(min_length=1)]
    tenant: Texts = ()
    kind: Texts = ()
    rule: Texts = ()
    subject: Texts = ()
    district: Texts = ()
    severity: SeverityWord = "info"
    hours: Annotated[Hours | None, BeforeValidator(_hours)] = None


class _File(_Row):
    targets: tuple[_Target, ...]
    routes: tuple[_Route, ...] | None = None


def parse_routes(text: str, file: str, zone: tzinfo, language: str, link: str = "") -> Routes:
    """The routes of a file's text. `zone` of hours and of times in messages; `language` where a target names none.

    Raises ConfigurationError with every problem: file, line, key, what is wrong and what was expected.
    """
    tree, lines, problems = _read(text, file)
    if problems:
        raise ConfigurationError(problems)
    try:
        parsed = _File.model_validate(tree)
    except ValidationError as error:
        raise ConfigurationError([_problem(file, lines, dict(one)) for one in error.errors()]) from None

    def wrong(path: tuple[str | int, ...], what: str) -> None:
        problems.append(Problem(file, _line(lines, path), _key(path), what))

    targets = [_target(row, i, wrong, (zone, language, link)) for i, row in enumerate(parsed.targets)]
    names = [target.name for target in targets]
    if not targets:
        wrong(("targets",), "it is empty, expected at least one target")
    for i, name in enumerate(names):
        if name in names[:i]:
            wrong(("targets", i, "name"), f"`{name}` is there twice, expected a name of its own")
    for i, route in enumerate(parsed.routes or ()):
        for unknown in (name for name in route.to if name not in names):
            wrong(("routes", i, "to"), f"no target `{unknown}`, expected one of {', '.join(names)}")
    if problems:
        raise ConfigurationError(problems)
    return Routes(targets, None if parsed.routes is None else [_route(row) for row in parsed.routes], zone)


def _target(
    row: _Target, i: int, wrong: Callable[[tuple[str | int, ...], str], None], ours: tuple[tzinfo, str, str]
) -> Target:
    zone, language, link = ours
    if row.format not in FORMATS:
        wrong(("targets", i, "format"), f"`{row.format}`, expected one of {', '.join(FORMATS)}")
    secret = row.secret
    if row.secret_file is not None:
        if secret is not None:
            wrong(("targets", i, "secret_file"), "both `secret` and `secret_file` are given, expected one of them")
        try:
            secret = row.secret_file.read_text().strip()
        except OSError as error:
            wrong(("targets", i, "secret_file"), f"{row.secret_file} cannot be read: {error.strerror}")
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
        wrong(("targets", i, "secret"), "it is not base64 after whsec_, expected whsec_ and base64, or any other text")
    return target


def _route(row: _Route) -> Route:
    return Route(
        row.to, row.tenant, row.kind, row.rule, row.subject, row.district, Severity[row.severity.upper()], row.hours
    )


Lines = Mapping[tuple[str | int, ...], int]


def _read(text: str, file: str) -> tuple[object, Lines, list[Problem]]:
    """The document as plain values, and the line of every part."""
    if len(text.encode()) > _LARGEST_BYTES:
        return None, {}, [Problem(file, None, "", f"the file is larger than {_LARGEST_BYTES} bytes")]
    lines: dict[tuple[str | int, ...], int] = {}
    problems: list[Problem] = []
    try:
        if refused := _refuse(text):
            return None, {}, [Problem(file, None, "", refused)]
        root = yaml.compose(text, yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        return None, {}, [Problem(file, line, "", f"not YAML: {getattr(error, 'problem', None) or error}")]
    if root is not None:
        _note_lines(root, (), lines, lambda line, key, what: problems.append(Problem(file, line, key, what)))
    return tree, lines, problems


def _refuse(text: str) -> str | None:
    """What a small file can blow up with, found before it does."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            return "aliases (*name) are not allowed, expected each part in full"
        if depth > _DEEPEST:
            return f"it is nested deeper than {_DEEPEST} levels"
    return None


def _note_lines(
    node: yaml.Node,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    wrong: Callable[[int, str, str], None],
) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _note_lines(item, (*path, i), lines, wrong)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner, line = (*path, str(key.value)), key.start_mark.line + 1
            if inner in lines:
                wrong(line, _key(inner), f"the key is there twice, first in line {lines[inner]}, expected it once")
            lines[inner] = line
            _note_lines(value, inner, lines, wrong)


def _problem(file: str, lines: Lines, error: Mapping[str, object]) -> Problem:
    loc = error["loc"]
    path = loc if isinstance(loc, tuple) else ()
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden":
            message = "unknown key"
        case "missing":
            message = "it is missing"
        case "string_pattern_mismatch":
            message = f"`{error['input']}`, expected an address such as https://host/path"
        case "model_type" | "model_attributes_type":
            message = "expected a mapping"
        case "literal_error":
            context = error.get("ctx")
            expected = context["expected"] if isinstance(context, dict) else ""
            message = f"`{error['input']}`, expected {expected}"
    return Problem(file, _line(lines, path), _key(path), message)


def _line(lines: Lines, path: Sequence[str | int]) -> int | None:
    """The line of a part, or of the nearest part around it that is there."""
    for n in range(len(path), -1, -1):
        if (line := lines.get(tuple(path[:n]))) is not None:
            return line
    return None


def _key(path: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
