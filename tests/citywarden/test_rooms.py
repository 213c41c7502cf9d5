"""The shape of the house: the rooms' names belong to nobody else, and tests never ship."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("citywarden", "ingest", "rules", "fleet", "dashboards")


def test_no_other_distribution_owns_a_room() -> None:
    owners = packages_distributions()
    assert {room: set(owners.get(room, [])) - {"citywarden"} for room in ROOMS} == {room: set() for room in ROOMS}


def test_the_wheel_holds_the_rooms_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(ROOMS)


def test_every_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    wanted = {re.split(r"[<>=;\[ ]", line, maxsplit=1)[0].lower() for line in project["project"]["dependencies"]}
    assert wanted <= locked
