"""The databases the desk is tested on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.databases import BOTH, empty_database


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind there is."""
    with empty_database(request, tmp_path) as made:
        yield made
