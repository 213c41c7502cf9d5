"""What a request needs to come in: pure decisions of the door."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PROXY = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_OPEN = frozenset({"/healthz", "/login", "/api/v1/login", "/favicon.ico"})
_ASSETS = re.compile(r"/_nicegui/[0-9][0-9A-Za-z.+-]*/(static|libraries|components|resources|dynamic_resources|esm)/.+")
_FIRST = frozenset({"/password", "/logout", "/api/v1/me", "/api/v1/me/password", "/api/v1/logout"})
"""Where somebody may go whose password has to be changed first."""


class Login(StrEnum):
    """When a login is demanded: on any address but loopback, or always."""

    AUTO = "auto"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Caller:
    """A request, as far as the door looks at it. `headers`: names in lower case; `peer`: its address, "" if unknown."""

    kind: str
    method: str
    path: str
    peer: str
    headers: Mapping[str, str]

    @property
    def proxied(self) -> bool:
        """Somebody passed it on for somebody else."""
        return any(name in self.headers for name in _PROXY)

    @property
    def is_api(self) -> bool:
        return self.path == "/metrics" or self.path.startswith("/api/")


def is_loopback(host: str) -> bool:
    """Is that address or name this machine's own, unreachable from others?"""
    bare = host.strip("[]").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def host_of(netloc: str) -> str:
    """The host of `host:port`."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def is_local(caller: Caller) -> bool:
    """Does it come from this very machine, to a name of this machine? A page elsewhere whose name was made to lead
    here (DNS rebinding) names another host, and a proxy makes loopback public.
    """
    return is_loopback(caller.peer) and is_loopback(host_of(caller.headers.get("host", ""))) and not caller.proxied


def demands_login(login: Login, listens_on_loopback: bool, caller: Caller) -> bool:
    """Has somebody without a session or token to log in?"""
    return login is Login.ALWAYS or not listens_on_loopback or not is_local(caller)


def is_open(caller: Caller) -> bool:
    """What strangers may have: whether the server is well, the way in, and the pages' scripts and styles."""
    return caller.kind == "http" and (caller.path in _OPEN or bool(_ASSETS.fullmatch(caller.path)))


def is_first(caller: Caller) -> bool:
    """What a user may have before a password is changed."""
    return caller.kind == "http" and (caller.path in _FIRST or is_open(caller))


def is_foreign(caller: Caller) -> bool:
    """Does a page of another site want to change something here, or to listen?"""
    if caller.kind == "http" and caller.method in SAFE:
        return False
    if caller.headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = caller.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != caller.headers.get("host")


def bearer_of(caller: Caller) -> str | None:
    """The token it shows, if any."""
    word, _, text = caller.headers.get("authorization", "").partition(" ")
    return text.strip() if word.lower() == "bearer" else None
