"""What the twin is asked to do: customers, and jobs in the order of their submission."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

import msgspec

from eisbach.app.create_organisation import SEGMENTS
from eisbach.app.names import check_name
from eisbach.app.site_facts import SiteFacts
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.jobs.placement import NO_RULE, PlacementRule
from eisbach.core.jobs.request import WHOLE, CapacityClass, NodeShape
from eisbach.core.jobs.within import Within
from eisbach.core.vocabulary.quantities import MINUTE_MS
from eisbach.twin.wrong_input import WrongInput

NOBODY = "nobody"
"""The customer of jobs without a user."""


class Work(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A job as it will be submitted: `submit_ms` after the beginning of the run, over after `duration_ms` if it is not
    stopped before. `others` are further shapes that will do, `booking` what the workload calls the one that it
    runs inside (where there is none of that name it is on-demand), `submitter` whose
    earlier jobs its runtime is predicted from (empty: the factory itself).
    """

    job: str
    customer: str
    submit_ms: int
    duration_ms: int
    limit_ms: int
    nodes: int
    shape: NodeShape
    capacity_class: CapacityClass = CapacityClass.ON_DEMAND
    within: Within | None = None
    others: tuple[NodeShape, ...] = ()
    placement: PlacementRule = NO_RULE
    booking: str = ""
    grace_ms: int = 0
    submitter: str = ""


class Customer(NamedTuple):
    """An organisation with one project of the same name."""

    name: str
    segment: str


class Workload(Protocol):
    """Who asks, and for what. Iterating yields the same jobs in the same order each time."""

    @property
    def customers(self) -> Sequence[Customer]:
        """Return all that will ever ask."""

    @property
    def label(self) -> str:
        """Return where it comes from, in words for a report."""

    def __len__(self) -> int:
        """Return how many jobs there are."""

    def __iter__(self) -> Iterator[Work]:
        """Yield jobs in the order of their submission."""


class UnknownFlavour(WrongInput):
    """A site does not have what a workload names; the message says what it has."""


class Unfit(UnknownFlavour):
    """A job of a workload that its site could never start; the message says why."""


class Unit(msgspec.Struct, frozen=True):
    """The kind of node that jobs run on, and how many of it a site has."""

    flavour: str
    nodes: int
    cpu_milli: int
    memory_mib: int
    gpus: int

    def part(self, gpus_milli: int) -> tuple[int, NodeShape]:
        """Return how many nodes, and what of each, so many thousandths of GPUs are, with the same part of cores and memory.

        Up to one GPU it is a part of one, up to a node's so many GPUs of one, above that whole nodes.
        """
        gpus = -(-gpus_milli // WHOLE)
        if gpus > self.gpus:
            return -(-gpus // max(1, self.gpus)), self.whole
        of, all_of = (gpus_milli, self.gpus * WHOLE) if gpus_milli < WHOLE else (gpus, self.gpus)
        return 1, NodeShape(
            cpu_milli=max(1, self.cpu_milli * of // all_of),
            memory_mib=self.memory_mib * of // all_of,
            gpus=gpus,
            flavour=self.flavour,
            gpu_milli=min(gpus_milli, WHOLE),
        )

    @property
    def whole(self) -> NodeShape:
        """Return all of one node."""
        return NodeShape(cpu_milli=self.cpu_milli, memory_mib=self.memory_mib, gpus=self.gpus, flavour=self.flavour)


def unit_of(site: SiteFacts, flavour: str = "") -> Unit:
    """Return the flavour of a site that is named, or else the one with most GPUs; raise UnknownFlavour."""
    counts: dict[str, int] = {}
    for node in site.nodes:
        counts[node.flavour] = counts.get(node.flavour, 0) + 1
    first = {node.flavour: node for node in reversed(site.nodes)}
    names = [name for name in first if not flavour or is_flavour(name, flavour)]
    if not names:
        raise UnknownFlavour(f"The site {site.site!r} has no {flavour!r}; it has {', '.join(sorted(first))}")
    best = first[max(names, key=lambda name: (first[name].gpus * counts[name], counts[name], name))]
    return Unit(best.flavour, counts[best.flavour], best.cpu_milli, best.memory_mib, best.gpus)


def segment_of(name: str) -> str:
    """Return the segment of a customer of whom nothing but the name is known: by a hash, so the same in every trace."""
    return SEGMENTS[stable_hash(name) % len(SEGMENTS)]


def customer_name(user: str) -> str:
    """Return what a user is called as an organisation: as in the file where that can be a name."""
    if not user:
        return NOBODY
    return user if check_name(user, "organisation") is None else f"user-{stable_hash(user):012x}"


def derived_limit_ms(job: str, duration_ms: int) -> int:
    """Return the limit of a job of which only the duration is known: 1.2 to 3 times that, and a minute.

    It is the spread of make_week.py of the week files (people ask for more than they need), by a hash of the job's id.
    """
    return duration_ms * (1200 + stable_hash(job) % 1800) // 1000 + MINUTE_MS


def stable_hash(text: str) -> int:
    """Return a number that is the same in every run and on every machine."""
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest())
