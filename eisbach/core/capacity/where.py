"""Where a request may be placed, as the scheduler needs it: which sites, and with whom it shares a node."""

from dataclasses import dataclass
from typing import Final

from eisbach.core.capacity.inventory import Node


@dataclass(frozen=True, slots=True)
class Where:
    """The places that rules leave to a request (core/policy/compile.py).

    `sites` is None where no rule limits them. `tenant` names the project or organisation for which a node is dedicated while
    such a request is on it; empty where nodes are shared with anybody else who shares.
    """

    sites: frozenset[str] | None = None
    tenant: str = ""

    def __hash__(self) -> int:
        """Return a hash of both."""
        return hash((self.sites, self.tenant))

    def allows(self, node: Node) -> bool:
        """Return whether the node stands at an allowed site."""
        return self.sites is None or node.site in self.sites

    def may_join(self, node: Node) -> bool:
        """Return whether it may share the node with what is on it now."""
        return node.tenant == self.tenant or node.is_idle


ANYWHERE: Final = Where()
