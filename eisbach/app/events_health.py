"""Events about the health of nodes, maintenance and drains."""

from eisbach.app.event_body import Body


class NodeMarked(Body, frozen=True):
    """Somebody noticed that a node is lost or suspect, or has looked at it and says that it is healthy.

    `mark` is the id of its entry in the node's history, `note` the commitment to what a person wrote there.
    """

    node: str
    health: str
    cause: str
    by: str
    mark: str
    note: str = ""


class NodesCommissioned(Body, frozen=True):
    """The day has come from which these nodes are there."""

    nodes: tuple[str, ...]


class ClosureAnnounced(Body, frozen=True):
    """Nodes close at an instant: for `maintenance` until another one, for a `drain` until somebody takes them back.

    `targets` is what the operator said, `note` the commitment to what was written beside it.
    """

    closure: str
    kind: str
    targets: str
    nodes: tuple[str, ...]
    from_ms: int
    until_ms: int
    by: str
    note: str = ""


class ClosureBegun(Body, frozen=True):
    """The announced instant has come: the nodes take no work."""

    closure: str


class ClosureEnded(Body, frozen=True):
    """A closure is `over`, was `cancelled`, or its nodes are `drained` from now on, as any that an operator drains."""

    closure: str
    cause: str
    by: str


KINDS: dict[str, type[Body]] = {
    "node.marked": NodeMarked,
    "nodes.commissioned": NodesCommissioned,
    "closure.announced": ClosureAnnounced,
    "closure.begun": ClosureBegun,
    "closure.ended": ClosureEnded,
}
