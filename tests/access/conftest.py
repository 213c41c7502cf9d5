"""The databases the way in is tested on, and a desk whose hashes cost next to nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine

from citywarden.access.desk import Desk
from citywarden.access.passwords import Passwords
from tests.databases import BOTH, empty_database

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind there is."""
    with empty_database(request, tmp_path) as made:
        yield made


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine, Passwords(CHEAP))
