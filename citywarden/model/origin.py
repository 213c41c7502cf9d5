"""Where each key of the configuration was said, so that what is wrong with it can be named there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from citywarden.model.errors import Problem


@dataclass(frozen=True, slots=True)
class Origin:
    """A TOML file with its text, and the environment variables that stand above it, by dotted key. Settings that say
    the same are the same, wherever they come from: origins compare as equal.
    """

    file: str = field(default="configuration", compare=False)
    text: str = field(default="", compare=False, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, compare=False)

    def problem(self, key: str, what: str) -> Problem:
        """What is wrong with a key, with its variable, or its file and line. A key that is not there: its table's."""
        variable = self.variables.get(key)
        if variable is not None:
            return Problem(variable, None, key, what)
        return Problem(self.file, line_of(self.text, key.split(".")), key, what)


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Line of a key in a TOML text: within its table, or the table's header. A number counts tables of one name."""
    keys = [p for p in path if not p.isdigit()]
    wanted = next((int(p) for p in path if p.isdigit()), 0)
    table, key = ".".join(keys[:-1]), keys[-1] if keys else ""
    current, header, seen = "", None, -1
    for number, line in enumerate(text.splitlines(), 1):
        if opened := re.match(r"\s*\[(\[?)\s*([^\]]+?)\s*\]\]?", line):
            current = opened[2]
            meant = current in (table, ".".join(keys))
            seen += 1 if opened[1] and meant else 0
            if meant and (not opened[1] or seen == wanted):
                header = header or number
        elif current == table and seen in (-1, wanted) and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return number
    return header
