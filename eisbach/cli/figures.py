"""How amounts, durations, sizes and instants are written for a person. Documents (`-o json`) keep the integers."""

from datetime import UTC, datetime

from eisbach.core.vocabulary.money import euro_text
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

NOTHING = "-"


def euro(amount: int | None) -> str:
    """Return an exact amount such as `0.000417`, `-` for none."""
    return NOTHING if amount is None else euro_text(amount)


def euro_short(amount: int | None) -> str:
    """Return an amount for a narrow column: cents, or two figures of what is smaller; never the basis of a bill."""
    if amount is None:
        return NOTHING
    size = abs(amount)
    decimals = 2 if size == 0 or size >= 10_000 else 4 if size >= 100 else 6
    return f"{amount / 1_000_000:.{decimals}f}"


def duration(milliseconds: int | None) -> str:
    """Return a duration such as `1h 04m`, `3m 12s`, `4.2s` or `350ms`, `-` for none."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < SECOND_MS:
        return f"{milliseconds}ms"
    if milliseconds < MINUTE_MS:
        return f"{milliseconds // SECOND_MS}.{milliseconds % SECOND_MS // 100}s"
    if milliseconds < HOUR_MS:
        return f"{milliseconds // MINUTE_MS}m {milliseconds % MINUTE_MS // SECOND_MS:02d}s"
    if milliseconds < DAY_MS:
        return f"{milliseconds // HOUR_MS}h {milliseconds % HOUR_MS // MINUTE_MS:02d}m"
    return f"{milliseconds // DAY_MS}d {milliseconds % DAY_MS // HOUR_MS:02d}h"


def instant(at: str | None, now: datetime | None = None) -> str:
    """Return an instant of the API (RFC 3339) in local time, `-` for none.

    Today it is `14:03:12`, in this year `05-28 14:03`, else `2025-05-28`.
    """
    if not at:
        return NOTHING
    local = datetime.fromisoformat(at).astimezone()
    today = (now or datetime.now(UTC)).astimezone().date()
    if local.date() == today:
        return f"{local:%H:%M:%S}"
    return f"{local:%m-%d %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d}"


def minute(at: str) -> str:
    """Return an instant of the API as the whole local minute that something ends at: `2027-07-14 18:00 +02:00`."""
    local = datetime.fromisoformat(at).astimezone()
    return f"{local:%Y-%m-%d %H:%M} {local.isoformat()[-6:]}"


def instant_short(at: str | None, now: datetime | None = None) -> str:
    """Return an instant for a narrow column: `14:03` today, `05-28` in this year, else the year; `-` for none."""
    text = instant(at, now)
    return text if text == NOTHING else text[:5] if ":" in text else text[:4]


def cores(cpu_milli: int) -> str:
    """Return thousandths of a core as cores: `2`, `0.5`."""
    return f"{cpu_milli / 1000:g}"


def memory(mib: int) -> str:
    """Return MiB as the unit that reads best: `512 MiB`, `7.6 GiB`, `64 GiB`."""
    if mib < 1024:
        return f"{mib} MiB"
    gib = mib / 1024
    return f"{gib:.0f} GiB" if gib >= 10 or mib % 1024 == 0 else f"{gib:.1f} GiB"


def size(count: int) -> str:
    """Return bytes as the unit that reads best."""
    if count < 1024:
        return f"{count} B"
    for unit, factor in (("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)):
        if count < factor * 1024 or unit == "GiB":
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def counted(count: int, one: str, many: str = "") -> str:
    """Return `1 node`, `3 nodes`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
