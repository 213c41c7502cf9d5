"""Names on their way into InfluxDB and back: tags that cannot break a line, and literals of its query language.

The line protocol has no way to write a backslash before a separator, or a line break, into a tag. Those characters are
written as `%5C`, `%0A`; any other name, Chinese ones too, stands in the database as it is.
"""

import re
from functools import lru_cache

_UNSAFE = re.compile(r"%(?=[0-9A-F]{2})|[\\\x00-\x1f\x7f]")
_CODED = re.compile(r"%([0-9A-F]{2})")
_SEPARATORS = re.compile(r"[,= ]")
_odd = re.compile(r"[%\\\x00-\x1f\x7f,= ]").search


def stored(name: str) -> str:
    """The name as it stands in the database; different names stay different."""
    return _UNSAFE.sub(lambda m: f"%{ord(m[0]):02X}", name)


@lru_cache(maxsize=65_536)
def meant(name: str) -> str:
    """The name that `stored` was given."""
    return _CODED.sub(lambda m: chr(int(m[1], 16)), name) if "%" in name else name


def escape(name: str) -> str:
    """A tag key, tag value or field key of a line."""
    if not _odd(name):
        return name
    return _SEPARATORS.sub(r"\\\g<0>", stored(name))


tag_key = lru_cache(maxsize=4096)(escape)
"""A tag key or field key of a line, remembered: there are few of them, and every line says them."""


@lru_cache(maxsize=4096)
def measurement(name: str) -> str:
    """The first word of a line; a leading # would make the line a comment."""
    return _SEPARATORS.sub(r"\\\g<0>", stored_measurement(name))


def stored_measurement(name: str) -> str:
    """A measurement as it stands in the database."""
    return "%23" + stored(name[1:]) if name.startswith("#") else stored(name)


def quoted(text: str) -> str:
    """A text as the value of a field of a line."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def identifier(name: str) -> str:
    """A tag, field or measurement in a query."""
    return '"' + stored(name).replace('"', '\\"') + '"'


def literal(name: str) -> str:
    """A tag's value in a query."""
    return "'" + stored(name).replace("'", "\\'") + "'"


def source(bucket: str, name: str) -> str:
    """A measurement of a bucket in a query. A bucket `a/b` is retention policy `b` of database `a`."""
    database, _, policy = bucket.partition("/")
    parts = (database, policy or "autogen", stored_measurement(name))
    return ".".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
