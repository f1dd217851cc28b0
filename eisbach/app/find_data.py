"""From the data sets that a task names to those of its project: by id or name; foreign ones are as absent as none."""

from typing import TYPE_CHECKING

from eisbach.app.state import FactoryState
from eisbach.app.state_data import Stage
from eisbach.core.jobs.request import JobSpec
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application


def with_data_found(application: "Application", project: str, spec: JobSpec) -> JobSpec | tuple[Refusal, ...]:
    """Return the task with the id of each data set it names (of several with one name the newest), or what is absent."""
    found: list[tuple[str, str]] = []
    refusals: list[Refusal] = []
    for name, reference in spec.data:
        data_set = _find(application, project, reference)
        if data_set is None:
            refusals.append(_absent(name, reference))
        else:
            found.append((name, data_set))
    return tuple(refusals) if refusals else spec._replace(data=tuple(found))


def data_sets_of(spec: JobSpec) -> tuple[str, ...]:
    """Return the ids of the data sets that a task reads, each once."""
    return tuple(dict.fromkeys(data_set for _, data_set in spec.data)) if spec.data else ()


def missing_data(state: FactoryState, project: str, spec: JobSpec) -> Refusal | None:
    """Return why a task cannot have a data set that it names at this moment, or None."""
    for name, data_set in spec.data:
        known = state.data.sets.get(data_set)
        if known is None or known.project != project or known.stage is not Stage.READY:
            return _absent(name, data_set)
    return None


def _find(application: "Application", project: str, reference: str) -> str | None:
    row = application.reader.row("data_sets", reference) if reference.startswith("dset_") else None
    if row is not None:
        return reference if row["project"] == project and row["stage"] == Stage.READY.value else None
    where = {"project": project, "stage": Stage.READY.value, "name": reference}
    rows = application.reader.rows("data_sets", where, limit=1).rows
    return str(rows[0]["data_set"]) if rows else None


def _absent(name: str, reference: str) -> Refusal:
    return Refusal(
        Reason.NOT_FOUND,
        f"The project has no data set {reference!r}, or its upload has not ended",
        "Look at `eisbach data list`; `eisbach data put FILE` makes one",
        f"data.{name}",
        {"data_set": reference},
    )
