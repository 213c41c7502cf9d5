"""The SQL database: addresses, and tables that an older version made."""

from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from citywarden.database import connect, migrate
from citywarden.model.errors import CitywardenError
from citywarden.serve.tables import open_database


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_spoken_by_psycopg_3(scheme: str) -> None:
    engine = connect(f"{scheme}://user@host/city")
    assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "psycopg")


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(CitywardenError, match=r"expected postgresql://"):
        connect("what?")


def test_a_missing_driver_is_named_with_the_way_to_get_it() -> None:
    with pytest.raises(CitywardenError, match=r"psycopg2 is missing: pip install 'citywarden\[postgresql\]'"):
        connect("postgresql+psycopg2://host/city")


def test_columns_and_indexes_that_are_missing_are_made_and_rows_stay(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alert_event"))
        connection.execute(text("DROP TABLE outbox"))
        connection.execute(text("DROP INDEX ix_alert_updated"))
        for column in ("asked_ms", "hold", "assigned_to"):
            connection.execute(text(f"ALTER TABLE alert DROP COLUMN {column}"))
        connection.execute(
            text(
                "INSERT INTO alert (id, tenant, rule, kind, subject, severity, status, reason, raised_ms, updated_ms,"
                " unit, summary, stale, district, version, told)"
                " VALUES ('a', 't', 'r', 'gas', 's', 3, 'firing', 'threshold', 1, 1, '', '{}', 0, '', 1, '[]')"
            )
        )
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        assert tuple(connection.execute(text("SELECT id, hold, asked_ms FROM alert")).one()) == ("a", "", None)
    assert "ix_alert_updated" in {index["name"] for index in inspect(engine).get_indexes("alert")}
    engine.dispose()
