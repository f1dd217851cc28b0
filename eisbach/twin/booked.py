"""Bookings in the twin: a customer asks for a quote, books its first option, and works inside the window."""

from collections.abc import Iterable, Iterator
from functools import partial

from eisbach.app import book_capacity, quote_capacity, submit_job
from eisbach.app.commands import SYSTEM
from eisbach.core.jobs.request import CapacityClass, JobSpec
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.engines.simulated.script import Course
from eisbach.twin import run
from eisbach.twin.demand import BookingWish, DemandWorkload
from eisbach.twin.world import START_MS, World


def with_bookings(acts: Iterable[run.Act], demand: DemandWorkload) -> list[run.Act]:
    """Return what happens and what is booked, in order of instants; nodes before bookings."""
    return sorted([*acts, *Booked(demand.bookings()).acts(START_MS)], key=lambda act: act.at_ms)


class Booked:
    """Books what customers wish, and counts what they got."""

    def __init__(self, wishes: Iterable[BookingWish]) -> None:
        self._wishes = tuple(wishes)
        self.made = self.refused = 0

    def acts(self, begin_ms: int) -> Iterator[run.Act]:
        """Yield the asking, in order of instants."""
        for number, wish in enumerate(self._wishes, 1):
            yield run.Act(begin_ms + wish.asked_ms, partial(self._book, wish, begin_ms, number))

    def _book(self, wish: BookingWish, begin_ms: int, number: int, world: World) -> None:
        project, sites = world.projects[wish.customer], world.application.sites
        length_ms = wish.until_ms - wish.from_ms
        wanted = quote_capacity.Wanted(
            flavour=wish.flavour, nodes=wish.nodes, length_ms=length_ms, from_ms=begin_ms + wish.from_ms,
            within=wish.within.level.value if wish.within is not None else "",
        )  # fmt: skip
        (quoted,) = world.decide([quote_capacity.command(SYSTEM, sites, project=project, wanted=wanted)])
        if isinstance(quoted, Refusal) or not quoted["options"]:
            self.refused += 1
            return
        chosen = quoted["options"][0]
        (booked,) = world.decide([book_capacity.command(SYSTEM, sites, project=project, option=chosen["option"])])
        world.rest()
        if isinstance(booked, Refusal):
            self.refused += 1
            return
        self.made += 1
        self._work_inside(world, wish, project, str(booked["booking"]), number)

    def _work_inside(self, world: World, wish: BookingWish, project: str, booking: str, number: int) -> None:
        """One job on all of the booking's nodes for the part of the window that its owner uses."""
        run_ms = (wish.until_ms - wish.from_ms) * wish.used_permille // 1000
        if not run_ms:
            return
        spec = JobSpec(
            name=f"{wish.customer}-booked-{number}", nodes=wish.nodes, shapes=(wish.shape,), run="",
            time_limit_ms=run_ms, checkpoint=run.NO_GRACE, capacity_class=CapacityClass.RESERVED, booking=booking,
        )  # fmt: skip
        (answer,) = world.decide([submit_job.command(SYSTEM, project=project, spec=spec)])
        if not isinstance(answer, Refusal):
            world.courses[str(answer["job"])] = Course(run_ms, 0)
            world.rest()
