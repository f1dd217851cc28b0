"""The jobs of a trace, sized for a site: how GPUs become nodes, users customers, and durations limits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from eisbach.app.site_facts import SiteFacts
from eisbach.core.jobs.request import WHOLE, CapacityClass, NodeShape
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.twin.trace_file import TraceRow, read_trace
from eisbach.twin.workload import (
    Customer,
    Work,
    customer_name,
    derived_limit_ms,
    segment_of,
    stable_hash,
    unit_of,
)

MIB_A_CORE: Final = 4_096
"""Memory of a job without GPUs, for each core."""
CLASSES: Final = {one.value: one for one in (CapacityClass.ON_DEMAND, CapacityClass.SPOT)}
LEVELS: Final = {one.value: one for one in Level}
WISHES: Final = {"class": tuple(CLASSES), "within": tuple(LEVELS), "require": tuple(LEVELS)}
"""What `kind` may say besides what other programs write into it."""


class TraceWorkload:
    """The jobs of a trace on the nodes of one flavour.

    A job asks for its GPUs with the same part of a node's cores and memory: below one a part of a GPU, up to a whole node so
    many of one node, above that whole nodes. Without GPUs it asks for its cores (at least one) and MIB_A_CORE for each. A user is
    a customer; where the file has no limits, they are derived (workload.derived_limit_ms). `kind` may hold `class:spot`, `within:rack` (wanted) and
    `require:rack`, separated by semicolons; `within` is the wish of gangs that say nothing.
    """

    def __init__(self, path: Path, site: SiteFacts, *, flavour: str = "", within: Within | None = None) -> None:
        self._unit, self._within = unit_of(site, flavour), within
        self._shapes: dict[int, tuple[int, NodeShape]] = {}
        self._whole = self._unit.whole
        self._trace = trace = read_trace(path, self._check)
        self._names = {user: customer_name(user) for user in trace.users}
        self.customers = tuple(Customer(name, segment_of(name)) for name in dict.fromkeys(self._names.values()))
        left_out = f", {trace.left_out:,} rows without duration or GPUs left out" if trace.left_out else ""
        self.label = f"{path.name}: {trace.rows:,} jobs{left_out}{_beginning(trace.begin_ms)}"
        self.last_submit_ms = trace.last_submit_ms - trace.begin_ms

    def __len__(self) -> int:
        return self._trace.rows

    def __iter__(self) -> Iterator[Work]:
        begin_ms = self._trace.begin_ms
        for row in self._trace:
            nodes, shape = self._asked(row)
            capacity_class, within = self._wishes(row.kind, nodes)
            yield Work(
                job=row.job,
                customer=self._customer(row.user),
                submit_ms=row.submit_ms - begin_ms,
                duration_ms=row.duration_ms,
                limit_ms=row.limit_ms or derived_limit_ms(row.job, row.duration_ms),
                nodes=nodes,
                shape=shape,
                capacity_class=capacity_class,
                within=within,
            )

    def _customer(self, user: str) -> str:
        """Users beyond those that are told apart share the others' names, by a hash."""
        return self._names.get(user) or self.customers[stable_hash(user) % len(self.customers)].name

    def _asked(self, row: TraceRow) -> tuple[int, NodeShape]:
        if row.nodes is not None:
            return row.nodes, self._whole
        gpus_milli = row.gpus_milli or 0
        if not gpus_milli:
            cores_milli = min(max(1000, row.cpus_milli), self._unit.cpu_milli)
            memory_mib = min(cores_milli * MIB_A_CORE // 1000, self._unit.memory_mib)
            return 1, NodeShape(cpu_milli=cores_milli, memory_mib=memory_mib)
        known = self._shapes.get(gpus_milli)
        if known is None:
            known = self._shapes[gpus_milli] = self._unit.part(gpus_milli)
        return known

    def _wishes(self, kind: str, nodes: int) -> tuple[CapacityClass, Within | None]:
        capacity_class, within = CapacityClass.ON_DEMAND, self._within
        for key, value in _said(kind) if kind else ():
            if key == "class":
                capacity_class = CLASSES[value]
            else:
                within = Within(LEVELS[value], is_required=key == "require")
        return capacity_class, within if nodes > 1 else None

    def _check(self, row: TraceRow) -> str:
        wrong = next((f"{key}:{value}" for key, value in _said(row.kind) if value not in WISHES[key]), None) if row.kind else None
        if wrong is not None:
            key = wrong.partition(":")[0]
            return f"kind holds {wrong!r}, which is not known. Write {key}: and one of {', '.join(WISHES[key])}"
        if row.gpus_milli and not self._unit.gpus:
            return f"gpus is {row.gpus_milli / WHOLE:g}, and {self._unit.flavour} has none. Name another site or flavour"
        nodes, _ = self._asked(row)
        if nodes <= self._unit.nodes:
            return ""
        column, value = ("nodes", nodes) if row.nodes is not None else ("gpus", (row.gpus_milli or 0) / WHOLE)
        has = f"{self._unit.nodes:,} nodes of {self._unit.flavour} ({self._unit.nodes * self._unit.gpus:,} GPUs)"
        return f"{column} is {value:g}, and the site has {has}. Take a larger site, or cut the row out"


def _beginning(begin_ms: int) -> str:
    """Say aloud that the empty time before the first day is not played."""
    if not begin_ms:
        return ""
    first = begin_ms // SECOND_MS
    day = datetime.fromtimestamp(first, UTC).date()
    return f"; submit_s counted from {first} on ({day}, where it is seconds since 1970), the day of the first row"


def _said(kind: str) -> list[tuple[str, str]]:
    """Return the wishes in a `kind`; other programs keep other things in it."""
    parts = (part.strip().partition(":") for part in kind.split(";"))
    return [(key, value) for key, _, value in parts if key in WISHES]

