"""What a token may touch: `area:read`, `area:write` or `area:*`, where the area is the first word of the API's path."""

import re
from collections.abc import Iterable, Sequence

_SCOPE = re.compile(r"(\*|[a-z][a-z0-9_-]{0,40}):(read|write|\*)")
API = "/api/v1/"
ALWAYS = frozenset({"me"})
"""Every token may ask who it is."""


def parse_scopes(words: Iterable[str]) -> tuple[str, ...]:
    """Scopes as given by a person, in order and each once. Raises ValueError naming the one that is wrong."""
    found: dict[str, None] = {}
    for word in words:
        for one in filter(None, re.split(r"[\s,]+", word)):
            if not _SCOPE.fullmatch(one):
                raise ValueError(f"{one!r} is no scope, expected such as readings:read, alerts:write or *:read")
            found[one] = None
    return tuple(found)


def area_of(path: str) -> str:
    """First word of the API's path; `metrics` and other paths at the root stand for themselves."""
    below = path.removeprefix(API) if path.startswith(API) else path.lstrip("/")
    return below.partition("/")[0]


def permits(scopes: Sequence[str], method: str, path: str) -> bool:
    """May a token with these scopes ask that? Without scopes: whatever its role may."""
    if not scopes or area_of(path) in ALWAYS:
        return True
    deed = "read" if method in ("GET", "HEAD") else "write"
    area = area_of(path)
    return any(
        where in ("*", area) and what in ("*", deed) for where, _, what in (scope.partition(":") for scope in scopes)
    )
