"""The nodes of a site file: one by one, or many equal ones with the racks, rows and halls that they stand in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from eisbach.adapters.home_files import (
    HomeFileError,
    flag_of,
    known_keys,
    optional_text_of,
    table_of,
    text_of,
    whole_number_of,
)
from eisbach.app.site_facts import NodeFacts

PLACES = ("hall", "row", "rack")
SPREADS = ("rows_per_hall", "racks_per_row", "nodes_per_rack")
"""How many of the next level each level holds; each stands for the place of the same rank in PLACES."""
OFFERS = ("flavour", "cores", "memory_mib", "gpus")
NVLINKS = "nodes_per_nvlink"
"""How many nodes share an NVLink domain; without it, and without `nvlink`, that ends at the node."""
NODE_KEYS = ("name", "site", "count", "pool", "this_machine", "from", "nvlink", NVLINKS, *OFFERS, *PLACES, *SPREADS)
COUNT_MAX = 100_000
SPREAD_MAX = 1_000
FROM_YEAR_MIN = 2000
"""No GPU node is older; what says so is a slip of the pen."""


def read_nodes(
    path: Path, said: object, sites: Sequence[str], machine: NodeFacts | None = None
) -> dict[str, list[NodeFacts]]:
    """Return site -> its nodes, for every site; raise HomeFileError."""
    if not isinstance(said, list) or not said:
        raise HomeFileError(f"{path}: there is no [[node]]; a factory has at least one node")
    found: dict[str, list[NodeFacts]] = {site: [] for site in sites}
    for one in said:
        node = table_of(path, one, "[[node]]")
        where = f"[[node]] {text_of(path, node, 'name', '[[node]]')!r}:"
        known_keys(path, node, NODE_KEYS, f"{where} ")
        found[_site_of(path, node, sites, where)] += _equal_nodes(path, node, where, machine)
    return found


def _site_of(path: Path, node: Mapping[str, Any], sites: Sequence[str], where: str) -> str:
    if "site" not in node and len(sites) == 1:
        return sites[0]
    site = node.get("site")
    if site not in sites:
        wrong = "there are several sites, and site is missing" if site is None else f"there is no site {site!r}"
        raise HomeFileError(f"{path}: {where} {wrong}; say one of {', '.join(sites)}")
    return str(site)


def _equal_nodes(path: Path, node: Mapping[str, Any], where: str, machine: NodeFacts | None) -> list[NodeFacts]:
    one = _machine(path, node, where, machine) if flag_of(path, node, "this_machine", where) else _node(path, node, where)
    one = replace(one, nvlink=optional_text_of(path, node, "nvlink", where), from_ms=_from_ms(path, node, where))
    if "count" not in node:
        extra = next((key for key in (*SPREADS, NVLINKS) if key in node), None)
        if extra is not None:
            raise HomeFileError(f"{path}: {where} {extra} spreads several nodes; say their count too")
        return [_placed(one, one.node, *(optional_text_of(path, node, place, where) for place in PLACES))]
    count = whole_number_of(path, node, "count", where, low=1, high=COUNT_MAX)
    digits = max(4, len(str(count)))
    place_of = _Spread(path, node, where)
    placed = [_placed(one, f"{one.node}-{nth + 1:0{digits}}", *place_of(nth)) for nth in range(count)]
    return _linked(path, node, where, placed) if NVLINKS in node else placed


def _from_ms(path: Path, node: Mapping[str, Any], where: str) -> int:
    """From when on there are these nodes: a day (its first instant in UTC) or an instant; 0 since ever."""
    said = node.get("from", 0)
    if said == 0 and "from" not in node:
        return 0
    if isinstance(said, datetime) and said.tzinfo is not None:
        instant = said.astimezone(UTC)
    elif isinstance(said, date) and not isinstance(said, datetime):
        instant = datetime(said.year, said.month, said.day, tzinfo=UTC)
    else:
        raise HomeFileError(
            f"{path}: {where} from is {said!r}, but must be a day such as 2027-03-01, without quotes, or an instant with its zone"
        )
    if instant.year < FROM_YEAR_MIN:
        raise HomeFileError(f"{path}: {where} from is {said}, but nodes stand here since {FROM_YEAR_MIN} at the earliest")
    return int(instant.timestamp() * 1000)


def _linked(path: Path, node: Mapping[str, Any], where: str, nodes: Sequence[NodeFacts]) -> list[NodeFacts]:
    """The nodes, so many of them in each NVLink domain, one domain after the other; a domain stays within its rack."""
    if "nvlink" in node:
        raise HomeFileError(f"{path}: {where} nvlink names one domain, and {NVLINKS} counts several; say one of them")
    size = whole_number_of(path, node, NVLINKS, where, low=1, high=SPREAD_MAX)
    in_rack = node.get("nodes_per_rack", size)
    if in_rack % size:
        raise HomeFileError(f"{path}: {where} {NVLINKS} is {size}, but must divide nodes_per_rack ({in_rack})")
    return [replace(one, nvlink=f"{node['name']}-nvlink-{nth // size + 1:04}") for nth, one in enumerate(nodes)]


class _Spread:
    """Where the nth of many nodes stands: racks are filled one after the other, then rows, then halls."""

    def __init__(self, path: Path, node: Mapping[str, Any], where: str) -> None:
        self._named = [optional_text_of(path, node, place, where) for place in PLACES]
        self._sizes: list[int] = []
        for level, (place, spread) in enumerate(zip(PLACES, SPREADS, strict=True)):
            if spread not in node:
                self._sizes.append(0)
                continue
            if node.get(place) is not None:
                raise HomeFileError(f"{path}: {where} {place} names one, and {spread} counts several; say one of them")
            missing = next((inner for inner in SPREADS[level + 1 :] if inner not in node), None)
            if missing is not None:
                raise HomeFileError(f"{path}: {where} {spread} needs {missing} too")
            self._sizes.append(whole_number_of(path, node, spread, where, low=1, high=SPREAD_MAX))

    def __call__(self, nth: int) -> tuple[str, ...]:
        """Return hall, row and rack of the nth node, counted from 0; numbers begin with 1 in each row and each hall."""
        places = list(self._named)
        index = nth
        for level in range(len(PLACES) - 1, -1, -1):
            if not self._sizes[level]:
                break
            index //= self._sizes[level]
            outer = self._sizes[level - 1] if level else 0
            places[level] = f"{PLACES[level]}-{(index % outer if outer else index) + 1:02}"
        return tuple(places)


def _placed(node: NodeFacts, name: str, hall: str, row: str, rack: str) -> NodeFacts:
    return replace(node, node=name, hall=hall, row=row, rack=rack)


def _machine(path: Path, node: Mapping[str, Any], where: str, machine: NodeFacts | None) -> NodeFacts:
    """The machine at hand, as it was found at this start."""
    said = next((key for key in (*OFFERS, "count") if key in node), None)
    if said is not None:
        raise HomeFileError(f"{path}: {where} {said} is found by itself on this machine; leave it out, or this_machine")
    if machine is None:
        raise HomeFileError(f"{path}: {where} nothing is known of this machine here; say {', '.join(OFFERS)}")
    return replace(machine, node=text_of(path, node, "name", where), pool=text_of(path, node, "pool", where))


def _node(path: Path, node: Mapping[str, Any], where: str) -> NodeFacts:
    cores = node.get("cores")
    if isinstance(cores, bool) or not isinstance(cores, int | float) or not 0 < cores <= 100_000:
        raise HomeFileError(f"{path}: {where} cores is {cores!r}, but must be a number above 0 such as 8 or 0.5")
    return NodeFacts(
        node=text_of(path, node, "name", where),
        pool=text_of(path, node, "pool", where),
        flavour=text_of(path, node, "flavour", where),
        cpu_milli=round(cores * 1000),
        memory_mib=whole_number_of(path, node, "memory_mib", where, low=1, high=2**31),
        gpus=whole_number_of(path, {"gpus": 0, **node}, "gpus", where, low=0, high=1024),
    )
