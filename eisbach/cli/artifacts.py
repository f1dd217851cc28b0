"""`eisbach artifacts`: the files that jobs leave."""

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

import typer

from eisbach.cli import figures
from eisbach.cli.client import PIECE_BYTES, Client, ConnectionLost
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.jobs import JobName, Project
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.resolve import find_job
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean

Json = dict[str, Any]
Attempt = Annotated[int | None, typer.Option("--attempt", help="Of this attempt; without it of the last that left any.")]


def list_artifacts(job: JobName, attempt: Attempt = None, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """List the files that a job left."""
    session = Session()
    found = find_job(session, job, project)
    files = _files(session, found["job"], attempt)
    rows = [[one["path"], figures.size(one["size"]), one["sha256"][:12], one["attempt"]] for one in files]
    empty = "No files. Name what to keep with `outputs` in the task file, or --output."
    doc = document("artifacts", job=found["job"], artifacts=files)
    columns = ["~PATH", ">SIZE", "SHA-256", "ATTEMPT"]
    show(doc, output_format, lambda is_wide: table(columns, rows, empty=empty))


def get(
    job: JobName,
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Files or folders; all without it.")] = None,
    into: Annotated[Path | None, typer.Option("--into", help="Where to put them; a folder named by the job's id without it.")] = None,
    attempt: Attempt = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Download the files that a job left."""
    session = Session()
    found = find_job(session, job, project)
    files = [one for one in _files(session, found["job"], attempt) if _is_wanted(one["path"], paths)]
    if not files:
        raise CliError(
            f"{clean(found.get('name') or found['job'])} left no {'such ' if paths else ''}files",
            f"See what there is with `eisbach artifacts list {found['job']}`",
            ExitCode.NOT_FOUND,
        )
    folder = into if into is not None else Path(found["job"])
    targets = [(one, _target(folder, one["path"])) for one in files]
    taken = [str(target) for _, target in targets if target.exists()]
    if taken and not force:
        raise usage_error(f"{taken[0]} is there already", "Choose another folder with --into, or write over it with --force")
    for one, target in targets:
        _download(session.client, found["job"], one, target)
    total = sum(int(one["size"]) for one in files)
    words = f"Wrote {figures.counted(len(files), 'file')} ({figures.size(total)}) into {folder}."
    doc = document("artifacts", job=found["job"], folder=str(folder), artifacts=files)
    show(doc, output_format, lambda is_wide: print(words))


def _files(session: Session, job: str, attempt: int | None) -> list[Json]:
    """Return the files of one attempt: the one asked for, else the last one that left any."""
    files = list(session.client.pages(f"/v1/jobs/{job}/artifacts"))
    numbers = {one["attempt"]: int(one["number"]) for one in session.client.pages(f"/v1/jobs/{job}/attempts")}
    have = {numbers.get(one["attempt"], 0) for one in files}
    wanted = attempt if attempt is not None else max(have, default=0)
    chosen = [one for one in files if numbers.get(one["attempt"], 0) == wanted]
    return sorted(chosen, key=lambda one: str(one["path"]))


def _is_wanted(path: str, wanted: list[str] | None) -> bool:
    if not wanted:
        return True
    parts = PurePosixPath(path)
    return any(parts.is_relative_to(PurePosixPath(one)) for one in wanted)


def _target(folder: Path, path: str) -> Path:
    """Return where a file goes; raise CliError for a path that would leave the folder."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\0" in path:
        raise CliError(f"The factory names a file {clean(path)!r}, which would leave {folder}; nothing was written")
    return folder.joinpath(*parts.parts)


def _download(client: Client, job: str, one: Json, target: Path) -> None:
    """Write a file next to its place and put it there when size and digest are right."""
    draft = target.with_name(f".{target.name}.part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with client.open(f"/v1/jobs/{job}/artifacts/{quote(one['attempt'])}/{quote(one['path'])}") as response, open(draft, "wb") as file:
            while piece := response.read(PIECE_BYTES):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != one["sha256"]:
            raise CliError(f"{clean(one['path'])} arrived damaged (its SHA-256 differs); it was not kept", "Try again")
        os.replace(draft, target)
    except ConnectionLost as error:
        raise client.unreachable(error) from error
    except OSError as error:
        raise CliError(f"{target} cannot be written: {error.strerror or error}", "Free some space or choose --into") from error
    finally:
        draft.unlink(missing_ok=True)
