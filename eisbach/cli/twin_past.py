"""What `eisbach twin replay --history` asks of a home: which part of its past, in whose time, and by which policy."""

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.terminal import say

if TYPE_CHECKING:
    from eisbach.twin.past import Past

ENDLESS_MS = 1 << 62
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
LOCAL = "local"


def past_of(home: Path | None, since: str, until: str, zone: str) -> "Past":
    """Return the past of a home between two instants as they were said; say which instants were taken."""
    from eisbach.cli.session import settings
    from eisbach.ports.store import StoreDamaged, StoreUnavailable
    from eisbach.stores.sql.opening import read_sqlite
    from eisbach.twin.past import NoPast, Past, events_in
    from eisbach.wiring import DATABASE

    place, clock = (home or settings().home).expanduser().absolute(), _zone(zone)
    from_ms, until_ms = _instant(since, clock, 0), _instant(until, clock, ENDLESS_MS)
    taken = [f"{word} {_said(at_ms, clock)}" for word, text, at_ms in (("from", since, from_ms), ("until", until, until_ms)) if text]
    if taken:
        say(f"history: {', '.join(taken)}")
    try:
        with read_sqlite(place / DATABASE) as reader:
            return Past(events_in(reader), from_ms=from_ms, until_ms=until_ms)
    except NoPast as error:
        raise CliError(str(error), "Choose another time with --from and --until", ExitCode.NOT_FOUND) from error
    except (StoreUnavailable, StoreDamaged) as error:
        raise CliError(f"The past cannot be read: {error}", "Name the factory's folder with --home", ExitCode.NOT_FOUND) from error


def _zone(name: str) -> tzinfo | None:
    """Return the zone of a name, None for that of this computer."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name == LOCAL:
        return None
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise usage_error(f"There is no time zone {name!r}", "Write one such as Europe/Berlin, UTC, or local for that of this computer") from error


def _instant(text: str, zone: tzinfo | None, otherwise: int) -> int:
    if not text:
        return otherwise
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.astimezone() if zone is None else found.replace(tzinfo=zone)
        found.astimezone(zone)  # that zone tells it as well: its calendar may end sooner
        return (found.astimezone(UTC) - EPOCH) // MILLISECOND
    except (ValueError, OverflowError):
        do = "Write 2026-06-01 or 2026-06-01T08:00:00+02:00; without an offset it is in the time of --zone"
        raise usage_error(f"{text!r} is no instant", do) from None


def _said(at_ms: int, zone: tzinfo | None) -> str:
    """Return an instant in UTC, and in the zone where that is another one."""
    at = EPOCH + at_ms * MILLISECOND
    there = at.astimezone(zone)
    utc = f"{at.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    return utc if not there.utcoffset() else f"{utc} ({there.isoformat(timespec='minutes')} {there.tzname()})"
