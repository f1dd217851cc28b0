"""The price list of a home: written at the first start, edited by the operator, read at each start."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from eisbach.adapters.home_files import (
    WRITTEN_AT_START,
    HomeFileError,
    known_keys,
    read_toml,
    table_of,
    text_of,
    write_once,
)
from eisbach.app.site_facts import TariffFacts
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.billing.price_book import Validity, problem_of
from eisbach.core.vocabulary.money import parse_euro
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS

KEYS = (
    "version", "label", "valid_from", "valid_until", "core_hour", "memory_gib_hour", "spot_share", "gpu_hour", "booking",
)  # fmt: skip

BOOKING_KEYS: Mapping[str, tuple[str, int, int, int]] = {
    "quote_minutes": ("quote_ms", MINUTE_MS, 1, 1440),
    "lead_minutes": ("lead_ms", MINUTE_MS, 0, 10_080),
    "shortest_minutes": ("shortest_ms", MINUTE_MS, 1, 525_600),
    "longest_days": ("longest_ms", DAY_MS, 1, 3_660),
    "horizon_days": ("horizon_ms", DAY_MS, 1, 3_660),
    "hold_minutes": ("hold_ms", MINUTE_MS, 1, 1440),
    "holds_max": ("holds_max", 1, 0, 1_000),
    "free_before_hours": ("free_before_ms", HOUR_MS, 0, 8_760),
    "cancel_share": ("cancel_permille", 1000, 0, 1),
    "no_show_hours": ("no_show_ms", HOUR_MS, 0, 8_760),
    "no_show_share": ("no_show_permille", 1000, 0, 1),
    "resale_share": ("resale_permille", 1000, 0, 1),
    "extension_share": ("extension_permille", 1000, 0, 100),
}
"""key of `[booking]` -> the rule's name, what one unit of the key is in it, and the least and most that it may be"""


def write_price_file(path: Path) -> None:
    """Write the example price list; one that is there is left alone."""
    content = """\
# An EXAMPLE price list: euro per unit-hour, net. Set your own prices, version and label, then restart.
# Spot capacity costs spot_share of the price. For prices from a later day on, write each version as a [[version]]
# with its valid_from (docs/billing.md).

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


def read_price_file(path: Path) -> tuple[TariffFacts, ...]:
    """Return the versions that a price list says, in micro-euro, by their first day; raise HomeFileError.

    A list without `[[version]]` is one version, valid since ever. Versions follow one another without overlap or gap.
    """
    raw = read_toml(path, if_missing=WRITTEN_AT_START)
    written = raw.get("version")
    if isinstance(written, list):
        known_keys(path, raw, ("version",), "")
        read = [_version(path, table_of(path, one, "[[version]]"), "[[version]] ") for one in written]
    else:
        read = [_version(path, raw, "")]
    names = [one.version for one in read]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise HomeFileError(f"{path}: two versions are named {twice!r}; names are unique")
    problem = problem_of([Validity(one.version, one.valid_from_ms, one.valid_until_ms) for one in read])
    if problem:
        raise HomeFileError(f"{path}: {problem}; each version begins at the instant at which the one before it ends")
    ordered = sorted(read, key=lambda one: -1 if one.valid_from_ms is None else one.valid_from_ms)
    # An end that only repeats the next beginning says nothing, and shall make no new version of it.
    return (*(replace(one, valid_until_ms=None) for one in ordered[:-1]), ordered[-1])


def _version(path: Path, raw: Mapping[str, Any], where: str) -> TariffFacts:
    known_keys(path, raw, KEYS, where)
    gpus = table_of(path, raw.get("gpu_hour", {}), "[gpu_hour]")
    share = _price(path, raw, "spot_share")
    if share % 1000 or not 0 <= share <= 1_000_000:
        raise HomeFileError(f"{path}: spot_share is {raw['spot_share']!r}, but must be between 0 and 1 in thousandths")
    return TariffFacts(
        version=text_of(path, raw, "version", where),
        label=text_of(path, raw, "label", where),
        core_hour=_price(path, raw, "core_hour"),
        memory_gib_hour=_price(path, raw, "memory_gib_hour"),
        gpu_hour={name: _price(path, gpus, name) for name in gpus},
        spot_permille=share // 1000,
        booking=_rules(path, table_of(path, raw.get("booking", {}), "[booking]")),
        valid_from_ms=_instant(path, raw, "valid_from"),
        valid_until_ms=_instant(path, raw, "valid_until"),
    )


def _rules(path: Path, said: Mapping[str, Any]) -> BookingRules:
    """Return the rules of bookings: what the table says, and the defaults for the rest."""
    known_keys(path, said, tuple(BOOKING_KEYS), "[booking] ")
    found: dict[str, int] = {}
    for key, value in said.items():
        field, scale, low, high = BOOKING_KEYS[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise HomeFileError(f"{path}: [booking] {key} is {value!r}, but must be a number from {low} to {high}")
        if scale == 1 and value != int(value):
            raise HomeFileError(f"{path}: [booking] {key} is {value!r}, but must be a whole number")
        found[field] = round(value * scale)
    return BookingRules(**found)


def _instant(path: Path, table: Mapping[str, Any], key: str) -> int | None:
    """Return the instant of a day (its first in UTC) or of a date with time and offset; None where nothing is said."""
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return int(value.timestamp() * 1000)
    if isinstance(value, date) and not isinstance(value, datetime):
        return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()) * 1000
    raise HomeFileError(f"{path}: {key} is {value!r}, but must be a day such as 2026-12-01, or a time with its offset")


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
