"""The nodes of a site file: one by one, or many equal ones with the racks, rows and halls that they stand in."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from msgspec.structs import replace

from eisbach.adapters.file_table import NAMELESS, FileTable, Mistakes
from eisbach.adapters.site_places import NVLINKS, PLACES, SPREADS, Spread, nvlinks_of, overlaps
from eisbach.app.site_facts import NodeFacts
from eisbach.core.capacity.flavours import gpu_model, gpus_said
from eisbach.core.vocabulary.names import NAME_MAX

OFFERS = ("flavour", "cores", "memory_mib", "gpus")
NODE_KEYS = (
    "name", "site", "count", "pool", "this_machine", "from", "nvlink", NVLINKS, "numbered_from", *OFFERS, *PLACES, *SPREADS,
)  # fmt: skip
COUNT_MAX = 100_000
FROM_YEAR_MIN = 2000
"""No GPU node is older; what says so is a slip of the pen."""


def read_nodes(
    mistakes: Mistakes, said: object, sites: Sequence[str], machine: NodeFacts | None = None
) -> dict[str, list[NodeFacts]]:
    """Return site -> its nodes, for every site."""
    found: dict[str, list[NodeFacts]] = {site: [] for site in sites}
    if not isinstance(said, list) or not said:
        mistakes.note("there is no [[node]]; a factory has at least one node")
        return found
    entries: list[tuple[str, FileTable, list[NodeFacts]]] = []
    for one in said:
        node = FileTable(mistakes, one, "[[node]]")
        node.where = f"[[node]] {node.said.get('name')!r}:"
        node.known(NODE_KEYS)
        site, nodes = _site_of(node, sites), _equal_nodes(node, machine)
        found.setdefault(site, []).extend(nodes)
        entries.append((site, node, nodes))
    overlaps(entries)
    return found


def _site_of(node: FileTable, sites: Sequence[str]) -> str:
    if "site" not in node and len(sites) == 1:
        return sites[0]
    site = node.said.get("site")
    if site not in sites:
        wrong = "there are several sites, and site is missing" if site is None else f"there is no site {site!r}"
        node.wrong(f"{wrong}; say one of {', '.join(sites)}")
        return NAMELESS
    return str(site)


def _equal_nodes(node: FileTable, machine: NodeFacts | None) -> list[NodeFacts]:
    one = _machine(node, machine) if node.flag("this_machine") else _node(node)
    one = replace(one, nvlink=node.optional_name("nvlink"), from_ms=_from_ms(node))
    _is_possible(node, one)
    if "count" not in node:
        extra = next((key for key in (*SPREADS, NVLINKS, "numbered_from") if key in node), None)
        if extra is not None:
            node.wrong(f"{extra} spreads several nodes; say their count too")
        hall, row, rack = (node.optional_name(place) for place in PLACES)
        if hall and rack and not row:
            node.wrong(f"rack is {rack!r} and hall is {hall!r}, but no row is named; say in which row of the hall the rack stands")
        return [replace(one, hall=hall, row=row, rack=rack)]
    count = node.whole_number("count", 1, COUNT_MAX)
    digits = max(4, len(str(count)))
    if len(one.node) + 1 + digits > NAME_MAX:
        node.wrong(f"name has {len(one.node)} letters, and a dash and {digits} digits follow: more than the {NAME_MAX} of a name; say a shorter one")
    place_of, nvlink_of = Spread(node), nvlinks_of(node)
    placed = []
    for nth in range(count):
        hall, row, rack = place_of(nth)
        name, nvlink = f"{one.node}-{nth + 1:0{digits}}", nvlink_of(nth)
        placed.append(replace(one, node=name, hall=hall, row=row, rack=rack, nvlink=nvlink))
    return placed


def _machine(node: FileTable, machine: NodeFacts | None) -> NodeFacts:
    """The machine at hand, as it was found at this start."""
    said = next((key for key in (*OFFERS, "count") if key in node), None)
    if said is not None:
        node.wrong(f"{said} is found by itself on this machine; leave it out, or this_machine")
    if machine is None:
        node.wrong(f"nothing is known of this machine here; say {', '.join(OFFERS)}")
        machine = NodeFacts(node=NAMELESS, pool=NAMELESS, flavour=NAMELESS, cpu_milli=1, memory_mib=1)
    return replace(machine, node=node.name("name"), pool=node.name("pool"))


def _node(node: FileTable) -> NodeFacts:
    cores = node.said.get("cores")
    if isinstance(cores, bool) or not isinstance(cores, int | float) or not 0 < cores <= 100_000:
        node.wrong(f"cores is {cores!r}, but must be a number above 0 such as 8 or 0.5")
        cores = 1
    return NodeFacts(
        node=node.name("name"),
        pool=node.name("pool"),
        flavour=node.name("flavour"),
        cpu_milli=round(cores * 1000),
        memory_mib=node.whole_number("memory_mib", 1, 2**31),
        gpus=node.whole_number("gpus", 0, 1024, default=0),
    )


def _is_possible(node: FileTable, one: NodeFacts) -> None:
    """Note what contradicts what is known of the flavour (core/capacity/flavours.py)."""
    model, said = gpu_model(one.flavour), gpus_said(one.flavour)
    if model is not None and said is not None and said != one.gpus:
        node.wrong(f"flavour is {one.flavour!r}, but gpus is {one.gpus}; the number in the name is that of the GPUs of a node")
    if model is not None and model.nvlink_gpus == 1 and ("nvlink" in node or NVLINKS in node):
        node.wrong(f"flavour is {one.flavour!r}, and {model.name} has no NVLink; leave {NVLINKS if NVLINKS in node else 'nvlink'} out")


def _from_ms(node: FileTable) -> int:
    """From when on there are these nodes: a day (its first instant in UTC) or an instant; 0 since ever."""
    if "from" not in node:
        return 0
    said = node.said["from"]
    if isinstance(said, datetime) and said.tzinfo is not None:
        instant = said
    elif isinstance(said, date) and not isinstance(said, datetime):
        instant = datetime(said.year, said.month, said.day, tzinfo=UTC)
    else:
        node.wrong(f"from is {said!r}, but must be a day such as 2027-03-01, without quotes, or an instant with its zone")
        return 0
    if instant.year < FROM_YEAR_MIN:
        node.wrong(f"from is {said}, but nodes stand here since {FROM_YEAR_MIN} at the earliest")
    return int(instant.timestamp() * 1000)
