"""A job inside a booking: whether it fits on the booking's nodes, and why it waits until the window begins or never runs."""

from collections import Counter
from collections.abc import Sequence

from eisbach.app.event_body import Body
from eisbach.app.events import JobEnded, JobStopping
from eisbach.app.state import FactoryState
from eisbach.app.state_booking import Booking
from eisbach.core.capacity.fit import how_many, idle_state
from eisbach.core.capacity.inventory import is_flavour
from eisbach.core.capacity.topology import domain_of
from eisbach.core.jobs.lifecycle import JobState, Outcome, StopCause
from eisbach.core.jobs.request import JobSpec, NodeShape
from eisbach.core.vocabulary.reasons import Reason, Refusal


def shapes_inside(
    state: FactoryState, project: str, spec: JobSpec, shapes: Sequence[NodeShape], now: int
) -> tuple[NodeShape, ...] | Refusal:
    """Return the shapes with which a task fits on its booking's nodes when nothing else runs there, or why there are none."""
    booking = state.booking.bookings.get(spec.booking)
    if booking is None or booking.project != project:
        return Refusal(
            Reason.NOT_FOUND,
            f"There is no booking {spec.booking!r} in this project, or it is over",
            "Look at `eisbach bookings`",
            "booking",
        )
    left_ms = booking.until_ms - max(now, booking.from_ms)
    length_ms = spec.time_limit_ms + spec.checkpoint.grace_ms
    if length_ms > left_ms:
        return Refusal(
            Reason.BOOKING_TOO_SMALL,
            f"The task may run {length_ms // 1000} s with its grace, and {left_ms // 1000} s are left of the booking's window",
            "Lower time_limit, or extend the booking (`eisbach booking extend`)",
            "time_limit",
            {"length_ms": length_ms, "left_ms": left_ms},
        )
    fitting = tuple(shape for shape in shapes if _fits(state, booking, shape, spec))
    if fitting:
        return fitting
    return Refusal(
        Reason.BOOKING_TOO_SMALL,
        f"The task asks for {spec.nodes} nodes' shares{_together(spec)} that {len(booking.nodes)} nodes of {booking.flavour} do not have",
        "Lower num_nodes or what each node asks for, or make a larger booking",
        "booking",
        {"nodes": spec.nodes, "booked": len(booking.nodes), "flavour": booking.flavour},
    )


def ends_with(state: FactoryState, booking: str, by: str) -> list[Body]:
    """Return the events that end what waits or runs inside a booking that is over; it costs nothing, so no money moves."""
    found: list[Body] = []
    for job in state.scheduler.jobs.values():
        if job.booking != booking:
            continue
        if job.state is JobState.WAITING:
            found.append(
                JobEnded(job=job.job, outcome=Outcome.REFUSED_LATE.value, reason=Reason.BOOKING_OVER.value, by=by)
            )
        elif job.state is not JobState.STOPPING:
            found.append(
                JobStopping(
                    job=job.job, attempt=str(job.attempt), cause=StopCause.CANCEL.value, grace_ms=job.grace_ms, by=by
                )
            )
    return found


def _together(spec: JobSpec) -> str:
    return f" in one {spec.within.level.value}" if spec.within is not None and spec.within.is_required else ""


def _fits(state: FactoryState, booking: Booking, shape: NodeShape, spec: JobSpec) -> bool:
    if shape.flavour is not None and not is_flavour(booking.flavour, shape.flavour):
        return False
    level = spec.within.level if spec.within is not None and spec.within.is_required and spec.nodes > 1 else None
    tasks: Counter[str] = Counter()
    for node in (state.scheduler.fleet.nodes[name] for name in booking.nodes):
        tasks[domain_of(node, level) if level is not None else ""] += how_many(node.kind, idle_state(node.kind), shape)
    return max(tasks.values()) >= spec.nodes
