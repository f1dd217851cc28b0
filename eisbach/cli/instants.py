"""Instants as people say them on the command line: a date and time, or how long from now."""

import time
from datetime import UTC, datetime

from eisbach.cli.errors import usage_error
from eisbach.core.jobs.amounts import parse_duration_ms


def instant_of(text: str, option: str) -> datetime:
    """Return the instant of `2026-12-01T06:00` (local time, or with its offset) or `6h`, `in 6h` (from now); a usage error otherwise.

    Local, because that is how instants are shown (figures.instant).
    """
    ahead = text.strip().removeprefix("in ").strip()
    ahead_ms = None if ahead.isdigit() else parse_duration_ms(ahead)
    try:
        if ahead_ms is not None:
            return datetime.fromtimestamp(time.time() + ahead_ms / 1000, UTC)
        said = datetime.fromisoformat(text)
        return (said if said.tzinfo else said.astimezone()).astimezone(UTC)
    except (ValueError, OverflowError):  # the second: a year that no calendar has
        what = f"{option} {text!r} is no instant"
        do = "Write one such as 2026-12-01T06:00, in local time or with its offset, or how long from now, such as 6h"
        raise usage_error(what, do) from None


def instant_ms(text: str, option: str) -> int:
    """Return the same in UTC milliseconds."""
    return round(instant_of(text, option).timestamp() * 1000)


def instant_text(text: str | None, option: str) -> str | None:
    """Return the same as the API takes instants (RFC 3339), None where nothing is said."""
    return None if text is None else instant_of(text, option).isoformat()
