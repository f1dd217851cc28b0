"""When promises are looked at again, whether they can be earlier ones. It follows from the log alone: a restart changes nothing of it."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False, repr=False)
class Looks:
    """`since_ms` is when each promise was given or its turn came last, `due` are those whose turn it is in the next cycle.

    Only what was let go of can bring a promise nearer. That comes before the cycle of its batch, so nothing is due between two
    batches: whoever folds a log from its beginning, or from a snapshot, forgets what is due when he is through.
    """

    since_ms: dict[str, int] = field(default_factory=dict)
    due: dict[str, None] = field(default_factory=dict)

    def give(self, job: str, now: int) -> None:
        """A job is promised a start; one that it had before counts on."""
        self.since_ms.setdefault(job, now)

    def forget(self, job: str) -> None:
        """A job has no promise any more."""
        self.since_ms.pop(job, None)
        self.due.pop(job, None)

    def note_freed(self, now: int, again_ms: int) -> None:
        """Something was let go of: it is the turn of each promise that was not looked at for so long."""
        since_ms = self.since_ms
        for job, at_ms in since_ms.items():
            if now - at_ms >= again_ms:
                since_ms[job] = now
                self.due[job] = None
