"""The databases the way in is tested on, and a desk whose hashes cost next to nothing."""

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine

from citywarden.access.desk import Desk
from citywarden.access.passwords import Passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine, Passwords(CHEAP))
