"""What a plant may send, and what is wrong with what it should not have sent.

A value is a JSON object: `at` (instant of the measurement: ISO 8601 with offset, or milliseconds since 1970), `value` (a number), and if the
plant has them `seq`, `sent` (when it left the plant), `unit` and `source`. Anything else in it is passed over.
"""

import json
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from readings import Limits
from unreadable import shortened

PAYLOAD_BYTES_MAX = 4096
AHEAD_MS_MAX = 300_000
"""A clock of the plant may be ahead by five minutes; what claims to be later is absurd."""
SIMULATED = "simulated"

REASONS = {
    "too_large": f"the payload is longer than {PAYLOAD_BYTES_MAX} bytes",
    "not_json": "the payload is no JSON",
    "not_an_object": "the payload is no JSON object",
    "no_instant": "there is no `at`",
    "bad_instant": "`at` is no instant: write 2022-03-24T09:00:00+01:00, or milliseconds since 1970",
    "no_value": "there is no `value`",
    "not_a_number": "`value` is no finite number",
    "implausible": "`value` is outside what is plausible",
    "in_the_future": "`at` is more than five minutes ahead of this machine's clock",
    "out_of_order": "`at` is older than a value before it",
    "contradiction": "there was another value for the same `at`",
}


class Rejected(Exception):
    """A payload that is answered on the topic of rejected ones."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Value:
    at_ms: int
    value: float
    seq: int | None
    sent_ms: float
    """When it left the plant; the instant of the measurement where the plant does not say."""
    is_simulated: bool


def read_value(payload: bytes, limits: Limits, now_ms: int) -> Value:
    """The value in a payload; Rejected with the first thing that is wrong."""
    document = _document(payload)
    at_ms = _instant(document, "at")
    if at_ms is None:
        raise Rejected("no_instant")
    if at_ms > now_ms + AHEAD_MS_MAX:
        raise Rejected("in_the_future")
    number = document.get("value")
    if number is None:
        raise Rejected("no_value")
    if isinstance(number, bool) or not isinstance(number, int | float) or not -math.inf < number < math.inf:
        raise Rejected("not_a_number")
    if not limits.minimum <= number <= limits.maximum:
        raise Rejected("implausible")
    seq, sent_ms = document.get("seq"), _instant(document, "sent")
    is_number = isinstance(seq, int) and not isinstance(seq, bool)
    return Value(round(at_ms), float(number), seq if is_number else None, at_ms if sent_ms is None else sent_ms, document.get("source") == SIMULATED)


def _document(payload: bytes) -> dict[str, Any]:
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Rejected("too_large")
    try:
        document = json.loads(payload, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Rejected("not_a_number" if isinstance(error, _NoNumber) else "not_json") from error
    if not isinstance(document, dict):
        raise Rejected("not_an_object")
    return document


class _NoNumber(ValueError):
    """NaN and Infinity, which JSON does not have and some programs write."""


def _no_constant(name: str) -> NoReturn:
    raise _NoNumber(name)


def _instant(document: dict[str, Any], key: str) -> float | None:
    found = document.get(key)
    if found is None:
        return None
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 1e14:
        return found
    try:
        instant = datetime.fromisoformat(found)
        if instant.tzinfo is not None:
            return instant.timestamp() * 1000
    except (TypeError, ValueError, OverflowError):
        pass
    raise Rejected("bad_instant")


def shown(payload: bytes) -> str:
    """The start of a payload, as text that can be looked at."""
    return shortened(payload[:200].decode("utf-8", errors="replace"))
