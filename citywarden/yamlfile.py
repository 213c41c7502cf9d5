"""YAML that people write: plain values with the line of every part, and what is wrong said by file, line and key."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from citywarden.model.errors import ConfigurationError, Problem

LARGEST_BYTES = 256 * 1024
DEEPEST = 8

Lines = Mapping[tuple[str | int, ...], int]
M = TypeVar("M", bound=BaseModel)


def parse_yaml(text: str, file: str, model: type[M]) -> tuple[M, Lines]:
    """The document as `model`, and the line of every part. Raises ConfigurationError with every problem."""
    tree, lines, problems = read_yaml(text, file)
    if problems:
        raise ConfigurationError(problems)
    try:
        return model.model_validate(tree), lines
    except ValidationError as error:
        raise ConfigurationError([problem_of(file, lines, dict(one)) for one in error.errors()]) from None


def read_yaml(text: str, file: str) -> tuple[object, Lines, list[Problem]]:
    """The document as plain values, and the line of every part."""
    if len(text.encode()) > LARGEST_BYTES:
        return None, {}, [Problem(file, None, "", f"the file is larger than {LARGEST_BYTES} bytes")]
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
        if depth > DEEPEST:
            return f"it is nested deeper than {DEEPEST} levels"
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
                wrong(line, key_of(inner), f"the key is there twice, first in line {lines[inner]}, expected it once")
            lines[inner] = line
            _note_lines(value, inner, lines, wrong)


def problem_of(file: str, lines: Lines, error: Mapping[str, object]) -> Problem:
    """A problem that pydantic found, in our words."""
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
    return Problem(file, line_of(lines, path), key_of(path), message)


def line_of(lines: Lines, path: Sequence[str | int]) -> int | None:
    """The line of a part, or of the nearest part around it that is there."""
    for n in range(len(path), -1, -1):
        if (line := lines.get(tuple(path[:n]))) is not None:
            return line
    return None


def key_of(path: Sequence[str | int]) -> str:
    """The path as people write it: `routes[0].to`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
