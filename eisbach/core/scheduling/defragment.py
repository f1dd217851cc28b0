"""Defragmentation: spot moves aside so that a waiting gang finds its nodes together, and only where all of it finds room again.

It is a plan: placed tentatively on the live fleet and rolled back. Nobody is moved in vain (a gang that fits needs no moves), no more are
moved than fit into the allowance, and nobody is moved twice within the policy's minimum (KAI's consolidation has the first rule, too:
only when every victim can be placed again).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from eisbach.core.capacity.fleet import Fleet, Share
from eisbach.core.scheduling.preempt import Ask, Running, cheapest

TRIES_MAX: Final = 4
"""Sets of victims that are looked at: after each, whoever found no room again is left where he is."""


class Movable(NamedTuple):
    """Work that could move: what it holds, and what it asks for to be placed again."""

    running: Running
    ask: Ask


class Moves(NamedTuple):
    """Who moves so that a gang starts: `gang` is where that will be, `to` where each could be again, `lost` the work that is lost."""

    jobs: tuple[str, ...]
    gang: tuple[Share, ...]
    to: tuple[tuple[Share, ...], ...]
    lost: int


def find_moves(fleet: Fleet, gang: Ask, movable: Sequence[Movable], moves_max: int) -> Moves | None:
    """Return the moves with the least lost work that were found, None where there are none. The fleet is left as it was."""
    if _placed(fleet, gang) is not None:
        return None
    staying: set[str] = set()
    for _ in range(TRIES_MAX):
        left = [one for one in movable if one.running.job not in staying and not one.running.is_leaving and not one.running.is_fresh]
        chosen = cheapest(fleet, [one.running for one in left], (gang,))
        if not chosen or len(chosen) > moves_max:
            return None
        names = {one.job for one in chosen}
        found, stuck = _try(fleet, gang, [one for one in left if one.running.job in names])
        if found is not None or stuck is None:
            return found
        staying.add(stuck)
    return None


def _try(fleet: Fleet, gang: Ask, victims: Sequence[Movable]) -> tuple[Moves | None, str | None]:
    """Return the moves if all victims find room once the gang has its own; else the first that does not, None where the gang does not fit."""
    held = [one.running.shares for one in victims]
    taken: list[tuple[Share, ...]] = []
    stuck: str | None = None
    for shares in held:
        fleet.give_back(shares)
    room = _placed(fleet, gang)
    if room is not None:
        fleet.take(room)
        taken.append(room)
        for one in sorted(victims, key=lambda one: (-one.ask.nodes * one.ask.shape.gpus, one.running.job)):
            again = _placed(fleet, one.ask)
            if again is None:
                stuck = one.running.job
                break
            fleet.take(again)
            taken.append(again)
    for shares in reversed(taken):
        fleet.give_back(shares)
    for shares in held:
        fleet.take(shares)
    if room is None or stuck is not None:
        return None, stuck
    order = sorted(victims, key=lambda one: (-one.ask.nodes * one.ask.shape.gpus, one.running.job))
    lost = sum(one.running.lost for one in victims)
    return Moves(tuple(one.running.job for one in order), room, tuple(taken[1:]), lost), None


def _placed(fleet: Fleet, ask: Ask) -> tuple[Share, ...] | None:
    return fleet.place(ask.shape, ask.nodes, ask.where, within=ask.within, ends_by=ask.ends_by, among=ask.among)


def gain_gpu_milli_ms(gang: Ask, earlier_ms: int, lost: int) -> int:
    """Return what moving brings: GPU-time of the gang by which it starts earlier, less the work that is lost; may be negative."""
    return gang.nodes * gang.shape.gpus * gang.shape.gpu_milli * earlier_ms - lost
