"""The price list of a home: written at the first start, edited by the operator, read at each start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eisbach.adapters.home_files import HomeFileError, known_keys, read_toml, table_of, text_of, write_once
from eisbach.app.site_facts import TariffFacts
from eisbach.core.vocabulary.money import parse_euro


def write_price_file(path: Path) -> None:
    """Write the example price list; one that is there is left alone."""
    content = """\
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
    write_once(path, content)


def read_price_file(path: Path) -> TariffFacts:
    """Return what a price list says, in micro-euro; raise HomeFileError."""
    raw = read_toml(path)
    known_keys(path, raw, ("version", "label", "core_hour", "memory_gib_hour", "spot_share", "gpu_hour"), "")
    gpus = table_of(path, raw.get("gpu_hour", {}), "[gpu_hour]")
    share = _price(path, raw, "spot_share")
    if share % 1000 or not 0 <= share <= 1_000_000:
        raise HomeFileError(f"{path}: spot_share is {raw['spot_share']!r}, but must be between 0 and 1 in thousandths")
    return TariffFacts(
        version=text_of(path, raw, "version", ""),
        label=text_of(path, raw, "label", ""),
        core_hour=_price(path, raw, "core_hour"),
        memory_gib_hour=_price(path, raw, "memory_gib_hour"),
        gpu_hour={name: _price(path, gpus, name) for name in gpus},
        spot_permille=share // 1000,
    )


def _price(path: Path, table: Mapping[str, Any], key: str) -> int:
    value = table.get(key)
    if value is None:
        raise HomeFileError(f"{path}: {key} is missing")
    try:
        if not isinstance(value, str):
            raise ValueError(f'{value!r} must be written in quotes, such as "0.04", so that no digit is lost')
        price = parse_euro(value)
    except ValueError as error:
        raise HomeFileError(f"{path}: {key}: {error}") from error
    if price < 0:
        raise HomeFileError(f"{path}: {key} is {value}, but a price is never below 0")
    return price
