"""Folding events about agreements, quotas and fair shares into the state."""

from collections.abc import Callable
from typing import Any

from eisbach.app.event_body import Body
from eisbach.app.state import FactoryState
from eisbach.core.scheduling.fair_share import FairShare


def join(tree: FairShare, organisation: str, parent: str | None, segment: str) -> None:
    """An organisation joins the tree: below its parent, or below its segment where it has none."""
    if parent is None and segment not in tree:
        tree.add(segment)
    tree.add(organisation, segment if parent is None else parent)


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {}
