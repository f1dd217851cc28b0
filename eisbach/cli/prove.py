"""`eisbach prove`: proofs for outsiders, made by the factory and checked without it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.cli.audit import File, lines_of_file, opened
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.jobs import JobName, Project
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.resolve import find_job
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean, say

Json = dict[str, Any]


def residency(job: JobName, out: File = None, project: Project = None) -> None:
    """Write the proof of where a job was, by which rules, and where its traces are.

    Anybody can check it: `eisbach prove check FILE`, or scripts/verify_residency.py, which needs no Eisbach.
    """
    session = Session()
    found = find_job(session, job, project)
    proof = session.client.post(f"/v1/jobs/{found['job']}/residency-proof")
    with opened(out) as file:
        file.write(json.dumps(proof).encode() + b"\n")
    if out is not None:
        for line in proof["residency"]["text"]:
            print(clean(line))
        say(f"Wrote the proof ({proof['leaf_count']} events) to {out}. Check it with `eisbach prove check {out}`.")


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A proof made by `eisbach prove residency`.")],
    key: Annotated[str | None, typer.Option("--key", help="The operator's published key: name+id+base64.")] = None,
    output_format: Output = Format.TABLE,
) -> int:
    """Check a proof of residency offline, and evaluate its rules again.

    Exit code 1 where anything does not fit, or where something is or was where a rule forbids it.
    """
    from eisbach.cli.residency_check import ProofWrong, check_residency

    try:
        found = check_residency(lambda: lines_of_file(file), key)
    except ProofWrong as error:
        finding = str(error)
        doc = document("residency-check", is_verified=False, finding=finding)
        show(doc, output_format, lambda is_wide: print(f"FAILED: {finding}"))
        return ExitCode.FAILED
    doc = document("residency-check", is_verified=True, residency=found.statement, **found.verified.facts())
    show(doc, output_format, lambda is_wide: print("\n".join(map(clean, found.words()))))
    if key is None and output_format in (Format.TABLE, Format.WIDE):
        say("The key was taken from the proof itself: compare it with the one the operator publishes, or give it with --key.")
    return ExitCode.OK if found.statement["is_clean"] else ExitCode.FAILED
