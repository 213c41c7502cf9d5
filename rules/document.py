"""A YAML document with the line of every part, and a list that every problem found goes to."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml

from citywarden.model.errors import Problem
from rules.expression import did_you_mean

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

Scalar = float | int | bool | str | None


@dataclass(slots=True)
class Problems:
    """Collects what is wrong in one file."""

    file: str
    found: list[Problem] = field(default_factory=list)

    def add(self, line: int | None, key: str, what: str) -> None:
        self.found.append(Problem(self.file, line, key, what))


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of the document: `key` is its path such as `gas.methane.levels.major.when`, `line` is 1-based."""

    key: str
    line: int
    node: yaml.Node
    problems: Problems

    def wrong(self, what: str) -> None:
        """Note a problem at this part."""
        self.problems.add(self.line, self.key, what)

    @property
    def scalar(self) -> Scalar:
        """The value of a scalar; a list or mapping gives None."""
        if not isinstance(self.node, yaml.ScalarNode):
            return None
        tag, text = self.node.tag.rpartition(":")[2], self.node.value
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() in ("true", "yes", "on")
        if tag in ("int", "float"):
            return _number(text)
        return str(text)

    @property
    def shown(self) -> str:
        """The value as it is quoted in a message."""
        if isinstance(self.node, yaml.ScalarNode):
            return f"`{self.node.value}`" if len(self.node.value) <= 60 else f"`{self.node.value[:57]}...`"
        return "a list" if isinstance(self.node, yaml.SequenceNode) else "a mapping"

    def text(self, expected: str = "a text") -> str | None:
        """The scalar as it is written, whatever YAML takes it for; None after noting that it is none."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.value.strip() and self.scalar is not None:
            return str(self.node.value)
        empty = isinstance(self.node, yaml.ScalarNode)
        self.wrong(f"{'it is empty' if empty else self.shown}, expected {expected}")
        return None

    def items(self, expected: str = "a list") -> list["Entry"]:
        """The members of a list; none after noting that it is no list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.wrong(f"{self.shown} is no list, expected {expected}")
            return []
        return [
            Entry(f"{self.key}[{i}]", node.start_mark.line + 1, node, self.problems)
            for i, node in enumerate(self.node.value)
        ]

    def fields(self, known: Sequence[str] | None, expected: str = "a mapping", key: str | None = None) -> "Fields":
        """The members of a mapping by name; duplicates and names not in `known` (None: any) are noted."""
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong(f"{self.shown} is no mapping, expected {expected}")
            return Fields(self, {})
        prefix = self.key if key is None else key
        found: dict[str, Entry] = {}
        for name_node, node in self.node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self.problems.add(line, prefix, "a key must be a word, expected a name and a colon")
                continue
            name = str(name_node.value)
            entry = Entry(f"{prefix}.{name}" if prefix else name, line, node, self.problems)
            if known is not None and name not in known:
                entry.wrong(f"unknown key{did_you_mean(name, known)}, expected one of {', '.join(known)}")
            elif name in found:
                entry.wrong(f"the key is there twice, first in line {found[name].line}, expected it once")
            else:
                found[name] = entry
        return Fields(self, found)


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping's members."""

    whole: Entry
    by_name: dict[str, Entry]

    def get(self, name: str) -> Entry | None:
        return self.by_name.get(name)

    def need(self, name: str, expected: str) -> Entry | None:
        """The member, or None after noting that it is missing."""
        if name not in self.by_name and isinstance(self.whole.node, yaml.MappingNode):
            self.whole.wrong(f"`{name}` is missing, expected {expected}")
        return self.by_name.get(name)

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return iter(self.by_name.items())


def _number(text: str) -> Scalar:
    plain = text.replace("_", "")
    if re.fullmatch(r"[+-]?\d+", plain):
        return int(plain)
    try:
        return float(plain.replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").replace(".NaN", "nan"))
    except ValueError:
        return text


def read_document(text: str, problems: Problems) -> Entry | None:
    """The root of a YAML document, or None after noting why there is none. Aliases and deep nesting are refused."""
    size = len(text.encode())
    if size > MAX_BYTES:
        problems.add(None, "", f"the file has {size} bytes, expected at most {MAX_BYTES}")
        return None
    try:
        if not _bounded(text, problems):
            return None
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problems.add(line, "", f"{error.problem or error}, expected YAML")
        return None
    except yaml.YAMLError as error:
        problems.add(None, "", f"{error}, expected YAML".replace("\n", " "))
        return None
    if root is None:
        problems.add(None, "", "the file is empty, expected `rules:` and a list")
        return None
    return Entry("", root.start_mark.line + 1, root, problems)


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None


def _bounded(text: str, problems: Problems) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            problems.add(_line(event), f"*{event.anchor}", "aliases are not supported, expected the value itself")
            return False
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                problems.add(_line(event), "", f"nested too deeply, expected at most {MAX_DEPTH} levels")
                return False
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
    return True
