"""SQLite as a store: what its file, its disk and its host may do to it."""

import os
import pathlib
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine

from eisbach.app.check_store import check_store
from eisbach.ports.store import Batch, NewerStore, StoreDamaged, StoreFull, StoreUnavailable
from eisbach.stores.sql import opening
from eisbach.stores.sql.backup import backup_database
from eisbach.stores.sql.migrations.versions import r0008_sites
from eisbach.stores.sql.opening import open_sqlite
from eisbach.stores.sql.schema import metadata
from tests.contracts.history import History, everything
from tests.contracts.store_contract import commit_all

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime - nfs4 server:/home rw
31 22 0:41 / /mnt/with\\040space rw - fuse.sshfs me@host: rw
32 30 8:2 / /home/local rw - xfs /dev/sdb1 rw
33 22 0:42 / /win rw - cifs //server/share rw
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "eisbach.db"


@pytest.fixture
def store(file):
    store = open_sqlite(file)
    yield store
    store.close()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "eisbach-test", str(place)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(command, capture_output=True, timeout=60).returncode
    ):
        pytest.skip("no small disk: this user cannot mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=60)


def write(file, *statements):
    """Change a store behind its back."""
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# ---- the file ----------------------------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone(store, file):
    commit_all(store, everything())
    for name in file.parent.iterdir():
        assert stat.S_IMODE(name.stat().st_mode) == 0o600, name


def test_each_commit_is_on_disk_when_it_returns(store):
    driver = store._writer().driver_connection
    assert driver.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert driver.execute("PRAGMA synchronous").fetchone() == (2,)
    assert driver.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_what_was_committed_is_there_when_it_is_opened_again(store, file):
    batches = commit_all(store, everything())
    store.close()
    again = open_sqlite(file)
    assert list(again.events()) == [event for batch in batches for event in batch.events]
    assert again.take_leadership() == 2
    assert check_store(again) == []
    again.close()
    assert [name.name for name in file.parent.iterdir()] == [file.name]


def test_the_migrations_make_the_schema(store):
    with store._write_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []


def test_a_migration_that_fails_leaves_the_file_as_it_was(file, monkeypatch):
    def fail(connection):
        connection.exec_driver_sql("CREATE TABLE half (a)")
        raise sqlite3.OperationalError("no luck")

    monkeypatch.setattr("eisbach.stores.sql.migrate._climb", fail)
    with pytest.raises(sqlite3.OperationalError):
        open_sqlite(file)
    monkeypatch.undo()
    store = open_sqlite(file)
    assert check_store(store) == []
    store.close()


def test_an_older_store_is_copied_before_it_is_migrated(store, file, monkeypatch):
    commit_all(store, everything())
    store.close()
    monkeypatch.setattr(opening, "newest_revision", lambda: "0002")
    open_sqlite(file).close()
    (copy,) = [name for name in file.parent.iterdir() if "before-0002" in name.name]
    monkeypatch.undo()
    kept = open_sqlite(copy)
    assert check_store(kept) == []
    assert kept.row("jobs", "job_0000")["state"] == "ended"
    kept.close()


def test_a_store_from_before_several_sites_has_what_its_log_says(store, file):
    """The columns of 0008 and the index of site events, taken away and made again."""
    commit_all(store, everything())
    store.close()
    added = {"sites": ["parent_country"], "nodes": ["hall", "row", "rack"], "jobs": ["site", "simulated"], "attempts": ["site", "simulated"]}
    for table, columns in added.items():
        for column in columns:
            write(file, f'ALTER TABLE {table} DROP COLUMN "{column}"')
    write(file, "DELETE FROM subjects WHERE subject = 'muc'")
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        r0008_sites.upgrade()
    engine.dispose()
    again = open_sqlite(file)
    assert check_store(again) == []
    assert again.row("sites", "muc")["parent_country"] == "DE"
    assert [sealed.kind for sealed in again.events_of("muc")] == ["site.declared"]
    again.close()


def test_a_newer_store_is_refused_and_left_untouched(store, file):
    commit_all(store, everything())
    store.close()
    write(file, "UPDATE alembic_version SET version_num = '9999'")
    before = file.read_bytes()
    with pytest.raises(NewerStore, match=r"newer version.*9999"):
        open_sqlite(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/home/anna/eisbach.db", "nfs4 at /home"),
        ("/mnt/with space/eisbach.db", "fuse.sshfs at /mnt/with space"),
        ("/win/eisbach.db", "cifs at /win"),
    ],
)
def test_a_network_file_system_is_refused_by_name(path, says, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "is_dir", lambda self: True)
    monkeypatch.setattr(os, "access", lambda *_: True)
    with pytest.raises(StoreUnavailable, match=says):
        open_sqlite(pathlib.Path(path), mount_table=MOUNTS)


def test_a_local_disk_below_a_network_one_is_taken(file):
    table = f"{MOUNTS}40 22 0:43 / {file.parent.parent} rw - nfs server:/x rw\n41 40 8:3 / {file.parent} rw - ext4 /dev/sdc rw\n"
    open_sqlite(file, mount_table=table).close()
    assert file.exists()


def test_a_home_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match=r"no folder .*nowhere"):
        open_sqlite(tmp_path / "nowhere" / "eisbach.db")


def test_a_home_that_is_not_writable_is_named(file, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreUnavailable, match="not writable"):
        open_sqlite(file)


# ---- what may go wrong -------------------------------------------------------------------------------------------


def test_a_locked_file_is_unavailable_and_then_works(store, file):
    history = History()
    epoch = store.take_leadership()
    store._writer().driver_connection.execute("PRAGMA busy_timeout=50")
    batch = history.founding()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.commit(batch, epoch)
    assert store.log_size() == 0
    other.execute("ROLLBACK")
    other.close()
    store.commit(batch, epoch)
    assert check_store(store) == []


def fill(store, history, epoch):
    """Commit until the disk is full; return the batch that did not fit."""
    for number in range(10_000):
        batch = history.headed(history.submitted(*(f"job_{number:05d}_{one}" for one in range(20))))
        size = store.log_size()
        try:
            store.commit(batch, epoch)
        except StoreFull:
            assert store.log_size() == size
            return batch
    raise AssertionError("the disk did not fill up")


def test_a_full_disk_loses_nothing_and_works_again_when_there_is_space(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    store = open_sqlite(small_disk / "eisbach.db")
    epoch = store.take_leadership()
    history = History()
    store.commit(history.founding(), epoch)
    batch = fill(store, history, epoch)
    with pytest.raises(StoreFull, match=r"eisbach\.db is full"):
        store.commit(batch, epoch)
    assert store.row("jobs", "job_00000_0")["state"] == "waiting"
    assert check_store(store) == []
    ballast.unlink()
    store.commit(batch, epoch)
    assert store.log_size() == history.seq
    store.close()
    again = open_sqlite(small_disk / "eisbach.db")
    assert check_store(again) == []
    again.close()


def test_a_file_that_may_not_grow_is_full(store):
    epoch = store.take_leadership()
    history = History()
    store.commit(history.founding(), epoch)
    driver = store._writer().driver_connection
    driver.execute("PRAGMA max_page_count=150")
    batch = fill(store, history, epoch)
    driver.execute("PRAGMA max_page_count=100000")
    store.commit(batch, epoch)
    assert check_store(store) == []


def test_a_kill_in_the_midst_of_writing_loses_nothing_that_was_told(file):
    told = 0
    for lines in (1, 7, 2, 30, 3):
        command = [sys.executable, "-m", "tests.stores.endless_writer", str(file)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            for _ in range(lines):
                told = int(writer.stdout.readline())
            writer.kill()  # SIGKILL, while the next commit is under way
            told = max([told, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
        store = open_sqlite(file)
        assert store.log_size() >= told
        assert store.log_size() - told <= 5
        assert check_store(store) == []
        store.close()


def test_a_commit_that_is_interrupted_leaves_nothing(store, monkeypatch):
    history = History()
    epoch = store.take_leadership()
    batch = history.founding()
    monkeypatch.setattr(store, "_put_head", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.commit(history.headed(batch), epoch)
    monkeypatch.undo()
    assert store.log_size() == 0
    store.commit(batch, epoch)
    assert check_store(store) == []


def _interrupt(*_):
    raise KeyboardInterrupt


def test_erased_text_leaves_no_bytes(store, file):
    epoch = store.take_leadership()
    history = History()
    store.commit(history.founding(), epoch)
    assert b"nchner Modelle" in b"".join(name.read_bytes() for name in file.parent.iterdir())
    assert store.erase_text("org_01a/name")
    assert b"nchner Modelle" not in b"".join(name.read_bytes() for name in file.parent.iterdir())


# ---- copies ------------------------------------------------------------------------------------------------------


def test_a_copy_made_while_a_server_writes_is_whole(store, file, tmp_path):
    history = History()
    epoch = store.take_leadership()
    store.commit(history.founding(), epoch)
    done = threading.Event()

    def go_on():
        number = 0
        while not done.is_set():
            store.commit(history.headed(history.submitted(f"job_{number:06d}")), epoch)
            number += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        copies = [tmp_path / f"copy-{number}.db" for number in range(5)]
        for copy in copies:
            backup_database(store, copy)
    finally:
        done.set()
        writer.join()
    for copy in copies:
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert not copy.with_name(f"{copy.name}-wal").exists()
        restored = open_sqlite(copy)
        assert check_store(restored) == []
        restored.close()


def test_a_copy_never_overwrites(store, tmp_path):
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(FileExistsError):
        backup_database(store, there)
    assert there.read_text() == "mine"


def test_a_copy_that_does_not_fit_leaves_nothing(store, small_disk):
    store.commit(Batch(snapshot=(0, bytes(6 << 20))), store.take_leadership())
    with pytest.raises(StoreFull):
        backup_database(store, small_disk / "copy.db")
    assert list(small_disk.iterdir()) == []


def test_a_frozen_reader_sees_one_moment(store):
    history = History()
    epoch = store.take_leadership()
    store.commit(history.founding(), epoch)
    with store.frozen() as then:
        store.commit(history.submitted("job_0001"), epoch)
        assert then.row("jobs", "job_0001") is None
        assert check_store(then) == []
        assert store.row("jobs", "job_0001") is not None
    assert check_store(store) == []


# ---- damaged files -----------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_damaged(file):
    file.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreDamaged, match=r"eisbach\.db is damaged"):
        open_sqlite(file)


def test_a_truncated_file_is_damaged(store, file):
    commit_all(store, everything(jobs=40))
    store.close()
    os.truncate(file, file.stat().st_size * 3 // 5)
    with pytest.raises(StoreDamaged, match="is damaged"):
        open_sqlite(file)


def test_an_empty_file_is_a_new_store(file):
    file.touch()
    store = open_sqlite(file)
    assert check_store(store) == []
    store.close()
