"""Topology: the domains in which nodes stand together, level by level."""

from eisbach.core.capacity.inventory import Node
from eisbach.core.jobs.within import Level, Within

__all__ = ["Level", "Within", "domain_of"]


def domain_of(node: Node, level: Level) -> str:
    """Return the name of the domain in which a node stands, unique in the whole fleet.

    Where nobody named it, the node's next tighter one counts, and in the end the node itself: nodes are never taken to be
    together because nobody said where they are.
    """
    path = f"{node.site}/{node.hall}"
    if level is Level.HALL and node.hall:
        return path
    path = f"{path}/{node.row}"
    if level in (Level.HALL, Level.ROW) and node.row:
        return path
    path = f"{path}/{node.rack}"
    if level is not Level.NVLINK and node.rack:
        return path
    return f"{path}/{node.nvlink}" if node.nvlink else f"{path}//{node.node}"
