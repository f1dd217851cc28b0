"""Instants of measurements: texts as loggers and spreadsheets write them, turned into UTC milliseconds.

Which number is the day is decided once for a file, by a rule that never guesses (`order_of`). A local time without offset is
read in the file's time zone; the hour that comes twice in autumn is told apart by the order of the lines, and the hour that is
left out in spring is no gap, because all reckoning is in UTC.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from unreadable import Unreadable

SHAPE = re.compile(
    r"(?P<a>\d{1,4})(?P<mark>[.\-/])(?P<b>\d{1,2})(?P=mark)(?P<c>\d{1,4})"
    r"(?:(?:T|[ ,]\s*)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<offset>Z|[+-]\d{2}:?\d{2})?)?"
)
EPOCH = re.compile(r"\d{10}(?:\.\d+)?|\d{13}")
TIME_ONLY = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?")
MINUTES = {f"{number:02}": number * 60_000 for number in range(60)}
SECONDS = {f"{number:02}": number * 1_000 for number in range(60)} | {"": 0}
CACHED_HOURS_MAX = 4096
PARTS = {"ymd": "abc", "dmy": "cba", "mdy": "cab"}
"""Which part of SHAPE holds year, month and day."""


def looks_like_instant(text: str) -> bool:
    return bool(SHAPE.fullmatch(text) or EPOCH.fullmatch(text))


def order_of(texts: Iterable[str], wish: str | None = None) -> str:
    """`epoch`, `ymd`, `dmy` or `mdy` for all of a file's instants, from the first of them.

    Year first where the year has four digits and stands first; day first with points (1.4.2022). With slashes or dashes a part
    above 12 decides; if there is none, the order in which the lines go forward in equal steps, if only one does; else it is refused.
    """
    texts = list(texts)
    if all(EPOCH.fullmatch(text) for text in texts):
        return "epoch"
    found = [match for text in texts if (match := SHAPE.fullmatch(text))]
    if any(len(match["a"]) == 4 for match in found):
        return "ymd"
    if wish:
        return {"day-first": "dmy", "month-first": "mdy"}[wish]
    if any(match["mark"] == "." for match in found):
        return "dmy"
    first_is_day = next((match for match in found if int(match["a"]) > 12), None)
    second_is_day = next((match for match in found if int(match["b"]) > 12), None)
    if first_is_day and second_is_day:
        raise Unreadable(
            f"dates are mixed: {first_is_day[0]!r} has the day first and {second_is_day[0]!r} the month",
            "Export again with dates as 2022-03-24 09:00",
        )
    if first_is_day or second_is_day:
        return "dmy" if first_is_day else "mdy"
    fitting = [order for order in ("dmy", "mdy") if _goes_forward_evenly(found, order)]
    if len(fitting) == 1:
        return fitting[0]
    example = found[0][0] if found else texts[0]
    raise Unreadable(
        f"{example!r} may have the day or the month first, and no line tells which",
        "Say --dates day-first or --dates month-first, or export dates as 2022-03-24",
    )


def _goes_forward_evenly(found: list[re.Match[str]], order: str) -> bool:
    walls = [_wall_time(match, order) for match in found]
    steps = Counter(later - earlier for earlier, later in itertools.pairwise(walls))
    if not steps or min(steps) < timedelta(0):
        return False
    return steps.most_common(1)[0][1] >= 0.9 * sum(steps.values())


def _wall_time(match: re.Match[str], order: str) -> datetime:
    year, month, day = (int(match[part]) for part in PARTS[order])
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("hour with am or pm")
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    micro = int((match["fraction"] or "0").ljust(6, "0")[:6])
    next_day = timedelta(days=1) if (hour, minute, second) == (24, 0, 0) else timedelta(0)  # 24:00 as German loggers write it
    return datetime(year + 2000 if year < 100 else year, month, day, 0 if next_day else hour, minute, second, micro) + next_day  # noqa: DTZ001


@dataclass
class InstantReader:
    """Turns texts of one file into UTC milliseconds, one after another in the file's order."""

    order: str
    zone: ZoneInfo
    doubled_hours: int = 0
    """Readings in an hour that comes twice, told apart by order."""
    _hours: dict[str, int] = field(default_factory=dict)
    _previous: int | None = None

    def read(self, text: str) -> int:
        """UTC milliseconds; ValueError for what is no date, Unreadable for a time that does not exist in this time zone."""
        at = self.read_quickly(text)
        if at is None:
            at = self._previous = self._read_slowly(text)
        return at

    def read_quickly(self, text: str) -> int | None:
        """UTC milliseconds where an instant of the same hour was read before and this one is written in the same way; else None."""
        hour = self._hours.get(text[:13] + text[19:])
        if hour is None or text[13:14] != ":" or text[16:17] not in ("", ":"):
            return None
        minute, second = MINUTES.get(text[14:16]), SECONDS.get(text[17:19])
        if minute is None or second is None:
            return None
        at = self._previous = hour + minute + second
        return at

    def _read_slowly(self, text: str) -> int:
        if self.order == "epoch":
            if not EPOCH.fullmatch(text):
                raise ValueError(text)
            return int(text) if len(text) == 13 else round(float(text) * 1000)
        match = SHAPE.fullmatch(text)
        if match is None or (self.order == "ymd") != (len(match["a"]) == 4):
            raise ValueError(text)
        wall = _wall_time(match, self.order)
        if match["offset"]:
            at = _milliseconds(wall.replace(tzinfo=_offset(match["offset"])))
            is_plain = True
        else:
            at, is_plain = self._from_wall_time(wall, text)
        is_padded = len(text) >= 16 and text[13] == ":" and text[16:17] in ("", ":")
        if is_plain and is_padded and not match["fraction"] and not match["half"] and match["hour"] != "24":
            if len(self._hours) >= CACHED_HOURS_MAX:
                self._hours.clear()
            self._hours[text[:13] + text[19:]] = at - wall.minute * 60_000 - wall.second * 1000
        return at

    def _from_wall_time(self, wall: datetime, text: str) -> tuple[int, bool]:
        """The instant, and whether its hour is an ordinary one (neither twice nor left out)."""
        first = _milliseconds(wall.replace(tzinfo=self.zone, fold=0))
        second = _milliseconds(wall.replace(tzinfo=self.zone, fold=1))
        if first == second:
            return first, True
        if first > second:  # PEP 495: in the gap the two readings of a wall time lie the other way round
            raise Unreadable(
                f"this time does not exist in {self.zone.key}: clocks were put forward over it",
                "If the logger keeps winter time all year, say so: --timezone Etc/GMT-1 for UTC+1 (the sign is reversed in these names)",
                value=text,
            )
        self.doubled_hours += 1
        is_second = self._previous is not None and first <= self._previous
        return (second if is_second else first), False


def _milliseconds(instant: datetime) -> int:
    return round((instant - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
