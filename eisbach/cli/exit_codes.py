"""Exit codes: one table, documented in docs/cli.md."""

from enum import IntEnum

from eisbach.core.jobs.lifecycle import Outcome
from eisbach.core.vocabulary.reasons import Reason


class ExitCode(IntEnum):
    """What the exit status of `eisbach` says."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    DENIED = 5
    UNAVAILABLE = 6
    OVER_BUDGET = 7
    LOST = 8
    TIMED_OUT = 124
    INTERRUPTED = 130
    OUT_OF_MEMORY = 137


MEANINGS = {
    ExitCode.OK: "done; from `run`: the job succeeded",
    ExitCode.FAILED: "something failed that no other code names: a check found damage, the factory answered nonsense, a bug",
    ExitCode.USAGE: "the command line or the task file is wrong in itself; nothing was started",
    ExitCode.REFUSED: "the factory refused, or you did not confirm; nothing was changed",
    ExitCode.NOT_FOUND: "there is no such thing, or it is not yours",
    ExitCode.DENIED: "no valid token, or one that may not do this",
    ExitCode.UNAVAILABLE: "no factory answers, or it cannot take work now; try again later",
    ExitCode.OVER_BUDGET: "more than the budget allows; from `run` also: the budget was reached while the job ran",
    ExitCode.LOST: "from `run`: the job was lost by no fault of its own (node, engine, preemption) and not tried again",
    ExitCode.TIMED_OUT: "from `run`: the job reached its time limit",
    ExitCode.INTERRUPTED: "you pressed Ctrl-C (a running job goes on); from `run` also: the job was cancelled",
    ExitCode.OUT_OF_MEMORY: "from `run`: the job ran out of memory",
}

_WRONG_IN_ITSELF = {
    Reason.INVALID_TASK,
    Reason.UNKNOWN_KEY,
    Reason.NOT_SUPPORTED,
    Reason.INVALID_ARGUMENT,
    Reason.INVALID_ARCHIVE,
}
_UNAVAILABLE = {Reason.STORE_FULL, Reason.STORE_UNAVAILABLE, Reason.NOT_LEADER, Reason.OVERLOADED}
_OF_REASON = {
    **dict.fromkeys(_WRONG_IN_ITSELF, ExitCode.USAGE),
    **dict.fromkeys(_UNAVAILABLE, ExitCode.UNAVAILABLE),
    Reason.NOT_FOUND: ExitCode.NOT_FOUND,
    Reason.UNAUTHENTICATED: ExitCode.DENIED,
    Reason.FORBIDDEN: ExitCode.DENIED,
    Reason.OVER_BUDGET: ExitCode.OVER_BUDGET,
}
_OF_STATUS = {
    400: ExitCode.USAGE,
    401: ExitCode.DENIED,
    403: ExitCode.DENIED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.REFUSED,
    413: ExitCode.REFUSED,
    422: ExitCode.USAGE,
    429: ExitCode.UNAVAILABLE,
    502: ExitCode.UNAVAILABLE,
    503: ExitCode.UNAVAILABLE,
    504: ExitCode.UNAVAILABLE,
    507: ExitCode.UNAVAILABLE,
}
_OF_OUTCOME = {
    Outcome.SUCCEEDED: ExitCode.OK,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.CANCELLED: ExitCode.INTERRUPTED,
    Outcome.TIMED_OUT: ExitCode.TIMED_OUT,
    Outcome.OUT_OF_MEMORY: ExitCode.OUT_OF_MEMORY,
    Outcome.OUT_OF_BUDGET: ExitCode.OVER_BUDGET,
    Outcome.LOST: ExitCode.LOST,
    Outcome.PREEMPTED: ExitCode.LOST,
    Outcome.REFUSED_LATE: ExitCode.REFUSED,
}
_HAS_ITS_OWN = {Outcome.SUCCEEDED, Outcome.FAILED}


def code_of_problem(status: int, reason: str | None) -> ExitCode:
    """Return the exit code for an answer of the API: by its reason where we know it, else by its HTTP status."""
    try:
        known = Reason(reason)
    except ValueError:
        return _OF_STATUS.get(status, ExitCode.FAILED)
    otherwise = _OF_STATUS.get(status, ExitCode.FAILED) if status >= 500 else ExitCode.REFUSED
    return _OF_REASON.get(known, otherwise)


def code_of_job(outcome: str, exit_code: int | None) -> int:
    """Return the exit code of `run`: the job's own where it ended by itself, else the one for how it ended."""
    try:
        known = Outcome(outcome)
    except ValueError:
        return ExitCode.FAILED
    if known in _HAS_ITS_OWN and exit_code is not None:
        own = exit_code & 0xFF if exit_code >= 0 else 128 - exit_code  # a signal, as shells write it
        return own if own or known is Outcome.SUCCEEDED else ExitCode.FAILED
    return _OF_OUTCOME[known]
