"""Nodes on which nobody may count, for bookings and promises that name them."""

from eisbach.app.state import FactoryState
from eisbach.core.capacity.inventory import Node


def is_bad(state: FactoryState, name: str) -> bool:
    """Return whether a node takes nothing until somebody does something: lost, suspect, cordoned, drained, or gone for good.

    A closure has an end, and a node that is to come has its day: those stand in the calendar, and in `Node.from_ms`.
    """
    node = state.scheduler.fleet.nodes.get(name)
    return node is None or node.removed or node.drained or name in state.health.marks


def is_another(node: Node, site: str, flavour: str) -> bool:
    """Return whether a node is not what was quoted or booked: a new site file may make it another one."""
    return node.flavour != flavour or node.site != site
