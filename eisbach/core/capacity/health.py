"""The health of nodes: what is known of it, on whose word, and from when on a node is under suspicion."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from eisbach.core.capacity.fleet import Share

FAILURES_BEFORE_SUSPECT = 3
"""So many attempts in a row that a node failed through no fault of theirs, and it takes nothing new until somebody has looked."""


class Health(Enum):
    """Whether a node can be relied on. A suspect one keeps its work and takes nothing new; a lost one runs nothing any more."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    LOST = "lost"


class HealthCause(Enum):
    """Who noticed it: a person, the engine that serves the node, or the factory itself by what the node failed."""

    OPERATOR = "operator"
    ENGINE = "engine"
    FAILURES = "failures"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMark:
    """What holds of a node that is not healthy: since when, who noticed, on whose word."""

    health: Health
    cause: HealthCause
    since_ms: int
    by: str


def failed_node(shares: Sequence[Share], rank: int | None) -> str | None:
    """Return the node that an attempt's failure speaks against, or None where a gang failed and nobody knows on which."""
    if rank is not None and rank < len(shares):
        return shares[rank].node
    nodes = {share.node for share in shares}
    return nodes.pop() if len(nodes) == 1 else None


def is_put_aside(failures: int, others_available: int, nodes_of_pool: int) -> bool:
    """Return whether a node that failed so many attempts in a row takes nothing new until somebody has looked.

    Never more than half of a pool, and never its only node: then something else is wrong than that node. Kubernetes' node
    lifecycle controller evicts more slowly for the same reason when too much of a zone is unhealthy
    (`--unhealthy-zone-threshold`, 55 %).
    """
    return failures >= FAILURES_BEFORE_SUSPECT and 2 * others_available >= nodes_of_pool


class ClosureKind(Enum):
    """Why nodes close at an announced instant: for maintenance, until its end; or for good, until somebody takes them back."""

    MAINTENANCE = "maintenance"
    DRAIN = "drain"


class ClosureEnd(Enum):
    """How a closure ended: its time was over, its nodes are drained as was announced, somebody cancelled it, or cut it short."""

    OVER = "over"
    DRAINED = "drained"
    CANCELLED = "cancelled"


NEVER_MS = 1 << 52
"""The end of what has none, as an instant later than any other."""


@dataclass(slots=True, kw_only=True)
class Closure:
    """Nodes that take no work from an instant on; `until_ms` is NEVER_MS for a drain. `targets` is what the operator said."""

    closure: str
    kind: ClosureKind
    targets: str
    nodes: tuple[str, ...]
    from_ms: int
    until_ms: int
    by: str
    has_begun: bool = False

    def meets(self, from_ms: int, until_ms: int) -> bool:
        """Return whether it has an instant in common with a window."""
        return self.from_ms < until_ms and from_ms < self.until_ms
