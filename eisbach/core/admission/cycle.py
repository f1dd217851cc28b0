"""One admission cycle. Read this first: it decides which waiting jobs start now, who is promised a start, and who gives way."""

from collections.abc import Iterator
from typing import Final

from eisbach.core.admission.at_once import at_once
from eisbach.core.admission.placing import Placing
from eisbach.core.admission.plan import Plan, plan_of_fields
from eisbach.core.admission.promising import Promising
from eisbach.core.admission.state import SchedulerState
from eisbach.core.admission.waiting import Waiting
from eisbach.core.admission.yielding import Yielding
from eisbach.core.scheduling.order import Request

STARTS_MAX: Final = 200
"""Starts in one plan; the rest follows in the next cycle, so that a commit stays short."""


def decide(state: SchedulerState, now: int) -> Plan:
    """Return what starts, stops and is promised now. The state is the same before and after, but for delays that are over."""
    # 1. Jobs whose delay is over join the queue.
    state.wake(now)
    if (plan := at_once(state, now)) is not None:
        return plan
    placing = Placing(state, now)
    promising, yielding = Promising(placing), Yielding(placing)
    # 2. What a site draws above its cap gives way, spot first; and spot that holds what a booking or a promise needs soon.
    if state.power_caps or state.spot:
        placing.give_way()
    # 3. Where nothing was freed since the last cycle, only new jobs are looked at; else promised jobs come first.
    is_settled = state.is_settled(now)
    waiting = Waiting(placing, promising, known=state.seen.heads if is_settled else None)
    candidates: Iterator[tuple[str, Request]]
    if is_settled:
        promising.keep_power()
        candidates = state.queue.in_order(list(state.seen.fresh), state.fair_share)
    else:
        promising.begin()
        waiting.close_what_cannot_fit()
        candidates = state.queue.walk(waiting.longest, state.fair_share, waiting.closed)
    is_whole, starts, promises, met = True, placing.starts, state.calendar.promises, set[str]()
    # 4. In queue order: what fits starts, around every booking and every promise.
    for name, request in candidates:
        if len(starts) >= STARTS_MAX:
            is_whole = False
            break
        if name in starts:
            continue
        job, beside_ms = state.jobs[name], None
        if name in promises:
            has_started = promising.start(job)
        elif waiting.is_passed_over(job, request):
            continue
        else:
            may_pass = waiting.may_pass(job)
            beside_ms = yielding.beside_ms(job) if may_pass else None
            has_started = may_pass and beside_ms is None and placing.start(job)
        met.add(name)
        # 5. What does not fit may take from spot, gets a promise, or just waits; for some policies all behind it does.
        if not has_started and not waiting.stays(job, request, beside_ms):
            break
    if is_whole and not is_settled:
        promising.start_unmet(met)
    # 6. Roll back: a plan is a value, the applier makes it true.
    placing.roll_back()
    yields = yielding.is_any or (is_settled and state.seen.yields)
    is_whole = is_whole and not promising.leaves_room
    starting, stops, given = tuple(starts.values()), tuple(placing.stops.values()), tuple(promising.given.values())
    is_whole = is_whole and not (yields and (starts or stops))
    return plan_of_fields((
        starting, stops, tuple(promising.broken), given, waiting.heads(), placing.power_head, placing.again_ms, is_whole, state.spot_lead_ms, yields,
    ))  # fmt: skip
