"""The file in which the ends of the record are noted."""

import stat
from pathlib import Path

import pytest

from citywarden.access.heads import Heads
from citywarden.model.access import Head
from citywarden.model.errors import CitywardenError
from tests.builders import NOON_MS

ONE, TWO, THREE = (Head(n, f"{n:064x}") for n in (1, 2, 3))


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    return Heads(tmp_path / "audit.heads")


def test_each_head_is_a_line_and_noted_once(heads: Heads) -> None:
    assert heads.read() == []
    for head in (ONE, ONE, TWO, TWO):
        heads.note(head, NOON_MS)
    assert heads.read() == [ONE, TWO]
    assert heads.file.read_text("utf-8").splitlines()[0] == f"2026-11-23T04:00:00.000Z 1:{ONE.digest}"
    assert stat.S_IMODE(heads.file.stat().st_mode) == 0o600


def test_what_a_crash_left_of_a_line_counts_for_nothing(heads: Heads) -> None:
    heads.note(ONE, NOON_MS)
    with heads.file.open("a") as out:
        out.write("2026-11-23T04:00:00.000Z 2:00")
    assert heads.read() == [ONE]
    heads.note(TWO, NOON_MS)
    assert heads.read() == [ONE, TWO]


def test_a_line_that_is_none_is_named(heads: Heads) -> None:
    heads.note(ONE, NOON_MS)
    with heads.file.open("a") as out:
        out.write("nonsense\n")
    with pytest.raises(CitywardenError, match=r"audit.heads:2: 'nonsense' is no head"):
        heads.read()


def test_heads_of_what_was_cut_are_forgotten(heads: Heads) -> None:
    for head in (ONE, TWO, THREE):
        heads.note(head, NOON_MS)
    heads.forget(2)
    assert heads.read() == [TWO, THREE]
    heads.forget(2)
    assert [path.name for path in heads.file.parent.iterdir()] == ["audit.heads"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CitywardenError, match=r"no/audit.heads: cannot be written"):
        Heads(tmp_path / "no" / "audit.heads").note(ONE, NOON_MS)
