"""Demand as a TOML file: `[[class]]` tables, read to the end, with every mistake said at once (docs/twin.md)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eisbach.adapters.file_table import FileTable, Mistakes
from eisbach.adapters.home_files import HomeFileError, read_toml
from eisbach.app.create_organisation import SEGMENTS
from eisbach.core.billing.booking_rules import DEFAULT_RULES
from eisbach.core.jobs.amounts import DURATION, parse_duration_ms
from eisbach.core.jobs.request import WHOLE, CapacityClass
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.twin.demand import MILLI, Bookings, CustomerClass

CLASS_KEYS = (
    "name", "segment", "customers", "jobs_per_day", "day", "week", "gpus", "sizes", "median", "p90", "longest", "limit",
    "capacity_class", "within", "require", "flavour", "bookings",
)  # fmt: skip
BOOKING_KEYS = ("per_week", "nodes", "for", "ahead", "used")
OFFICE_DAY = (1, 1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 9, 10, 11, 11, 10, 8, 5, 4, 3, 2, 2, 1)
"""The relative rate of each hour in UTC where people submit by hand in Central Europe."""
SHAPES = {"flat": (1,) * 24, "office": OFFICE_DAY}
CLASSES = {one.value: one for one in (CapacityClass.ON_DEMAND, CapacityClass.SPOT)}
LEVELS = {one.value: one for one in Level}
GPUS_MAX = 1_000_000
JOBS_PER_DAY_MAX = 10_000_000
RULES = DEFAULT_RULES
"""Those of the example price list, which the twin plays by."""


def read_demand(path: Path) -> tuple[CustomerClass, ...]:
    """Return the classes of a demand file; raise HomeFileError with all that is wrong in it."""
    mistakes = Mistakes(path)
    raw = read_toml(path)
    whole = FileTable(mistakes, raw, "the file:")
    whole.known(("class",))
    said = raw.get("class")
    if not isinstance(said, list) or not said:
        raise HomeFileError(f"{path}: there is no [[class]]; name at least one class of customers")
    classes = [_class(FileTable(mistakes, one, f"[[class]] {_name_in(one)}:")) for one in said]
    names = [name for one in classes for name in one.names]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        mistakes.note(f"two customers are named {twice!r}; names of classes are unique")
    if mistakes.found:
        raise HomeFileError("\n".join(mistakes.found))
    return tuple(classes)


def _name_in(said: object) -> str:
    return repr(said.get("name", "?")) if isinstance(said, Mapping) else "?"


def _class(at: FileTable) -> CustomerClass:
    at.known(CLASS_KEYS)
    median_ms = duration_of(at, "median", HOUR_MS)
    p90_ms = duration_of(at, "p90", 4 * median_ms)
    if p90_ms < median_ms:
        at.wrong(f"p90 is {at.said['p90']!r}, but must be at least the median")
        p90_ms = median_ms
    return CustomerClass(
        name=at.text("name"),
        segment=one_of(at, "segment", {name: name for name in SEGMENTS}, "enterprise"),
        customers=at.whole_number("customers", 1, 1000, default=1),
        jobs_per_day_milli=at.number("jobs_per_day", 0, JOBS_PER_DAY_MAX, MILLI),
        hours=_day(at),
        weekdays=_weights(at, "week", 7, (1,) * 7),
        sizes=_sizes(at),
        median_ms=median_ms,
        p90_ms=p90_ms,
        longest_ms=duration_of(at, "longest", 30 * DAY_MS),
        limit_milli=at.number("limit", 1, 1000, MILLI) if "limit" in at else 0,
        capacity_class=one_of(at, "capacity_class", CLASSES, CapacityClass.ON_DEMAND.value),
        within=_within(at),
        flavour=at.optional_text("flavour"),
        bookings=_bookings(at.table("bookings", f"{at.where} [class.bookings]")) if "bookings" in at else None,
    )


def _bookings(at: FileTable) -> Bookings:
    at.known(BOOKING_KEYS)
    for_ms, ahead_ms = duration_of(at, "for", DAY_MS), duration_of(at, "ahead", DAY_MS)
    if not RULES.shortest_ms <= for_ms <= RULES.longest_ms:  # else every quote is refused, and nothing booked
        at.wrong(f"for is {at.said['for']!r}, but a booking lasts {RULES.shortest_ms // MINUTE_MS} minutes to {RULES.longest_ms // DAY_MS} days")
    elif not RULES.lead_ms <= ahead_ms <= RULES.horizon_ms - for_ms:
        at.wrong(
            f"ahead is {at.said.get('ahead', '1d')!r}, but a window begins at least {RULES.lead_ms // MINUTE_MS} minutes after it is asked for "
            f"and ends within {RULES.horizon_ms // DAY_MS} days"
        )
    return Bookings(
        per_week_milli=at.number("per_week", 0, 1000, MILLI),
        nodes=at.whole_number("nodes", 1, 100_000),
        for_ms=for_ms,
        ahead_ms=ahead_ms,
        used_permille=at.number("used", 0, 1, 1000, default=1),
    )


def duration_of(at: FileTable, key: str, default_ms: int) -> int:
    """Return a duration of at least a second."""
    if key not in at:
        return default_ms
    found = parse_duration_ms(at.said[key])
    if found is None or found < SECOND_MS:
        at.wrong(f"{key} is {at.said[key]!r}, but must be {DURATION}")
        return default_ms
    return found


def one_of(at: FileTable, key: str, known: Mapping[str, Any], default: str) -> Any:
    """Return what one of a few words stands for."""
    said = at.said.get(key, default)
    if not isinstance(said, str) or said not in known:
        at.wrong(f"{key} is {said!r}, but must be one of {', '.join(known)}")
        return known[default]
    return known[said]


def _within(at: FileTable) -> Within | None:
    if "within" in at and "require" in at:
        at.wrong("within is a wish and require a demand; say one of them")
    key = "require" if "require" in at else "within"
    return Within(one_of(at, key, LEVELS, Level.RACK.value), is_required=key == "require") if key in at else None


def _day(at: FileTable) -> tuple[int, ...]:
    said = at.said.get("day", "flat")
    if isinstance(said, str):
        return one_of(at, "day", SHAPES, "flat")  # type: ignore[no-any-return]
    return _weights(at, "day", 24, SHAPES["flat"])


def _weights(at: FileTable, key: str, count: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return relative rates in thousandths; at least one is above zero."""
    said = at.said.get(key, list(default))
    is_right = (
        isinstance(said, list)
        and len(said) == count
        and all(isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= 1_000_000 for one in said)
        and any(round(one * MILLI) for one in said)
    )
    if not is_right:
        at.wrong(f"{key} is {said!r}, but must be {count} relative rates from 0 up, one of them at least 0.001")
        return default
    return tuple(round(one * MILLI) for one in said)


def _sizes(at: FileTable) -> tuple[tuple[int, int], ...]:
    """Return thousandths of GPUs with their weights, from `gpus = 8` or `sizes = [[8, 5], [64, 1]]`."""
    if ("gpus" in at) == ("sizes" in at):
        at.wrong("needs gpus = 8, or sizes = [[8, 5], [64, 1]] (GPUs, weight); one of the two")
        return ((WHOLE, 1),)
    if "gpus" in at:
        return ((at.number("gpus", 0.001, GPUS_MAX, WHOLE), 1),)
    said = at.said["sizes"]
    found = [_pair(one) for one in said] if isinstance(said, list) else []
    sizes = [one for one in found if one is not None]
    if not sizes or len(sizes) < len(found):
        at.wrong(f"sizes is {said!r}, but must be pairs of GPUs (0.001 to {GPUS_MAX:,}) and a weight above 0, such as [[8, 5], [64, 1]]")
        return ((WHOLE, 1),)
    return tuple(sizes)


def _pair(said: object) -> tuple[int, int] | None:
    if not isinstance(said, list) or len(said) != 2 or any(isinstance(one, bool) or not isinstance(one, int | float) for one in said):
        return None
    gpus, weight = said
    return (round(gpus * WHOLE), round(weight * MILLI)) if 0.001 <= gpus <= GPUS_MAX and 0.001 <= weight <= 1_000_000 else None
