"""Calendar months in UTC, computed without a clock; and how instants and lengths are told in words."""

from functools import lru_cache
from typing import Final

from eisbach.core.vocabulary.quantities import DAY_MS, MINUTE_MS, Instant

_DAYS_TO_EPOCH: Final = 719_468  # days from 0000-03-01 to 1970-01-01


def calendar_date(instant: int) -> tuple[int, int, int]:
    """Return the proleptic Gregorian year, month (1 to 12) and day of an instant.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    days = instant // DAY_MS + _DAYS_TO_EPOCH
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (1 if month <= 2 else 0), month, day_of_year - (153 * shifted + 2) // 5 + 1


def year_and_month(instant: int) -> tuple[int, int]:
    """Return the year and month (1 to 12) of an instant."""
    year, month, _ = calendar_date(instant)
    return year, month


def date_text(instant: int) -> str:
    """Return the day of an instant, such as `2026-11-22`."""
    year, month, day = calendar_date(instant)
    return f"{year:04d}-{month:02d}-{day:02d}"


def minute_text(instant: int) -> str:
    """Return the day and minute of an instant, such as `2026-11-22 14:20 UTC`."""
    minutes = instant // MINUTE_MS % (24 * 60)
    return f"{date_text(instant)} {minutes // 60:02d}:{minutes % 60:02d} UTC"


def month_of(instant: int) -> str:
    """Return the budget period of an instant, such as `2026-11`."""
    return _month_of_day(instant // DAY_MS)


@lru_cache(maxsize=64)
def _month_of_day(day: int) -> str:
    year, month = year_and_month(day * DAY_MS)
    return f"{year:04d}-{month:02d}"


def month_start(year: int, month: int) -> Instant:
    """Return the first instant of a month; `month` may run past 12. Source as in `year_and_month` (days_from_civil)."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    shifted_year = year - (1 if month <= 2 else 0)
    era, year_of_era = divmod(shifted_year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return Instant((era * 146_097 + day_of_era - _DAYS_TO_EPOCH) * DAY_MS)


def month_end(instant: int) -> Instant:
    """Return the first instant of the month after the one that holds `instant`."""
    year, month = year_and_month(instant)
    return month_start(year, month + 1)


@lru_cache(maxsize=64)
def end_of_month(period: str) -> Instant:
    """Return the first instant after a month such as `2026-11`."""
    return period_bounds(period)[1]


def period_bounds(period: str) -> tuple[Instant, Instant]:
    """Return the first instant of a month such as `2026-11`, and the first one after it."""
    year, _, month = period.partition("-")
    return month_start(int(year), int(month)), month_start(int(year), int(month) + 1)


def length_text(length_ms: int) -> str:
    """Return a length as whole minutes, or where it is no such thing to the millisecond."""
    minutes, rest = divmod(length_ms, MINUTE_MS)
    return f"{length_ms:,} ms" if rest else f"{minutes:,} minute" if minutes == 1 else f"{minutes:,} minutes"
