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


KINDS: dict[str, type[Body]] = {"node.marked": NodeMarked}
