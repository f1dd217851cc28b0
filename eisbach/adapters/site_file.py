"""The site file and the price list of a home: written at the first start, edited by the operator, read at each start."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eisbach.adapters.private_files import write_private
from eisbach.app.site_facts import NodeFacts, SiteFacts, TariffFacts
from eisbach.core.vocabulary.money import parse_euro

UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166-1 leaves ZZ to its users; here it says that nobody has told the factory where it stands."""
SITE_KEYS = ("name", "country", "operator", "operator_country")
NODE_KEYS = ("name", "pool", "flavour", "cores", "memory_mib", "gpus")


class SiteFileError(Exception):
    """A file of the home cannot be used; the message says which, what is wrong in it, and what would be right."""


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
    _write_once(path, "\n".join(lines) + "\n")


def write_price_file(path: Path) -> None:
    """Write the example price list; one that is there is left alone."""
    text = """\
# An EXAMPLE price list: euro per unit-hour, net. Set your own prices, version and label, then restart.
# Spot capacity costs spot_share of the price.

version = "example-1"
label = "example price list"
core_hour = "0.04"
memory_gib_hour = "0.005"
spot_share = "0.4"

[gpu_hour]
b200 = "5.50"
h200 = "3.80"
h100 = "3.20"
rtxpro6000 = "2.20"
"*" = "2.00"  # every accelerator that has no entry of its own
"""
    _write_once(path, text)


def read_site_file(path: Path) -> SiteFacts:
    """Return what a site file says; raise SiteFileError."""
    raw = _read(path)
    _known_keys(path, raw, ("site", "node"), "")
    site = _table(path, raw.get("site"), "[site]")
    _known_keys(path, site, SITE_KEYS, "[site] ")
    nodes = raw.get("node")
    if not isinstance(nodes, list) or not nodes:
        raise SiteFileError(f"{path}: there is no [[node]]; a factory has at least one node")
    facts = tuple(_node(path, _table(path, node, "[[node]]")) for node in nodes)
    names = [node.node for node in facts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SiteFileError(f"{path}: two nodes are named {twice!r}; names are unique")
    return SiteFacts(
        site=_text(path, site, "name", "[site]"),
        country=_country(path, site, "country"),
        operator=_text(path, site, "operator", "[site]"),
        operator_country=_country(path, site, "operator_country"),
        nodes=facts,
    )


def read_price_file(path: Path) -> TariffFacts:
    """Return what a price list says, in micro-euro; raise SiteFileError."""
    raw = _read(path)
    _known_keys(path, raw, ("version", "label", "core_hour", "memory_gib_hour", "spot_share", "gpu_hour"), "")
    gpus = _table(path, raw.get("gpu_hour", {}), "[gpu_hour]")
    share = _price(path, raw, "spot_share")
    if share % 1000 or not 0 <= share <= 1_000_000:
        raise SiteFileError(f"{path}: spot_share is {raw['spot_share']!r}, but must be between 0 and 1 in thousandths")
    return TariffFacts(
        version=_text(path, raw, "version", ""),
        label=_text(path, raw, "label", ""),
        core_hour=_price(path, raw, "core_hour"),
        memory_gib_hour=_price(path, raw, "memory_gib_hour"),
        gpu_hour={name: _price(path, gpus, name) for name in gpus},
        spot_permille=share // 1000,
    )


def _node(path: Path, node: Mapping[str, Any]) -> NodeFacts:
    _known_keys(path, node, NODE_KEYS, "[[node]] ")
    cores, memory, gpus = node.get("cores"), node.get("memory_mib"), node.get("gpus", 0)
    if isinstance(cores, bool) or not isinstance(cores, int | float) or not 0 < cores <= 100_000:
        raise SiteFileError(f"{path}: cores is {cores!r}, but must be a number above 0 such as 8 or 0.5")
    if isinstance(memory, bool) or not isinstance(memory, int) or not 0 < memory <= 2**31:
        raise SiteFileError(f"{path}: memory_mib is {memory!r}, but must be a whole number of MiB above 0")
    if isinstance(gpus, bool) or not isinstance(gpus, int) or not 0 <= gpus <= 1024:
        raise SiteFileError(f"{path}: gpus is {gpus!r}, but must be a whole number from 0 to 1024")
    return NodeFacts(
        node=_text(path, node, "name", "[[node]]"),
        pool=_text(path, node, "pool", "[[node]]"),
        flavour=_text(path, node, "flavour", "[[node]]"),
        cpu_milli=round(cores * 1000),
        memory_mib=memory,
        gpus=gpus,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise SiteFileError(f"{path} is missing; remove nothing else and start once more to have it written") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SiteFileError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise SiteFileError(f"{path} cannot be read: {error.strerror}") from error


def _table(path: Path, value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SiteFileError(f"{path}: {name} is missing or is not a table")
    return value


def _known_keys(path: Path, table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise SiteFileError(f"{path}: {where}{key!r} is not known; known are {', '.join(known)}")


def _text(path: Path, table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 63:
        raise SiteFileError(f"{path}: {where} {key} is {value!r}, but must be a text of 1 to 63 printable characters")
    return value


def _country(path: Path, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or len(value) != 2 or not (value.isascii() and value.isalpha() and value.isupper()):
        raise SiteFileError(f"{path}: [site] {key} is {value!r}, but must be an ISO 3166-1 code such as DE")
    return value


def _price(path: Path, table: Mapping[str, Any], key: str) -> int:
    value = table.get(key)
    if value is None:
        raise SiteFileError(f"{path}: {key} is missing")
    try:
        if not isinstance(value, str):
            raise ValueError(f'{value!r} must be written in quotes, such as "0.04", so that no digit is lost')
        price = parse_euro(value)
    except ValueError as error:
        raise SiteFileError(f"{path}: {key}: {error}") from error
    if price < 0:
        raise SiteFileError(f"{path}: {key} is {value}, but a price is never below 0")
    return price


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        write_private(path, text)
