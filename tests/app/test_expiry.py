"""What is deleted when: days after a job's end by the log, and never what a job that has not ended needs."""

import hashlib
import os

import pytest

from eisbach.adapters.archives import ArchiveFolder
from eisbach.app import receive_archive
from eisbach.app.check_references import missing
from eisbach.app.commands import SYSTEM
from eisbach.app.expire_files import expire_archives, expire_remains
from eisbach.app.rounds import Round
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason
from eisbach.ports.engine import Remains
from tests.app.factory import a_job

KEPT = {Remains.CHECKPOINTS: 7 * DAY_MS, Remains.OUTPUTS: 30 * DAY_MS, Remains.LOGS: 30 * DAY_MS}
ARCHIVE = f"sha256:{hashlib.sha256(b'archive').hexdigest()}"


class KeepsForJobs:
    """An engine that keeps one thing of each kind for each job, last changed at some instant."""

    def __init__(self, **changed_ms):
        self.kept = {kind: dict(changed_ms) for kind in Remains}

    def expire(self, kind, is_over):
        gone = [job for job, changed_ms in self.kept[kind].items() if is_over(job, changed_ms)]
        for job in gone:
            del self.kept[kind][job]
        return len(gone)


def kept_after(factory, engine):
    factory.app.engine, real = engine, factory.app.engine
    factory.run_rounds(Round("expire-files", HOUR_MS, lambda app: expire_remains(app, KEPT)))
    factory.app.engine = real
    return {kind: set(jobs) for kind, jobs in engine.kept.items()}


def test_what_a_job_left_goes_days_after_its_end_whatever_the_times_of_its_files(factory):
    ended = factory.submit(a_job("sleep 10"))
    factory.pass_time(10 * SECOND_MS)
    end = factory.clock.now()
    assert factory.job(ended)["state"] == "ended"
    factory.pass_time(7 * DAY_MS)
    engine = KeepsForJobs(**{ended: 0})
    assert kept_after(factory, engine) == {kind: {ended} for kind in Remains}
    factory.pass_time(SECOND_MS)
    engine = KeepsForJobs(**{ended: end + 100 * DAY_MS})
    assert kept_after(factory, engine) == {Remains.CHECKPOINTS: set(), Remains.OUTPUTS: {ended}, Remains.LOGS: {ended}}
    factory.pass_time(23 * DAY_MS)
    assert kept_after(factory, engine) == {kind: set() for kind in Remains}


def test_a_job_that_has_not_ended_keeps_all_and_an_unknown_one_what_changed_lately(factory):
    active = factory.submit(a_job("sleep 9000000", limit_s=9_000_000))
    factory.pass_time(40 * DAY_MS)
    assert factory.job(active)["state"] == "running"
    now = factory.clock.now()
    engine = KeepsForJobs(**{active: 0, "job_old": now - 31 * DAY_MS, "job_new": now - DAY_MS})
    assert kept_after(factory, engine) == {kind: {active, "job_new"} for kind in Remains}


def test_an_engine_that_keeps_nothing_is_let_be(factory):
    assert expire_remains(factory.app, KEPT) == 0


@pytest.fixture
def archives(factory, tmp_path):
    """A factory with one archive, uploaded 31 days ago by its clock."""
    folder = ArchiveFolder(tmp_path / "archives")
    with folder.receive() as upload:
        upload.write(b"archive")
        assert upload.keep() == ARCHIVE
    made_old(factory, folder)
    factory.app.archives = folder
    factory.perform(receive_archive.command(SYSTEM, project=factory.project, archive=ARCHIVE, size=7))
    return folder


def made_old(factory, folder):
    seconds = (factory.clock.now() - 31 * DAY_MS) / 1000
    os.utime(folder.path_of(ARCHIVE), (seconds, seconds))


def expire_unused(factory):
    factory.run_rounds(Round("expire-files", HOUR_MS, lambda app: expire_archives(app, 30 * DAY_MS)))


def test_an_archive_goes_that_nobody_used_and_a_later_task_is_told_to_upload_it_again(factory, archives):
    for _ in range(2):
        expire_unused(factory)
        assert archives.path_of(ARCHIVE) is None
    (refusal,) = missing(factory.app, factory.project, a_job(workdir=ARCHIVE))
    assert refusal.reason is Reason.NOT_FOUND
    assert "was deleted" in refusal.what
    assert "again" in refusal.do


def test_an_archive_stays_while_a_job_names_it_that_has_not_ended(factory, archives):
    factory.submit(a_job("sleep 60", cpus=8))
    factory.submit(a_job(cpus=8, workdir=ARCHIVE))
    expire_unused(factory)
    assert archives.path_of(ARCHIVE) is not None


def test_naming_an_archive_in_a_task_renews_it(factory, archives):
    before = factory.clock.now() - 30 * DAY_MS
    old = archives.path_of(ARCHIVE).stat().st_mtime_ns
    assert archives.unused_since(before) == [ARCHIVE]
    assert missing(factory.app, factory.project, a_job(workdir=ARCHIVE)) == ()
    assert archives.path_of(ARCHIVE).stat().st_mtime_ns != old
    in_between = old // 1_000_000
    assert not archives.delete_unused(ARCHIVE, in_between)
    made_old(factory, archives)
    assert archives.delete_unused(ARCHIVE, before)
    assert not archives.delete_unused(ARCHIVE, before)
