"""Where the chunks of a data set lie, and which data sets the factory has."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from eisbach.app.state import FactoryState
from eisbach.app.state_data import DataSet
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.objects import Shelf

if TYPE_CHECKING:
    from eisbach.app.application import Application

DISK_FULL = Refusal(
    Reason.DISK_FULL,
    "The disk under the factory's objects is full; what was there before is kept",
    "Go on later where it ended; the operator sees it",
)
GONE = Refusal(Reason.DATA_DELETED, "This data set is deleted, or its upload was given up or has expired", "Upload it again")


def shelf_of(application: "Application", project: str, site: str) -> Shelf:
    """Return where the chunks of a project's data sets lie at a site."""
    organisation = application.applier.state.projects[project].organisation  # of a project that never changes
    return Shelf(site, organisation)


def known(application: "Application", data_set: str) -> DataSet | None:
    """Return a data set that is not gone, as the state has it now; blocks for the applier."""

    def look(state: FactoryState, now: int) -> DataSet | None:
        found = state.data.sets.get(data_set)
        return None if found is None else replace(found)

    return application.ask(look).result()


def those(application: "Application", are: Callable[[DataSet, int], bool]) -> list[DataSet]:
    """Return the data sets that fit at this instant, the oldest first; blocks for the applier."""

    def look(state: FactoryState, now: int) -> list[DataSet]:
        return [replace(one) for one in state.data.sets.values() if are(one, now)]

    return application.ask(look).result()


def jobs_reading(state: FactoryState, data_set: str) -> list[str]:
    """Return the jobs that have nodes now and whose task names the data set."""
    holding = {job.job for job in state.scheduler.holding.values()}
    return sorted(job for job, named in state.data.used_by.items() if data_set in named and job in holding)
