"""What a stretch of the log moved on the accounts of an organisation's month: each transfer with what it paid for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from eisbach.app.event_codec import decode
from eisbach.app.events import AttemptPlanned, JobSubmitted
from eisbach.core.billing.invoice import Movement, Place, Supply
from eisbach.core.ledger import account
from eisbach.core.vocabulary.invariant import require
from eisbach.ports.store import Reader, Row

PAGE = 1000
NO_FLAVOUR = "cpu"
"""How a shape without accelerators is called."""
_LABELS = {True: "simulated", False: ""}


@dataclass(slots=True)
class _Job:
    """What a job was priced by, and for each attempt its shape and site."""

    submitted: JobSubmitted
    planned: dict[str, AttemptPlanned] = field(default_factory=dict)


def movements(reader: Reader, projects: Sequence[str], period: str, from_seq: int, to_seq: int) -> list[Movement]:
    """Return the charges of a month, and what was taken back, that stand in the log from `from_seq` to `to_seq`.

    Reads the transfers of the month's accounts and, once for each job, its events: a third of a millisecond a job.
    """
    jobs: dict[str, _Job] = {}
    sites: dict[str, str] = {}
    found: list[Movement] = []
    for project in projects:
        name = account.charged(project, period)
        for side, sign in (("credit", 1), ("debit", -1)):
            for row in _transfers(reader, {side: name}, from_seq, to_seq):
                job = jobs.get(row["job"])
                if job is None:
                    job = jobs[row["job"]] = _read_job(reader, row["job"])
                supply = _supply(reader, job, row["attempt"], sites, is_taken_back=sign < 0)
                found.append(Movement(supply, sign * int(row["amount"]), row["job"], row["at_ms"]))
    return found


def places(reader: Reader, found: Sequence[Movement]) -> dict[str, Place]:
    """Return the sites that movements name, as they are now."""
    named = sorted({one.supply.site for one in found})
    rows = {site: reader.row("sites", site) for site in named}
    return {site: Place(row["country"], _LABELS[bool(row["simulated"])]) for site, row in rows.items() if row is not None}


def _transfers(reader: Reader, where: dict[str, object], from_seq: int, to_seq: int) -> Iterator[Row]:
    cursor: str | None = None
    while True:
        page = reader.rows("transfers", where, cursor=cursor, limit=PAGE)
        for row in page.rows:
            if row["seq"] < from_seq:
                return
            if row["seq"] <= to_seq:
                yield row
        cursor = page.next_cursor
        if cursor is None:
            return


def _read_job(reader: Reader, job: str) -> _Job:
    read: _Job | None = None
    after = -1
    while page := reader.events_of(job, after_seq=after, limit=PAGE):
        for sealed in page:
            if sealed.kind not in ("job.submitted", "attempt.planned"):
                continue
            body = decode(sealed)
            if isinstance(body, JobSubmitted):
                read = _Job(body)
            elif isinstance(body, AttemptPlanned) and read is not None:
                read.planned[body.attempt] = body
        after = page[-1].seq
    if read is None:
        raise LookupError(f"{job} was charged and never submitted")
    return read


def _supply(reader: Reader, job: _Job, attempt: str, sites: dict[str, str], *, is_taken_back: bool) -> Supply:
    planned = job.planned.get(attempt)
    require(planned is not None, "what is charged belongs to an attempt that was planned")
    assert planned is not None
    node = planned.tasks[0][1]
    if node not in sites:
        sites[node] = (reader.row("nodes", node) or {"site": ""})["site"]
    return Supply(
        project=job.submitted.project,
        site=sites[node],
        flavour=job.submitted.shapes[planned.shape][3] or NO_FLAVOUR,
        capacity_class=job.submitted.capacity_class,
        tariff=job.submitted.tariff,
        price=job.submitted.prices[planned.shape],
        is_taken_back=is_taken_back,
    )
