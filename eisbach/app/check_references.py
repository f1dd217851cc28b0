"""What a task refers to must be its project's own and be there: the uploaded working directory, the secrets."""

from typing import TYPE_CHECKING

from eisbach.app.find_data import with_data_found
from eisbach.core.jobs.request import JobSpec
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application


def has_references(spec: JobSpec) -> bool:
    """Return whether a task refers to anything at all."""
    return spec.workdir is not None or bool(spec.secrets) or bool(spec.data)


def checked(application: "Application", project: str, spec: JobSpec) -> JobSpec | tuple[Refusal, ...]:
    """Return the task with its data sets found, or a refusal for everything it refers to that the project does not have."""
    found = with_data_found(application, project, spec)
    refusals = missing(application, project, spec)
    return (refusals or found) if isinstance(found, JobSpec) else (*refusals, *found)


def missing(application: "Application", project: str, spec: JobSpec) -> tuple[Refusal, ...]:
    """Return a refusal for everything the task refers to that the project does not have; reads disk and store.

    An archive that another project uploaded is as absent as one that nobody did.
    """
    refusals: list[Refusal] = []
    if spec.workdir is not None:
        is_own = application.reader.row("archives", f"{project}/{spec.workdir}") is not None
        if not is_own:
            what = f"The project has no uploaded archive {spec.workdir}"
            do = "Upload it first (POST .../archives); `eisbach run` does it"
            refusals.append(Refusal(Reason.NOT_FOUND, what, do, "workdir"))
        elif not application.archives.renew(spec.workdir):  # from here on it counts as used, so no round deletes it
            what = f"The archive {spec.workdir} was deleted after it had not been used for a while"
            do = "Upload it again (POST .../archives); `eisbach run` does it"
            refusals.append(Refusal(Reason.NOT_FOUND, what, do, "workdir"))
    known = set(application.secrets.names(project)) if spec.secrets else set()
    for name in spec.secrets:
        if name not in known:
            what = f"The project has no secret named {name!r}"
            do = "Store it first with `eisbach secret set`"
            refusals.append(Refusal(Reason.MISSING_SECRET, what, do, "secrets"))
    return tuple(refusals)
