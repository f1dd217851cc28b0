"""The driver: takes the next instant of workload, engine, scheduler or round, and has the application decide it.

At one instant come first the ends of work, then what happens to nodes, then bookings, then submissions.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import msgspec

from eisbach.app import submit_job
from eisbach.app.commands import SYSTEM, Actor, Command, Role
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.engines.simulated.script import Course
from eisbach.twin.figures import Figures
from eisbach.twin.result import Result
from eisbach.twin.rounds import ROUNDS, Every
from eisbach.twin.workload import Unfit, Work
from eisbach.twin.world import World

COLLECT_AFTER: Final = (200_000, 20, 100)
"""Thresholds of Python's collector while a world runs (gc.set_threshold)."""
NEVER: Final = 1 << 62
"""Later than every instant."""
NO_GRACE: Final = CheckpointRule(grace_ms=0)


class Act(msgspec.Struct, frozen=True):
    """Something that happens at an instant besides submissions: `act` gets the world, and decides what it likes.

    Acts come in their order; those of nodes before those of bookings is for whoever lists them.
    """

    at_ms: int
    act: Callable[[World], object]


def unfit(work: Work, refusal: Refusal) -> None:
    """Raise Unfit: a job of a workload is refused."""
    raise Unfit(f"The job {work.job!r} of the workload is refused: {refusal}")


def run(
    world: World,
    workload: Iterable[Work],
    *,
    acts: Iterable[Act] = (),
    rounds: Sequence[Every] = ROUNDS,
    until_ms: int | None = None,
    after_instant: Callable[[World], object] = lambda world: None,
    refuse: Callable[[Work, Refusal], object] = unfit,
) -> Result:
    """Run until all work is over, or until an instant; `after_instant` may check the world, `refuse` gets work that is refused.

    Work is submitted `submit_ms` after the instant at which the world stands now.
    """
    with _collecting_rarely():
        return _run(world, workload, acts, rounds, until_ms, after_instant, refuse)


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Leave what is there to itself and look for cycles rarely: events make none, and a search walks over all that lives."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _run(
    world: World,
    workload: Iterable[Work],
    acts: Iterable[Act],
    rounds: Sequence[Every],
    until_ms: int | None,
    after_instant: Callable[[World], object],
    refuse: Callable[[Work, Refusal], object],
) -> Result:
    figures = Figures(world)
    begin_ms = now = int(world.now)
    arrivals, happenings = _Next(iter(workload), lambda work: begin_ms + work.submit_ms), _Next(iter(acts), lambda act: act.at_ms)
    due = {one: begin_ms - begin_ms % one.period_ms + one.period_ms for one in rounds}
    round_ms = min(due.values(), default=NEVER)
    while True:
        next_ms = world.next_instant()
        at_ms = min(arrivals.at_ms, happenings.at_ms, NEVER if next_ms is None else next_ms)
        if at_ms == NEVER:
            break
        now = max(now, at_ms)
        if round_ms < now:
            now = min([now, *(due_ms for one, due_ms in due.items() if due_ms < now and one.applies(world))])
        if until_ms is not None and now > until_ms:
            break
        world.advance_to(now)
        while happenings.at_ms <= now:
            happenings.take().act(world)
        _submit(world, arrivals.take_until(now) if arrivals.at_ms <= now else (), refuse)
        world.rest()
        if round_ms <= now:
            for one, due_ms in due.items():
                if due_ms <= now:
                    if one.applies(world):
                        one.run(world.application)
                        world.rest()
                    due[one] = now - now % one.period_ms + one.period_ms
            round_ms = min(due.values())
        after_instant(world)
    for one in rounds:
        if one.applies(world):
            one.last(world.application)
    world.decide(())  # what has begun to run stands in the log before it is counted
    return figures.result()


class _Next:
    """An iterator of which the next item is known with its instant."""

    def __init__(self, items: Iterator[Any], at: Callable[[Any], int]) -> None:
        self._items, self._at = items, at
        self._item: Any = None
        self.at_ms = NEVER
        self.take()

    def take(self) -> Any:
        """Return the item and look at the one behind it."""
        taken, self._item = self._item, next(self._items, None)
        self.at_ms = self._at(self._item) if self._item is not None else NEVER
        return taken

    def take_until(self, now: int) -> list[Any]:
        """Return the items up to an instant."""
        taken = []
        while self.at_ms <= now:
            taken.append(self.take())
        return taken


def _submit(world: World, works: Sequence[Work], refuse: Callable[[Work, Refusal], object]) -> None:
    """Decide what the engine reported and these submissions, in one batch."""
    if not works:
        world.decide(())
        return
    answers = world.decide([_command(world, work) for work in works])
    for work, answer in zip(works, answers, strict=True):
        if isinstance(answer, Refusal):
            refuse(work, answer)
            continue
        world.courses[answer["job"]] = _course(work.duration_ms)


def _command(world: World, work: Work) -> Command:
    booking = world.bookings.get(work.booking, "") if work.booking else ""
    spec = JobSpec(
        name=work.job,
        nodes=work.nodes,
        shapes=(work.shape, *work.others),
        run="",
        time_limit_ms=work.limit_ms,
        checkpoint=NO_GRACE if not work.grace_ms else _grace(work.grace_ms),
        capacity_class=CapacityClass.ON_DEMAND if work.booking and not booking else work.capacity_class,
        within=work.within,
        placement=work.placement,
        booking=booking,
    )
    actor = _actor(work.submitter) if work.submitter else SYSTEM
    return submit_job.command(actor, project=world.projects[work.customer], spec=spec)


@lru_cache(maxsize=1024)
def _grace(grace_ms: int) -> CheckpointRule:
    return CheckpointRule(grace_ms=grace_ms)


@lru_cache(maxsize=4096)
def _actor(token: str) -> Actor:
    return Actor(token=token, role=Role.OPERATOR)


@lru_cache(maxsize=4096)
def _course(run_ms: int) -> Course:
    return Course(run_ms, 0)
