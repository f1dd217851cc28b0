"""What leaves with an organisation and what does not: each kind of event and each table is named here, with the reason.

A test fails for a kind or a table that is in none of these lists. What is exported stands in the log under one of
`OWNER_FIELDS`; an event that names a project, job or data set of somebody else never leaves.
"""

from enum import Enum


class After(Enum):
    """What follows from an exported event after its import."""

    CONTINUED = "rows, balances and state: work goes on from here"
    SHOWN = "rows and balances: history that nothing acts on"
    KEPT = "nothing: a document of the first factory, readable in the kept package"


EXPORTED: dict[str, After] = {
    "organisation.created": After.CONTINUED,
    "project.created": After.CONTINUED,
    "budget.set": After.CONTINUED,
    "period.opened": After.CONTINUED,
    "archive.received": After.CONTINUED,
    "secret.set": After.SHOWN,
    "job.submitted": After.SHOWN,
    "job.funded": After.SHOWN,
    "job.reservation_moved": After.SHOWN,
    "job.stopping": After.SHOWN,
    "job.ended": After.SHOWN,
    "attempt.planned": After.SHOWN,
    "attempt.running": After.SHOWN,
    "usage.settled": After.SHOWN,
    "usage.settled_together": After.SHOWN,
    "attempt.ended": After.SHOWN,
    "booking.made": After.SHOWN,
    "booking.extended": After.SHOWN,
    "booking.moved": After.SHOWN,
    "booking.reduced": After.SHOWN,
    "booking.settled": After.SHOWN,
    "booking.ended": After.SHOWN,
    "booking.closed": After.SHOWN,
    "rule.set": After.CONTINUED,
    "placement.refused": After.SHOWN,
    "violation.found": After.SHOWN,
    "violation.ended": After.SHOWN,
    "data_set.announced": After.CONTINUED,
    "data_set.created": After.CONTINUED,
    "data_set.abandoned": After.CONTINUED,
    "data_set.deleting": After.CONTINUED,
    "data_set.deleted": After.CONTINUED,
    "data_set.copying": After.KEPT,
    "data_set.copied": After.KEPT,
    "billing.details_set": After.CONTINUED,
    "invoice.issued": After.KEPT,
    "invoice.credited": After.KEPT,
    "residency.stated": After.KEPT,
    "extract.imported": After.KEPT,
    "start.promised": After.SHOWN,
    "start.unpromised": After.SHOWN,
    "share.set": After.SHOWN,
    "quota.set": After.SHOWN,
    "agreement.set": After.SHOWN,
    "organisation.exported": After.KEPT,
    "organisation.imported": After.KEPT,
    "record.imported": After.CONTINUED,
}
"""kind -> what follows after an import; `record.imported` is judged by the event it tells of"""

LEFT_OUT: dict[str, str] = {
    "factory.opened": "about the factory",
    "server.started": "about the factory",
    "clock.jumped": "about the factory",
    "site.declared": "about the factory",
    "site.changed": "about the factory",
    "node.declared": "about the factory",
    "node.changed": "about the factory",
    "node.drained": "about the factory",
    "node.marked": "about the factory",
    "nodes.commissioned": "about the factory",
    "closure.announced": "about the factory",
    "closure.begun": "about the factory",
    "closure.ended": "about the factory",
    "tariff.published": "about the factory; each job's prices stand in its own event",
    "tariff.withdrawn": "as tariff.published",
    "quote.given": "an offer of the factory, which the next one makes anew",
    "quote.held": "as quote.given",
    "quote.released": "as quote.given",
    "token.issued": "holds the digest of a secret; who may enter is decided anew in the next factory",
    "token.revoked": "as token.issued",
    "scheduler.set": "about the factory",
    "defragmentation.planned": "one event names the jobs of several customers",
    "energy.metered": "one event names the jobs of several customers",
    "power.capped": "about the factory",
    "target.used": "about backups of the whole factory",
    "target.cleared": "about backups of the whole factory",
    "promise.recorded": "public, about the factory",
    "promise.restated": "public, about the factory",
    "promise.dropped": "public, about the factory",
}

TABLES = (
    "organisations", "projects", "archives", "jobs", "attempts", "transfers", "placement_rules", "placement_refusals",
    "violations", "billing_details", "invoices", "data_sets", "share_settings", "start_promises",
    "bookings",
)  # fmt: skip
"""Tables whose rows follow from exported events: they leave as CSV, derived again and not copied."""

KEPT_TABLES = frozenset({"invoices"})
"""Of these no rows are made after an import: they are documents of the first factory, under its numbers."""

EXTRACTS: dict[str, tuple[str, ...]] = {
    "job_energy": (
        "part", "job", "project", "site", "period", "from_ms", "to_ms", "label", "own_mj", "idle_mj", "overhead_mj",
        "carbon_location_mg", "carbon_market_mg",
    ),
}  # fmt: skip
"""table -> its columns. Its rows follow from events that name several customers, so the organisation's own rows leave
instead, with nothing but the factory's signature under them."""

TABLES_LEFT_OUT: dict[str, str] = {
    "sites": "about the factory",
    "nodes": "about the factory",
    "node_history": "about the factory",
    "closures": "about the factory",
    "tariffs": "about the factory",
    "tokens": "hold digests of secrets",
    "scheduler_policies": "about the factory",
    "defragmentations": "name the jobs of several customers",
    "site_energy": "about the factory",
    "power_caps": "about the factory",
    "targets": "about backups of the whole factory",
    "promises": "public, about the factory",
    "promise_wordings": "public, about the factory",
    "imports": "who was imported here says the event organisation.imported",
}

OWNER_FIELDS = ("organisation", "project", "job", "data_set", "owner", "violation", "booking")
"""Fields by which an event belongs to somebody; those that an event has must all be the organisation's."""
MAKES: dict[str, str] = {
    "organisation.created": "organisation",
    "project.created": "project",
    "job.submitted": "job",
    "booking.made": "booking",
    "data_set.announced": "data_set",
    "violation.found": "violation",
}
"""kind -> the field whose id belongs to the organisation from this event on"""
AT_A_SITE = frozenset({"data_set.announced"})
"""kinds whose field `site` says where bytes lie: after an import they lie at a site of the new factory"""
