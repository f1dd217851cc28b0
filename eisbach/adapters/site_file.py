"""The site file of a home: written at the first start, edited by the operator, read at each start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eisbach.adapters.home_files import HomeFileError, known_keys, read_toml, table_of, text_of, write_once
from eisbach.app.site_facts import NodeFacts, SiteFacts

UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166-1 leaves ZZ to its users; here it says that nobody has told the factory where it stands."""
SITE_KEYS = ("name", "country", "operator", "operator_country")
NODE_KEYS = ("name", "pool", "flavour", "cores", "memory_mib", "gpus")


def write_site_file(path: Path, nodes: Sequence[NodeFacts]) -> None:
    """Write a first site file for these nodes; one that is there is left alone."""
    lines = [
        "# What this factory is made of. Edit it and restart; a node in use is drained first.",
        "# country and operator_country are ISO 3166-1 codes. ZZ means that nobody has said yet where this is:",
        "# Eisbach cannot find that out by itself, so please set both.",
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


def read_site_file(path: Path) -> SiteFacts:
    """Return what a site file says; raise HomeFileError."""
    raw = read_toml(path)
    known_keys(path, raw, ("site", "node"), "")
    site = table_of(path, raw.get("site"), "[site]")
    known_keys(path, site, SITE_KEYS, "[site] ")
    nodes = raw.get("node")
    if not isinstance(nodes, list) or not nodes:
        raise HomeFileError(f"{path}: there is no [[node]]; a factory has at least one node")
    facts = tuple(_node(path, table_of(path, node, "[[node]]")) for node in nodes)
    names = [node.node for node in facts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HomeFileError(f"{path}: two nodes are named {twice!r}; names are unique")
    return SiteFacts(
        site=text_of(path, site, "name", "[site]"),
        country=_country(path, site, "country"),
        operator=text_of(path, site, "operator", "[site]"),
        operator_country=_country(path, site, "operator_country"),
        nodes=facts,
    )


def _node(path: Path, node: Mapping[str, Any]) -> NodeFacts:
    known_keys(path, node, NODE_KEYS, "[[node]] ")
    cores, memory, gpus = node.get("cores"), node.get("memory_mib"), node.get("gpus", 0)
    if isinstance(cores, bool) or not isinstance(cores, int | float) or not 0 < cores <= 100_000:
        raise HomeFileError(f"{path}: cores is {cores!r}, but must be a number above 0 such as 8 or 0.5")
    if isinstance(memory, bool) or not isinstance(memory, int) or not 0 < memory <= 2**31:
        raise HomeFileError(f"{path}: memory_mib is {memory!r}, but must be a whole number of MiB above 0")
    if isinstance(gpus, bool) or not isinstance(gpus, int) or not 0 <= gpus <= 1024:
        raise HomeFileError(f"{path}: gpus is {gpus!r}, but must be a whole number from 0 to 1024")
    return NodeFacts(
        node=text_of(path, node, "name", "[[node]]"),
        pool=text_of(path, node, "pool", "[[node]]"),
        flavour=text_of(path, node, "flavour", "[[node]]"),
        cpu_milli=round(cores * 1000),
        memory_mib=memory,
        gpus=gpus,
    )


def _country(path: Path, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or len(value) != 2 or not (value.isascii() and value.isalpha() and value.isupper()):
        raise HomeFileError(f"{path}: [site] {key} is {value!r}, but must be an ISO 3166-1 code such as DE")
    return value
