"""`db check` finds and names what no event says: each kind of damage to a file on its own, and random damage."""

import random
import shutil
import sqlite3

import pytest

from eisbach.app.check_log import Finding
from eisbach.app.check_store import check_store
from eisbach.core.log.head import WrongSignature
from eisbach.ports.store import NewerStore, StoreDamaged, StoreUnavailable
from eisbach.stores.sql.opening import open_sqlite
from tests.contracts.history import everything
from tests.contracts.store_contract import commit_all


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound store of some 60 events."""
    file = tmp_path_factory.mktemp("sound") / "eisbach.db"
    store = open_sqlite(file)
    commit_all(store, everything(jobs=16))
    store.close()
    return file


@pytest.fixture
def file(sound, tmp_path):
    return shutil.copy(sound, tmp_path / "eisbach.db")


def check_after(file, *statements):
    """What is found after statements behind the store's back."""
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in statements:
        changed = connection.execute(statement).rowcount
        assert changed, f"{statement} changed nothing"
    connection.close()
    return check(file)


def check(file, **options):
    store = open_sqlite(file)
    try:
        return [(finding.where, finding.what) for finding in check_store(store, **options)]
    finally:
        store.close()


def test_a_finding_is_one_line():
    assert str(Finding("jobs job_1", "the row is missing")) == "jobs job_1: the row is missing"


def test_nothing_is_found_in_a_sound_store(file):
    assert check(file) == []
    assert check(file, events_a_pass=7) == []


@pytest.mark.parametrize(
    ("statement", "where", "what"),
    [
        ("UPDATE jobs SET charged = 601 WHERE job = 'job_0003'", "jobs job_0003", "charged is 601, but 600 follows"),
        ("UPDATE jobs SET state = 'lost' WHERE job = 'job_0003'", "jobs job_0003", "state is 'lost', but 'ended'"),
        ("UPDATE jobs SET name = 'x' WHERE job = 'job_0003'", "jobs job_0003", "name is 'x', but 'train'"),
        ("DELETE FROM jobs WHERE job = 'job_0003'", "jobs job_0003", "the row is missing"),
        ("UPDATE jobs SET job = 'job_9999' WHERE job = 'job_0003'", "jobs job_9999", "follows from no event"),
        ("UPDATE attempts SET memory_is_polled = 0 WHERE job = 'job_0001'", "attempts att_0001", "memory_is_polled is False"),
        ("UPDATE transfers SET amount = 7 WHERE seq = 10", "transfers 000000000010-000", "amount is 7, but 1000000000"),
        ("UPDATE transfers SET amount = '1000000000 ' || x'00' WHERE seq = 10", "transfers 000000000010-000", "amount is"),
        ("DELETE FROM transfers WHERE seq = 10", "transfers 000000000010-000", "the row is missing"),
        ("UPDATE projects SET budget = budget * 2", "projects prj_01a", "budget is 2000000000"),
        ("UPDATE nodes SET removed = 1", "nodes n1", "removed is True, but False"),
        ("DELETE FROM events WHERE seq = 20", "events 20", "the event is missing"),
        ("UPDATE events SET data = CAST(replace(data, 'DE', 'FR') AS BLOB) WHERE seq = 1", "events 1", "do not have the hash"),
        ("UPDATE events SET data = x'7b7d' WHERE seq = 1", "events 1", "its bytes are no event"),
        ("UPDATE events SET data = 'text' WHERE seq = 1", "events 1", "its bytes are no bytes"),
        ("UPDATE events SET leaf = zeroblob(32) WHERE seq = 7", "events 7", "do not have the hash"),
        ("UPDATE events SET at_ms = 5 WHERE seq = 7", "events 7", "its columns"),
        ("UPDATE events SET kind = 'job.held' WHERE seq = 7", "events 7", "its columns"),
        ("UPDATE tree_nodes SET digest = zeroblob(32) WHERE level = 3 AND idx = 1", "tree_nodes 3/1", "not the hash"),
        ("UPDATE tree_nodes SET digest = zeroblob(32) WHERE level = 0 AND idx = 9", "tree_nodes 0/9", "not the hash"),
        ("DELETE FROM tree_nodes WHERE level = 2 AND idx = 2", "tree_nodes 2/2", "it is missing"),
        ("INSERT INTO tree_nodes VALUES (1, 4000, zeroblob(32))", "tree_nodes 1/4000", "beyond the log"),
        ("UPDATE heads SET note = substr(note, 1, 19) || 'AAAA' || substr(note, 24) WHERE size = 27", "heads 27", "its root is not that of the log"),
        ("UPDATE heads SET size = 26 WHERE size = 27", "heads 26", "its note says size 27"),
        ("UPDATE heads SET size = 900 WHERE size = 27", "heads 900", "more than the log"),
        ("UPDATE heads SET note = 'x' WHERE size = 27", "heads 27", "a note is"),
        ("UPDATE texts SET content = x'78' WHERE id = 'job_0003/spec'", "texts job_0003/spec", "that event 14 committed to"),
        ("UPDATE texts SET content = 'x' WHERE id = 'job_0003/spec'", "texts job_0003/spec", "no bytes"),
        ("UPDATE texts SET content = x'c3' WHERE id = 'prj_01a/name'", "texts prj_01a/name", "that event 6 committed to"),
        ("UPDATE texts SET salt = x'00' WHERE id = 'org_01a/name'", "texts org_01a/name", "that event 5 committed to"),
        ("DELETE FROM subjects WHERE subject = 'job_0003' AND seq = 14", "subjects job_0003/14", "not in its index"),
        ("UPDATE subjects SET seq = 20 WHERE subject = 'job_0003' AND seq = 14", "subjects job_0003/20", "not about it"),
    ],
)  # fmt: skip
def test_each_damage_is_found_and_named(file, statement, where, what):
    found = check_after(file, statement)
    assert any(place == where and what in says for place, says in found), found


def test_a_missing_event_does_not_hide_what_is_right(file):
    found = check_after(file, "DELETE FROM events WHERE seq = 14")
    assert not any(where.startswith(("heads", "tree_nodes")) for where, _ in found), found
    assert ("jobs job_0003", "the row follows from no event") in found


def test_an_overspent_budget_is_named(file):
    """A log that is consistent in itself, and yet spends more than there is."""
    grant = "CAST(replace(data, '1000000000,\"grant\"', '1500,\"grant\"') AS BLOB)"
    found = check_after(file, f"UPDATE events SET data = {grant} WHERE seq = 10")
    assert any("prj_01a/2025-07/available is overspent: its balance falls to -500" in what for _, what in found), found


def test_heads_are_verified_where_the_key_is_at_hand(file):
    def refuse(note):
        raise WrongSignature("the signature does not fit")

    found = check(file, read_head=refuse)
    assert ("heads 27", "the signature does not fit") in found


def test_it_stops_at_so_many_findings(file):
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("UPDATE jobs SET cap = 1")
    connection.close()
    assert len(check(file, findings_max=5)) == 5


def test_a_page_of_garbage_is_found(file):
    with open(file, "r+b") as raw:
        raw.seek(0, 2)
        pages = raw.tell() // 4096
        for page in range(5, pages, 7):
            raw.seek(page * 4096)
            raw.write(random.Random(page).randbytes(4096))
    with pytest.raises(StoreDamaged, match="is damaged"):
        open_sqlite(file)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_byte_is_found_or_changes_nothing_that_follows_from_the_log(sound, file, seed):
    chance = random.Random(seed)
    with open(file, "r+b") as raw:
        size = raw.seek(0, 2)
        place = chance.randrange(size)
        raw.seek(place)
        (old,) = raw.read(1)
        raw.seek(place)
        raw.write(bytes([old ^ (1 << chance.randrange(8))]))
    try:
        found = check(file)
    except (NewerStore, StoreDamaged, StoreUnavailable):
        return
    assert found or content(file) == content(sound)


def content(file):
    """All rows that follow from the log."""
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    connection.text_factory = bytes
    tables = "events subjects tree_nodes heads sites nodes tariffs organisations projects tokens archives jobs attempts transfers"
    rows = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables.split()}
    rows["texts"] = connection.execute("SELECT * FROM texts WHERE id NOT LIKE 'job%/name' ORDER BY 1").fetchall()
    connection.close()
    return rows
