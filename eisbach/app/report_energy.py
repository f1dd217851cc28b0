"""What jobs and projects used: kilowatt-hours and CO2 with the shares of idle and overhead, and the check against the meter."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eisbach.app.state import FactoryState
from eisbach.core.metering.counter import Label
from eisbach.ports.store import Reader, Row

PAGE = 1000
PARTS = ("own_mj", "idle_mj", "overhead_mj")
CARBON = ("carbon_location_mg", "carbon_market_mg")
STATEMENT_LAW = "EnEfG section 15"
"""The yearly statement that a data centre owes each customer (Energieeffizienzgesetz of 2023)."""

_CERTAINTY = (Label.SIMULATED, Label.MODELLED, Label.MEASURED)


def is_complete(job: str) -> Callable[[FactoryState, int], bool]:
    """Return the question whether the meters were read since a job ended."""

    def ask(state: FactoryState, now: int) -> bool:
        return job not in state.scheduler.jobs and all(held.job != job for held in state.energy.ended)

    return ask


def of_job(reader: Reader, job: str) -> dict[str, Any] | None:
    """Return a job's energy by interval and in total; None without such a job."""
    known = reader.row("jobs", job)
    if known is None:
        return None
    intervals = sorted(_all(reader, "job_energy", {"job": job}), key=lambda row: (row["from_ms"], row["site"]))
    return {
        "job": job,
        "name": known["name"],
        "project": known["project"],
        **_sums(intervals),
        "label": weakest(row["label"] for row in intervals),
        "sites": sorted({row["site"] for row in intervals}),
        "intervals": [
            {name: row[name] for name in ("site", "from_ms", "to_ms", "label", *PARTS, *CARBON)} for row in intervals
        ],
    }


def of_project(reader: Reader, project: str, period: str) -> dict[str, Any]:
    """Return a project's statement of a month: each job, the largest first, and per site whether the meter is its parts."""
    where = {"project": project, "period": period}
    jobs: dict[str, list[Row]] = {}
    labels: set[str] = set()
    sites: set[str] = set()
    for row in reader.totals("job_energy", ["job", "label", "site"], [*PARTS, *CARBON], where):
        jobs.setdefault(row["job"], []).append(row)
        labels.add(row["label"])
        sites.add(row["site"])
    unknown = {job for job, rows in jobs.items() if _without_carbon(reader, job, period)}
    found = [
        {
            "job": job,
            "name": (reader.row("jobs", job) or {}).get("name", ""),
            **_sums(rows, has_carbon=job not in unknown),
            "label": weakest(row["label"] for row in rows),
        }
        for job, rows in jobs.items()
    ]
    every = [row for rows in jobs.values() for row in rows]
    return {
        "project": project,
        "period": period,
        **_sums(every, has_carbon=not unknown),
        "label": weakest(labels),
        "law": STATEMENT_LAW,
        "jobs": sorted(found, key=lambda one: (-one["total_mj"], one["job"])),
        "sites": [{"site": site, "is_exact": check_of(reader, site, period).is_exact} for site in sorted(sites)],
    }


@dataclass(frozen=True, slots=True)
class MeterCheck:
    """The check of a site's month: what the meter counted, and what of it jobs, idle and overhead of the operator have."""

    meter_mj: int
    jobs_mj: int
    operator_idle_mj: int
    operator_overhead_mj: int

    @property
    def is_exact(self) -> bool:
        """Return whether the parts are the meter, to the millijoule."""
        return self.jobs_mj + self.operator_idle_mj + self.operator_overhead_mj == self.meter_mj


def check_of(reader: Reader, site: str, period: str) -> MeterCheck:
    """Return the check of a site's month, from both tables as they stood at one moment."""
    while True:
        size = reader.log_size()
        found = _check_of(reader, {"site": site, "period": period})
        if reader.log_size() == size:
            return found


def _check_of(reader: Reader, where: dict[str, object]) -> MeterCheck:
    whole = ["it_mj", "losses_mj", "cooling_mj"]
    meter = _one(reader.totals("site_energy", [], [*whole, "operator_idle_mj", "operator_overhead_mj"], where))
    jobs = _one(reader.totals("job_energy", [], list(PARTS), where))
    return MeterCheck(
        meter_mj=sum(int(meter.get(name, 0)) for name in whole),
        jobs_mj=sum(int(jobs.get(name, 0)) for name in PARTS),
        operator_idle_mj=int(meter.get("operator_idle_mj", 0)),
        operator_overhead_mj=int(meter.get("operator_overhead_mj", 0)),
    )


def weakest(labels: Iterable[str]) -> str:
    """Return the label of a sum: that of its least certain part, empty where there is none."""
    said = set(labels)
    return next((label.value for label in _CERTAINTY if label.value in said), "")


def _sums(rows: Sequence[Row], *, has_carbon: bool | None = None) -> dict[str, Any]:
    sums: dict[str, Any] = {name: sum(int(row[name]) for row in rows) for name in PARTS}
    sums["total_mj"] = sum(sums.values())
    is_known = all(row[CARBON[0]] is not None for row in rows) if has_carbon is None else has_carbon
    for name in CARBON:
        sums[name] = sum(int(row[name]) for row in rows) if rows and is_known else None
    return sums


def _without_carbon(reader: Reader, job: str, period: str) -> bool:
    """Return whether a job has an interval at a site of whose electricity nobody said where it comes from."""
    where = {"job": job, "period": period, CARBON[0]: None}
    return bool(reader.rows("job_energy", where, limit=1).rows)


def _one(rows: Sequence[Row]) -> Row:
    return rows[0] if rows else {}


def _all(reader: Reader, table: str, where: dict[str, object]) -> Iterator[Row]:
    cursor: str | None = None
    while True:
        page = reader.rows(table, where, cursor=cursor, limit=PAGE)
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return
