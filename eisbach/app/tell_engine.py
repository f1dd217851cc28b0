"""Engines are told what the log says should run, after each commit; app/reconcile_engine.py repeats what was lost."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from eisbach.app.draft import Draft
from eisbach.app.events import AttemptEnded, AttemptPlanned, Body, JobStopping
from eisbach.app.start_attempt import AttemptSources, complete, order_facts, stop_order
from eisbach.core.jobs.lifecycle import StopCause
from eisbach.ports.crash import reached
from eisbach.ports.engine import (
    Ending,
    Engine,
    EngineUnavailable,
    KnowsItsWork,
    Observation,
    StaleEpoch,
    StartOrder,
    StopOrder,
)

log = logging.getLogger("eisbach.engine")

_NODE_LOST: Final = Ending.NODE_LOST.value
Begin = tuple[AttemptPlanned, int]
"""What an engine is told that knows its work (ports/engine.KnowsItsWork): the attempt as it was planned, and the leader's epoch."""
Told = StartOrder | Begin | StopOrder | str
"""An order, or the id of an attempt to forget."""


class EngineTeller:
    """Sends orders in the order of their events, on a thread of its own or inline; losing one costs only time."""

    def __init__(
        self,
        engine: Engine,
        sources: AttemptSources,
        observed: Callable[[Observation], None],
        is_held: Callable[[str], bool],
    ) -> None:
        """`observed` takes what replaces an order that can never start; `is_held` says whether an attempt still counts."""
        self._beginner = engine if isinstance(engine, KnowsItsWork) else None
        self._engine, self._sources, self._observed, self._is_held = engine, sources, observed, is_held
        self._orders: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._note: Mapping[type[Body], Callable[[Draft, Any], None]] = {
            AttemptPlanned: self._note_begin if self._beginner is not None else self._note_start,
            JobStopping: self._note_stop,
            AttemptEnded: self._note_end,
        }

    def start(self) -> None:
        """Send from a thread of its own until `stop`."""
        self._worker = threading.Thread(target=self._run, name="engine-teller", daemon=True)
        self._worker.start()

    def stop(self) -> None:
        """Send what is due and end the thread."""
        self._orders.put(None)
        if self._worker is not None:
            self._worker.join(timeout=10)

    def after_commit(self, draft: Draft) -> None:
        """Take note of what a durable batch means for the engine; runs on the applier's thread."""
        notes = self._note
        for body in draft.bodies:
            note = notes.get(type(body))
            if note is not None:
                note(draft, body)

    def _note_begin(self, draft: Draft, body: AttemptPlanned) -> None:
        self._orders.put((body, draft.context.epoch))

    def _note_start(self, draft: Draft, body: AttemptPlanned) -> None:
        job = draft.state.scheduler.holding.get(body.attempt)
        if job is not None:
            self._orders.put(order_facts(draft.state, job, draft.context.epoch))

    def _note_stop(self, draft: Draft, body: JobStopping) -> None:
        job = draft.state.scheduler.holding.get(body.attempt)
        order = stop_order(job, draft.context.epoch, draft.context.now) if job is not None else None
        if order is not None:
            self._orders.put(order)

    def _note_end(self, draft: Draft, body: AttemptEnded) -> None:
        self._orders.put(_after_end(body, draft.context.epoch))

    def put(self, told: Told) -> None:
        """Add an order, or the id of an attempt to forget."""
        self._orders.put(told)

    def send_due(self) -> int:
        """Send all that is waiting, inline; return how many orders that were."""
        sent, orders = 0, self._orders
        while not orders.empty():
            told = orders.get()
            if told is not None:
                self._send(told)
                sent += 1
        return sent

    def _run(self) -> None:
        while (told := self._orders.get()) is not None:
            self._send(told)

    def _send(self, told: Told) -> None:
        try:
            if isinstance(told, str):
                reached("dispatch.before_forget")
                self._engine.forget(told)
            elif isinstance(told, StopOrder):
                reached("dispatch.before_stop")
                self._engine.stop(told)
            else:
                reached("dispatch.before_start")
                if isinstance(told, StartOrder):
                    self._start(told)
                else:
                    self._begin(*told)
                reached("dispatch.after_start")
        except EngineUnavailable as error:
            log.warning("the engine took no order now, it is sent again: %s", error)
        except StaleEpoch:
            log.error("the engine follows a newer leader; this server gives up its orders")
        except Exception:
            log.exception("an order could not be sent; the next round sends it again if it still counts")

    def _begin(self, planned: AttemptPlanned, epoch: int) -> None:
        if self._beginner is not None and self._is_held(planned.attempt):
            self._beginner.begin(planned.attempt, planned.job, len(planned.tasks), planned.limit_ms, epoch)

    def _start(self, facts: StartOrder) -> None:
        if not self._is_held(facts.attempt_id):
            return  # it was refused or lost while this order waited: what is over never starts
        order = complete(self._sources, facts)
        if isinstance(order, Observation):
            self._observed(order)
        else:
            self._engine.start(order)


def _after_end(body: AttemptEnded, epoch: int) -> Told:
    """What has ended may be forgotten; what the log ended because of a lost node may still run on the other nodes."""
    if body.ending != _NODE_LOST:
        return body.attempt
    return StopOrder(attempt_id=body.attempt, epoch=epoch, cause=StopCause.DRAIN, grace_ms=0)
