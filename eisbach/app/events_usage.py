"""The hourly settlement of a project's running attempts: one event for many of them, column by column.

A job runs for ten hours on average, so ten settlements stand against one submission: they are the hottest part of the log.
"""

from collections.abc import Iterable
from typing import NamedTuple

from eisbach.app.event_body import Body, TransferTuple

SettledTuple = tuple[str, str, int, int, int, int, int, int, int]
"""The fields of Settled in their order."""


class Settled(NamedTuple):
    """What one attempt was charged by a settlement: totals of attempt and job after it, and `amount` by it.

    `saved_ms` is how much of its held time the newest checkpoint holds that anybody knows of.
    """

    attempt: str
    job: str
    held_ms: int
    charged_ms: int
    charged: int
    job_charged: int
    job_charged_ms: int
    amount: int
    saved_ms: int


class UsageSettledTogether(Body, frozen=True):
    """Attempts of one project are settled in one month; entry `n` of each column is about attempt `n`.

    The ledger moves the sum of `amounts` at once; each attempt has a row in `transfers` of its own (app/rows_usage.py).
    `gpu_milli_ms` is what all of them used since their last settlement, in thousandths of a GPU x milliseconds.
    `saved_ms` is empty where nobody knows of a checkpoint of any of them; older logs know of none.
    """

    project: str
    period: str
    attempts: tuple[str, ...]
    jobs: tuple[str, ...]
    held_ms: tuple[int, ...]
    charged_ms: tuple[int, ...]
    charged: tuple[int, ...]
    job_charged: tuple[int, ...]
    job_charged_ms: tuple[int, ...]
    amounts: tuple[int, ...]
    gpu_milli_ms: int
    transfers: tuple[TransferTuple, ...] = ()
    saved_ms: tuple[int, ...] = ()


KINDS: dict[str, type[Body]] = {"usage.settled_together": UsageSettledTogether}
_COLUMNS = ("attempts", "jobs", "held_ms", "charged_ms", "charged", "job_charged", "job_charged_ms", "amounts")


def entries_of(body: UsageSettledTogether) -> Iterable[SettledTuple]:
    """Return the entries, each as the fields of Settled in their order."""
    saved_ms = body.saved_ms or (0,) * len(body.jobs)
    return zip(*(getattr(body, column) for column in _COLUMNS), saved_ms, strict=True)


def settle_together(
    project: str, period: str, settled: Iterable[SettledTuple], gpu_milli_ms: int, move: TransferTuple
) -> UsageSettledTogether:
    """Return the event of settlements; `move` is a transfer whose amount becomes their sum."""
    *columns, saved_ms = tuple(zip(*settled, strict=True)) or ((),) * (len(_COLUMNS) + 1)
    total = sum(columns[-1])
    debit, credit, _, kind = move
    return UsageSettledTogether(
        project=project,
        period=period,
        **dict(zip(_COLUMNS, columns, strict=True)),
        gpu_milli_ms=gpu_milli_ms,
        transfers=((debit, credit, total, kind),) if total else (),
        saved_ms=saved_ms if any(saved_ms) else (),
    )


def only(body: UsageSettledTogether, left_behind: Iterable[str]) -> UsageSettledTogether:
    """Return the event without the entries of some jobs: what of it an import takes in whose jobs had not ended."""
    absent = frozenset(left_behind)
    if absent.isdisjoint(body.jobs):
        return body
    kept = [entry for entry in entries_of(body) if entry[1] not in absent]
    move = body.transfers[0] if body.transfers else ("", "", 0, "")
    return settle_together(body.project, body.period, kept, body.gpu_milli_ms, move)
