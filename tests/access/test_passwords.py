"""What a good password is, and that nothing but its hash is kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citywarden.access.passwords import Passwords, generate, weakness
from tests.access.conftest import CHEAP


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 12 characters"),
        ("x" * 300, "at most 256"),
        ("administrator", "not made of the name"),
        ("Administrator1", "not made of the name"),
        ("aaaaaaaaaaaaaaaa", "different characters"),
    ],
)
def test_a_weak_password_is_refused(password: str, why: str) -> None:
    english, chinese = weakness(password, "administrator") or ("", "")
    assert why in english
    assert chinese.startswith("密码")


def test_a_long_password_may_hold_the_name() -> None:
    assert weakness("zhang rides a red bicycle", "zhang") is None


@given(st.integers())
@settings(max_examples=20)
def test_generated_passwords_are_good_and_never_the_same(_: int) -> None:
    one, other = generate(), generate()
    assert weakness(one, "admin") is None
    assert one != other


def test_a_password_fits_its_own_hash_only() -> None:
    keeper = Passwords(CHEAP)
    kept = keeper.hash("river-lantern-42")
    assert "river" not in kept
    assert kept.startswith("$argon2id$")
    assert keeper.fits(kept, "river-lantern-42")
    assert not keeper.fits(kept, "river-lantern-43")
    assert not keeper.fits(None, "river-lantern-42")
    assert not keeper.fits("no hash at all", "river-lantern-42")


def test_what_is_hashed_with_less_work_is_outdated() -> None:
    assert Passwords().outdated(Passwords(CHEAP).hash("river-lantern-42"))
    assert not Passwords(CHEAP).outdated(Passwords(CHEAP).hash("river-lantern-42"))
