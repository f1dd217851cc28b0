"""What jobs left on disk and the archives they came from are deleted some days after anybody could need them."""

import logging
from collections.abc import Mapping

from eisbach.app.application import Application
from eisbach.app.start_attempt import read_spec
from eisbach.app.state import FactoryState
from eisbach.core.jobs.lifecycle import JobState
from eisbach.ports.engine import CanExpire, Remains

log = logging.getLogger("eisbach.expiry")


def expire_remains(application: Application, kept_ms: Mapping[Remains, int]) -> int:
    """Delete what the engine keeps of jobs that ended longer ago than `kept_ms` of its kind; return of how many."""
    engine = application.engine
    if not isinstance(engine, CanExpire):
        return 0
    now = application.clock.now()
    deleted = 0
    for kind in Remains:  # outputs before logs: an attempt's folder is emptied once neither is left
        before = now - kept_ms[kind]

        def is_over(job: str, changed_ms: int, before: int = before) -> bool:
            return _is_over(application, job, changed_ms, before)

        deleted += _noted(engine.expire(kind, is_over), kind.value)
    return deleted


def expire_archives(application: Application, kept_ms: int) -> int:
    """Delete archives not used for `kept_ms` that no job names which has not ended; return how many."""
    before = application.clock.now() - kept_ms
    unused = application.archives.unused_since(before)
    if not unused:
        return 0
    needed = _needed_archives(application)
    deleted = [one for one in unused if one not in needed and application.archives.delete_unused(one, before)]
    return _noted(len(deleted), "archives")


def _is_over(application: Application, job: str, changed_ms: int, before: int) -> bool:
    """Return whether a job ended before an instant; the log says when, since tenants can set the times of their files."""
    row = application.reader.row("jobs", job)
    if row is None:
        return changed_ms < before  # from before a restore
    return bool(row["state"] == JobState.ENDED.value and row["ended_ms"] < before)


def _needed_archives(application: Application) -> set[str]:
    """Return the archives that jobs name which have not ended."""

    def active(state: FactoryState, now: int) -> list[str]:
        return list(state.scheduler.jobs)

    specs = (read_spec(application.reader, job) for job in application.ask(active).result())
    return {spec.workdir for spec in specs if spec is not None and spec.workdir is not None}


def _noted(count: int, what: str) -> int:
    if count:
        log.info("deleted %s: %d", what, count)
    return count
