"""Passwords: made by us, long and random, kept as a salted digest only."""

import base64
import hashlib
import hmac
import secrets

PASSWORD_BYTES = 24
"""192 bits: nobody guesses it, however fast the digest is, so devices that all reconnect at once cost little."""

_SALT_BYTES = 12
_FORM = "hmac-sha256"


def generate() -> str:
    """A password of 32 letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def digest(password: str) -> str:
    """`hmac-sha256$SALT$DIGEST` of a password made by `generate`; not for passwords that people choose."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{_FORM}${_text(salt)}${_text(_hash(password, salt))}"


def matches(password: str, kept: str) -> bool:
    """Whether it is the password of a digest; in constant time."""
    form, _, rest = kept.partition("$")
    salt, _, wanted = rest.partition("$")
    try:
        raw, known = base64.b64decode(salt, validate=True), base64.b64decode(wanted, validate=True)
    except ValueError:
        return False
    return form == _FORM and bool(known) and hmac.compare_digest(_hash(password, raw), known)


def _hash(password: str, salt: bytes) -> bytes:
    return hmac.digest(salt, password.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
