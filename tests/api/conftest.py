"""One whole server for all the tests of a file."""

from collections.abc import Iterator

import pytest

from tests.api.served import Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A whole server with some data, behind a login."""
    with served(tmp_path_factory.mktemp("api")) as found:
        yield found
