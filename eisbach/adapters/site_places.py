"""Where many equal nodes of a site file stand: racks are filled one after the other, then rows, then halls."""

from collections.abc import Callable, Sequence

from eisbach.adapters.file_table import FileTable
from eisbach.app.site_facts import NodeFacts

PLACES = ("hall", "row", "rack")
SPREADS = ("rows_per_hall", "racks_per_row", "nodes_per_rack")
"""How many of the next level each level holds; each stands for the place of the same rank in PLACES."""
NVLINKS = "nodes_per_nvlink"
"""How many nodes share an NVLink domain; without it, and without `nvlink`, that ends at the node."""
SPREAD_MAX = 1_000
NUMBER_MAX = 9_999


class Spread:
    """Where the nth of many nodes stands. Numbers begin with 1 in each row and each hall; those of the outermost level
    that is counted begin with `numbered_from`, so that several entries can stand beside each other.
    """

    def __init__(self, node: FileTable) -> None:
        self._named = [node.optional_name(place) for place in PLACES]
        self._sizes: list[int] = []
        for level, (place, spread) in enumerate(zip(PLACES, SPREADS, strict=True)):
            if spread not in node:
                self._sizes.append(0)
                continue
            if place in node:
                node.wrong(f"{place} names one, and {spread} counts several; say one of them")
            missing = next((inner for inner in SPREADS[level + 1 :] if inner not in node), None)
            if missing is not None:
                node.wrong(f"{spread} needs {missing} too")
            self._sizes.append(node.whole_number(spread, 1, SPREAD_MAX))
        counted = [level for level in range(len(PLACES)) if self._sizes[level]]
        self._outermost = counted[0] if counted else len(PLACES)
        named = [place for place in PLACES[: self._outermost] if place in node]
        if self._outermost == 2 and named == ["hall"]:
            node.wrong("racks are counted and a hall is named, but no row; say racks_per_row, or the row they stand in")
        if "numbered_from" in node and not counted:
            node.wrong(f"numbered_from is the number of the first hall, row or rack; say {SPREADS[-1]} too")
        self._first = node.whole_number("numbered_from", 1, NUMBER_MAX, default=1)

    def __call__(self, nth: int) -> tuple[str, ...]:
        """Return hall, row and rack of the nth node, counted from 0."""
        places = list(self._named)
        index = nth
        for level in range(len(PLACES) - 1, self._outermost - 1, -1):
            index //= self._sizes[level] or 1
            outer = self._sizes[level - 1] if level else 0
            number = index % outer + 1 if outer else index + self._first
            places[level] = f"{PLACES[level]}-{number:02}"
        return tuple(places)


def nvlinks_of(node: FileTable) -> Callable[[int], str]:
    """Return what names the NVLink domain of the nth node: so many of them in each, one after the other, within a rack."""
    if NVLINKS not in node:
        named = node.optional_name("nvlink")
        return lambda nth: named
    if "nvlink" in node:
        node.wrong(f"nvlink names one domain, and {NVLINKS} counts several; say one of them")
    size = node.whole_number(NVLINKS, 1, SPREAD_MAX)
    in_rack = node.said.get("nodes_per_rack")
    if isinstance(in_rack, int) and in_rack % size:
        node.wrong(f"{NVLINKS} is {size}, but must divide nodes_per_rack ({in_rack})")
    name = node.said.get("name")
    return lambda nth: f"{name}-nvlink-{nth // size + 1:04}"


def overlaps(entries: Sequence[tuple[str, FileTable, list[NodeFacts]]]) -> None:
    """Note the racks that an entry counts and another one stands in too: numbers of both began at the same rack.

    `entries` are (site, table, its nodes). Racks that entries share by name are meant.
    """
    filled: dict[tuple[str, str, str, str], FileTable] = {}
    for site, entry, nodes in entries:
        racks = {(site, node.hall, node.row, node.rack) for node in nodes if node.rack}
        twice = sorted(rack for rack in racks & filled.keys() if _counts(entry) or _counts(filled[rack]))
        if twice:
            site_name, *place = twice[0]
            other = filled[twice[0]].where.removesuffix(":")
            entry.wrong(
                f"{'/'.join(filter(None, place))} at {site_name!r} is filled by {other} too, "
                f"{f'and so are {len(twice) - 1} more racks; ' if len(twice) > 1 else ''}say numbered_from, or another hall or row"
            )
        for rack in racks:
            filled.setdefault(rack, entry)


def _counts(entry: FileTable) -> bool:
    return SPREADS[-1] in entry
