"""What every store must do: the same suite for each; a subclass says how one is opened."""

import threading

import msgspec
import pytest

from eisbach.app.check_store import check_store
from eisbach.core.log.tree import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.ports.store import Batch, LeadershipLost, Reply, StoreDamaged, Text, TreeNode
from tests.contracts.history import SPEC, History, everything


class StoreContract:
    """Fixtures a subclass gives: `store`, empty, and `another`, the same data opened by a second server."""

    def test_an_empty_store_holds_nothing(self, store):
        assert store.log_size() == 0
        assert store.row("jobs", "job_0000") is None
        assert store.rows("jobs", {}).rows == []
        assert store.rows("jobs", {}).next_cursor is None
        assert list(store.events()) == list(store.events_of("job_0000")) == list(store.heads()) == []
        assert (
            store.head() is store.head(1) is store.text("t") is store.reply("s", "k") is store.load_snapshot() is None
        )
        assert store.totals("transfers", ["debit"], ["amount"], {}) == []
        assert store.totals("transfers", [], ["amount"], {}) == []
        with pytest.raises(StoreDamaged, match="node 0 of level 0"):
            store.tree_node(0, 0)

    def test_what_was_committed_is_read(self, store):
        batches = commit_all(store, everything())
        events = [event for batch in batches for event in batch.events]
        assert list(store.events()) == events
        assert list(store.events(after_seq=2, limit=3)) == events[3:6]
        assert store.log_size() == len(events)
        assert store.text("job_0000/spec") == Text("job_0000/spec", b"salt of job_0000/spec", SPEC)
        assert store.reply("prj_01a", "key-job_0001") == batches[1].replies[1]
        assert store.reply("prj_01b", "key-job_0001") is None
        assert store.load_snapshot() == batches[-1].snapshot
        for batch in batches:
            for node in batch.tree_nodes:
                assert store.tree_node(node.level, node.index) == node.digest
        assert check_store(store) == []

    def test_rows_are_the_merged_ones(self, store):
        commit_all(store, everything())
        job = store.row("jobs", "job_0000")
        assert (job["state"], job["outcome"], job["charged"], job["attempts"]) == ("ended", "succeeded", 600, 1)
        assert (job["name"], job["exit_code"], job["last_attempt"]) == ("train", 0, "att_0000")
        attempt = store.row("attempts", "att_0000")
        assert (attempt["memory_is_polled"], attempt["rank"], attempt["nodes"]) == (True, None, "n1 n2")
        assert store.row("nodes", "n1")["drained"] is True
        assert store.row("nodes", "n1")["removed"] is False
        assert store.row("organisations", "org_01a")["name"] == "Münchner Modelle"

    def test_a_row_that_is_handed_out_is_the_callers_own(self, store):
        commit_all(store, everything())
        store.row("jobs", "job_0000")["state"] = "lost"
        store.rows("jobs", {}).rows[0]["state"] = "lost"
        assert {row["state"] for row in store.rows("jobs", {}).rows} == {"waiting", "ended"}

    def test_events_of_a_subject(self, store):
        batches = commit_all(store, everything())
        expected = [batches[1].events[0], *batches[2].events]
        assert list(store.events_of("job_0000")) == expected
        assert list(store.events_of("job_0000", after_seq=expected[1].seq, limit=2)) == expected[2:4]
        assert list(store.events_of("job_000")) == []

    def test_pages_go_backwards_without_gap_or_repetition(self, store):
        commit_all(store, everything(jobs=25))
        seen, cursor = [], None
        while True:
            page = store.rows("jobs", {"project": "prj_01a"}, cursor=cursor, limit=4)
            seen += [row["job"] for row in page.rows]
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        assert seen == [f"job_{number:04d}" for number in reversed(range(25))]
        assert store.rows("jobs", {}, limit=25).next_cursor is None

    def test_rows_that_fit_a_condition(self, store):
        commit_all(store, everything())

        def found(**where):
            return [row["job"] for row in store.rows("jobs", where).rows]

        assert found(state="ended") == ["job_0001", "job_0000"]
        assert found(state=("ended", "running"), project="prj_01a") == ["job_0001", "job_0000"]
        assert found(exit_code=None) == ["job_0004", "job_0003", "job_0002"]
        assert found(exit_code=(None, 0), attempts=1) == ["job_0001", "job_0000"]
        assert found(state=()) == found(state="' OR 1=1 --") == []
        with pytest.raises((ValueError, KeyError)):
            found(**{"state = 'ended' OR job": "x"})

    def test_totals_by_group(self, store):
        commit_all(store, everything())
        totals = store.totals("transfers", ["kind"], ["amount"], {})
        assert totals == [
            {"kind": "grant", "count": 1, "amount": 10**9},
            {"kind": "reserve", "count": 5, "amount": 5000},
            {"kind": "settle", "count": 2, "amount": 1200},
            {"kind": "void", "count": 2, "amount": 800},
        ]
        assert store.totals("jobs", ["exit_code"], ["cap", "charged"], {}) == [
            {"exit_code": None, "count": 3, "cap": 3000, "charged": 0},
            {"exit_code": 0, "count": 2, "cap": 2000, "charged": 1200},
        ]
        assert store.totals("jobs", [], ["exit_code"], {"state": "waiting"}) == [{"count": 3, "exit_code": 0}]

    def test_proofs_are_made_from_the_stored_tree(self, store):
        batches = commit_all(store, everything())
        history = History()
        roots = [history.frontier.root()]
        events = [event for batch in batches for event in batch.events]
        for event in events:
            history.frontier.append(event.leaf)
            roots.append(history.frontier.root())
        size = len(events)
        proof = inclusion_proof(3, size, store.tree_node)
        assert verify_inclusion(3, size, events[3].leaf, proof, roots[size])
        assert verify_consistency(5, size, roots[5], roots[size], consistency_proof(5, size, store.tree_node))
        leaves = [(event.seq, event.leaf) for event in events]
        assert list(store.tree_nodes(0, first=4, limit=3)) == leaves[4:7]
        assert list(store.tree_nodes(0)) == leaves
        assert list(store.tree_nodes(60)) == []

    def test_heads(self, store):
        batches = commit_all(store, everything(jobs=8))
        heads = [batch.head for batch in batches if batch.head]
        assert store.head() == heads[-1]
        assert store.head(heads[1][0]) == heads[1]
        assert list(store.heads()) == heads
        assert list(store.heads(limit=2)) == heads[-2:]

    def test_a_signed_head_is_never_contradicted(self, store):
        batches = commit_all(store, everything())
        epoch = store.take_leadership()
        size, note = batches[-1].head
        other = note.replace("factory.example\n", "other.example\n", 1)
        with pytest.raises(BrokenInvariant, match=f"never contradicted.*{size}"):
            store.commit(Batch(head=(size, other)), epoch)
        with pytest.raises(BrokenInvariant, match="beyond"):
            store.commit(Batch(head=(size + 1, note)), epoch)
        assert store.head() == (size, note)
        witnessed = f"{note}\u2014 witness.example AAAAAAAA\n"
        store.commit(Batch(head=(size, witnessed)), epoch)
        assert store.head() == (size, witnessed)

    def test_two_snapshots_are_kept(self, store):
        epoch = store.take_leadership()
        for seq in (1, 2, 3, 3):
            store.commit(Batch(snapshot=(seq, b"state %d" % seq)), epoch)
        assert store.load_snapshot() == (3, b"state 3")

    def test_old_replies_are_forgotten(self, store):
        epoch = store.take_leadership()
        old, young = (Reply("prj_01a", f"key-{at}", "", at, 200, b"{}") for at in (1_000, 2_000))
        store.commit(Batch(replies=[old, young]), epoch)
        store.commit(Batch(replies_kept_from_ms=2_000), epoch)
        assert store.reply("prj_01a", "key-1000") is None
        assert store.reply("prj_01a", "key-2000") == young

    def test_a_large_value_survives(self, store):
        epoch = store.take_leadership()
        state = bytes(range(256)) * 20_000
        store.commit(Batch(snapshot=(1, state)), epoch)
        assert store.load_snapshot() == (1, state)

    @pytest.mark.parametrize("break_it", ["event", "row", "update", "column", "reply", "node", "head"])
    def test_a_commit_that_fails_leaves_nothing(self, store, break_it):
        history = History()
        epoch = store.take_leadership()
        first = [history.founding(), history.submitted("job_0000")]
        for batch in first:
            store.commit(batch, epoch)
        good = history.headed(history.submitted("job_0001"))
        good.snapshot = (3, b"new")
        bad = spoiled(good, break_it)
        with pytest.raises((BrokenInvariant, StoreDamaged, ValueError)):
            store.commit(bad, epoch)
        assert store.log_size() == good.events[0].seq
        assert store.row("jobs", "job_0001") is store.text("job_0001/spec") is store.head() is None
        assert store.reply("prj_01a", "key-job_0001") is store.load_snapshot() is None
        assert list(store.events_of("job_0001")) == []
        assert len(store.rows("transfers", {}).rows) == 2
        assert check_store(store) == []
        store.commit(good, epoch)
        assert store.row("jobs", "job_0001")["state"] == "waiting"
        assert check_store(store) == []

    def test_an_older_epoch_writes_nothing(self, store, another):
        history = History()
        old = store.take_leadership()
        store.commit(history.founding(), old)
        assert another.take_leadership() == old + 1
        batch = history.submitted("job_0000")
        with pytest.raises(LeadershipLost, match=f"epoch {old} "):
            store.commit(batch, old)
        assert another.row("jobs", "job_0000") is None
        another.commit(batch, old + 1)
        assert store.row("jobs", "job_0000")["state"] == "waiting"
        with pytest.raises(LeadershipLost):
            store.commit(Batch(), old)
        assert check_store(store) == []

    def test_an_erased_text_is_gone_and_the_store_is_sound(self, store):
        commit_all(store, everything())
        assert store.erase_text("job_0000/name") is True
        assert store.erase_text("job_0000/name") is False
        assert store.erase_text("job_0000/spec") is True
        assert store.text("job_0000/name") is store.text("job_0000/spec") is None
        assert store.row("jobs", "job_0000")["name"] == ""
        assert store.row("jobs", "job_0001")["name"] == "train"
        assert store.erase_text("org_01a/name") is True
        assert store.row("organisations", "org_01a")["name"] == ""
        assert check_store(store) == []

    def test_a_text_is_replaced(self, store):
        epoch = store.take_leadership()
        store.commit(Batch(texts=[Text("a/b", b"1", b"old"), Text("a/b", b"2", b"new")]), epoch)
        assert store.text("a/b") == Text("a/b", b"2", b"new")

    def test_many_threads_read_whole_commits_while_one_writes(self, store):
        history = History()
        epoch = store.take_leadership()
        store.commit(history.founding(), epoch)
        done = threading.Event()
        problems = []

        def read():
            try:
                while not done.is_set():
                    found = store.rows("jobs", {}, limit=1000).rows
                    for row in found[:3]:
                        assert store.text(f"{row['job']}/spec") is not None
                        assert len(store.events_of(row["job"])) == 1
                    assert store.log_size() >= len(found)
            except BaseException as error:  # noqa: BLE001  (told to the test below)
                problems.append(error)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        try:
            for number in range(60):
                store.commit(history.submitted(f"job_{number:04d}"), epoch)
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert problems == []
        assert check_store(store) == []


def commit_all(store, batches):
    """Commit batches as a new leader; return them."""
    epoch = store.take_leadership()
    for batch in batches:
        store.commit(batch, epoch)
    return batches


def spoiled(good, how):
    """A copy of a batch (that submits job_0001 after job_0000) with one thing in it that cannot be written."""
    changes = {
        "event": {"events": [good.events[0]._replace(seq=good.events[0].seq + 1)]},
        "row": {"inserts": {**good.inserts, "jobs": good.inserts["jobs"] | {"job_0000": good.inserts["jobs"]["job_0001"] | {"job": "job_0000"}}}},
        "update": {"updates": {"jobs": {"job_0000": {"reason": "X"}, "job_9999": {"reason": "X"}}}},
        "column": {"updates": {"jobs": {"job_0000": {"no_such": "X"}}}},
        "reply": {"replies": [*good.replies, Reply("prj_01a", "key-job_0000", "", 0, 0, b"")]},
        "node": {"tree_nodes": [*good.tree_nodes, TreeNode(0, 0, bytes(32))]},
        "head": {"head": (10**6, "x")},
    }  # fmt: skip
    return msgspec.structs.replace(good, **changes[how])
