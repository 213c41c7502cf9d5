"""A message as it goes to its target, for people to look at: secrets are blotted out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import orjson

from citywarden.alerts.formats import FORMATS
from citywarden.alerts.outbox import Delivery
from citywarden.alerts.pace import letter_of
from citywarden.alerts.target import Target
from citywarden.model.redaction import HIDDEN, redact

LONGEST = 64 * 1024
"""As much of a body is shown, in characters."""

_SECRET_HEADER = re.compile(r"signature|authorization|token|secret|key|cookie|password", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9_\-.~%]{20,}")
_OPEN_PARTS = frozenset({"from", "to", "ca"})
"""Parts of a query that name people and files, not secrets."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a target is sent: its address, headers and body."""

    address: str
    headers: Mapping[str, str]
    body: str


def blot_url(url: str) -> str:
    """An address without the password, the query's values, and parts of the path that look like a key."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if at:
        name, colon, _ = user.partition(":")
        host = f"{name}{colon and ':' + HIDDEN}@{host}"
    path = "/".join(HIDDEN if _TOKEN.fullmatch(part) else part for part in parts.path.split("/"))
    asked = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{k}={quote(v, safe='@,./') if k in _OPEN_PARTS else HIDDEN}" for k, v in asked)
    return redact(urlunsplit((parts.scheme, host, path, query, "")))


def look(target: Target, together: Sequence[Delivery], now_ms: int) -> Seen:
    """What the target gets, or got at `now_ms`, of one delivery or of all those of a digest."""
    try:
        request = FORMATS[target.format].compose(letter_of(tuple(together)), target, now_ms)
    except ValueError as error:
        return Seen(blot_url(target.url), {}, f"cannot be written as {target.format}: {error}")
    headers = {**request.headers, **target.headers}
    shown = {name: HIDDEN if _SECRET_HEADER.search(name) else redact(value) for name, value in headers.items()}
    return Seen(blot_url(target.url), shown, _text(request.body, shown))


def without_secret(target: Target) -> Target:
    """The target with a made-up secret, so that no true signature is worked out for people to read."""
    return replace(target, secret=None if target.secret is None else "shown-without-its-secret")


def _text(body: bytes, headers: Mapping[str, str]) -> str:
    """The body for reading: JSON is set out in lines, a robot's own signature is blotted out."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    text = body.decode("utf-8", "replace")
    if "json" in kind:
        tree = orjson.loads(body)
        if isinstance(tree, dict) and "sign" in tree:
            tree["sign"] = HIDDEN
        text = orjson.dumps(tree, option=orjson.OPT_INDENT_2).decode()
    text = redact(text)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
