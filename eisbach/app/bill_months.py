"""At the month's end everybody is billed: a round that issues what the month before this one owes and nothing has billed."""

import logging
from typing import TYPE_CHECKING

from eisbach.app.commands import SYSTEM
from eisbach.app.issue_invoice import issue
from eisbach.app.state import FactoryState
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import calendar_date, month_of, month_start
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.ports.store import Reader

if TYPE_CHECKING:
    from eisbach.app.application import Application

log = logging.getLogger("eisbach.billing")


def bill_last_month(application: "Application") -> int:
    """Issue the invoices of the month that is over, for each organisation all of whose work in it is settled.

    Returns how many were issued. Whoever has no complete address is left out and named in the server's log; the
    round comes again.
    """
    if application.office is None:
        return 0
    year, month, _ = calendar_date(application.clock.now())
    period = month_of(month_start(year - 1, month + 11))
    issued = 0
    for organisation, billed_to, projects in application.ask(lambda state, now: _candidates(state, period)).result():
        if not _has_more(application.reader, projects, period, billed_to):
            continue
        answer = issue(application, SYSTEM, organisation, period)
        if isinstance(answer, Refusal):
            log.warning("%s is not billed for %s: %s", organisation, period, answer.what)
        else:
            issued += 1
    return issued


def _candidates(state: FactoryState, period: str) -> list[tuple[str, int, list[str]]]:
    """Return organisations with charges in a month, how far each is billed, and its projects; not who still settles."""
    charged: dict[str, list[str]] = {}
    for project in state.projects.values():
        if account.charged(project.project, period) in state.ledger.balances:
            charged.setdefault(project.organisation, []).append(project.project)
    settling = {state.projects[one.project].organisation for one in state.accounts.values() if one.period <= period and one.reserved}
    return [
        (organisation, state.billing.billed_until(organisation, period), projects)
        for organisation, projects in sorted(charged.items())
        if organisation not in settling
    ]


def _has_more(reader: Reader, projects: list[str], period: str, billed_to: int) -> bool:
    """Return whether the ledger moved anything on a month's accounts since it was billed: one row for each side."""
    for project in projects:
        for side in ("credit", "debit"):
            rows = reader.rows("transfers", {side: account.charged(project, period)}, limit=1).rows
            if rows and rows[0]["seq"] > billed_to:
                return True
    return False
