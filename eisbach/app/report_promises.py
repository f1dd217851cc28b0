"""Promises against delivery: each public promise, all its wordings, what is so now, and whether it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from eisbach.app.promise_measures import LESS_IS_BETTER, MEASURES, Asked, Measured
from eisbach.app.promise_register import Comparison
from eisbach.app.promise_wordings import WordingFacts, as_facts
from eisbach.app.state import FactoryState
from eisbach.app.state_promises import PromiseRecord

AROUND_PERMILLE = 50
"""What "around" allows either way, a convention of the register."""


class Verdict(Enum):
    """Whether a promise is kept."""

    KEPT = "kept"
    NOT_KEPT = "not-kept"
    OPEN = "open"
    CANNOT_BE_MEASURED = "cannot-be-measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseReport:
    """A promise with its latest wording, what is so now, and the verdict; `history` is every wording ever recorded."""

    promise: str
    wording: WordingFacts
    history: tuple[WordingFacts, ...]
    measured: Measured
    means: str
    verdict: Verdict
    why: str
    is_dropped: bool


def question() -> Callable[[FactoryState, int], list[PromiseReport]]:
    """Return the question for all promises, in the order in which they were recorded."""

    def ask(state: FactoryState, now: int) -> list[PromiseReport]:
        return [_report(state, now, promise, record) for promise, record in state.promises.records.items()]

    return ask


def _report(state: FactoryState, now: int, promise: str, record: PromiseRecord) -> PromiseReport:
    wording = latest(record)
    measure = MEASURES.get(wording.metric)
    if measure is None:  # recorded by a program that had more measures
        measured = Measured(value_milli=None, finding="no-measure", says="This program has no measure for it")
        means = ""
    else:
        asked = Asked(state=state, now=now, value_milli=wording.value_milli, counted_from=wording.counted_from)
        measured = measure(asked)
        means = (measure.__doc__ or "").split("\n\n")[0].strip()
    verdict, why = judge(wording, measured, datetime.fromtimestamp(now / 1000, UTC).date().isoformat())
    return PromiseReport(
        promise=promise,
        wording=wording,
        history=tuple(as_facts(one) for one in record.wordings),
        measured=measured,
        means=means,
        verdict=verdict,
        why=why,
        is_dropped=record.is_dropped,
    )


def latest(record: PromiseRecord) -> WordingFacts:
    """Return the wording that counts: the newest by its date, of one day the last one."""
    wordings = [as_facts(wording) for wording in record.current.values()]
    newest = max(one.date for one in wordings)
    return [one for one in wordings if one.date == newest][-1]


def judge(wording: WordingFacts, measured: Measured, today: str) -> tuple[Verdict, str]:
    """Return the verdict on a wording and why, as a key of the message catalogues.

    `up-to` is a promise only where less is better; of anything else it names a ceiling without a floor, which every
    number keeps and which therefore measures nothing.
    """
    if measured.value_milli is None:
        return Verdict.CANNOT_BE_MEASURED, measured.finding
    value, promised = measured.value_milli, wording.value_milli
    match Comparison(wording.comparison):
        case Comparison.AT_LEAST:
            is_kept = value >= promised
        case Comparison.AROUND:
            is_kept = abs(value - promised) * 1000 <= promised * AROUND_PERMILLE
        case Comparison.UP_TO:
            if wording.metric not in LESS_IS_BETTER:
                return Verdict.CANNOT_BE_MEASURED, "ceiling-without-floor"
            is_kept = value <= promised
    if is_kept and not measured.may_grow:
        return Verdict.KEPT, "as-promised"
    is_open = today <= wording.due if wording.due else measured.may_grow and is_kept
    return (Verdict.OPEN, "until-due") if is_open else (Verdict.NOT_KEPT, "not-as-promised")


def figure(milli: int | None) -> str | None:
    """Return thousandths as exact decimal text, such as `0.5`."""
    if milli is None:
        return None
    whole, rest = divmod(milli, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".") if rest else str(whole)
