"""What the nodes of a site are modelled to have drawn over an interval, and who held them (core/power/draw.py)."""

from collections.abc import Iterator

import msgspec

from eisbach.app.state import FactoryState
from eisbach.app.state_energy import Held
from eisbach.core.admission.state import ActiveJob
from eisbach.core.capacity.inventory import Node
from eisbach.core.metering.split import Tenure
from eisbach.core.power.draw import ACTIVITY_ASSUMED, active_mw, rating_of_node, share_permille


class Modelled(msgspec.Struct):
    """Energies in millijoule of the hosts and of the accelerators, and by what a meter is split."""

    hosts_mj: int = 0
    accelerators_mj: int = 0
    idle_mw: dict[str, int] = msgspec.field(default_factory=dict)
    tenures: list[Tenure] = msgspec.field(default_factory=list)
    projects: dict[str, str] = msgspec.field(default_factory=dict)


def model(state: FactoryState, site: str, from_ms: int, to_ms: int) -> Modelled:
    """Return what a site's nodes drew between two instants by the model.

    The cores of work that has ended were as busy as was measured; of running work nobody knows yet, so all that
    it booked counts. Accelerators count with the activity of a measured fleet.
    """
    found = Modelled()
    hosts = accelerators = 0  # milliwatt x milliseconds
    for node in nodes_of(state, site):
        rating = rating_of_node(node)
        found.idle_mw[node.node] = rating.idle_mw
        hosts += rating.host_idle_mw * (to_ms - from_ms)
        accelerators += (rating.idle_mw - rating.host_idle_mw) * (to_ms - from_ms)
    for held in (*state.energy.ended, *_holding(state, to_ms)):
        node = state.scheduler.fleet.nodes[held.node]
        if held.site != site or held.from_ms >= to_ms or held.to_ms <= from_ms:
            continue
        running = min(max(held.running_ms if held.running_ms is not None else held.to_ms, held.from_ms), held.to_ms)
        host_mw, accelerator_mw = _active(node, held, running)
        worked = max(0, min(held.to_ms, to_ms) - max(running, from_ms))
        hosts += host_mw * worked
        accelerators += accelerator_mw * worked
        found.projects[held.job] = held.project
        share = share_permille(rating_of_node(node), **_shares(node, held))
        for start, end, drawn in ((held.from_ms, running, 0), (running, held.to_ms, host_mw + accelerator_mw)):
            found.tenures.append(
                Tenure(
                    job=held.job, node=held.node, from_ms=start, to_ms=end, share_permille=share, active_mw=drawn
                )
            )
    found.hosts_mj, found.accelerators_mj = hosts // 1000, accelerators // 1000
    return found


def nodes_of(state: FactoryState, site: str) -> Iterator[Node]:
    """Yield the nodes that stand at a site; a drained one still draws power."""
    return (node for node in state.scheduler.fleet.nodes.values() if node.site == site and not node.removed)


def _holding(state: FactoryState, to_ms: int) -> Iterator[Held]:
    for job in state.scheduler.holding.values():
        yield from _held_by(state, job, to_ms)


def _held_by(state: FactoryState, job: ActiveJob, to_ms: int) -> Iterator[Held]:
    for share in job.shares:
        yield Held(
            job=job.job,
            project=job.project,
            site=state.scheduler.fleet.nodes[share.node].site,
            node=share.node,
            from_ms=job.planned_ms,
            running_ms=job.running_ms,
            to_ms=to_ms,
            cpu_milli=share.cpu_milli,
            gpus=len(share.gpus),
            gpu_milli=share.gpu_milli,
            cpu_ms=0,
        )


def _shares(node: Node, held: Held) -> dict[str, int]:
    """Return which parts of a node's cores and GPUs are held. Idle and rating are those of whole devices (core/power/draw.py)."""
    return {
        "cores_permille": held.cpu_milli * 1000 // node.cpu_milli,
        "gpus_permille": held.gpus * held.gpu_milli // node.gpus if node.gpus else 0,
    }


def _active(node: Node, held: Held, running_ms: int) -> tuple[int, int]:
    shares = _shares(node, held)
    if held.cpu_ms and held.to_ms > running_ms:
        used = held.cpu_ms * 1_000_000 // (node.cpu_milli * (held.to_ms - running_ms))
        shares["cores_permille"] = min(1000, used)
    return active_mw(rating_of_node(node), **shares, activity_permille=ACTIVITY_ASSUMED)
