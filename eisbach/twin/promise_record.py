"""What became of each promised start: when it was promised for, when the job really started, and why a promise was broken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eisbach.app.events import AttemptPlanned, Body, JobEnded, ReservationMoved
from eisbach.app.events_planning import StartPromised, StartUnpromised
from eisbach.core.scheduling.promise import BreakCause

LATE = "late"
"""It was started after its promise and nobody said why: a violation, which the checks would find too."""
BY_TENANT = BreakCause.TENANT.value


@dataclass(slots=True)
class Promised:
    """A promise as it was last: for when, when the job started (None: it did not), and why it was broken (empty: it was not)."""

    job: str
    promised_ms: int
    started_ms: int | None = None
    cause: str = ""


class PromiseRecord:
    """Listens to events; `promises` are all that were given, in their order, but those that the tenant's own act ended."""

    def __init__(self) -> None:
        self._open: dict[str, Promised] = {}
        self._broken: dict[str, list[Promised]] = {}
        """job -> those that were broken before it started"""
        self._all: list[Promised] = []
        self.kinds: Mapping[type[Body], Callable[[int, Any], None]] = {
            StartPromised: self._promised,
            StartUnpromised: self._unpromised,
            AttemptPlanned: self._planned,
            JobEnded: self._withdrawn,
            ReservationMoved: self._withdrawn,
        }

    @property
    def promises(self) -> list[Promised]:
        """Return what was promised and started or was broken; what is open at the end is neither."""
        return [one for one in self._all if one.cause != BY_TENANT and (one.cause or one.started_ms is not None)]

    def _promised(self, now: int, body: StartPromised) -> None:
        known = self._open.get(body.job)
        if known is None:
            known = self._open[body.job] = Promised(body.job, body.from_ms)
            self._all.append(known)
        known.promised_ms = body.from_ms

    def _unpromised(self, now: int, body: StartUnpromised) -> None:
        known = self._open.pop(body.job, None)
        if known is not None:
            known.cause = body.cause
            self._broken.setdefault(body.job, []).append(known)

    def _planned(self, now: int, body: AttemptPlanned) -> None:
        for broken in self._broken.pop(body.job, ()):
            broken.started_ms = now
        known = self._open.pop(body.job, None)
        if known is not None:
            known.started_ms = now
            known.cause = LATE if now > known.promised_ms else ""

    def _withdrawn(self, now: int, body: JobEnded | ReservationMoved) -> None:
        if isinstance(body, ReservationMoved) and body.funded:
            return
        self._broken.pop(body.job, None)
        known = self._open.pop(body.job, None)
        if known is not None:
            known.cause = BY_TENANT
