"""YAML that people write: plain values with the line of every part, and what is wrong said by file, line and key."""

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from citywarden.model.errors import ConfigurationError, Problem

LARGEST_BYTES = 256 * 1024
DEEPEST = 8

Lines = Mapping[tuple[str | int, ...], int]
Path = tuple[str | int, ...]
Between = Callable[[object], Sequence[tuple[Path, str]]]
"""(document as plain values, which may be of any shape) -> (where, what is wrong) between its parts."""
M = TypeVar("M", bound=BaseModel)


def parse_yaml(text: str, file: str, model: type[M], between: Between = lambda _tree: ()) -> tuple[M, Lines]:
    """The document as `model`, and the line of every part. Raises ConfigurationError with every problem."""
    tree, lines, problems = read_yaml(text, file)
    if problems:
        raise ConfigurationError(problems)
    later = [Problem(file, line_of(lines, path), key_of(path), what) for path, what in between(tree)]
    try:
        parsed = model.model_validate(tree)
    except ValidationError as error:
        raise ConfigurationError([*problems_of(file, lines, error, model), *later]) from None
    if later:
        raise ConfigurationError(later)
    return parsed, lines


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


def problems_of(file: str, lines: Lines, error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found, in our words: file, line, key, the value and what was expected."""
    found = []
    for one in error.errors():
        path, given = one["loc"], one["input"]
        if one["type"] == "too_short" and isinstance(given, Sized) and len(given):
            continue  # it is only short of the parts that are wrong themselves
        found.append(Problem(file, line_of(lines, path), key_of(path), _said(dict(one), model)))
    return found


_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "tuple_type": "a list or one text",
    "list_type": "a list",
    "too_short": "at least one",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "path_type": "a path",
}
_LIMITS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "string_too_long": ("max_length", "at most {} characters"),
    "literal_error": ("expected", "{}"),
}


def _said(error: Mapping[str, object], model: type[BaseModel]) -> str:
    kind, path, given = str(error["type"]), error["loc"], error["input"]
    assert isinstance(path, tuple)
    if kind == "extra_forbidden":
        return f"unknown key, expected one of {', '.join(_keys_at(model, path[:-1]))}"
    if kind == "missing":
        return "it is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    context = error.get("ctx")
    if kind in _LIMITS and isinstance(context, dict):
        name, words = _LIMITS[kind]
        limit = context[name]
        message = f"expected {words.format(f'{limit:g}' if isinstance(limit, float) else limit)}"
    elif kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}"
    secret = any(word in str(part) for part in path for word in ("secret", "password", "headers"))
    shown = "" if secret or message.startswith("`") else _shown(given)
    return f"{shown}, {message}" if shown else message


def _shown(given: object) -> str:
    """A value as it is quoted; nothing of what is no single value."""
    if isinstance(given, bool):
        return f"`{str(given).lower()}`"
    if given is None or isinstance(given, Mapping | list | tuple):
        return ""
    text = str(given)
    return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that are known at a place of the document; indices and free keys lead nowhere by themselves."""
    here = model
    for part in path:
        for name, known in here.model_fields.items():
            if part in (name, known.alias):
                here = _model_in(known.annotation) or here
    return [known.alias or name for name, known in here.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one)) is not None), None)


def line_of(lines: Lines, path: Sequence[str | int]) -> int | None:
    """The line of a part, or of the nearest part around it that is there."""
    for n in range(len(path), -1, -1):
        if (line := lines.get(tuple(path[:n]))) is not None:
            return line
    return None


def key_of(path: Sequence[str | int]) -> str:
    """The path as people write it: `routes[0].to`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
