"""Who is furthest below his share: decayed usage over the tree of segments, organisations and projects.

At each level the branch goes first that has had the least for its weight, as in Slurm's Fair Tree
(https://slurm.schedmd.com/fair_tree.html); nothing in one branch can push a project of another one aside.

Usage halves in weight every half-life. Instead of shrinking what is old, what is new counts for more, "forward decay"
(G. Cormode et al., ICDE 2009): a GPU-millisecond of hour `h` counts 2^(h / half-life), in fixed point. So a charge costs
O(depth), its order within an hour changes nothing, and between charges no rank ever changes.

What holds GPUs counts as an hour more of them than was charged, from the moment it starts: usage is charged at the end and
at least hourly, and until then a burst of starts would look free (the "entry penalty" of Kueue's admission fair sharing,
https://kueue.sigs.k8s.io/docs/concepts/admission_fair_sharing/).
"""

from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from typing import Final

from eisbach.core.scheduling.policy import HALF_LIFE_HOURS
from eisbach.core.vocabulary.invariant import require
from eisbach.core.vocabulary.quantities import HOUR_MS

Rank = tuple[int | str, ...]
"""What leaves are sorted by, lowest first; unlike for all leaves."""

WEIGHT: Final = 100
"""The weight of whatever nobody has given one."""
WEIGHT_MAX: Final = 1_000_000
ENTRY_MS: Final = HOUR_MS
"""The held time that counts beyond what was charged: usage is charged at least so often."""

_FRACTION: Final = 32
_MILLION: Final = 1_000_000
_REBASE_AFTER: Final = 8
"""Half-lives after which all usage is written down to the present scale, so that numbers stay small."""
_LAST: Final = 1 << 512
"""Above every score: who has a weight of nothing comes after all who have one."""


class Standing(IntEnum):
    """How work stands to what its owner may hold; the lowest first. Work above a quota may be reclaimed.

    Whatever an agreement promises, a quota is the narrower word: it is the owner's own, or the operator's.
    """

    WITHIN_AGREEMENT = 0
    ORDINARY = 1
    ABOVE_QUOTA = 2


@cache
def _factors(half_life_hours: int) -> tuple[int, ...]:
    """Return 2^(h / half-life) in fixed point, for each hour of one half-life."""
    # The half-life-th root of two with 96 binary places, by Newton's method from above (2^(1/n) is at most 1 + 1/n): floats would be
    # rounded by each machine's own library.
    goal, lower = 1 << (1 + 96 * half_life_hours), (1 << 96) + (1 << 96) // half_life_hours + 1
    root = lower + 1
    while lower < root:
        root = lower
        lower = ((half_life_hours - 1) * root + goal // root ** (half_life_hours - 1)) // half_life_hours
    found, power = [], 1 << 96
    for _ in range(half_life_hours):
        found.append(power >> (96 - _FRACTION))
        power = power * root >> 96
    return tuple(found)


class _Branch:
    """A segment, an organisation or a project: its weight, what it used, what it holds (`firm` without spot), and what it may."""

    __slots__ = ("agreed", "children", "firm", "held", "name", "parent", "quota", "usage", "weight")

    def __init__(self, name: str, parent: "_Branch | None") -> None:
        self.name, self.parent = name, parent
        self.weight, self.usage, self.held, self.firm, self.agreed = WEIGHT, 0, 0, 0, 0
        self.quota: int | None = None
        self.children: list[_Branch] = []


class FairShare:
    """The tree of who may use the factory. Amounts are thousandths of a GPU, and those times milliseconds."""

    __slots__ = ("_above", "_base_hour", "_branches", "_half_life", "_hour", "_late", "_limited", "_paths", "_ranks", "_scale", "_top")

    def __init__(self, half_life_hours: int = HALF_LIFE_HOURS) -> None:
        require(half_life_hours > 0, "a half-life is at least an hour")
        self._half_life = half_life_hours
        self._top = _Branch("", None)
        self._branches: dict[str, _Branch] = {}
        self._paths: dict[str, tuple[_Branch, ...]] = {}
        """leaf -> itself and all that it is in, the whole tree last: as no branch ever moves, it stays so"""
        self._late: dict[str, list[int]] = {}
        """leaf -> what it holds more, that without spot, and what it used more, since somebody asked who has what (`_sum_up`): a cycle
        and its roll-back, a start and an end come and go in between, and most of them nobody asks about"""
        self._limited: dict[str, None] = {}
        """the branches that have a quota"""
        self._above: dict[str, None] = {}
        self._ranks: dict[str, Rank] = {}
        """leaf -> its rank, for those that were asked for since anything changed"""
        self._base_hour = self._hour = 0
        self._scale = 1 << _FRACTION

    def __contains__(self, name: str) -> bool:
        return name in self._branches

    def add(self, name: str, parent: str = "") -> None:
        """Add a branch below another one, or at the top. As no branch ever moves, there are no cycles."""
        require(bool(name) and name not in self._branches, f"{name!r} is in the tree once")
        self._sum_up()
        above = self._branches[parent] if parent else self._top
        require(bool(above.children) or above.usage == above.held == 0, f"{parent!r} holds something itself")
        branch = self._branches[name] = _Branch(name, above)
        above.children.append(branch)

    def set_half_life(self, hours: int) -> None:
        """Let usage fade by half in so many hours from the hour of the last charge on; what had faded by then stays so."""
        require(hours > 0, "a half-life is at least an hour")
        if hours == self._half_life:
            return
        self._sum_up()
        for branch in self._branches.values():
            branch.usage = 0 if branch.children else (branch.usage << _FRACTION) // self._scale
        self._half_life, self._base_hour, self._scale = hours, self._hour, 1 << _FRACTION
        self._add_up_usage()
        self._ranks.clear()

    def set_weight(self, name: str, weight: int) -> None:
        """Give a branch its weight among its siblings; one of nothing comes after all others."""
        require(0 <= weight <= WEIGHT_MAX, "a weight is within its bounds")
        self._branches[name].weight = weight
        self._ranks.clear()

    def set_quota(self, name: str, gpu_milli: int | None) -> None:
        """Say how much a branch may hold at once before it is above its quota; None where there is no quota."""
        require(gpu_milli is None or gpu_milli >= 0, "a quota is not negative")
        self._sum_up()
        branch = self._branches[name]
        branch.quota = gpu_milli
        if gpu_milli is None:
            self._limited.pop(name, None)
        else:
            self._limited[name] = None
        self._ranks.clear()
        self._look_at_quota(branch)

    def set_agreed(self, name: str, gpu_milli: int) -> None:
        """Say how much a branch has agreed to take and pay: up to there its work goes first."""
        require(gpu_milli >= 0, "committed capacity is not negative")
        self._branches[name].agreed = gpu_milli
        self._ranks.clear()

    def hold(self, leaf: str, gpu_milli: int, *, is_spot: bool = False) -> None:
        """A leaf holds so much more (less where negative), from a start or for the rest of a plan.

        Spot is what nobody else wants: it counts as usage, and against no quota and no agreement.
        """
        late = self._late.get(leaf) or self._joined(leaf)
        late[0] += gpu_milli
        if not is_spot:
            late[1] += gpu_milli

    def charge(self, leaf: str, gpu_milli_ms: int, at_ms: int) -> None:
        """A leaf has used so much, known since this instant."""
        hour = at_ms // HOUR_MS
        if hour > self._hour:
            self._turn(hour)
        late = self._late.get(leaf) or self._joined(leaf)
        late[2] += gpu_milli_ms * self._scale

    def rank(self, leaf: str) -> Rank:
        """Return what leaves are sorted by: how they stand, then for each level from the top what the branch had for its weight."""
        if self._late:
            self._sum_up()
        known = self._ranks.get(leaf)
        if known is not None:
            return known
        entry = ENTRY_MS * self._scale
        found: list[int | str] = []
        standing = Standing.ORDINARY
        for branch in self._path(leaf)[:-1]:
            if branch.quota is not None and branch.firm >= branch.quota:
                standing = Standing.ABOVE_QUOTA
            elif branch.firm < branch.agreed and standing is Standing.ORDINARY:
                standing = Standing.WITHIN_AGREEMENT
            had = branch.usage + branch.held * entry
            found.append(branch.name)
            found.append(had // branch.weight if branch.weight else _LAST + had)
        found.append(standing)
        found.reverse()
        known = self._ranks[leaf] = tuple(found)
        return known

    def standing(self, leaf: str, gpu_milli: int) -> Standing:
        """Return how work of this size would stand if the leaf held it as well."""
        found = Standing.ORDINARY
        self._sum_up()
        for branch in self._path(leaf):
            firm = branch.firm + gpu_milli
            if branch.quota is not None and firm > branch.quota:
                return Standing.ABOVE_QUOTA
            if firm <= branch.agreed:
                found = Standing.WITHIN_AGREEMENT
        return found

    def above_quota(self) -> dict[str, int]:
        """Return the branches that hold more than their quota, spot not counted, and by how much."""
        self._sum_up()
        return {name: self._branches[name].firm - (self._branches[name].quota or 0) for name in self._above}

    @property
    def is_any_above(self) -> bool:
        """Return whether any branch holds more than its quota."""
        if not self._limited:
            return False
        self._sum_up()
        return bool(self._above)

    def held(self, name: str) -> int:
        """Return what a branch holds now, spot included."""
        self._sum_up()
        return self._branches[name].held

    def firm(self, name: str) -> int:
        """Return what a branch holds now against its quota and its agreement: all but spot."""
        self._sum_up()
        return self._branches[name].firm

    def weight(self, name: str) -> int:
        """Return the weight of a branch among its siblings."""
        return self._branches[name].weight

    def children(self, name: str = "") -> list[str]:
        """Return the branches below one, or below the top, in the order in which they joined."""
        return [one.name for one in (self._branches[name] if name else self._top).children]

    def used_ppm(self, name: str) -> int:
        """Return the part of all decayed usage that a branch had, in millionths."""
        self._sum_up()
        total = self._top.usage
        return self._branches[name].usage * _MILLION // total if total else 0

    def due_ppm(self, name: str) -> int:
        """Return the part of everything that a branch is due while all have work, in millionths: its weights from the top on."""
        due = denominator = 1
        branch = self._branches[name]
        while branch.parent is not None:
            due *= branch.weight
            denominator *= sum(one.weight for one in branch.parent.children)
            branch = branch.parent
        return due * _MILLION // denominator if denominator else 0

    def usage(self, name: str, now: int) -> int:
        """Return the decayed usage of a branch: what it used in this hour in full, a half-life ago by half."""
        self._sum_up()
        return self._branches[name].usage // self._scale_at(max(now // HOUR_MS, self._hour))

    def path(self, leaf: str) -> Iterator[str]:
        """Yield a leaf and all branches that it is in, the topmost last."""
        for branch in self._path(leaf)[:-1]:
            yield branch.name

    def saved(self) -> tuple[int, int, dict[str, str]]:
        """Return what a snapshot keeps: base and hour, and the usage of leaves, which is wider than 64 bits, as text."""
        self._sum_up()
        leaves = {name: str(one.usage) for name, one in sorted(self._branches.items()) if one.usage and not one.children}
        return self._base_hour, self._hour, leaves

    def restore(self, saved: tuple[int, int, dict[str, str]]) -> None:
        """Take over what `saved` returned, into a tree with the same branches and no usage."""
        self._base_hour, self._hour, leaves = saved
        self._ranks.clear()
        self._scale = self._scale_at(self._hour)
        for name, usage in leaves.items():
            for branch in self._path(name):
                branch.usage += int(usage)

    def _path(self, leaf: str) -> tuple[_Branch, ...]:
        """Return a leaf and all that it is in; whoever is not in the tree joins it at the top."""
        known = self._paths.get(leaf)
        if known is None:
            if leaf not in self._branches:
                self.add(leaf)
            found, branch = list[_Branch](), self._branches.get(leaf)
            while branch is not None:
                found.append(branch)
                branch = branch.parent
            known = self._paths[leaf] = tuple(found)
        return known

    def _joined(self, leaf: str) -> list[int]:
        """Return where to note what a leaf holds and uses from now on."""
        self._path(leaf)
        late = self._late[leaf] = [0, 0, 0]
        return late

    def _sum_up(self) -> None:
        """Add what came late to the leaves and to all that they are in."""
        if not self._late:
            return
        for leaf, (held, firm, usage) in self._late.items():
            for branch in self._path(leaf):
                branch.held += held
                branch.firm += firm
                branch.usage += usage
                if branch.quota is not None:
                    self._look_at_quota(branch)
        self._late.clear()
        self._ranks.clear()

    def _look_at_quota(self, branch: _Branch) -> None:
        if branch.quota is not None and branch.firm > branch.quota:
            self._above[branch.name] = None
        else:
            self._above.pop(branch.name, None)

    def _turn(self, hour: int) -> None:
        """An hour has begun: what is charged from now on counts for more."""
        if hour - self._base_hour >= _REBASE_AFTER * self._half_life:
            self._sum_up()
            self._rebase(hour)
        self._hour = hour
        self._scale = self._scale_at(hour)

    def _scale_at(self, hour: int) -> int:
        halvings, rest = divmod(hour - self._base_hour, self._half_life)
        return _factors(self._half_life)[rest] << halvings

    def _rebase(self, hour: int) -> None:
        halvings = (hour - self._base_hour) // self._half_life
        self._base_hour += halvings * self._half_life
        for branch in self._branches.values():
            branch.usage = 0 if branch.children else branch.usage >> halvings
        self._add_up_usage()

    def _add_up_usage(self) -> None:
        """Sum up the usage of the leaves; all other branches have none yet."""
        self._top.usage = 0
        for leaf in [one for one in self._branches.values() if not one.children]:
            above = leaf.parent
            while above is not None:
                above.usage += leaf.usage
                above = above.parent
