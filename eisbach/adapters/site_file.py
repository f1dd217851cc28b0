"""The site file of a home: written at the first start, edited by the operator, read at each start."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eisbach.adapters.file_table import NAMELESS, FileTable, Mistakes
from eisbach.adapters.home_files import HomeFileError, read_toml, write_once
from eisbach.adapters.site_links import read_links
from eisbach.adapters.site_nodes import read_nodes
from eisbach.adapters.site_power import read_carbon, read_grid_carbon, read_heat, read_power, read_price, read_stream
from eisbach.app.site_facts import LinkFacts, NodeFacts, SiteFacts
from eisbach.core.vocabulary.countries import UNKNOWN_COUNTRY, is_country

SITE_FILE = "site.toml"
"""Its name in the home."""
SITE_KEYS = ("name", "country", "operator", "operator_country", "parent_country", "simulated")
SUB_TABLES: dict[str, Callable[[FileTable], Any]] = {
    "power": read_power,
    "stream": read_stream,
    "heat": read_heat,
    "carbon": read_carbon,
    "grid_carbon": read_grid_carbon,
    "price": read_price,
}
"""`[site.NAME]` -> what reads it into the field NAME of SiteFacts"""


def write_site_file(path: Path, nodes: Sequence[NodeFacts]) -> None:
    """Write a first site file for these nodes; one that is there is left alone."""
    lines = [
        "# What this factory is made of. Edit it and restart; a node in use is drained first.",
        "# country and operator_country are ISO 3166-1 codes. ZZ means that nobody has said yet where this is:",
        "# Eisbach cannot find that out by itself, so please set both. parent_country is the country of the operator's",
        "# ultimate parent; left out, it is operator_country. Several sites, each a [[site]]: docs/operations.md.",
        "",
        "[site]",
        'name = "here"',
        f'country = "{UNKNOWN_COUNTRY}"',
        'operator = "unknown"',
        f'operator_country = "{UNKNOWN_COUNTRY}"',
    ]
    for node in nodes:
        lines += [
            "",
            "[[node]]",
            f'name = "{node.node}"',
            f'pool = "{node.pool}"',
            f'flavour = "{node.flavour}"',
            f"cores = {node.cpu_milli / 1000:g}",
            f"memory_mib = {node.memory_mib}",
            f"gpus = {node.gpus}",
        ]
    write_once(path, "\n".join(lines) + "\n")


class SiteFileError(HomeFileError):
    """A site file cannot be used; `mistakes` has a line for each thing that is wrong in it."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def read_site_file(path: Path, machine: NodeFacts | None = None) -> tuple[SiteFacts, ...]:
    """Return the sites that a site file names, in its order; raise SiteFileError with all that is wrong in it.

    `machine` is what this one offers.
    """
    mistakes = Mistakes(path)
    sites = _sites(mistakes, machine)
    if mistakes.found:
        raise SiteFileError(tuple(dict.fromkeys(mistakes.found)))
    return sites


def _sites(mistakes: Mistakes, machine: NodeFacts | None) -> tuple[SiteFacts, ...]:
    try:
        raw = FileTable(mistakes, _read(mistakes.path), "the file:")
    except HomeFileError as error:
        raise SiteFileError([str(error)]) from error
    raw.known(("site", "node", "link"))
    said = raw.said.get("site")
    if not said:
        mistakes.note("there is no [site]; a factory stands somewhere")
    tables = [FileTable(mistakes, one, "[site]") for one in (said if isinstance(said, list) else [said] if said else [])]
    names = [_name_of(one) for one in tables]
    nodes = read_nodes(mistakes, raw.said.get("node"), names, machine)
    links = read_links(mistakes, raw.said.get("link"), {name: nodes[name] for name in names})
    _once(mistakes, names, "sites")
    _once(mistakes, [node.node for of in nodes.values() for node in of], "nodes")
    _pools_are_of_equals_at_one_site(mistakes, nodes)
    return tuple(_site(one, tuple(nodes[name]), links[name]) for one, name in zip(tables, names, strict=True))


def check_machine(path: Path, sites: Sequence[SiteFacts], machine: NodeFacts) -> None:
    """Refuse GPUs that this machine lacks, unless a simulation stands in for them; raise HomeFileError."""
    real = [site for site in sites if not site.is_simulated]
    gpus = sum(node.gpus for site in real for node in site.nodes)
    if gpus > machine.gpus:
        where = ", ".join(repr(site.site) for site in real)
        raise HomeFileError(
            f"{path}: the nodes of {where} have {gpus} GPUs, and this machine has {machine.gpus}. Work of a real site "
            "runs on this machine: lower gpus, or say simulated = true at a site that is only an example"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except HomeFileError as error:
        headers = {line.strip() for line in path.read_text(errors="replace").splitlines()} if path.is_file() else set()
        if {"[site]", "[[site]]"} <= headers:  # TOML's own words for it help nobody
            raise HomeFileError(f"{path}: [site] and [[site]] do not go together; with several sites each is a [[site]]") from error
        raise


def _name_of(site: FileTable) -> str:
    site.known((*SITE_KEYS, *SUB_TABLES))
    name = site.name("name")
    site.where = f"[site] {name!r}:"
    return name


def _site(site: FileTable, nodes: tuple[NodeFacts, ...], links: tuple[LinkFacts, ...]) -> SiteFacts:
    operator_country = _country(site, "operator_country")
    parts = {
        name: read(FileTable(site.mistakes, site.said[name], f"{site.where} [{name}]"))
        for name, read in SUB_TABLES.items()
        if name in site
    }
    if not nodes:
        site.wrong("there is no [[node]] at it; a site has at least one node")
    return SiteFacts(
        site=str(site.said.get("name", NAMELESS)),
        country=_country(site, "country"),
        operator=site.text("operator"),
        operator_country=operator_country,
        parent_country=_country(site, "parent_country") if "parent_country" in site else operator_country,
        nodes=nodes,
        links=links,
        is_simulated=site.flag("simulated"),
        **parts,
    )


def _country(site: FileTable, key: str) -> str:
    value = site.said.get(key)
    if isinstance(value, str) and is_country(value):
        return value
    site.wrong(f"{key} is {value!r}, but must be a code of ISO 3166-1 such as DE, or {UNKNOWN_COUNTRY} where nobody has said it")
    return UNKNOWN_COUNTRY


def _once(mistakes: Mistakes, names: Sequence[str], what: str) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1 and name != NAMELESS]
    if twice:
        more = f", and so are {len(twice) - 1} more names" if len(twice) > 1 else ""
        mistakes.note(f"two {what} are named {twice[0]!r}{more}; names are unique")


def _pools_are_of_equals_at_one_site(mistakes: Mistakes, nodes: Mapping[str, Sequence[NodeFacts]]) -> None:
    """A pool is of one site, because rules about places are compiled to pools, and its nodes are of one flavour."""
    seen: dict[str, tuple[str, str]] = {}
    for site, of in nodes.items():
        for pool, flavour in sorted({(node.pool, node.flavour) for node in of}):
            first_site, first_flavour = seen.setdefault(pool, (site, flavour))
            if first_site != site:
                mistakes.note(
                    f"the pool {pool!r} has nodes at {first_site!r} and at {site!r}; "
                    "a pool is at one site, so give them different names"
                )
            elif first_flavour != flavour:
                mistakes.note(
                    f"the pool {pool!r} has nodes of {first_flavour!r} and of {flavour!r}; "
                    "the nodes of a pool are equal, so give each flavour a pool of its own"
                )
