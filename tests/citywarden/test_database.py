"""The SQL database's address."""

import pytest

from citywarden.database import connect
from citywarden.model.errors import CitywardenError


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
