"""The price book: versions of the tariff, each with its validity, and which of them holds at an instant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from eisbach.core.billing.tariff import Tariff


@dataclass(slots=True, eq=False, repr=False)
class PriceBook:
    """All versions that were ever published and not withdrawn, in the order of their publication."""

    versions: list[Tariff] = field(default_factory=list)

    def at(self, instant: int) -> Tariff | None:
        """Return the tariff that is valid at an instant: the newest one that has begun, unless it has ended.

        A version ends where the next one begins, so an older one never comes back. Where two begin at once, the one that
        was published later holds.
        """
        found: Tariff | None = None
        for one in self.versions:
            if one.valid_from_ms <= instant and (found is None or one.valid_from_ms >= found.valid_from_ms):
                found = one
        has_ended = found is not None and found.valid_until_ms is not None and found.valid_until_ms <= instant
        return None if has_ended else found

    def coming(self, instant: int) -> list[Tariff]:
        """Return the versions that begin after an instant, the next one first."""
        return sorted((one for one in self.versions if one.valid_from_ms > instant), key=lambda one: one.valid_from_ms)

    def publish(self, tariff: Tariff) -> None:
        """Add a version."""
        self.versions.append(tariff)

    def withdraw(self, version: str) -> None:
        """Take a version back that has not begun."""
        self.versions = [one for one in self.versions if one.version != version]


class Validity(NamedTuple):
    """When a version that somebody wrote down is to hold: from None on: since ever; until None: until the next begins."""

    version: str
    from_ms: int | None
    until_ms: int | None


def problem_of(written: Sequence[Validity]) -> str:
    """Return what is wrong with the validities of a list of versions, in words; empty where they follow one another."""
    ordered = sorted(written, key=lambda one: -1 if one.from_ms is None else one.from_ms)
    for one in ordered:
        if one.until_ms is not None and one.until_ms <= (one.from_ms or 0):
            return f"{one.version!r} ends before it begins"
    for before, after in pairwise(ordered):
        if after.from_ms is None or before.from_ms == after.from_ms:
            return f"{before.version!r} and {after.version!r} begin at the same time"
        if before.until_ms is None or before.until_ms == after.from_ms:
            continue
        what = "overlap" if before.until_ms > after.from_ms else "leave a gap without prices between them"
        return f"{before.version!r} and {after.version!r} {what}"
    return ""
