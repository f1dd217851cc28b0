"""The links of a site file: what leads from a domain of the topology up to the next one, and how much of it fits through."""

from collections.abc import Iterable, Mapping, Sequence

from eisbach.adapters.file_table import NAMELESS, FileTable, Mistakes
from eisbach.app.site_facts import LinkFacts, NodeFacts

LEVELS = ("nvlink", "node", "rack", "row", "hall", "site")
"""From the innermost to the outermost. A link between two of them holds for every domain of the lower one."""
LINK_KEYS = ("site", "from", "to", "gbit_s", "source")
GBIT_S_MAX = 10_000_000


def read_links(
    mistakes: Mistakes, said: object, nodes: Mapping[str, Sequence[NodeFacts]]
) -> dict[str, tuple[LinkFacts, ...]]:
    """Return site -> its links; a link is of one site and leads from an inner domain to an outer one."""
    found: dict[str, list[LinkFacts]] = {site: [] for site in nodes}
    for one in said if isinstance(said, list) else [said] if said is not None else []:
        table = FileTable(mistakes, one, "[[link]]")
        table.where = f"[[link]] from {table.said.get('from')!r} to {table.said.get('to')!r}:"
        table.known(LINK_KEYS)
        site = table.said.get("site", next(iter(nodes)) if len(nodes) == 1 else None)
        if not isinstance(site, str) or site not in nodes:
            table.wrong(f"site is {site!r}; say one of {', '.join(nodes)}")
            continue
        found[site].append(
            LinkFacts(
                lower=table.text("from"),
                upper=table.text("to"),
                gbit_s=table.whole_number("gbit_s", 1, GBIT_S_MAX),
                source=table.text("source"),
            )
        )
    for site, links in found.items():
        _check(mistakes, site, links, nodes[site])
    return {site: tuple(links) for site, links in found.items()}


def _check(mistakes: Mistakes, site: str, links: Sequence[LinkFacts], nodes: Sequence[NodeFacts]) -> None:
    domains = {*LEVELS, *_domains(nodes)} if links else set()
    seen: set[tuple[str, str]] = set()
    for link in links:
        where = f"[[link]] from {link.lower!r} to {link.upper!r} at {site!r}:"
        for key, end in (("from", link.lower), ("to", link.upper)):
            if end not in domains and end != NAMELESS:
                mistakes.note(f"{where} {key} is {end!r}; say one of {', '.join(LEVELS)}, or a hall, row or rack such as hall-01/row-02")
        if (link.lower, link.upper) in seen:
            mistakes.note(f"{where} it is there twice; write its whole bandwidth once")
        seen.add((link.lower, link.upper))
    circle = _circle(seen)
    if circle:
        mistakes.note(f"[[link]] at {site!r}: {' -> '.join(circle)} leads in a circle; a link is written once, from the inner domain to the outer one")
        return
    for lower, upper in sorted(seen & {(a, b) for a in LEVELS for b in LEVELS}):
        if LEVELS.index(lower) > LEVELS.index(upper):
            mistakes.note(f"[[link]] from {lower!r} to {upper!r} at {site!r}: it leads down; write it from {upper!r} to {lower!r}")
    _no_holes(mistakes, site, seen)


def _no_holes(mistakes: Mistakes, site: str, links: set[tuple[str, str]]) -> None:
    """Where links between levels lead up to a level, and others on from one above it, something in between is missing."""
    ups = {(LEVELS.index(a), LEVELS.index(b)) for a, b in links if a in LEVELS and b in LEVELS}
    if not ups:
        return
    begins = {a for a, _ in ups}
    outermost = max(b for _, b in ups)
    for _, upper in sorted(ups):
        if upper != outermost and upper not in begins:
            mistakes.note(f"[[link]] at {site!r}: links lead up to {LEVELS[upper]!r}, and none leads on from there to {LEVELS[outermost]!r}; there is a hole")


def _circle(links: Iterable[tuple[str, str]]) -> list[str]:
    """Return a circle that links lead in, its first domain twice; nothing where there is none."""
    onward: dict[str, list[str]] = {}
    for lower, upper in sorted(links):
        onward.setdefault(lower, []).append(upper)
    done: set[str] = set()
    for start in onward:
        way: list[str] = []
        stack = [(start, iter(onward.get(start, ())))]
        while stack:
            domain, upwards = stack[-1]
            if len(way) < len(stack):
                way.append(domain)
            following = next(upwards, None)
            if following is None:
                done.add(domain)
                stack.pop()
                way.pop()
            elif following in way:
                return [*way[way.index(following) :], following]
            elif following not in done:
                stack.append((following, iter(onward.get(following, ()))))
    return []


def _domains(nodes: Sequence[NodeFacts]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        found.update(("/".join(filter(None, (node.hall, node.row))), "/".join(filter(None, (node.hall, node.row, node.rack)))))
        found.update((node.hall, node.nvlink))
    return found - {""}
