"""What jobs and projects cost: held time, charges and how one follows from the other."""

from collections.abc import Iterator, Sequence
from typing import Any

from eisbach.app.event_codec import decode
from eisbach.app.events import AttemptPlanned
from eisbach.core.jobs.lifecycle import Fault
from eisbach.core.ledger import account
from eisbach.core.ledger.transfer import TransferKind
from eisbach.ports.store import Reader, Row

PAGE = 1000


def of_job(reader: Reader, job: str) -> dict[str, Any] | None:
    """Return a job's charge with each attempt's held and charged time, and its transfers; None without such a job.

    `credited` is what it was credited since a cap on power broke the promise of its start.
    """
    row = reader.row("jobs", job)
    if row is None:
        return None
    attempts = sorted(_rows_of(reader, "attempts", job), key=lambda one: one["number"])
    transfers = sorted(_rows_of(reader, "transfers", job), key=lambda one: one["transfer"])
    return {
        "job": job,
        "name": row["name"],
        "project": row["project"],
        "site": row["site"],
        "simulated": row["simulated"],
        "tariff": row["tariff"],
        "state": row["state"],
        "outcome": row["outcome"],
        "cap": row["cap"],
        "charged": row["charged"],
        "charged_ms": row["charged_ms"],
        "credited": _credited(reader, job, transfers),
        "attempts": [_attempt(one) for one in attempts],
        "transfers": [dict(one) for one in transfers],
    }


def is_ours(reader: Reader, attempt: str) -> bool:
    """Return whether an attempt has ended by a fault of ours."""
    row = reader.row("attempts", attempt)
    return row is not None and any(one.is_ours for one in Fault if one.value == row["fault"])


def _credited(reader: Reader, job: str, transfers: Sequence[Row]) -> int:
    """Return the credits of attempts that ran uncharged for a while and were not taken back altogether."""
    credits = [one for one in transfers if one["kind"] == TransferKind.CREDIT.value]
    if not credits:
        return 0
    planned = (decode(sealed) for sealed in reader.events_of(job, after_seq=-1, limit=PAGE) if sealed.kind == "attempt.planned")
    late = {one.attempt for one in planned if isinstance(one, AttemptPlanned) and one.free_ms and not is_ours(reader, one.attempt)}
    return sum(int(one["amount"]) for one in credits if one["attempt"] in late)


def of_project(reader: Reader, project: str, period: str, this_month: str) -> dict[str, Any]:
    """Return a month's budget, reservations and charges of a project as the ledger's transfers give them.

    `jobs` and `bookings` have one row for each that was charged in the month, dearest first. Before a month's first job the ledger
    knows nothing of it: then the project's budget is what this or a coming month will have.
    """
    names = {
        "available": account.available(project, period),
        "reserved": account.reserved(project, period),
        "charged": account.charged(project, period),
    }
    balances = {what: _balance(reader, name) for what, name in names.items()}
    if period >= this_month and not any(balances.values()):
        balances["available"] = int((reader.row("projects", project) or {"budget": 0})["budget"])
    jobs = [{**_job_facts(reader, job), **one} for job, one in _charges_by(reader, "job", names["charged"])]
    bookings = [{**_booking_facts(reader, name), **one} for name, one in _charges_by(reader, "booking", names["charged"])]
    return {
        "project": project,
        "period": period,
        "budget": sum(balances.values()),
        **balances,
        "jobs": sorted(jobs, key=lambda one: (-one["charged"], one["job"])),
        "bookings": sorted(bookings, key=lambda one: (-one["charged"], one["booking"])),
    }


def _rows_of(reader: Reader, table: str, job: str) -> Iterator[Row]:
    cursor: str | None = None
    while True:
        page = reader.rows(table, {"job": job}, cursor=cursor, limit=PAGE)
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return


def _attempt(row: Row) -> dict[str, Any]:
    wanted = ("attempt", "number", "state", "nodes", "running_ms", "ended_ms", "held_ms", "charged_ms", "charged")
    more = ("outcome", "fault", "reason", "ending", "exit_code", "cpu_ms", "memory_peak_mib", "memory_is_polled")
    return {name: row[name] for name in (*wanted, *more, "site", "simulated")}


def _balance(reader: Reader, name: str) -> int:
    credited = reader.totals("transfers", ["credit"], ["amount"], {"credit": name})
    debited = reader.totals("transfers", ["debit"], ["amount"], {"debit": name})
    return sum(int(one["amount"]) for one in credited) - sum(int(one["amount"]) for one in debited)


def _charges_by(reader: Reader, what: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the charges on an account by job or by booking."""
    charges: dict[str, int] = {}
    for sign, side in ((1, "credit"), (-1, "debit")):
        for row in reader.totals("transfers", [what], ["amount"], {side: name}):
            if row[what] is not None:
                charges[row[what]] = charges.get(row[what], 0) + sign * int(row["amount"])
    return [(one, {what: one, "charged": amount}) for one, amount in charges.items()]


def _booking_facts(reader: Reader, booking: str) -> dict[str, Any]:
    row = reader.row("bookings", booking) or {}
    return {what: row.get(what) for what in ("state", "flavour", "node_count", "from_ms", "until_ms", "price", "site", "simulated")}


def _job_facts(reader: Reader, job: str) -> dict[str, Any]:
    row = reader.row("jobs", job) or {}
    return {what: row.get(what) for what in ("name", "state", "outcome", "charged_ms", "attempts", "cap", "site", "simulated")}
