"""The explorer: many small factories at random, each from a seed, with crashes at every named point and every invariant checked.

A seed repeats its story exactly. What it finds is a `Violation`, and so is an error that nobody meant.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from eisbach.adapters.signing import signer_from
from eisbach.core.jobs.lifecycle import TRANSITIONS, JobState
from eisbach.core.vocabulary.reasons import Reason
from eisbach.ports import crash
from eisbach.stores.memory import MemoryStore
from eisbach.twin import acts_of_booking, acts_of_people, acts_of_site, acts_of_time
from eisbach.twin.checks import Checks, Violation
from eisbach.twin.frail_engine import FrailEngine
from eisbach.twin.random_site import random_sites
from eisbach.twin.story import POINTS, Story
from eisbach.twin.world import ORIGIN, START_MS, World

STEPS = 60
"""Things that happen in a story."""
ALL_EVERY = 20
"""Steps between two looks at everything; crashes and the end have one too."""

ELSEWHERE = frozenset(
    {
        Reason.INVALID_TASK, Reason.UNKNOWN_KEY, Reason.NOT_SUPPORTED, Reason.INVALID_ARCHIVE, Reason.TOO_LARGE,
        Reason.METHOD_NOT_ALLOWED, Reason.LIMIT_ABOVE_MAXIMUM, Reason.UNAUTHENTICATED, Reason.FORBIDDEN, Reason.NAME_TAKEN,
        Reason.ORGANISATION_EXISTS, Reason.INVALID_PACKAGE, Reason.UNTRUSTED_ORIGIN, Reason.IDEMPOTENCY_CONFLICT,
        Reason.MISSING_SECRET, Reason.OVER_QUOTA, Reason.WRONG_OFFSET, Reason.WRONG_CHECKSUM, Reason.UPLOAD_BUSY,
        Reason.DATA_IN_USE, Reason.DATA_DELETED, Reason.DATA_DAMAGED, Reason.NOTHING_TO_BILL,
        Reason.BILLING_DETAILS_MISSING, Reason.CREDIT_TOO_LARGE, Reason.NO_VAT_RATE, Reason.OUT_OF_MEMORY, Reason.DISK_FULL,
        Reason.STORE_FULL, Reason.STORE_UNAVAILABLE, Reason.NOT_LEADER, Reason.OVERLOADED, Reason.INTERNAL_ERROR,
    }
)  # fmt: skip
"""Reasons of faces, files, invoices and broken disks: none of them is about who gets which capacity when."""

ACTS = {**acts_of_people.ACTS, **acts_of_booking.ACTS, **acts_of_site.ACTS, **acts_of_time.ACTS}
Transition = tuple[JobState, JobState]


@dataclass(slots=True)
class Told:
    """How the story of one seed went."""

    seed: int
    events: int = 0
    full_checks: int = 0
    violations: list[Violation] = field(default_factory=list)
    promises: int = 0
    promises_broken: int = 0
    trace: list[str] = field(default_factory=list)
    log_root: str = ""
    transitions: set[Transition] = field(default_factory=set)
    reasons: set[Reason] = field(default_factory=set)
    points: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Explored:
    """What many seeds came to."""

    seeds: int = 0
    events: int = 0
    full_checks: int = 0
    violations: int = 0
    promises: int = 0
    promises_broken: int = 0
    failing: list[Told] = field(default_factory=list)
    transitions: set[Transition] = field(default_factory=set)
    reasons: set[Reason] = field(default_factory=set)
    points: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, told: Told) -> None:
        """Count a story."""
        self.seeds += 1
        self.events += told.events
        self.full_checks += told.full_checks
        self.violations += len(told.violations)
        self.promises += told.promises
        self.promises_broken += told.promises_broken
        if told.violations:
            self.failing.append(told)
        self.transitions |= told.transitions
        self.reasons |= told.reasons
        self.points |= told.points
        self.outcomes.update(told.outcomes)

    @property
    def never(self) -> dict[str, list[str]]:
        """Return which transitions, reasons and crash points were never hit."""
        transitions = {(before, after) for before, afters in TRANSITIONS.items() for after in afters}
        return {
            "transitions": sorted(f"{before.value}>{after.value}" for before, after in transitions - self.transitions),
            "reasons": sorted(reason.value for reason in set(Reason) - ELSEWHERE - self.reasons),
            "crash_points": sorted(set(POINTS) - self.points),
        }


def explore(seeds: Iterable[int], *, steps: int = STEPS, after: Callable[[Told], object] = lambda told: None) -> Explored:
    """Play the stories of all seeds; `after` sees each one."""
    explored = Explored()
    for seed in seeds:
        told = play(seed, steps=steps)
        explored.add(told)
        after(told)
    return explored


def play(seed: int, *, steps: int = STEPS) -> Told:
    """Play one story to its end, or to the first thing that is wrong in it."""
    told = Told(seed)
    crash.disarm()
    try:
        _play(told, steps)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding of this seed)
        told.violations.append(Violation(f"{type(error).__name__}: {error}", 0))
    finally:
        crash.disarm()
    return told


def _play(told: Told, steps: int) -> None:
    chance = Random(told.seed)
    engines: list[FrailEngine] = []
    starting_ms, trouble = chance.choice([0, 0, 3000]), chance.choice([0.0, 0.0, 0.1, 0.4])

    def engine_on(clock: object) -> FrailEngine:
        engines.append(FrailEngine(clock, start_ms=starting_ms, chance=Random(told.seed + 1), trouble=trouble))  # type: ignore[arg-type]
        return engines[0]

    world = World(
        random_sites(chance, START_MS),
        store=MemoryStore(),
        seed=told.seed,
        signer=signer_from(ORIGIN, Random(told.seed).randbytes(32)),
        engine=engine_on,
    )
    checks = Checks(world, is_thorough=True)
    story = Story(world, engines[0], chance, ACTS)
    for number in range(chance.randint(1, 3)):
        story.projects.append(acts_of_people.new_customer(story, f"customer {number}"))
    told.trace = story.trace

    def begun_anew() -> None:
        checks.attend()
        checks.look_at_all()

    story.on_restart = begun_anew
    try:
        for number in range(steps):
            story.step()
            if checks.is_full_due() or not number % ALL_EVERY:
                checks.look_at_all()
            else:
                checks.look()
            if checks.found:
                return
        is_over = story.finish()
        checks.look_at_all()
        if not is_over:
            checks.find(f"2: without an obstacle {sorted(world.state.scheduler.jobs)} do not end")
        for attempt, times in engines[0].began.items():
            if times > 1:
                checks.find(f"2: {attempt} was begun {times} times")
    finally:
        _sum_up(told, world, checks, story)


def _sum_up(told: Told, world: World, checks: Checks, story: Story) -> None:
    books = checks.books
    told.events, told.full_checks = checks.events, checks.full_checks
    told.violations += checks.found
    told.transitions, told.reasons = books.transitions, books.reasons | story.reasons | checks.reasons
    told.points, told.outcomes = story.points, books.outcomes
    told.promises, told.promises_broken = books.promises.given, books.promises.broken
    told.log_root = world.application.applier.frontier.root().hex()
