"""The site file of a home: written at the first start, edited by the operator, read at each start."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eisbach.adapters.home_files import HomeFileError, flag_of, known_keys, read_toml, table_of, text_of, write_once
from eisbach.adapters.site_nodes import read_nodes
from eisbach.adapters.site_power import read_carbon, read_heat, read_power, read_stream
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.core.vocabulary.countries import UNKNOWN_COUNTRY, is_country

SITE_FILE = "site.toml"
"""Its name in the home."""
SITE_KEYS = ("name", "country", "operator", "operator_country", "parent_country", "simulated")
SUB_TABLES: dict[str, Callable[[Path, Mapping[str, Any], str], Any]] = {
    "power": read_power,
    "stream": read_stream,
    "heat": read_heat,
    "carbon": read_carbon,
}
"""`[site.NAME]` -> what reads it, from the file, the table and how messages call it, into the field NAME of SiteFacts"""


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


def read_site_file(path: Path, machine: NodeFacts | None = None) -> tuple[SiteFacts, ...]:
    """Return the sites that a site file names, in its order; raise HomeFileError. `machine` is what this one offers."""
    raw = _read(path)
    known_keys(path, raw, ("site", "node"), "")
    said = raw.get("site")
    if not said:
        raise HomeFileError(f"{path}: there is no [site]; a factory stands somewhere")
    tables = said if isinstance(said, list) else [said]
    names = [_name_of(path, table_of(path, one, "[site]")) for one in tables]
    _once(path, names, "sites")
    nodes = read_nodes(path, raw.get("node"), names, machine)
    _once(path, [node.node for of in nodes.values() for node in of], "nodes")
    _pools_stay_at_their_site(path, nodes)
    return tuple(_site(path, one, tuple(nodes[one["name"]])) for one in tables)


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


def _name_of(path: Path, said: Mapping[str, Any]) -> str:
    known_keys(path, said, (*SITE_KEYS, *SUB_TABLES), "[site] ")
    name = text_of(path, said, "name", "[site]")
    if "/" in name or any(sign.isspace() for sign in name):
        raise HomeFileError(f"{path}: [site] name is {name!r}, but must be without '/' and spaces: it is part of addresses and lists")
    return name


def _site(path: Path, said: Mapping[str, Any], nodes: tuple[NodeFacts, ...]) -> SiteFacts:
    where = f"[site] {said['name']!r}:"
    operator_country = _country(path, said, "operator_country", where)
    parts = {
        name: read(path, table_of(path, said[name], f"[site.{name}]"), f"{where} [{name}]")
        for name, read in SUB_TABLES.items()
        if name in said
    }
    if not nodes:
        raise HomeFileError(f"{path}: {where} there is no [[node]] at it; a site has at least one node")
    return SiteFacts(
        site=said["name"],
        country=_country(path, said, "country", where),
        operator=text_of(path, said, "operator", where),
        operator_country=operator_country,
        parent_country=_country(path, said, "parent_country", where) if "parent_country" in said else operator_country,
        nodes=nodes,
        is_simulated=flag_of(path, said, "simulated", where),
        **parts,
    )


def _country(path: Path, said: Mapping[str, Any], key: str, where: str) -> str:
    value = said.get(key)
    if not isinstance(value, str) or not is_country(value):
        raise HomeFileError(
            f"{path}: {where} {key} is {value!r}, but must be a code of ISO 3166-1 such as DE, "
            f"or {UNKNOWN_COUNTRY} where nobody has said it"
        )
    return value


def _once(path: Path, names: Sequence[str], what: str) -> None:
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise HomeFileError(f"{path}: two {what} are named {twice!r}; names are unique")


def _pools_stay_at_their_site(path: Path, nodes: Mapping[str, Sequence[NodeFacts]]) -> None:
    """A pool is of one site: rules about places are compiled to pools."""
    site_of: dict[str, str] = {}
    for site, of in nodes.items():
        for pool in {node.pool for node in of}:
            if site_of.setdefault(pool, site) != site:
                raise HomeFileError(
                    f"{path}: the pool {pool!r} has nodes at {site_of[pool]!r} and at {site!r}; "
                    "a pool is at one site, so give them different names"
                )
