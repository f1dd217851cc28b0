"""Which nodes an operator means: by name, by pattern, or by where they stand."""

from collections.abc import Iterable
from dataclasses import dataclass

from eisbach.core.capacity.inventory import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Nodes that have one of the names (`*` stands for anything, as in `b200-00*`) and stand at all the places that are said."""

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


def places_of(nodes: Iterable[Node], targets: Targets) -> list[str]:
    """Return the different racks, or rows, that nodes meant by a rack or a row stand in, as `hall/row/rack` in order.

    Rows number their racks from 1, so the number of a rack alone may be said of many of them.
    """
    if targets.rack:
        return sorted({"/".join((node.site, node.hall, node.row, node.rack)) for node in nodes})
    if targets.row:
        return sorted({"/".join((node.site, node.hall, node.row)) for node in nodes})
    return []


def unknown_name(nodes: Iterable[Node], targets: Targets) -> str | None:
    """Return the first name or pattern that no node has, or None."""
    names = [node.node for node in nodes if not node.removed]
    known = set(names)
    for said in targets.names:
        if said not in known and not any(is_named(name, said) for name in names):
            return said
    return None


def is_named(name: str, said: str) -> bool:
    """Return whether a name is what somebody said; `*` stands for anything."""
    first, *rest = said.split("*")
    if not rest:
        return name == said
    *middle, last = rest
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    inner, at = name[len(first) : len(name) - len(last)], 0
    for part in middle:
        found = inner.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def is_place(name: str, said: str) -> bool:
    """Return whether a hall, row or rack is what somebody said: `rack-07` is also `07`, `7`, `r07` and `rack 7`."""
    if name.casefold() == said.casefold():
        return True
    word, number = _parts(name)
    said_word, said_number = _parts(said)
    return number is not None and number == said_number and word.startswith(said_word)


def _is_meant(node: Node, targets: Targets) -> bool:
    if targets.names and not any(is_named(node.node, said) for said in targets.names):
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
