"""The databases the desk is tested on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from citywarden import database
from tests.alerts.alert_builders import file_engine

POSTGRESQL = "CITYWARDEN_TEST_POSTGRESQL"
"""Environment variable with the SQLAlchemy URL of a PostgreSQL database these tests may empty."""


@pytest.fixture(params=["sqlite", *(["postgresql"] if POSTGRESQL in os.environ else [])])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind there is; the PostgreSQL one loses the tables it has."""
    if request.param == "sqlite":
        made = file_engine(tmp_path)
    else:
        made = database.connect(os.environ[POSTGRESQL])
        database.metadata.drop_all(made)
        database.migrate(made)
    yield made
    made.dispose()
