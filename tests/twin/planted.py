"""Bugs planted in the real code, each a small patch: what the explorer is proven with."""

from collections.abc import Callable

import pytest

from eisbach.app import (
    admit_jobs,
    book_capacity,
    due_moves,
    fold_policy,
    merge_rows,
    money,
    projections,
    reconcile_engine,
    record_observation,
    recover_state,
    settle_usage,
    writer,
)
from eisbach.app.events import AttemptPlanned, AttemptRunning
from eisbach.app.events_planning import StartPromised
from eisbach.core.admission.active_job import ActiveJob
from eisbach.core.admission.placing import Placing
from eisbach.core.admission.promising import Promising
from eisbach.core.admission.state import SchedulerState
from eisbach.core.capacity import fleet, holding
from eisbach.core.capacity.fleet import Fleet
from eisbach.core.capacity.holding import gpu_mask
from eisbach.core.jobs.request import WHOLE
from eisbach.core.ledger import account
from eisbach.core.ledger.post import Ledger
from eisbach.core.ledger.transfer import TransferKind
from eisbach.core.reconcile.diff import EngineCommand
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS

Plant = Callable[[pytest.MonkeyPatch], None]


def no_version_check(patch):
    """Work is planned by rules that have changed since."""
    patch.setattr(fold_policy, "compile_again", lambda state, position: None)


def lost_outbox(patch):
    """An order that got lost on its way is not sent again."""
    real = reconcile_engine.diff

    def without_starts(*asked):
        return [one for one in real(*asked) if one[0] is not EngineCommand.START]

    patch.setattr(reconcile_engine, "diff", without_starts)


def double_post(patch):
    """What is left of a reservation is given back twice."""
    real = Ledger.post

    def post(self, transfers):
        moves = list(transfers)
        real(self, moves)
        for debit, credit, amount, kind in moves:
            if kind == TransferKind.VOID.value:
                self.balances[debit] -= amount
                self.balances[credit] += amount

    patch.setattr(Ledger, "post", post)


def late_eviction(patch):
    """What draws above a site's cap stays there."""
    patch.setattr(Placing, "_give_way_to_caps", lambda self: None)


def gang_in_part(patch):
    """A gang starts without its last task."""
    real = admit_jobs.plan_attempts

    def plan(state, context):
        events, is_more_due = real(state, context)
        return [_cut(one) for one in events], is_more_due

    patch.setattr(writer, "plan_attempts", plan)
    patch.setattr(SchedulerState, "start", _start_whatever)


def _cut(body):
    if not isinstance(body, AttemptPlanned) or len(body.tasks) < 2:
        return body
    fields = {name: getattr(body, name) for name in body.__struct_fields__}
    return AttemptPlanned(**{**fields, "tasks": body.tasks[:-1]})


_real_start = SchedulerState.start


def _start_whatever(self, job, attempt, shape, shares, now):
    nodes, job.nodes = job.nodes, len(shares)
    _real_start(self, job, attempt, shape, shares, now)
    job.nodes = nodes


def share_given_back_twice(patch):
    """Whatever an attempt held comes back twice."""
    real = fleet.give_to

    def give_to(node, share):
        real(node, share)
        node.free_memory_mib += share.memory_mib

    patch.setattr(fleet, "give_to", give_to)


def length_not_kept(patch):
    """A job is as long as it ever was, whatever its attempts have used of its limit."""

    def use(self, used_ms):
        self.used_ms += used_ms

    patch.setattr(ActiveJob, "use", use)


def charge_for_our_fault(patch):
    """Whose fault it was makes no difference to the bill."""
    real = money.settle

    def settle(state, job, held_ms, *, is_charged, is_over):
        return real(state, job, held_ms, is_charged=True, is_over=is_over)

    patch.setattr(record_observation.money, "settle", settle)


def budget_overspent(patch):
    """Jobs are funded whatever is left of the budget."""
    patch.setattr(money, "available", lambda state, project: 10**15)
    patch.setattr(account, "may_be_negative", lambda name: True)


def node_used_while_drained(patch):
    """Nodes take new work whatever an operator says."""
    real = Fleet.set_available

    def set_available(self, node, is_available, *, is_removed=False):
        real(self, node, True, is_removed=is_removed)

    patch.setattr(Fleet, "set_available", set_available)


def row_not_written(patch):
    """A table does not hear of attempts that run."""

    def rows_of(seq, at_ms, body, texts):
        return [] if isinstance(body, AttemptRunning) else projections.rows_of(seq, at_ms, body, texts)

    patch.setattr(merge_rows, "rows_of", rows_of)


def gpu_held_twice(patch):
    """GPUs stay free whoever holds them."""
    take, give = fleet.take_from, fleet.give_to

    def take_from(node, share):
        free = node.free_mask
        take(node, share)
        node.free_mask = free

    def give_to(node, share):
        free = node.free_mask
        if share.gpu_milli == WHOLE and not share.mig:
            node.free_mask &= ~gpu_mask(share.gpus)
        give(node, share)
        node.free_mask = free

    patch.setattr(fleet, "take_from", take_from)
    patch.setattr(fleet, "give_to", give_to)


def slice_counts_as_one(patch):
    """Of a slice of a GPU only its first memory slice is taken: others are placed upon the rest."""
    patch.setattr(holding, "slices_of", lambda flavour, profile, start: 1 << start if profile else 0)


def forgotten_at_a_restart(patch):
    """A restart forgets which nodes an operator has drained."""
    real = recover_state.recover

    def recover(store, *, from_snapshot=True):
        recovered = real(store, from_snapshot=from_snapshot)
        for node in recovered.state.scheduler.fleet.nodes.values():
            if node.drained:
                node.drained, node.available = False, True
        return recovered

    patch.setattr(writer, "recover", recover)


def promise_moved_later(patch):
    """A promise that could be kept earlier is given a later instant."""
    real = admit_jobs._promised

    def promised(given):
        body = real(given)
        if body.earlier_than_ms is None:
            return body
        fields = {name: getattr(body, name) for name in body.__struct_fields__}
        return StartPromised(**{**fields, "from_ms": body.earlier_than_ms + HOUR_MS, "until_ms": body.until_ms + DAY_MS})

    patch.setattr(admit_jobs, "_promised", promised)


def promise_forgotten(patch):
    """Nobody looks whether a promise was kept."""
    patch.setattr(Promising, "_is_unkept", lambda self, entry: False)


def end_unseen_beside_a_promise(patch):
    """While a start is promised, nobody looks whether the end of other work lets somebody start."""
    real = SchedulerState._let_go

    def let_go(self, job, attempt):
        was_whole = self.seen.is_whole
        real(self, job, attempt)
        if self.calendar.promises:
            self.seen.is_whole = was_whole

    patch.setattr(SchedulerState, "_let_go", let_go)


def booking_overlapped(patch):
    """An option is booked without another look at the calendar."""
    patch.setattr(book_capacity, "conflict", lambda *asked: "")


def booking_on_a_lost_node(patch):
    """Nobody moves a booking off a node that cannot be used, or records what it is short of."""
    patch.setattr(due_moves, "next_moves", lambda state, now: [])


def saved_more_than_held(patch):
    """What is said to be saved is not held to what an attempt has held."""
    real = settle_usage.settle_together

    def settle_together(project, period, settled, gpu_milli_ms, move):
        return real(project, period, [(*one[:-1], one[2] + 1) for one in settled], gpu_milli_ms, move)

    patch.setattr(settle_usage, "settle_together", settle_together)


def spot_stays_in_a_window(patch):
    """Spot is not told to leave before a booking begins."""
    patch.setattr(Placing, "_give_way_to_entries", lambda self: None)


def notice_not_reckoned_with(patch):
    """Spot is told to leave when its grace would be enough, and has its notice as well."""
    patch.setattr(SchedulerState, "spot_lead_ms", property(lambda self: self.spot_grace_ms))
    patch.setattr(Placing, "_begins_ms", _first_of_soon)


def _first_of_soon(self, job, soon):
    met = [self.state.calendar.meeting(share.node, self.now + 1, self.now + self.state.spot_grace_ms + 1) for share in job.shares]
    begins = [entry.from_ms for entries in met for entry in entries if entry.from_ms > self.now and not entry.is_shared]
    return None if not begins else soon if soon == self.now + self.state.spot_lead_ms else None


PLANTED: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        no_version_check, lost_outbox, double_post, late_eviction, gang_in_part, share_given_back_twice, charge_for_our_fault,
        budget_overspent, node_used_while_drained, row_not_written, gpu_held_twice, slice_counts_as_one, forgotten_at_a_restart,
        promise_moved_later, promise_forgotten, end_unseen_beside_a_promise, booking_overlapped, booking_on_a_lost_node, saved_more_than_held,
        spot_stays_in_a_window, notice_not_reckoned_with, length_not_kept,
    )
}  # fmt: skip
