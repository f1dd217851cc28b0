"""The composition root of the twin: the same application on a virtual clock, with an engine that only passes time.

Everything runs inline on one thread, so a seed and a workload repeat a run exactly. The store keeps totals; whoever wants
rows, a log to read or restarts passes one that keeps more.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from eisbach import __version__
from eisbach.adapters.clocks import VirtualClock
from eisbach.adapters.identifiers import SeededIds
from eisbach.app import create_organisation, create_project
from eisbach.app.announce_data_set import DataLimits
from eisbach.app.application import Application, FacePorts, Keepers
from eisbach.app.commands import SYSTEM, Answer, Command
from eisbach.app.open_factory import open_factory
from eisbach.app.site_facts import SiteFacts, TariffFacts
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.invariant import require
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import Instant
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.engines.simulated.courses import CourseEngine, SavingEngine
from eisbach.engines.simulated.engine import SimulatedEngine
from eisbach.engines.simulated.script import Course
from eisbach.ports.clock import Clock
from eisbach.ports.signer import Signer
from eisbach.ports.store import Store
from eisbach.stores.totals import TotalsStore
from eisbach.twin.absent import Absent, Unsigned

T = TypeVar("T")

ORIGIN: Final = "twin.eisbach/factory"
START_MS: Final = 1_767_571_200_000
"""2026-01-05T00:00Z, a Monday: where a run's virtual time begins unless it says otherwise."""
BUDGET_EUR: Final = 10_000_000_000
"""What a customer of a world may spend in a month: enough that no trace is ever held up by money."""
SEEDS_APART: Final = 1_000_003
"""Between the seeds of two lives of one world: an id that was given is not given again."""
STEPS_MAX: Final = 10_000
"""Batches at one instant after which a world is said never to come to rest."""

PRICES: Final = TariffFacts(
    version="twin-1",
    label="example price list",
    core_hour=40_000,
    memory_gib_hour=5_000,
    gpu_hour={"b200": 5_500_000, "h200": 3_800_000, "h100": 3_200_000, "rtxpro6000": 2_200_000, "*": 2_000_000},
    spot_permille=400,
)
"""The example price list that a new home is given (adapters/price_file.py)."""


class World:
    """An open factory, its clock and its engine. `courses` says what each job will do, by its id."""

    def __init__(
        self,
        sites: Sequence[SiteFacts],
        *,
        store: Store | None = None,
        seed: int = 1,
        start_ms: int = START_MS,
        starting_ms: int = 0,
        checkpoint_ms: int | None = None,
        prices: Sequence[TariffFacts] = (PRICES,),
        signer: Signer | None = None,
        engine: Callable[[Clock], SimulatedEngine] | None = None,
    ) -> None:
        """`starting_ms` is what the engine needs between an order and all tasks running, `checkpoint_ms` how often a job saves
        (None: never); `signer` signs heads where the store keeps them. `engine` makes another engine than the one that knows courses."""
        self.sites, self.prices = tuple(sites), tuple(prices)
        self.courses: dict[str, Course] = {}
        self.clock = VirtualClock(start_ms)
        self.engine: SimulatedEngine
        if engine is not None:
            self.engine = engine(self.clock)
        elif checkpoint_ms is not None:
            self.engine = SavingEngine(self.clock, self.courses, checkpoint_every_ms=checkpoint_ms, start_ms=starting_ms)
        else:
            self.engine = CourseEngine(self.clock, self.courses, start_ms=starting_ms)
        self.store: Store = store if store is not None else TotalsStore()
        self._signer: Signer = signer if signer is not None else Unsigned(ORIGIN)
        self._seed = seed
        self.projects: dict[str, str] = {}
        """name of a customer -> its project"""
        self.bookings: dict[str, str] = {}
        """what a workload calls a booking -> its id"""
        self.application = self._application()
        self._open()

    def stop(self) -> None:
        """Decide what waits and take a snapshot, as a process does that is told to end; `restart` goes on from there."""
        self.application.applier.stop()

    def restart(self) -> None:
        """Begin anew on what the store and the engine hold, as a process does that was killed.

        A crash while it begins leaves it to be begun once more.
        """
        self.engine.close()
        self._seed += SEEDS_APART
        self.application = self._application()
        self._open()

    def _application(self) -> Application:
        return Application(
            store=self.store,
            engine=self.engine,
            clock=self.clock,
            ids=SeededIds(self._seed),
            signer=self._signer,
            faces=_nobody(),
            keepers=_nothing(),
            isolation=self.engine.isolation,
            is_inline=True,
        )

    def _open(self) -> None:
        open_factory(self.application, origin=ORIGIN, software=__version__, sites=self.sites, prices=self.prices)

    @property
    def state(self) -> FactoryState:
        """Return the state; for looking, never for changing."""
        return self.application.applier.state

    @property
    def now(self) -> Instant:
        """Return the virtual instant."""
        return self.clock.now()

    def add_customer(self, name: str, segment: str = "enterprise", budget_eur: int = BUDGET_EUR) -> str:
        """Make an organisation with one project of the same name; return the project's id."""
        made = self.perform(create_organisation.command(SYSTEM, name=name, segment=segment))
        command = create_project.command(
            SYSTEM, organisation=made["organisation"], name=name, budget_micro_eur=budget_eur * EURO
        )
        self.projects[name] = str(self.perform(command)["project"])
        return self.projects[name]

    def perform(self, command: Command) -> dict[str, Any]:
        """Perform a command, come to rest, and return the answer; a refusal breaks the run."""
        (answer,) = self.decide([command])
        self.rest()
        require(not isinstance(answer, Refusal), f"a world refuses nothing that it asks of itself: {answer}")
        return answer  # type: ignore[return-value]

    def ask(self, question: Callable[[FactoryState, Instant], T]) -> T:
        """Return what a question about the state answers."""
        return question(self.state, self.now)

    def decide(self, commands: Sequence[Command]) -> list[Answer]:
        """Decide what the engine reported, then these commands, in one batch; return the answers to these."""
        answers = self.application.applier.decide_now(commands)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    def rest(self) -> None:
        """Tell the engine what was decided, and decide what it reports, until nothing is due at this instant.

        That work runs is no more than noted: it stands in the log with the next batch, with the instant since when.
        """
        applier, teller, engine = self.application.applier, self.application.teller, self.engine
        for _ in range(STEPS_MAX):
            teller.send_due()
            engine.advance()
            if not applier.is_more_due:
                return
            applier.decide_now(())
        raise AssertionError(f"the world does not come to rest at {self.now}")

    def next_instant(self) -> int | None:
        """Return when the engine or the scheduler has something to do without being asked, or None."""
        engine, scheduler = self.engine.next_instant(), self.application.applier.state.scheduler.next_instant()
        if engine is None or scheduler is None:
            return scheduler if engine is None else engine
        return min(engine, scheduler)

    def advance_to(self, at_ms: int) -> None:
        """Let the clock stand at a later instant; the engine notes what is over by then, nothing is decided."""
        self.clock.advance_to(at_ms)
        self.engine.advance()


def _nobody() -> FacePorts:
    return FacePorts(authoriser=Absent("authoriser"), translator=Absent("translator"), templates=Absent("templates"))


def _nothing() -> Keepers:
    return Keepers(
        archives=Absent("archives"),
        secrets=Absent("secrets"),
        objects=Absent("objects"),
        data_limits=DataLimits(project_bytes_max=0, file_bytes_max=0),
    )
