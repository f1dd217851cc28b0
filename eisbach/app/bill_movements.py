"""What a stretch of the log moved on the accounts of an organisation's month: each transfer with what it paid for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from eisbach.app import report_cost
from eisbach.app.event_codec import decode
from eisbach.app.events import AttemptPlanned, JobSubmitted
from eisbach.app.events_booking import BookingMade
from eisbach.core.billing.invoice import LATE, RESOLD, Movement, Place, Supply
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.ledger import account
from eisbach.core.vocabulary.invariant import require
from eisbach.core.vocabulary.quantities import HOUR_MS
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
    bookings: dict[str, BookingMade] = {}
    sites: dict[str, str] = {}
    found: list[Movement] = []
    for project in projects:
        name = account.charged(project, period)
        for side, sign in (("credit", 1), ("debit", -1)):
            for row in _transfers(reader, {side: name}, from_seq, to_seq):
                if row["booking"] is not None:
                    booking = bookings.get(row["booking"]) or bookings.setdefault(row["booking"], _read_booking(reader, row["booking"]))
                    supply = _supply_of_booking(booking, is_taken_back=sign < 0)
                    found.append(Movement(supply, sign * int(row["amount"]), row["booking"], row["at_ms"]))
                    continue
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


def _read_booking(reader: Reader, booking: str) -> BookingMade:
    """Return how a booking was made: what is billed for it later has the price of its first window."""
    for sealed in reader.events_of(booking, after_seq=-1, limit=1):
        body = decode(sealed)
        if isinstance(body, BookingMade):
            return body
    raise LookupError(f"{booking} was charged and never made")


def _supply_of_booking(made: BookingMade, *, is_taken_back: bool) -> Supply:
    price = sum(price for _, _, price in made.stretches)
    return Supply(
        project=made.project,
        site=made.site,
        flavour=made.flavour,
        capacity_class=RESOLD if is_taken_back else CapacityClass.RESERVED.value,
        tariff=made.tariff,
        price=price * HOUR_MS // (made.until_ms - made.from_ms),
        is_taken_back=is_taken_back,
    )


def _supply(reader: Reader, job: _Job, attempt: str, sites: dict[str, str], *, is_taken_back: bool) -> Supply:
    planned = job.planned.get(attempt)
    require(planned is not None, "what is charged belongs to an attempt that was planned")
    assert planned is not None
    node = planned.tasks[0][1]
    if node not in sites:
        sites[node] = (reader.row("nodes", node) or {"site": ""})["site"]
    is_late = is_taken_back and planned.free_ms > 0 and not report_cost.is_ours(reader, attempt)
    return Supply(
        project=job.submitted.project,
        site=sites[node],
        flavour=job.submitted.shapes[planned.shape][3] or NO_FLAVOUR,
        capacity_class=LATE if is_late else job.submitted.capacity_class,
        tariff=job.submitted.tariff,
        price=job.submitted.prices[planned.shape],
        is_taken_back=is_taken_back,
    )
