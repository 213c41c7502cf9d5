"""Passwords: what a good one is, and how it is kept (argon2id)."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 256
FEWEST_DIFFERENT = 5
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""For generated passwords: nothing that looks like something else."""


def weakness(password: str, name: str) -> tuple[str, str] | None:
    """Why a password will not do for a user, in English and Chinese; None when it does."""
    if len(password) < SHORTEST:
        return f"a password has at least {SHORTEST} characters", f"密码至少需要 {SHORTEST} 个字符"
    if len(password) > LONGEST:
        return f"a password has at most {LONGEST} characters", f"密码不能超过 {LONGEST} 个字符"
    if name and name.casefold() in password.casefold() and len(password) - len(name) < SHORTEST:
        return "a password is not made of the name", "密码不能由用户名组成"
    if len(set(password)) < FEWEST_DIFFERENT:
        return (
            f"a password has at least {FEWEST_DIFFERENT} different characters",
            f"密码至少需要 {FEWEST_DIFFERENT} 个不同的字符",
        )
    return None


def generate() -> str:
    """A new password of about 99 bits, easy to read aloud: five groups of four."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(5))


class Passwords:
    """Hashes and verifies. `hasher` decides how much work that is; argon2-cffi's own defaults if none is given."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        return self._hasher.hash(password)

    def fits(self, kept: str | None, password: str) -> bool:
        """Is it the password? Takes as long for a user who does not exist (None), who never fits."""
        if kept is None:
            self._hasher.hash(password[: LONGEST + 1])
            return False
        try:
            return self._hasher.verify(kept, password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False

    def outdated(self, kept: str) -> bool:
        """Was it hashed with less work than now?"""
        return self._hasher.check_needs_rehash(kept)
