"""Engines are told what the log says should run: after each commit, and again by a round until they know."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from eisbach.app import record_observation
from eisbach.app.draft import Draft
from eisbach.app.events import AttemptEnded, AttemptPlanned, JobStopping
from eisbach.app.start_attempt import complete, order_facts, stop_order
from eisbach.app.state import FactoryState
from eisbach.core.jobs.lifecycle import JobState, StopCause
from eisbach.core.reconcile.diff import Desired, EngineCommand, diff
from eisbach.ports.crash import reached
from eisbach.ports.engine import Ending, EngineUnavailable, Observation, StaleEpoch, StartOrder, StopOrder

if TYPE_CHECKING:
    from eisbach.app.application import Application

log = logging.getLogger("eisbach.engine")

STOP_UNKNOWN_GRACE_MS = 5_000
Told = StartOrder | StopOrder | str
"""An order, or the id of an attempt to forget."""


class EngineTeller:
    """Sends orders in the order of their events, on a thread of its own or inline; losing one costs only time."""

    def __init__(self, application: "Application") -> None:
        self._application = application
        self._orders: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Send from a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._run, name="engine-teller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send what is due and end the thread."""
        self._orders.put(None)
        if self._thread is not None:
            self._thread.join(timeout=10)

    def after_commit(self, draft: Draft) -> None:
        """Take note of what a durable batch means for the engine; runs on the applier's thread."""
        for body in draft.bodies:
            if isinstance(body, AttemptPlanned):
                job = draft.state.scheduler.holding.get(body.attempt)
                if job is not None:
                    self._orders.put(order_facts(draft.state, job, draft.context.epoch))
            elif isinstance(body, JobStopping):
                stopping = draft.state.scheduler.holding.get(body.attempt)
                order = stop_order(stopping, draft.context.epoch) if stopping is not None else None
                if order is not None:
                    self._orders.put(order)
            elif isinstance(body, AttemptEnded):
                self._orders.put(body.attempt)

    def put(self, told: Told) -> None:
        """Add an order, or the id of an attempt to forget."""
        self._orders.put(told)

    def send_due(self) -> int:
        """Send all that is waiting, inline; return how many orders that were."""
        sent = 0
        while not self._orders.empty():
            told = self._orders.get()
            if told is not None:
                self._send(told)
                sent += 1
        return sent

    def _run(self) -> None:
        while (told := self._orders.get()) is not None:
            self._send(told)

    def _send(self, told: Told) -> None:
        engine = self._application.engine
        try:
            if isinstance(told, StartOrder):
                reached("dispatch.before_start")
                self._start(told)
                reached("dispatch.after_start")
            elif isinstance(told, StopOrder):
                reached("dispatch.before_stop")
                engine.stop(told)
            else:
                reached("dispatch.before_forget")
                engine.forget(told)
        except EngineUnavailable as error:
            log.warning("the engine took no order now, it is sent again: %s", error)
        except StaleEpoch:
            log.error("the engine follows a newer leader; this server gives up its orders")
        except Exception:
            log.exception("an order could not be sent; the next round sends it again if it still counts")

    def _start(self, facts: StartOrder) -> None:
        if facts.attempt_id not in self._application.applier.state.scheduler.holding:
            return  # it was refused or lost while this order waited: what is over never starts
        order = complete(self._application, facts)
        if isinstance(order, Observation):
            self._application.observed(order)
        else:
            self._application.engine.start(order)


def reconcile(application: "Application") -> int:
    """Compare what should run with what the engine knows and close the difference; return how many commands that took.

    A round: idempotent, takes no arguments, heals whatever a crash between two steps left.
    """
    reached("recover.before_reconcile")
    before = {attempt: state for attempt, state, _, _ in application.ask(_desired(application.epoch)).result()}
    seen = {one.attempt_id: one for one in application.engine.observe()}
    ended = {attempt for attempt, one in seen.items() if one.ending is not None}
    for attempt in ended:
        application.observed(seen[attempt])
    # The engine was asked in between, while orders and ends go on: only what held before and holds still is missing
    # there, and what it knows was planned before it was told, so that the later look says whether it still counts.
    facts = application.ask(_desired(application.epoch)).result()
    desired = [
        Desired(attempt, state)
        for attempt, state, _, _ in facts
        if attempt in seen or before.get(attempt) is state or (attempt in before and state is not JobState.RUNNING)
    ]
    commands = diff(desired, seen.keys(), ended)
    orders = {attempt: (start, stop) for attempt, _, start, stop in facts}
    for command, attempt in commands:
        if command is EngineCommand.START:
            application.teller.put(orders[attempt][0])
        elif command is EngineCommand.STOP:
            unknown = StopOrder(
                attempt_id=attempt, epoch=application.epoch, cause=StopCause.DRAIN, grace_ms=STOP_UNKNOWN_GRACE_MS
            )
            stop = orders[attempt][1] if attempt in orders else None
            application.teller.put(stop or unknown)
        elif command is EngineCommand.FORGET:
            application.teller.put(attempt)
        else:
            lost = Observation(
                attempt_id=attempt, running_since_ms=None, held_ms=0, ending=Ending.LOST, detail="the engine lost it"
            )
            application.perform(record_observation.command(lost))
    for attempt in seen.keys() - ended:
        application.observed(seen[attempt])
    return len(commands)


def _desired(epoch: int) -> Callable[[FactoryState, int], list[tuple[str, JobState, StartOrder, StopOrder | None]]]:
    def ask(state: FactoryState, now: int) -> list[tuple[str, JobState, StartOrder, StopOrder | None]]:
        return [
            (attempt, job.state, order_facts(state, job, epoch), stop_order(job, epoch))
            for attempt, job in state.scheduler.holding.items()
        ]

    return ask
