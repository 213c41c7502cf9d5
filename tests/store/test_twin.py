import pytest

from tests.builders import KINDS
from tests.store.contract import StoreContract
from tests.store.twin import MemoryStore


class TestTwin(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore(KINDS)
