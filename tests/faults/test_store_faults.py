"""A full disk under a running server, damage behind its back, and backups taken and restored while it works."""

import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from eisbach import wiring
from eisbach.adapters import backup_archive
from eisbach.app import events as e
from eisbach.core.log.head import parse_checkpoint, parse_note
from eisbach.core.log.tree import Frontier
from eisbach.stores.sql.opening import open_sqlite
from tests.faults.end_checks import check_home, check_starts, read_events, verify_log
from tests.faults.harness import RealFactory, Unanswered, a_factory, wait_until, write_site

MIB = 1 << 20
HEALS_QUICKLY = {"periods_ms": {"reconcile": 200, "sign-head": 200}}


# ---- a full disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def on_small_disk(zygote) -> Iterator[RealFactory]:
    """A factory whose home lies on a disk of 8 MiB; the workspaces of jobs do not."""
    with a_factory(zygote) as factory:
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "eisbach-test", str(factory.home)]
        if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("no small disk: this user cannot mount a tmpfs")
        write_site(factory.home, 16)
        try:
            yield factory
        finally:
            factory.end_work()
            subprocess.run(["umount", "-l", str(factory.home)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk; return the file that takes it."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(MIB))
    with open(ballast, "ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    return ballast


def test_a_full_disk_under_the_store_loses_nothing_and_needs_no_restart(on_small_disk):
    factory = on_small_disk
    assert factory.start(**HEALS_QUICKLY), factory.said()
    factory.furnish()
    gate = factory.folder / "gate"
    running = factory.submit(factory.task(f"while [ ! -e {gate} ]; do sleep 0.05; done"))
    factory.wait_for_state(running, "running")
    ballast = fill(factory.home)
    refused = refuse_some(factory)
    assert factory.call("GET", "/healthz")[0] == 503
    gate.touch()  # the job ends while nobody can write that down
    assert factory.job(running)["state"] == "running", "what is known is still told"
    outcome_is_there(factory)
    assert factory.is_running, factory.said()
    ballast.unlink()
    again = [factory.submit(factory.task("true"), key) for key in refused]
    assert factory.wait_for_state(running, "ended")["outcome"] == "succeeded"
    for job in again:
        assert factory.wait_for_state(job, "ended")["outcome"] == "succeeded"
    wait_until(lambda: factory.call("GET", "/healthz")[0] == 200, "a ready server")
    verify_log(factory)
    factory.stop()
    stories = check_home(factory.home)
    check_starts(factory, stories)
    assert len(stories[running].attempts) == 1


def refuse_some(factory: RealFactory) -> list[str]:
    """Submit until the disk has no room for it; return the keys of what was refused."""
    refused: list[str] = []
    for number in range(500):
        key = f"on-a-full-disk-{number}"
        status, answer = factory.call("POST", f"/v1/projects/{factory.project}/jobs", {"task": factory.task("true")}, key)
        if status >= 400:
            assert (status, answer["reason"], answer["retryable"]) == (507, "STORE_FULL", True), answer
            refused.append(key)
        if len(refused) == 3:
            return refused
    raise AssertionError("the disk did not fill up")


def outcome_is_there(factory: RealFactory) -> None:
    """Wait until the task of the only attempt that ever began has ended."""
    attempt = factory.starts()[0].split()[0]
    wait_until(lambda: not runs(attempt), "the end of the task")


def runs(attempt: str) -> bool:
    """Return whether a task of an attempt runs."""
    mark = f"EISBACH_ATTEMPT_ID={attempt}".encode()
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and mark in Path(f"/proc/{entry}/environ").read_bytes():
                return True
    return False


# ---- damage ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(factory) -> RealFactory:
    """A factory that ran two jobs and was killed, so that no snapshot hides its log."""
    assert factory.start(), factory.said()
    factory.furnish()
    jobs = [factory.submit(factory.task("true")) for _ in range(2)]
    for job in jobs:
        factory.wait_for_state(job, "ended")
    factory.kill()
    assert wiring.check(factory.home) == []
    return factory


def behind_its_back(home: Path, statement: str) -> None:
    """Change a store without its program."""
    connection = sqlite3.connect(home / wiring.DATABASE, isolation_level=None)
    assert connection.execute(statement).rowcount == 1, statement
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("UPDATE transfers SET amount = amount + 1 WHERE seq = (SELECT min(seq) FROM transfers)", "transfers"),
        ("UPDATE jobs SET outcome = 'cancelled' WHERE job = (SELECT max(job) FROM jobs)", "jobs"),
        ("DELETE FROM attempts WHERE attempt = (SELECT max(attempt) FROM attempts)", "attempts"),
        ("UPDATE heads SET note = replace(note, 'eisbach', 'eisbech') WHERE size = (SELECT max(size) FROM heads)", "head"),
    ],
)
def test_a_row_that_was_edited_is_named(stopped, statement, names):
    behind_its_back(stopped.home, statement)
    findings = wiring.check(stopped.home)
    assert findings
    assert any(names in finding for finding in findings), findings
    with pytest.raises(wiring.CannotStart, match="backup was not written"):
        wiring.backup(stopped.home, stopped.folder / "backup")


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM events WHERE seq = 9", "UPDATE events SET data = substr(data, 1, 30) WHERE seq = 9"],
)
def test_a_log_that_cannot_be_replayed_is_named_and_no_server_starts(stopped, statement):
    behind_its_back(stopped.home, statement)
    findings = wiring.check(stopped.home)
    assert any("9" in finding for finding in findings), findings
    assert not stopped.start()
    assert stopped.status == 1
    assert "damaged" in stopped.said()
    assert "restore" in stopped.said()


def test_a_page_of_garbage_is_named_and_no_server_starts(stopped):
    connection = sqlite3.connect(stopped.home / wiring.DATABASE)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with open(stopped.home / wiring.DATABASE, "r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 4))
    assert wiring.check(stopped.home)
    assert not stopped.start()
    assert stopped.status == 1
    assert "damaged" in stopped.said()


# ---- backup and restore ------------------------------------------------------------------------------------------


def test_a_backup_of_a_busy_factory_goes_on_under_a_new_origin(zygote, factory):
    assert factory.start(), factory.said()
    factory.furnish()
    running = factory.submit(factory.task("exec sleep 600"))
    factory.wait_for_state(running, "running")
    is_over = threading.Event()
    busy = threading.Thread(target=submit_until, args=(factory, is_over))
    busy.start()
    file = factory.folder / "backup"
    try:
        wait_until(lambda: len(factory.starts()) > 10, "some work")
        wiring.backup(factory.home, file)
        wait_until(lambda: len(factory.starts()) > 20, "more work")
    finally:
        is_over.set()
        busy.join()
    assert file.stat().st_mode & 0o777 == 0o600
    old_key = factory.made("GET", "/v1/audit/head")["key"]
    began_before = set(factory.starts())

    other = RealFactory(zygote, factory.folder, factory.folder / "restored")
    wiring.restore(other.home, file)
    try:
        old_size, old_note = read_head(other.home)
        assert other.start(), other.said()
        goes_on(other, running, began_before)
        new_key = other.made("GET", "/v1/audit/head")["key"]
        assert new_key.partition("+")[0] != old_key.partition("+")[0]
        verify_log(other)
        other.made("POST", f"/v1/jobs/{running}/cancel")
        other.wait_for_state(running, "ended")
        other.stop()
    finally:
        other.end_work()
    stories = check_home(other.home)
    assert stories[running].ends == ["cancelled"]
    assert_follows(other.home, old_size, old_note)
    assert not any(line in began_before for line in set(factory.starts()) - began_before)
    factory.stop()
    check_home(factory.home)


def goes_on(other: RealFactory, running: str, began_before: set[str]) -> None:
    """What ran at the backup is tried again with an attempt of its own; what waited runs; nothing runs twice."""
    wait_until(lambda: other.job(running)["state"] == "running", "the second attempt")
    attempts = other.made("GET", f"/v1/jobs/{running}/attempts")["items"]
    assert [one["outcome"] for one in attempts] == ["", "lost"] or [one["outcome"] for one in attempts] == [None, "lost"]
    assert not any(line.startswith(attempts[0]["attempt"]) for line in began_before)


def submit_until(factory: RealFactory, is_over: threading.Event) -> None:
    with suppress(Unanswered):
        while not is_over.is_set():
            factory.submit(factory.task("true"))


def read_head(home: Path) -> tuple[int, str]:
    """Return the newest head in a store."""
    store = open_sqlite(home / wiring.DATABASE)
    try:
        head = store.head()
        assert head is not None
        return head
    finally:
        store.close()


def assert_follows(home: Path, old_size: int, old_note: str) -> None:
    """The old head is named by the first event of the new origin, and what it covered is there unchanged."""
    store = open_sqlite(home / wiring.DATABASE)
    try:
        opened = [event for event in read_events(store) if isinstance(event.body, e.FactoryOpened)]
        assert len(opened) == 2
        assert opened[1].body.follows_head == old_note
        assert opened[1].body.origin != opened[0].body.origin
        covered = Frontier(0, [])
        for sealed in store.events(limit=old_size):
            covered.append(sealed.leaf)
        assert covered.size == old_size
        assert covered.root() == parse_checkpoint(parse_note(old_note).text).root
    finally:
        store.close()


@pytest.fixture
def backed_up(stopped) -> Path:
    """A backup of a factory that ran two jobs."""
    file = stopped.folder / "backup"
    wiring.backup(stopped.home, file)
    return file


def test_nothing_is_restored_over_a_factory(backed_up, stopped):
    home = stopped.folder / "restored"
    wiring.restore(home, backed_up)
    for place in (home, stopped.home):
        with pytest.raises(wiring.CannotStart, match="not empty"):
            wiring.restore(place, backed_up)
    assert wiring.check(home) == []


def test_heads_of_every_origin_are_verified_after_restores_of_restores(backed_up, stopped, zygote):
    file = backed_up
    for generation in ("first", "second"):
        other = RealFactory(zygote, stopped.folder, stopped.folder / generation)
        wiring.restore(other.home, file)
        try:
            assert other.start(), other.said()
            verify_log(other)
            other.stop()
        finally:
            other.end_work()
        assert wiring.check(other.home) == []
        file = stopped.folder / f"backup-of-{generation}"
        wiring.backup(other.home, file)
    behind_its_back(other.home, "UPDATE heads SET note = replace(note, 'eisbach', 'eisbech') WHERE size = (SELECT min(size) FROM heads)")
    assert any("heads" in finding for finding in wiring.check(other.home))


def test_a_backup_that_was_changed_is_refused(backed_up, stopped):
    content = bytearray(backed_up.read_bytes())
    with tarfile.open(backed_up) as archive:
        database = archive.getmember(wiring.DATABASE)
    content[database.offset_data + 5000] ^= 0xFF
    backed_up.write_bytes(content)
    refused_and_unusable(stopped, backed_up, "digest")


def test_a_backup_whose_store_contradicts_itself_is_refused_even_with_right_digests(backed_up, stopped):
    """Whoever can change the file can change its manifest: the log itself says what belongs into the tables."""
    forged = stopped.folder / "forged"
    forged.mkdir()
    backup_archive.read(backed_up, forged, {wiring.DATABASE, *wiring.KEPT_BY_BACKUP})
    behind_its_back(forged, "UPDATE transfers SET amount = amount + 1 WHERE seq = (SELECT min(seq) FROM transfers)")
    again = stopped.folder / "forged-backup"
    backup_archive.write(again, {one.name: one for one in forged.iterdir() if not one.name.endswith(("-wal", "-shm"))})
    refused_and_unusable(stopped, again, "transfers")


@pytest.mark.parametrize("damage", ["cut", "no backup", "other format", "a way out"])
def test_what_is_no_backup_is_refused(backed_up, stopped, damage):
    content = backed_up.read_bytes()
    match damage:
        case "cut":
            backed_up.write_bytes(content[: len(content) // 2])
        case "no backup":
            backed_up.write_bytes(b"a letter to a friend")
        case "other format":
            backed_up.write_bytes(content.replace(b"eisbach.backup/1", b"eisbach.backup/9", 1))
        case _:
            write_member(backed_up, "../out", b"x")
    refused_and_unusable(stopped, backed_up, "restored")
    assert not (stopped.folder / "out").exists()


def write_member(file: Path, name: str, content: bytes) -> None:
    """Write a backup of one member."""
    manifest = json.dumps({"format": backup_archive.FORMAT, "sha256": {name: sha256(content).hexdigest()}}).encode()
    with tarfile.open(file, "w") as archive:
        for one, data in ((backup_archive.MANIFEST, manifest), (name, content)):
            info = tarfile.TarInfo(one)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))


def refused_and_unusable(factory: RealFactory, file: Path, why: str) -> None:
    """The restore says why not, and no server ever opens what it began."""
    home = factory.folder / "restored"
    with pytest.raises(wiring.CannotStart, match=why):
        wiring.restore(home, file)
    with pytest.raises(wiring.CannotStart, match="not finished"):
        wiring.open_home(home)


def test_a_restore_that_was_killed_leaves_a_home_that_no_server_opens(backed_up, stopped, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(path: Path, target: Path) -> None:
        raise Killed

    home = stopped.folder / "restored"
    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(Killed):
        wiring.restore(home, backed_up)
    monkeypatch.undo()
    assert (home / wiring.LOG_KEY).exists()
    with pytest.raises(wiring.CannotStart, match="not finished"):
        wiring.open_home(home)
