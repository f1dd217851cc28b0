"""Which rows follow from an event: the tables are projections of the log and of nothing else.

Every store writes exactly these rows in the transaction that writes the event; `db check` derives them again from the
whole log and compares. Text columns come from the table `texts` (erasable), all others from the event alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app import events as e
from eisbach.app import (
    rows_billing,
    rows_booking,
    rows_data,
    rows_energy,
    rows_exit,
    rows_health,
    rows_planning,
    rows_policy,
    rows_promises,
    rows_shares,
    rows_usage,
)
from eisbach.app.as_told import as_told
from eisbach.app.events_energy import EnergyMetered, PowerCapped
from eisbach.app.events_usage import UsageSettledTogether
from eisbach.app.row_operations import Insert as Insert
from eisbach.app.row_operations import Op as Op
from eisbach.app.row_operations import Row as Row
from eisbach.app.row_operations import Update as Update
from eisbach.core.jobs.lifecycle import StopCause

_AREAS = (rows_policy, rows_data, rows_energy, rows_billing, rows_promises, rows_exit, rows_planning, rows_health, rows_booking, rows_shares, rows_usage)

PRIMARY_KEYS = {
    "sites": "site",
    "nodes": "node",
    "tariffs": "version",
    "organisations": "organisation",
    "projects": "project",
    "tokens": "token",
    "archives": "archive",
    "jobs": "job",
    "attempts": "attempt",
    "transfers": "transfer",
    **{table: key for area in _AREAS for table, key in area.PRIMARY_KEYS.items()},
}
TEXT_COLUMNS = {
    "organisations": "name",
    "projects": "name",
    "tokens": "label",
    "jobs": "name",
    "attempts": "detail",
    **{table: column for area in _AREAS for table, column in area.TEXT_COLUMNS.items()},
}
"""table -> its column that shows the text `<primary key>/<column>`, and is emptied when that text is erased"""


SUBJECT_FIELDS = ("job", "booking", "token", "node", "invoice", "data_set", "upload", "promise", "project", "organisation", "site", "owner")
"""What an event can be about, the first one that it names wins: the log of a job is read by the job's id."""
_WITHOUT_SUBJECT = frozenset({EnergyMetered, PowerCapped})
"""Readings of meters and caps: by far the most that is said of a site, and found by their rows."""
_SUBJECT_FIELD = {
    body: next((name for name in SUBJECT_FIELDS if name in body.__struct_fields__ and body not in _WITHOUT_SUBJECT), None)
    for body in e.KIND_OF
}


def subjects_of(body: e.Body) -> tuple[str, ...]:
    """Return the ids that an event is found by; an imported record is also found by its organisation."""
    told = as_told(0, body)[1]
    if isinstance(told, UsageSettledTogether):
        return (told.project, *dict.fromkeys(told.jobs), *((body.organisation,) if isinstance(body, e.RecordImported) else ()))
    name = _SUBJECT_FIELD[type(told)]
    subject = getattr(told, name) if name is not None else ""
    ids = (subject,) if subject else ()
    if isinstance(body, e.RecordImported) and body.organisation not in ids:
        return (*ids, body.organisation)
    return ids


def rows_of(seq: int, at_ms: int, body: e.Body, texts: Mapping[str, str]) -> list[Op]:
    """Return the row operations of one event.

    `texts` maps a text's id (`<object id>/<what>`) to its text, for the texts this event commits to; an erased text is
    absent and its column becomes the empty string.
    """
    at_ms, body = as_told(at_ms, body)
    rows = _ROWS.get(type(body))
    ops = rows(seq, at_ms, body, texts) if rows is not None else []
    if type(body) is UsageSettledTogether:
        return ops  # its transfers stand in its rows already, one for each attempt
    for index, (debit, credit, amount, kind) in enumerate(getattr(body, "transfers", ())):
        row = {
            "transfer": f"{seq:012d}-{index:03d}",
            "seq": seq,
            "at_ms": at_ms,
            "debit": debit,
            "credit": credit,
            "amount": amount,
            "kind": kind,
            "job": getattr(body, "job", None),
            "attempt": getattr(body, "attempt", None),
            "booking": getattr(body, "booking", None),
        }
        ops.append(Insert("transfers", row))
    return ops


def _site(seq: int, at_ms: int, body: e.SiteDeclared, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "site": body.site,
        "country": body.country,
        "operator": body.operator,
        "operator_country": body.operator_country,
        "parent_country": body.parent_country or body.operator_country,
        "simulated": body.simulated,
    }
    return [Insert("sites", row)]


def _site_changed(seq: int, at_ms: int, body: e.SiteChanged, texts: Mapping[str, str]) -> list[Op]:
    changes = {
        "country": body.country,
        "operator": body.operator,
        "operator_country": body.operator_country,
        "parent_country": body.parent_country or body.operator_country,
        "simulated": body.simulated,
    }
    return [Update("sites", body.site, changes)]


def _node(seq: int, at_ms: int, body: e.NodeDeclared, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "node": body.node,
        "pool": body.pool,
        "site": body.site,
        "flavour": body.flavour,
        "cpu_milli": body.cpu_milli,
        "memory_mib": body.memory_mib,
        "gpus": body.gpus,
        "hall": body.hall,
        "row": body.row,
        "rack": body.rack,
        "nvlink": body.nvlink,
        "from_ms": body.from_ms,
        "drained": False,
        "removed": False,
    }
    return [Insert("nodes", row)]


def _node_changed(seq: int, at_ms: int, body: e.NodeChanged, texts: Mapping[str, str]) -> list[Op]:
    changes = {
        "pool": body.pool,
        "flavour": body.flavour,
        "cpu_milli": body.cpu_milli,
        "memory_mib": body.memory_mib,
        "gpus": body.gpus,
        "hall": body.hall,
        "row": body.row,
        "rack": body.rack,
        "nvlink": body.nvlink,
        "from_ms": body.from_ms,
        "drained": body.drained,
        "removed": False,
    }
    if body.site:
        changes["site"] = body.site
    return [Update("nodes", body.node, changes)]


def _node_drained(seq: int, at_ms: int, body: e.NodeDrained, texts: Mapping[str, str]) -> list[Op]:
    changed = Update("nodes", body.node, {"drained": body.drained, "removed": body.removed})
    return [changed, *rows_health.drained(at_ms, body, texts)]


def _tariff(seq: int, at_ms: int, body: e.TariffPublished, texts: Mapping[str, str]) -> list[Op]:
    return [
        Insert("tariffs", {"version": body.version, "label": body.label, "valid_from_ms": body.valid_from_ms, "seq": seq})
    ]


def _organisation(seq: int, at_ms: int, body: e.OrganisationCreated, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "organisation": body.organisation,
        "parent": body.parent,
        "name": texts.get(f"{body.organisation}/name", ""),
        "segment": body.segment,
        "created_ms": at_ms,
    }
    return [Insert("organisations", row)]


def _project(seq: int, at_ms: int, body: e.ProjectCreated, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "project": body.project,
        "organisation": body.organisation,
        "name": texts.get(f"{body.project}/name", ""),
        "budget": body.budget,
        "created_ms": at_ms,
    }
    return [Insert("projects", row)]


def _budget(seq: int, at_ms: int, body: e.BudgetSet, texts: Mapping[str, str]) -> list[Op]:
    return [Update("projects", body.project, {"budget": body.budget})]


def _token(seq: int, at_ms: int, body: e.TokenIssued, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "token": body.token,
        "role": body.role,
        "organisation": body.organisation,
        "project": body.project,
        "digest": body.digest,
        "label": texts.get(f"{body.token}/label", ""),
        "created_ms": at_ms,
        "expires_ms": body.expires_ms,
        "revoked_ms": None,
    }
    return [Insert("tokens", row)]


def _token_revoked(seq: int, at_ms: int, body: e.TokenRevoked, texts: Mapping[str, str]) -> list[Op]:
    return [Update("tokens", body.token, {"revoked_ms": at_ms})]


def _archive(seq: int, at_ms: int, body: e.ArchiveReceived, texts: Mapping[str, str]) -> list[Op]:
    key = f"{body.project}/{body.archive}"
    row = {"archive": key, "project": body.project, "digest": body.archive, "size": body.size, "created_ms": at_ms}
    return [Insert("archives", row)]


def _job(seq: int, at_ms: int, body: e.JobSubmitted, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "job": body.job,
        "project": body.project,
        "name": texts.get(f"{body.job}/name", ""),
        "state": "waiting",
        "outcome": "",
        "reason": "" if body.funded else "BUDGET_RESERVED",
        "capacity_class": body.capacity_class,
        "nodes": body.nodes,
        "tariff": body.tariff,
        "limit_ms": body.limit_ms,
        "cap": body.cap,
        "charged": 0,
        "charged_ms": 0,
        "attempts": 0,
        "submitted_by": body.by,
        "submitted_ms": at_ms,
        "started_ms": None,
        "running_ms": None,
        "ended_ms": None,
        "exit_code": None,
        "last_attempt": None,
        "site": "",
        "simulated": False,
        "booking": body.booking,
        "signal_ms": None,
    }
    return [Insert("jobs", row)]


def _job_funded(seq: int, at_ms: int, body: e.JobFunded, texts: Mapping[str, str]) -> list[Op]:
    return [Update("jobs", body.job, {"reason": ""})]


def _reservation_moved(seq: int, at_ms: int, body: e.ReservationMoved, texts: Mapping[str, str]) -> list[Op]:
    return [] if body.funded else [Update("jobs", body.job, {"reason": "BUDGET_RESERVED"})]


def _job_stopping(seq: int, at_ms: int, body: e.JobStopping, texts: Mapping[str, str]) -> list[Op]:
    return [Update("jobs", body.job, {"state": "stopping", "reason": StopCause(body.cause).reason.value, "signal_ms": at_ms + body.notice_ms})]


def _job_ended(seq: int, at_ms: int, body: e.JobEnded, texts: Mapping[str, str]) -> list[Op]:
    changes = {"state": "ended", "outcome": body.outcome, "reason": body.reason, "ended_ms": at_ms}
    return [Update("jobs", body.job, changes)]


def _attempt_planned(seq: int, at_ms: int, body: e.AttemptPlanned, texts: Mapping[str, str]) -> list[Op]:
    row = {
        "attempt": body.attempt,
        "job": body.job,
        "number": body.number,
        "state": "starting",
        "nodes": " ".join(task[1] for task in body.tasks),
        "planned_ms": at_ms,
        "running_ms": None,
        "ended_ms": None,
        "held_ms": 0,
        "charged_ms": 0,
        "charged": 0,
        "ending": "",
        "outcome": "",
        "fault": "",
        "reason": "",
        "exit_code": None,
        "rank": None,
        "cpu_ms": 0,
        "memory_peak_mib": 0,
        "memory_is_polled": False,
        "log_bytes": 0,
        "detail": "",
        "site": body.site,
        "simulated": body.simulated,
        "saved_ms": 0,
    }
    changes = {"state": "starting", "reason": "STARTING", "attempts": body.number, "last_attempt": body.attempt}
    changes |= {"site": body.site, "simulated": body.simulated}
    return [Insert("attempts", row), Update("jobs", body.job, changes)]


def _attempt_running(seq: int, at_ms: int, body: e.AttemptRunning, texts: Mapping[str, str]) -> list[Op]:
    job: Row = {"started_ms": body.job_since_ms, "running_ms": body.since_ms}
    if not body.is_stopping:
        job |= {"state": "running", "reason": ""}
    return [
        Update("attempts", body.attempt, {"state": "running", "running_ms": body.since_ms}),
        Update("jobs", body.job, job),
    ]


def _usage_settled(seq: int, at_ms: int, body: e.UsageSettled, texts: Mapping[str, str]) -> list[Op]:
    attempt = {"held_ms": body.held_ms, "charged_ms": body.charged_ms, "charged": body.charged}
    job = {"charged": body.job_charged, "charged_ms": body.job_charged_ms}
    return [Update("attempts", body.attempt, attempt), Update("jobs", body.job, job)]


def _attempt_ended(seq: int, at_ms: int, body: e.AttemptEnded, texts: Mapping[str, str]) -> list[Op]:
    attempt = {
        "state": "ended",
        "running_ms": body.running_since_ms,
        "ended_ms": body.ended_ms,
        "held_ms": body.held_ms,
        "charged_ms": body.charged_ms,
        "charged": body.charged,
        "ending": body.ending,
        "outcome": body.outcome,
        "fault": body.fault,
        "reason": body.reason,
        "exit_code": body.exit_code,
        "rank": body.rank,
        "cpu_ms": body.cpu_ms,
        "memory_peak_mib": body.memory_peak_mib,
        "memory_is_polled": body.memory_is_polled,
        "log_bytes": body.log_bytes,
        "detail": texts.get(f"{body.attempt}/detail", ""),
    }
    job: Row = {"state": body.next, "outcome": body.job_outcome, "reason": body.reason, "exit_code": body.exit_code}
    job |= {"charged": body.job_charged, "charged_ms": body.job_charged_ms}
    if body.next == "ended":
        job["ended_ms"] = body.ended_ms
    return [Update("attempts", body.attempt, attempt), Update("jobs", body.job, job)]


_ROWS: dict[type[e.Body], Callable[[int, int, Any, Mapping[str, str]], list[Op]]] = {
    e.SiteDeclared: _site,
    e.SiteChanged: _site_changed,
    e.NodeDeclared: _node,
    e.NodeChanged: _node_changed,
    e.NodeDrained: _node_drained,
    e.TariffPublished: _tariff,
    e.OrganisationCreated: _organisation,
    e.ProjectCreated: _project,
    e.BudgetSet: _budget,
    e.TokenIssued: _token,
    e.TokenRevoked: _token_revoked,
    e.ArchiveReceived: _archive,
    e.JobSubmitted: _job,
    e.JobFunded: _job_funded,
    e.ReservationMoved: _reservation_moved,
    e.JobStopping: _job_stopping,
    e.JobEnded: _job_ended,
    e.AttemptPlanned: _attempt_planned,
    e.AttemptRunning: _attempt_running,
    e.UsageSettled: _usage_settled,
    e.AttemptEnded: _attempt_ended,
    **{body: rows for area in _AREAS for body, rows in area.ROWS.items()},
}
