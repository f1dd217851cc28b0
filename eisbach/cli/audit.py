"""`eisbach audit`: the signed log, checked here and not believed."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from eisbach.cli.client import PIECE_BYTES, ConnectionLost
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.jobs import JobName, Project
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.resolve import find_job
from eisbach.cli.session import Session
from eisbach.cli.terminal import say

File = Annotated[Path | None, typer.Option("--out", help="The file to write; stdout without it.")]


def verify(
    bundle: Annotated[Path | None, typer.Option("--bundle", help="A file to check offline, instead of the factory's log.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="The operator's published key: name+id+base64.")] = None,
    output_format: Output = Format.TABLE,
) -> int:
    """Check the factory's log, or an audit bundle offline.

    Exit code 1 where anything does not fit. Without --key the bundle's own key is taken, and that is said.
    """
    from eisbach.cli.bundle_check import BundleWrong, check_bundle

    session = None if bundle is not None else Session()
    try:
        lines = lines_of_file(bundle) if bundle is not None else _lines_of_factory(session)
        found = check_bundle(lines, key)
    except BundleWrong as error:
        finding = str(error)
        doc = document("audit-verify", is_verified=False, finding=finding)
        show(doc, output_format, lambda is_wide: print(f"FAILED: {finding}"))
        return ExitCode.FAILED
    doc = document("audit-verify", is_verified=True, **found.facts())
    show(doc, output_format, lambda is_wide: print("\n".join(found.words())))
    if key is None and output_format in (Format.TABLE, Format.WIDE):
        say("The key was taken from the bundle itself: compare it with the one the operator publishes, or give it with --key.")
    return ExitCode.OK


def prove(job: JobName, out: File = None, project: Project = None) -> None:
    """Write the proof of a job's events in the signed log.

    Anybody can check it: `eisbach audit verify --bundle FILE`, or scripts/verify_bundle.py, which needs no Eisbach.
    """
    session = Session()
    found = find_job(session, job, project)
    proof = session.client.get(f"/v1/jobs/{found['job']}/proof")
    with opened(out) as file:
        file.write(json.dumps(proof).encode() + b"\n")
    if out is not None:
        say(f"Wrote the proof of {proof['leaf_count']} events to {out}. Check it with `eisbach audit verify --bundle {out}`.")


def export(
    out: File = None,
    site: Annotated[str | None, typer.Option("--site", help="The site where it will be kept; the factory's own without it.")] = None,
) -> None:
    """Write the whole log with its signed head.

    A site that any organisation's rules forbid is refused, and either way the log says so.
    """
    session = Session()
    session.client.post("/v1/targets", {"use": "log", "site": site})
    count = 0
    with opened(out) as file:
        for piece in _pieces(session):
            count += piece.count(b"\n")
            file.write(piece)
    if out is not None:
        say(f"Wrote {max(0, count - 1)} events to {out}. Check it with `eisbach audit verify --bundle {out}`.")


def _pieces(session: Session) -> Iterator[bytes]:
    try:
        with session.client.open("/v1/audit/export", {"Accept": "*/*"}) as response:
            while piece := response.read(PIECE_BYTES):
                yield piece
    except ConnectionLost as error:
        raise session.client.unreachable(error) from error


def _lines_of_factory(session: Session | None) -> Iterator[bytes]:
    assert session is not None
    rest = b""
    for piece in _pieces(session):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def lines_of_file(path: Path) -> Iterator[bytes]:
    """Yield the lines of a bundle; raise CliError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            yield from file
    except OSError as error:
        raise CliError(f"The bundle {path} cannot be read: {error.strerror}", code=ExitCode.NOT_FOUND) from error


class _Stdout:
    """Stdout as a file that stays open."""

    def __enter__(self) -> IO[bytes]:
        return sys.stdout.buffer

    def __exit__(self, *error: object) -> None:
        sys.stdout.buffer.flush()


def opened(out: Path | None) -> Any:
    """Return a new file to write to, or stdout; raise CliError where that cannot be."""
    if out is None:
        return _Stdout()
    try:
        return open(out, "xb")
    except FileExistsError as error:
        raise usage_error(f"{out} exists already", "Choose a name that is free") from error
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error.strerror}") from error
