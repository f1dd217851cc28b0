"""The stores' contract, on memory, on SQLite and on a real PostgreSQL."""

import pytest

from eisbach.stores.memory import MemoryStore
from eisbach.stores.sql.opening import open_postgres, open_sqlite
from tests.contracts.store_contract import StoreContract


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def another(self, store):
        return store


class TestSqlite(StoreContract):
    @pytest.fixture
    def opened(self, tmp_path):
        stores = [open_sqlite(tmp_path / "eisbach.db") for _ in range(2)]
        yield stores
        for store in stores:
            store.close()

    @pytest.fixture
    def store(self, opened):
        return opened[0]

    @pytest.fixture
    def another(self, opened):
        return opened[1]


class TestPostgres(StoreContract):
    @pytest.fixture
    def opened(self, cluster):
        url = cluster.new_database()
        stores = [open_postgres(url) for _ in range(2)]
        yield stores
        for store in stores:
            store.close()

    @pytest.fixture
    def store(self, opened):
        return opened[0]

    @pytest.fixture
    def another(self, opened):
        return opened[1]
