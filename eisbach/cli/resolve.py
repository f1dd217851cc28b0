"""From what a person types (a name, an id, the start of an id) to the one thing that is meant."""

from collections.abc import Iterable, Sequence
from typing import Any

from eisbach.cli.client import segment
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean, say
from eisbach.core.vocabulary.identity import PREFIXES, JobId, OrganisationId, ProjectId

ID_LENGTH = 26
"""Characters of an id behind its prefix."""
CANDIDATES_MAX = 10
JOBS_SEARCHED_MAX = 2000
Json = dict[str, Any]


def is_whole_id(text: str, kind: Any) -> bool:
    """Return whether a text is a complete id of this kind."""
    prefix, _, rest = text.partition("_")
    return prefix == PREFIXES[kind] and len(rest) == ID_LENGTH


def find_organisation(session: Session, wanted: str) -> Json:
    """Return the organisation with this name or id."""
    if is_whole_id(wanted, OrganisationId):
        found: Json = session.client.get(f"/v1/organisations/{segment(wanted)}")
        return found
    return _one("organisation", wanted, session.client.pages("/v1/organisations"), "`eisbach org list`")


def find_project(session: Session, wanted: str | None) -> Json:
    """Return the project with this name or id; without one the default; without a default the only one there is."""
    wanted = wanted or session.default_project
    if wanted and is_whole_id(wanted, ProjectId):
        found: Json = session.client.get(f"/v1/projects/{segment(wanted)}")
        return found
    projects = list(session.client.pages("/v1/projects"))
    if wanted:
        return _one("project", wanted, projects, "`eisbach project list`")
    if len(projects) == 1:
        return projects[0]
    if not projects:
        raise CliError(
            "There is no project yet", "Create one with `eisbach project create NAME --budget 25`", ExitCode.NOT_FOUND
        )
    names = ", ".join(clean(project["name"]) for project in projects[:CANDIDATES_MAX])
    raise usage_error(
        f"Which project? There are {len(projects)}: {names}",
        "Choose one with --project, EISBACH_PROJECT, or for all commands `eisbach project use NAME`",
    )


def find_owner(session: Session, org: str | None, project: str | None) -> tuple[str, str]:
    """Return the API's path of whose rule or figure is meant, and its name: the organisation if one was named, else a project."""
    if org is not None and project is not None:
        raise usage_error("--org and --project exclude each other")
    if org is not None:
        found = find_organisation(session, org)
        return f"/v1/organisations/{segment(found['organisation'])}", str(found["name"])
    found = find_project(session, project)
    return f"/v1/projects/{segment(found['project'])}", str(found["name"])


def find_job(session: Session, wanted: str, project: str | None = None) -> Json:
    """Return the job with this id, the only one whose id starts so, or the newest with this name (and say which)."""
    if is_whole_id(wanted, JobId):
        found: Json = session.client.get(f"/v1/jobs/{segment(wanted)}")
        return found
    place = find_project(session, project)
    path = f"/v1/projects/{place['project']}/jobs"
    if wanted.startswith(f"{PREFIXES[JobId]}_"):
        matches = _limited(job for job in _searched(session, path) if job["job"].startswith(wanted))
        if len(matches) > 1:
            raise usage_error(f"{wanted!r} starts the ids of several jobs: {_ids(matches)}", "Write more of the id")
    else:
        matches = _limited(job for job in _searched(session, path, name=wanted) if job["name"] == wanted)
        if len(matches) > 1:
            rest = _ids(matches[1:])
            say(f"{len(matches)} jobs are named {clean(wanted)}; this is the newest, {matches[0]['job']} (others: {rest})")
    if not matches:
        raise CliError(
            f"There is no job {wanted!r} in project {clean(place['name'])}",
            "List the jobs with `eisbach ps`",
            ExitCode.NOT_FOUND,
        )
    whole: Json = session.client.get(f"/v1/jobs/{matches[0]['job']}")
    return whole


def _one(kind: str, wanted: str, candidates: Iterable[Json], where: str) -> Json:
    found = list(candidates)
    matches = [c for c in found if c["name"] == wanted] or [c for c in found if c[kind] == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(match[kind] for match in matches)
        raise usage_error(f"Several {kind}s are named {wanted!r}: {ids}", "Use the id instead of the name")
    raise CliError(f"There is no {kind} {wanted!r}", f"See {where}", ExitCode.NOT_FOUND)


def _searched(session: Session, path: str, **query: object) -> Iterable[Json]:
    for count, job in enumerate(session.client.pages(path, limit=1000, **query)):
        if count >= JOBS_SEARCHED_MAX:
            return
        yield job


def _limited(jobs: Iterable[Json]) -> list[Json]:
    found: list[Json] = []
    for job in jobs:
        found.append(job)
        if len(found) > CANDIDATES_MAX:
            break
    return found


def _ids(jobs: Sequence[Json]) -> str:
    return ", ".join(job["job"] for job in jobs)
