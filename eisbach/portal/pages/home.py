"""Home: for tenants their jobs, spending and budget; for operators and auditors the whole factory."""

from collections.abc import Sequence

from starlette.responses import Response

from eisbach.app import create_project, observe_factory, observe_use
from eisbach.app.state import FactoryState
from eisbach.app.visible import projects_of
from eisbach.portal.access import OWN, page
from eisbach.portal.call import Call
from eisbach.portal.navigation import NavEntry
from eisbach.portal.pages.promises import told_promises
from eisbach.ports.store import Row
from eisbach.ports.translator import N_

JOBS_SHOWN = 8
PROJECTS_SHOWN = 50


@page("GET", "/", "me:read", OWN)
def show_home(call: Call) -> Response:
    """Show what matters to whoever asks first."""
    if call.may("factory:observe"):
        return _factory(call)
    projects = projects_of(call.application.reader, call.who, PROJECTS_SHOWN)
    accounts = call.ask(lambda state, now: _accounts(state, now, projects))
    jobs = _newest_jobs(call, projects)
    may_leave = call.may("organisation:read")
    return call.render("home/tenant.html", projects=projects, accounts=accounts, jobs=jobs, may_leave=may_leave)


def _factory(call: Call) -> Response:
    status = observe_factory.status(call.application)
    use = observe_use.use_of(call.application)
    busy = observe_use.busy_of(call.application)
    rows = call.application.reader.rows("jobs", {}, limit=JOBS_SHOWN).rows
    return call.render("home/factory.html", facts=status, use=use, busy=busy, jobs=rows, promises=told_promises(call))


def _accounts(state: FactoryState, now: int, projects: Sequence[Row]) -> dict[str, object]:
    return {
        row["project"]: create_project.figures(state, row["project"], now)
        for row in projects
        if row["project"] in state.projects
    }


def _newest_jobs(call: Call, projects: Sequence[Row]) -> list[Row]:
    ids = tuple(row["project"] for row in projects)
    return list(call.application.reader.rows("jobs", {"project": ids}, limit=JOBS_SHOWN).rows) if ids else []


PAGES = (show_home,)
NAVIGATION = (NavEntry("/", N_("Overview"), "me:read", 100),)
