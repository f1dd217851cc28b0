"""Instants as people say them on the command line: a date and time, or how long from now."""

import time
from datetime import UTC, datetime

from eisbach.cli.errors import usage_error
from eisbach.core.jobs.amounts import parse_duration_ms


def instant_ms(text: str, option: str) -> int:
    """Return UTC milliseconds for `2026-12-01T06:00` (local time, or with Z) or `6h` (from now); a usage error otherwise."""
    ahead_ms = None if text.isdigit() else parse_duration_ms(text)
    if ahead_ms is not None:
        return round(time.time() * 1000) + ahead_ms
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        what = f"{option} {text!r} is no instant"
        raise usage_error(what, "Write one such as 2026-12-01T06:00, in local time or with Z, or how long from now, such as 6h") from None
    return int((instant if instant.tzinfo else instant.astimezone()).astimezone(UTC).timestamp() * 1000)
