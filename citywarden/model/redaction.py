"""Taking secrets out of what people and other programs get to read.

Two ways, used together: by shape (passwords in URLs, tokens in their queries, authorisation headers), and by value
(every secret the configuration has named). Logs, errors, `describe`, the doctor and delivery records go through it.
"""

import json
import re
import threading
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
_WORD = re.compile(r".{0,7}|[a-z]{0,15}|[A-Z]{0,15}", re.DOTALL)
"""A secret that is short or a plain word is hidden by its shape only: as a value it would stand in too many texts."""

_USERINFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@?#]*):[^\s/?#]*@")
_NAMED = re.compile(
    r"""(?ix) (?<![a-z0-9])
    ((?: [a-z0-9]+[_-] )* (?: access_?token | api_?key | token | key | sign | signature | secret | password | passwd
        | pwd | auth | credential | session | sig ))
    (=) ([^&\s"'<>,;)\]}]+)"""
)
_HEADER = re.compile(r"(?i)\b(authorization|proxy-authorization|x-api-key|x-auth-token|cookie|set-cookie)\b"
                     r"(['\"]?\s*[:=,]\s*['\"]?)(?:(bearer|basic|token|digest)\s+)?[^\s'\",;)}\]]+")  # fmt: skip
_SCHEME = re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9+/_.~=-]{8,}")
_WHSEC = re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+")
_HOOK = re.compile(r"(?i)(/(?:hook|hooks|services|webhook|webhooks|robot)/)([A-Za-z0-9_/.-]*[A-Za-z0-9_-]{8,})")

MOST = 4000
"""Spellings remembered at most; a server has some dozens, and the oldest go first."""

_known: dict[str, None] = {}
_longest_first: tuple[str, ...] = ()
_lock = threading.Lock()


def keep_secret(*values: str | None) -> None:
    """From now on `redact` hides these values wherever they stand, also as they look in a URL or in JSON."""
    global _longest_first  # noqa: PLW0603 (one process has one set of secrets, and logging is as global)
    fresh = {spelt for value in values if value and not _WORD.fullmatch(value) for spelt in _spellings(value)}
    with _lock:
        if fresh <= _known.keys():
            return
        _known.update(dict.fromkeys(fresh))
        for oldest in list(_known)[: max(0, len(_known) - MOST)]:
            del _known[oldest]
        # A secret may be part of another one.
        _longest_first = tuple(sorted(_known, key=len, reverse=True))


def keep_secrets_of(url: str) -> None:
    """Hide what a webhook's or broker's URL keeps: its password, the values of its query, tokens in its path."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return
    keep_secret(password, unquote(password) if password else None)
    if parts.scheme in ("http", "https"):
        asked = parse_qsl(parts.query)
        keep_secret(*(value for name, value in asked if _looks_random(value) or _NAMED.fullmatch(f"{name}=x")))
        keep_secret(*filter(_looks_random, parts.path.split("/")))


def redact(text: str) -> str:
    """The text without secrets, each replaced by `***`."""
    for secret in _longest_first:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    text = _USERINFO.sub(rf"\1:{HIDDEN}@", text)
    text = _HOOK.sub(rf"\1{HIDDEN}", text)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    text = _HEADER.sub(rf"\1\2{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1 {HIDDEN}", text)
    return _WHSEC.sub(HIDDEN, text)


def redact_tree(value: object) -> object:
    """The same for every text in a JSON value; keys stay."""
    if isinstance(value, Mapping):
        return {key: redact_tree(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(below) for below in value]
    return redact(value) if isinstance(value, str) else value


def _spellings(value: str) -> Iterable[str]:
    """How a value may stand in a text: as it is, quoted for a URL, escaped in JSON or by `repr`."""
    yield value
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]


def _looks_random(part: str) -> bool:
    """Whether a part of a path looks like a token: long, and letters and digits mixed."""
    return len(part) >= 16 and any(c.isdigit() for c in part) and any(c.isalpha() for c in part)
