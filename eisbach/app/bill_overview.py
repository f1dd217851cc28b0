"""A month's bill before it is one: for each project its budget, and for each job its ceiling, charge, price, place and energy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eisbach.app import report_cost, report_energy
from eisbach.app.bill_movements import movements, places
from eisbach.core.billing.invoice import HOUR_PARTS, Movement, Place, Supply
from eisbach.core.billing.vat import half_up
from eisbach.core.billing.wording import quantity_text
from eisbach.ports.store import Reader, Row

NO_END = 2**62


@dataclass(slots=True)
class JobBill:
    """What a job was charged in a month: each kind of capacity it held, and its energy where a meter has it."""

    facts: dict[str, Any]
    supplies: dict[Supply, int] = field(default_factory=dict)
    energy: dict[str, Any] | None = None

    @property
    def charged(self) -> int:
        """Return micro-euro."""
        return sum(self.supplies.values())

    @property
    def hours(self) -> str:
        """Return the hours that were charged, as an invoice would have them."""
        parts = sum(half_up(amount * HOUR_PARTS, one.price) for one, amount in self.supplies.items() if one.price)
        return quantity_text(parts)


@dataclass(frozen=True, slots=True)
class ProjectBill:
    """A project's month: its account, its jobs (the dearest first), and the energy of all of them."""

    project: Row
    account: dict[str, Any]
    jobs: Sequence[JobBill]
    energy: dict[str, Any]


def of_projects(reader: Reader, projects: Sequence[Row], period: str, this_month: str) -> list[ProjectBill]:
    """Return the month of each project; what has not been settled yet is not in it."""
    return [_of_project(reader, row, period, this_month) for row in projects]


def places_of(reader: Reader, bills: Sequence[ProjectBill]) -> dict[str, Place]:
    """Return the sites that bills name."""
    named = [Movement(supply, 0) for bill in bills for job in bill.jobs for supply in job.supplies]
    return places(reader, named)


def _of_project(reader: Reader, row: Row, period: str, this_month: str) -> ProjectBill:
    account = report_cost.of_project(reader, row["project"], period, this_month)
    energy = report_energy.of_project(reader, row["project"], period)
    metered = {one["job"]: one for one in energy["jobs"]}
    jobs = {one["job"]: JobBill(one, energy=metered.get(one["job"])) for one in account["jobs"]}
    for one in movements(reader, [row["project"]], period, 0, NO_END):
        if one.job in jobs:
            supplies = jobs[one.job].supplies
            supplies[one.supply] = supplies.get(one.supply, 0) + one.amount
    return ProjectBill(row, account, list(jobs.values()), energy)
