"""Which nodes an operator means: by name, by pattern, or by where they stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from eisbach.core.capacity.inventory import Node

_PATTERN = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Nodes that have one of the names (patterns such as `b200-00*` too) and stand at all the places that are said."""

    names: tuple[str, ...] = ()
    site: str = ""
    hall: str = ""
    row: str = ""
    rack: str = ""
    pool: str = ""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is said: that is a mistake, never the whole factory."""
        return not (self.names or self.site or self.hall or self.row or self.rack or self.pool)

    def __str__(self) -> str:
        places = (("site", self.site), ("hall", self.hall), ("row", self.row), ("rack", self.rack), ("pool", self.pool))
        return " ".join([*self.names, *(f"{level}={place}" for level, place in places if place)])


def choose(nodes: Iterable[Node], targets: Targets) -> list[Node]:
    """Return the nodes that are meant, in the order of the fleet; nodes that were removed never are."""
    return [node for node in nodes if not node.removed and _is_meant(node, targets)]


def unknown_name(nodes: Iterable[Node], targets: Targets) -> str | None:
    """Return the first name or pattern that no node has, or None."""
    names = [node.node for node in nodes if not node.removed]
    known = set(names)
    for said in targets.names:
        if said not in known and not (_PATTERN & set(said) and any(fnmatchcase(name, said) for name in names)):
            return said
    return None


def is_place(name: str, said: str) -> bool:
    """Return whether a hall, row or rack is what somebody said: `rack-07` is also `07`, `7`, `r07` and `rack 7`."""
    if name.casefold() == said.casefold():
        return True
    word, number = _parts(name)
    said_word, said_number = _parts(said)
    return number is not None and number == said_number and word.startswith(said_word)


def _is_meant(node: Node, targets: Targets) -> bool:
    if targets.names and not any(fnmatchcase(node.node, said) for said in targets.names):
        return False
    if (targets.site and node.site != targets.site) or (targets.pool and node.pool != targets.pool):
        return False
    said = ((node.hall, targets.hall), (node.row, targets.row), (node.rack, targets.rack))
    return all(not wanted or is_place(name, wanted) for name, wanted in said)


def _parts(name: str) -> tuple[str, int | None]:
    """Return the letters of a place's name and the number at its end, as in `hall-02`."""
    text = name.casefold().strip()
    word = text.rstrip("0123456789")
    digits = text[len(word) :]
    return word.rstrip("-_ "), int(digits) if digits else None
