"""The factory's own past as a workload: who submitted what, how long it ran, what happened to nodes; read from the log."""


from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eisbach.app import events as e
from eisbach.app import tend_nodes
from eisbach.app.commands import SYSTEM
from eisbach.app.event_codec import OpenedEvent, open_event
from eisbach.app.events_booking import BookingMade
from eisbach.app.events_health import NodeMarked
from eisbach.app.events_planning import SchedulerSet
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.core.capacity.health import Health
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.request import WHOLE, CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.scheduling.policy import DEFAULT
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.ports.store import Reader
from eisbach.twin.faults import lose_nodes
from eisbach.twin.run import Act
from eisbach.twin.workload import Customer, Work
from eisbach.twin.world import START_MS, World

PAGE = 1_000
UNKNOWABLE = (
    "work that nobody submitted because it would have waited is not here",
    "what was cancelled, lost or stopped by its limit is played with the time that its last attempt ran",
    "each job is submitted at the instant at which it was, whatever became of those before it",
)


class NoPast(Exception):
    """A log holds nothing that can be replayed; the message says why."""


@dataclass(slots=True, kw_only=True)
class _Job:
    project: str
    submit_ms: int
    nodes: int
    shape: NodeShape
    limit_ms: int
    capacity_class: CapacityClass
    within: Within | None
    ran_ms: int | None = None


class Past:
    """What a log says of the jobs submitted in a window, and of all that happened to nodes from then on.

    Reading takes every event once, to the end: how long a job ran is said behind the window. Jobs are kept, nothing else.
    """

    def __init__(self, events: Iterable[OpenedEvent], *, from_ms: int = 0, until_ms: int = 1 << 62) -> None:
        """Raise NoPast where no job of the window ran."""
        self._from_ms, self._until_ms = from_ms, until_ms
        self._nodes: dict[str, tuple[str, NodeFacts]] = {}
        self._sites: dict[str, e.SiteDeclared | e.SiteChanged] = {}
        self._segments: dict[str, str] = {}
        self._organisation: dict[str, str] = {}
        self._jobs: dict[str, _Job] = {}
        self._closed: dict[str, tend_nodes.Act] = {}
        self._happenings: list[tuple[int, str, tend_nodes.Act]] = []
        self._bookings = 0
        self.policy = DEFAULT.name
        """the one that held at the end of the window"""
        self._take: dict[type[e.Body], Callable[[int, Any], None]] = {
            e.SiteDeclared: self._site,
            e.SiteChanged: self._site,
            e.NodeDeclared: self._node,
            e.NodeChanged: self._node,
            e.NodeDrained: self._drained,
            NodeMarked: self._marked,
            e.OrganisationCreated: self._created,
            e.ProjectCreated: self._project,
            e.JobSubmitted: self._submitted,
            e.AttemptEnded: self._ended,
            BookingMade: self._booked,
            SchedulerSet: self._scheduler_set,
        }
        for event in events:
            take = self._take.get(type(event.body))
            if take is not None:
                take(event.at_ms, event.body)
        self._works = [(name, job) for name, job in self._jobs.items() if job.ran_ms is not None]
        if not self._works:
            raise NoPast(f"No job of this time ran to an end ({len(self._jobs)} were submitted): there is nothing to replay")
        self.begin_ms = self._works[0][1].submit_ms
        self.customers = tuple(
            Customer(project, self._segments[self._organisation[project]])
            for project in dict.fromkeys(job.project for _, job in self._works)
        )
        self.days = (self._works[-1][1].submit_ms - self.begin_ms) // DAY_MS + 1
        self.label = f"{len(self._works):,} jobs of the factory's own past"

    def __len__(self) -> int:
        return len(self._works)

    def __iter__(self) -> Iterator[Work]:
        for name, job in self._works:
            yield Work(
                job=name,
                customer=job.project,
                submit_ms=job.submit_ms - self.begin_ms,
                duration_ms=job.ran_ms or 0,
                limit_ms=job.limit_ms,
                nodes=job.nodes,
                shape=job.shape,
                capacity_class=job.capacity_class,
                within=job.within,
            )

    def sites(self) -> tuple[SiteFacts, ...]:
        """Return the sites with all nodes that stood there at any time."""
        found: dict[str, list[NodeFacts]] = {}
        for site, node in self._nodes.values():
            found.setdefault(site, []).append(node)
        return tuple(
            SiteFacts(
                site=name, country=said.country, operator=said.operator, operator_country=said.operator_country,
                nodes=tuple(found[name]), is_simulated=True,
            )
            for name, said in self._sites.items()
            if name in found
        )  # fmt: skip

    def acts(self) -> list[Act]:
        """Return what happened to nodes, as acts of a run that begins at START_MS; first of all how the window found them."""
        found = [Act(START_MS, _act_on(node, act)) for node, act in self._closed.items()]
        return found + [Act(START_MS + max(0, at_ms - self.begin_ms), _act_on(node, act)) for at_ms, node, act in self._happenings]

    def unknown(self) -> list[str]:
        """Return what a replay of it cannot know or does not play, with how much of it there was."""
        left_out = len(self._jobs) - len(self._works)
        found = [f"{left_out:,} jobs that never ran or still run are left out"] if left_out else []
        found += [f"{self._bookings:,} bookings are not played: their nodes are free here, work inside them is on-demand"] if self._bookings else []
        if any(job.shape.flavour is None and job.shape.gpus for _, job in self._works):
            found.append("jobs that accept any flavour take the first that fits")
        return [*found, *UNKNOWABLE, "budgets, rules about places and power caps are not played"]

    def _site(self, at_ms: int, body: e.SiteDeclared | e.SiteChanged) -> None:
        self._sites[body.site] = body

    def _node(self, at_ms: int, body: e.NodeDeclared | e.NodeChanged) -> None:
        site = body.site or self._nodes[body.node][0]
        facts = NodeFacts(
            node=body.node, pool=body.pool, flavour=body.flavour, cpu_milli=body.cpu_milli, memory_mib=body.memory_mib,
            gpus=body.gpus, hall=body.hall, row=body.row, rack=body.rack,
        )  # fmt: skip
        self._nodes[body.node] = (site, facts)

    def _drained(self, at_ms: int, body: e.NodeDrained) -> None:
        closing = tend_nodes.Act.CORDON if body.keeps_work else tend_nodes.Act.DRAIN
        self._happened(at_ms, body.node, closing if body.drained else tend_nodes.Act.RESUME)

    def _marked(self, at_ms: int, body: NodeMarked) -> None:
        if Health(body.health) is not Health.SUSPECT:  # a suspicion follows from failures, and those are played
            self._happened(at_ms, body.node, tend_nodes.Act.LOST if Health(body.health) is Health.LOST else tend_nodes.Act.REPAIR)

    def _happened(self, at_ms: int, node: str, act: tend_nodes.Act) -> None:
        if at_ms >= self._from_ms:
            self._happenings.append((at_ms, node, act))
        elif act in (tend_nodes.Act.RESUME, tend_nodes.Act.REPAIR):
            self._closed.pop(node, None)
        else:
            self._closed[node] = act

    def _created(self, at_ms: int, body: e.OrganisationCreated) -> None:
        self._segments[body.organisation] = body.segment

    def _project(self, at_ms: int, body: e.ProjectCreated) -> None:
        self._organisation[body.project] = body.organisation

    def _submitted(self, at_ms: int, body: e.JobSubmitted) -> None:
        if not self._is_in_window(at_ms):
            return
        cpu_milli, memory_mib, gpus, flavour = body.shapes[0]
        gpu_milli, mig = body.parts[0] if body.parts else (WHOLE, "")
        self._jobs[body.job] = _Job(
            project=body.project,
            submit_ms=at_ms,
            nodes=body.nodes,
            shape=NodeShape(cpu_milli=cpu_milli, memory_mib=memory_mib, gpus=gpus, flavour=flavour, gpu_milli=gpu_milli, mig=mig),
            limit_ms=body.limit_ms,
            capacity_class=_class_of(body.capacity_class),
            within=Within(Level(body.within), is_required=body.within_required) if body.within else None,
        )

    def _ended(self, at_ms: int, body: e.AttemptEnded) -> None:
        job = self._jobs.get(body.job)
        if job is not None and body.running_since_ms is not None:
            job.ran_ms = body.held_ms

    def _booked(self, at_ms: int, body: BookingMade) -> None:
        self._bookings += self._is_in_window(at_ms)

    def _scheduler_set(self, at_ms: int, body: SchedulerSet) -> None:
        if at_ms < self._until_ms:
            self.policy = body.policy

    def _is_in_window(self, at_ms: int) -> bool:
        return self._from_ms <= at_ms < self._until_ms


def _class_of(said: str) -> CapacityClass:
    """Return the class that a job is played in: what was inside a booking is on-demand where no bookings are played."""
    found = CapacityClass(said)
    return CapacityClass.ON_DEMAND if found is CapacityClass.RESERVED else found


def events_in(reader: Reader) -> Iterator[OpenedEvent]:
    """Yield every event of a log, oldest first."""
    seq = -1
    while page := reader.events(after_seq=seq, limit=PAGE):
        for sealed in page:
            yield open_event(sealed.data)
        seq = page[-1].seq


def _act_on(node: str, act: tend_nodes.Act) -> Callable[[World], object]:
    def happen(world: World) -> None:
        if act is tend_nodes.Act.LOST:
            lose_nodes(world, (node,))
            return
        if act is tend_nodes.Act.REPAIR:
            world.engine.bring_node_back(node)
        world.perform(tend_nodes.command(SYSTEM, act=act, targets=Targets(names=(node,))))

    return happen
