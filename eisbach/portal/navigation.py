"""What leads from page to page: the main navigation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NavEntry:
    """An entry of the main navigation: a path below /portal, its label, and the action without which it is not shown.

    `place` orders the entries; areas leave gaps for others.
    """

    path: str
    label: str
    action: str
    place: int = 500
