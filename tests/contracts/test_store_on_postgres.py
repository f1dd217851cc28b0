"""PostgreSQL as a store: what its server and another leader may do to it."""

import time

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from eisbach.app.check_store import check_store
from eisbach.ports.store import LeadershipLost, NewerStore, StoreUnavailable
from eisbach.stores.sql import migrate
from eisbach.stores.sql.backup import BackupRefused, backup_database
from eisbach.stores.sql.opening import open_postgres
from eisbach.stores.sql.schema import metadata
from tests.contracts.history import History, everything
from tests.contracts.store_contract import commit_all


@pytest.fixture
def url(cluster):
    return cluster.new_database()


@pytest.fixture
def store(url):
    store = open_postgres(url, patience_ms=300)
    yield store
    store.close()


def test_the_migrations_make_the_schema(store):
    with store._write_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []


def test_a_migration_may_work_longer_than_a_commit_may_pause(url, monkeypatch):
    climb = migrate._climb

    def climb_slowly(connection):
        begun = time.monotonic()
        while time.monotonic() < begun + 0.5:  # the server sees a transaction that does nothing for longer than its patience
            time.sleep(0.1)
        climb(connection)

    monkeypatch.setattr(migrate, "_climb", climb_slowly)
    store = open_postgres(url, patience_ms=100)
    try:
        with store._write_engine.connect() as connection:
            shown = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
        assert shown == "100ms"
    finally:
        store.close()


def test_texts_sort_by_their_bytes(store, url):
    with psycopg.connect(url) as connection:
        other = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'alembic_version'"
        ).fetchall()
    assert other == []


def test_a_newer_store_is_refused_and_left_untouched(store, url):
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerStore, match=r"newer version.*9999"):
        open_postgres(url)


def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(StoreUnavailable, match="PostgreSQL cannot be used"):
        open_postgres("postgresql://nobody@127.0.0.1:1/none")


def test_a_server_that_restarts_is_used_again(store, cluster):
    history = History()
    epoch = store.take_leadership()
    store.commit(history.founding(), epoch)
    batch = history.submitted("job_0001")
    cluster.restart()
    with pytest.raises(StoreUnavailable):
        store.commit(batch, epoch)
    assert store.row("jobs", "job_0001") is None  # reads find their way by themselves
    store.commit(batch, epoch)
    assert check_store(store) == []


def test_a_commit_whose_answer_was_lost_is_looked_up(store, monkeypatch):
    """The connection breaks when COMMIT has been done and before the answer is here."""
    history = History()
    epoch = store.take_leadership()
    writer = store._writer()

    class Breaking:
        def cursor(self):
            cursor = writer.cursor()
            execute = cursor.execute

            class Cursor:
                def __getattr__(self, name):
                    return getattr(cursor, name)

                def execute(self, sql, *parameters):
                    done = execute(sql, *parameters)
                    if sql == "COMMIT":
                        store._connection.driver_connection.close()
                        raise psycopg.OperationalError("the connection is lost")
                    return done

            return Cursor()

    monkeypatch.setattr(
        store, "_writer", lambda: Breaking() if store._connection is writer else type(store)._writer(store)
    )
    store.commit(history.founding(), epoch)
    assert store.log_size() == history.seq
    store.commit(history.submitted("job_0001"), epoch)
    assert check_store(store) == []


def test_a_leader_that_pauses_in_a_commit_loses_it(store, url, monkeypatch):
    """It holds the leader's row; the server ends its transaction, another takes over, and it writes nothing more."""
    history = History()
    epoch = store.take_leadership()
    store.commit(history.founding(), epoch)
    batch = history.submitted("job_0001")
    other = open_postgres(url, patience_ms=300)
    write = store._write

    def write_and_pause(*arguments):
        write(*arguments)
        assert other.take_leadership() == epoch + 1  # waits until the pause was too long

    monkeypatch.setattr(store, "_write", write_and_pause)
    with pytest.raises(StoreUnavailable):
        store.commit(batch, epoch)
    monkeypatch.undo()
    assert other.row("jobs", "job_0001") is None
    with pytest.raises(LeadershipLost):
        store.commit(batch, epoch)
    other.commit(batch, epoch + 1)
    assert check_store(other) == []
    other.close()


def test_a_frozen_reader_sees_one_moment(store):
    history = History()
    epoch = store.take_leadership()
    store.commit(history.founding(), epoch)
    with store.frozen() as then:
        store.commit(history.submitted("job_0001"), epoch)
        assert then.row("jobs", "job_0001") is None
        assert check_store(then) == []


def test_reads_cannot_write(store):
    with store._read_engine.connect() as connection, pytest.raises(Exception, match="read-only transaction"):
        connection.exec_driver_sql("DELETE FROM events")


def test_a_changed_row_is_found(store, url):
    commit_all(store, everything())
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE jobs SET charged = charged + 1 WHERE job = 'job_0001'")
        connection.execute("UPDATE events SET data = 'x' WHERE seq = 3")
    assert {finding.where for finding in check_store(store)} >= {"jobs job_0001", "events 3"}


def test_a_copy_is_left_to_pg_dump(store, tmp_path):
    with pytest.raises(BackupRefused, match="pg_dump"):
        backup_database(store, tmp_path / "copy")
