"""The ports, held together: what faces and rounds work with."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from eisbach.app import issue_token, record_observation
from eisbach.app.announce_data_set import DataLimits
from eisbach.app.applier import Applier
from eisbach.app.commands import Actor, Answer, Command, Context, Decision, IdempotencyKey
from eisbach.app.draft import Draft
from eisbach.app.entry_codes import EntryCodes
from eisbach.app.events import ClockJumped
from eisbach.app.mailbox import Mailbox
from eisbach.app.site_facts import SiteFacts
from eisbach.app.start_attempt import AttemptSources
from eisbach.app.state import FactoryState
from eisbach.app.tell_engine import EngineTeller
from eisbach.core.vocabulary.quantities import SECOND_MS, Instant
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.archives import Archives
from eisbach.ports.authoriser import Authoriser, Resource
from eisbach.ports.clock import Clock
from eisbach.ports.crash import reached
from eisbach.ports.engine import Engine, Observation
from eisbach.ports.ids import Ids
from eisbach.ports.objects import Objects
from eisbach.ports.secrets import Secrets
from eisbach.ports.signer import Signer
from eisbach.ports.store import Reader, Store

if TYPE_CHECKING:
    # With all that invoices are made of: most processes issue none.
    from eisbach.app.invoice_office import InvoiceOffice
    from eisbach.ports.meter import Meter
    from eisbach.ports.packages import Packages
    from eisbach.ports.templates import Templates
    from eisbach.ports.translator import Translator

T = TypeVar("T")

_OWNED: Final = {"Job": "jobs", "Data": "data_sets", "Booking": "bookings"}
"""Kinds of things that belong to a project, and their tables."""

CLOCK_JUMP_MS: Final = 2 * SECOND_MS
"""A wall clock that moves this much against the boot clock has jumped, and the log says so."""


class FacePorts(msgspec.Struct, frozen=True, kw_only=True):
    """The ports that only faces use: who may do what, in which words it is told, and what can be started from."""

    authoriser: Authoriser
    translator: "Translator"
    templates: "Templates"


class Keepers(msgspec.Struct, frozen=True, kw_only=True):
    """The ports behind which lies what the log only refers to, and how much of it there may be."""

    archives: Archives
    secrets: Secrets
    objects: Objects
    data_limits: DataLimits


class Application:
    """One factory. The same class live, in tests and in the twin; only the ports differ."""

    packages: "Packages"
    """where organisations come from and go to; the composition root sets it"""

    def __init__(
        self,
        *,
        store: Store,
        engine: Engine,
        clock: Clock,
        ids: Ids,
        signer: Signer,
        faces: FacePorts,
        keepers: Keepers,
        isolation: str = "",
        is_inline: bool = False,
    ) -> None:
        """`is_inline` has every command decided at once by whoever hands it over, without the applier's thread."""
        self._store, self.engine, self.clock, self.ids = store, engine, clock, ids
        self.signer = signer
        self.authoriser, self.translator, self.templates = faces.authoriser, faces.translator, faces.templates
        self.archives, self.secrets, self.objects = keepers.archives, keepers.secrets, keepers.objects
        self.data_limits = keepers.data_limits
        self.isolation = isolation
        self.entry_codes = EntryCodes(ids, clock)
        self.meters: Mapping[str, Meter] = {}
        self.sites: Mapping[str, SiteFacts] = {}
        self.office: InvoiceOffice | None = None
        """who sells and what writes invoices; without one none is issued"""
        self.listeners: list[Callable[[Draft], None]] = []
        """called with each batch that stands in the store"""
        self._projects: dict[str, Resource] = {}
        self._clock_offset_ms = clock.wall() - clock.uptime_ms()
        reached("recover.before_leadership")
        self.applier = Applier(store, clock, ids, signer, self._after_commit, is_inline=is_inline)
        reached("recover.after_leadership")
        sources = AttemptSources(store, keepers.archives, keepers.secrets, keepers.objects)
        self.teller = EngineTeller(engine, sources, self.observed, self._is_held)
        engine.subscribe(self.observed)

    @property
    def reader(self) -> Reader:
        """Return the reads of committed rows."""
        return self._store

    @property
    def epoch(self) -> int:
        """Return the epoch under which this server leads."""
        return self.applier.epoch

    def start(self) -> None:
        """Start the applier's and the teller's threads."""
        self.applier.start()
        self.teller.start()

    def stop(self) -> None:
        """Decide what is waiting, tell the engine, and let go of it; work that runs keeps running."""
        self.applier.stop()
        self.teller.stop()
        self.engine.close()

    def close(self) -> None:
        """Let go of the store; nothing else may follow."""
        self._store.close()

    def perform(self, command: Command, key: IdempotencyKey | None = None) -> "Future[Answer]":
        """Return a future of the answer to a command; it resolves once the decision is durable."""
        return self.applier.perform(command, key)

    def post(self, command: Command, key: IdempotencyKey | None, mailbox: Mailbox, ticket: Any) -> None:
        """Like `perform`, the answer goes to the mailbox together with all others of its batch."""
        self.applier.post(command, key, mailbox, ticket)

    def ask(self, question: Callable[[FactoryState, Instant], T]) -> "Future[T]":
        """Return a future of what a question about the state answers."""
        return self.applier.ask(question)

    def observed(self, seen: Observation) -> None:
        """Take what the engine saw; from any thread."""
        reached("observe.before_record")
        self.applier.note(record_observation.command(seen), is_urgent=seen.ending is not None)

    def sign_head(self) -> "Future[Answer]":
        """Have a head signed where the log has grown since the last one."""
        return self.applier.sign_head()

    def simulated_sites(self) -> list[str]:
        """Return the sites at which nothing is executed, in the order of the site file; from any thread."""
        return [name for name, facts in self.sites.items() if facts.is_simulated]

    def actor_of(self, secret: str) -> Actor | None:
        """Return who holds a token's secret, or None where it is unknown, expired or revoked; from any thread."""
        return issue_token.actor_of(self.applier.state, secret, self.clock.wall())

    def still_holds(self, actor: Actor) -> bool:
        """Return whether an actor's token is still valid, for what was handed out in its name; from any thread."""
        return issue_token.still_holds(self.applier.state, actor, self.clock.wall())

    def resource_of(self, kind: str, name: str) -> Resource | None:
        """Return where an object belongs (`Organisation`, `Project`, `Token`, `Job`, `Data`, `Booking`, `Node`, `Invoice`), or None without it."""
        state = self.applier.state
        if kind == "Organisation":
            return Resource(kind, self._ancestors(name)) if name in state.organisations else None
        if kind == "Project":
            return self._project(name)
        if kind == "Token":
            token = state.tokens.get(name)
            return Resource(kind, self._ancestors(token.organisation), token.project) if token is not None else None
        if kind == "Invoice":
            invoice = self.reader.row("invoices", name)
            return Resource(kind, self._ancestors(invoice["organisation"])) if invoice is not None else None
        if kind == "Node":
            return Resource(kind) if name in state.scheduler.fleet.nodes else None
        if kind in _OWNED:
            owner = self._owner(kind, name)
            found = self._project(owner) if owner is not None else None
            return Resource(kind, found.organisations, found.project) if found is not None else None
        raise ValueError(f"there are no resources of the kind {kind!r}")

    def watch_clock(self) -> int:
        """Record a jump of the wall clock against the boot clock; return the jump in milliseconds (0: none)."""
        offset = self.clock.wall() - self.clock.uptime_ms()
        jump = offset - self._clock_offset_ms
        if abs(jump) <= CLOCK_JUMP_MS:
            return 0
        expected = self._clock_offset_ms + self.clock.uptime_ms()

        def decide(state: FactoryState, context: Context) -> Decision | Refusal:
            return Decision(events=(ClockJumped(expected_ms=expected, seen_ms=expected + jump),))

        if isinstance(self.perform(decide).result(), Refusal):
            return 0  # the store takes nothing now: the next round says it
        self._clock_offset_ms = offset
        return jump

    def _owner(self, kind: str, name: str) -> str | None:
        """Return the project of a job, a data set or a booking: from the state, or from its row once it is over."""
        state = self.applier.state
        places: Mapping[str, Any] = {"Job": state.scheduler.jobs, "Data": state.data.sets, "Booking": state.booking.bookings}
        known = places[kind].get(name)
        return known.project if known is not None else (self.reader.row(_OWNED[kind], name) or {}).get("project")

    def _project(self, name: str) -> Resource | None:
        """Return where a project belongs, which never changes; asked at each submission."""
        known = self._projects.get(name)
        if known is None:
            project = self.applier.state.projects.get(name)
            if project is None:
                return None
            known = self._projects[name] = Resource("Project", self._ancestors(project.organisation), name)
        return known

    def _is_held(self, attempt: str) -> bool:
        return attempt in self.applier.state.scheduler.holding

    def _ancestors(self, organisation: str | None) -> tuple[str, ...]:
        found: list[str] = []
        while organisation is not None and organisation not in found:
            found.append(organisation)
            organisation = self.applier.state.organisations[organisation].parent
        return tuple(found)

    def _after_commit(self, draft: Draft) -> None:
        self.teller.after_commit(draft)
        for listen in self.listeners:
            listen(draft)
