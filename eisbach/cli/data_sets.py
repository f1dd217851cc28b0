"""`eisbach data`: files that jobs work with, with class, place, licence, retention and hash."""

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.audit import File, lines_of_file, opened
from eisbach.cli.client import PIECE_BYTES, ConnectionLost, segment
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.jobs import Project
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.resolve import find_project, is_whole_id
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean, say
from eisbach.core.vocabulary.identity import DataSetId

Json = dict[str, Any]
Name = Annotated[str, typer.Argument(metavar="DATA", help="Name or id; of several with one name the newest.")]


def put(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to send.")],
    name: Annotated[str | None, typer.Option("--name", help="Its name in the factory; the file's own without it.")] = None,
    licence: Annotated[str, typer.Option("--licence", help="Under which licence it stands: an SPDX id or a sentence.")] = "",
    data_class: Annotated[str, typer.Option("--class", help="customer or derived (the classes of C5).")] = "customer",
    keep_days: Annotated[int | None, typer.Option("--keep-days", help="Delete it after so many days.")] = None,
    countries: Annotated[str, typer.Option("--countries", help="Where alone it may lie, such as DE,AT.")] = "",
    site: Annotated[str, typer.Option("--site", help="Where it shall lie; the factory's own site without it.")] = "",
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Send a file and keep it as a data set.

    After a break the same command goes on where it ended; nothing is sent twice but a part of one chunk (8 MiB).
    """
    from eisbach.cli.upload import begin, file_size, send, shown_progress, unfinished

    size = file_size(file)
    session = Session()
    place = find_project(session, project)["project"]
    called = name if name is not None else file.name
    upload = unfinished(session.client, place, called, size)
    if upload is not None:
        say(f"Going on with the unfinished upload {upload['data_set']} of {clean(called)}.")
    else:
        told = {
            "filename": called, "licence": licence, "data_class": data_class, "countries": countries, "site": site,
            "keep_days": "" if keep_days is None else str(keep_days),
        }  # fmt: skip
        upload = begin(session.client, place, size, told)
    with shown_progress(called, size) as progress:
        kept = send(session.client, upload["data_set"], file, size, progress)
    show(document("data-set", **kept), output_format, lambda is_wide: _print(kept))


def list_data_sets(
    is_all: Annotated[bool, typer.Option("--all", help="Also those that are gone.")] = False,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """List the data sets of the project."""
    session = Session()
    place = find_project(session, project)["project"]
    path = f"/v1/projects/{place}/data"
    items = list(session.client.pages(path, all="true" if is_all else None))
    used = {key: value for key, value in session.client.get(path, limit=1).items() if key.endswith("_bytes")}
    doc = document("data-sets", data_sets=items, **used)
    show(doc, output_format, lambda is_wide: _print_list(items, used, is_wide=is_wide))


def show_data_set(name: Name, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Show one data set with its hashes and places."""
    found = find_data_set(Session(), name, project)
    show(document("data-set", **found), output_format, lambda is_wide: _print(found))


def get(
    name: Name,
    into: Annotated[Path | None, typer.Option("--into", help="The file to write; its own name here without it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Download a data set and check its hash.

    After a break the same command goes on where it ended.
    """
    session = Session()
    found = find_data_set(session, name, project)
    target = into if into is not None else Path(found["name"])
    if into is None and (not found["name"] or target.name != found["name"]):
        raise usage_error("The data set has no name that can be that of a file here", "Choose one with --into")
    if target.exists() and not force:
        raise usage_error(f"{target} is there already", "Choose another name with --into, or write over it with --force")
    _download(session, found, target)
    words = f"Wrote {target} ({figures.size(found['size'])}, SHA-256 {found['sha256']})."
    show(document("data-file", file=str(target), **found), output_format, lambda is_wide: print(words))


def copy(
    name: Name,
    to: Annotated[str, typer.Option("--to", help="The site where a copy shall lie.")],
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Copy a data set to a further site.

    Refused, with the rule and a position in the log, where placement rules forbid it.
    """
    session = Session()
    found = find_data_set(session, name, project)
    answer = session.client.post(f"/v1/data/{found['data_set']}/copies", {"site": to})
    words = f"A copy of {clean(found['name'])} is on its way to {clean(to)}: see `eisbach data show {found['data_set']}`."
    if answer.get("is_there"):
        words = f"{clean(found['name'])} is at {clean(to)} already."
    show(document("data-copy", **answer), output_format, lambda is_wide: print(words))


def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Delete a data set at all its places for good.

    `eisbach data certificate` proves it. Refused while jobs work with it.
    """
    from eisbach.cli.terminal import is_interactive

    session = Session()
    found = find_data_set(session, name, project)
    if not yes:
        if not is_interactive():
            raise CliError("Nobody can be asked whether to delete this", "Say yes beforehand with -y", ExitCode.REFUSED)
        if not typer.confirm(f"Delete {clean(found['name'])} ({figures.size(found['size'])}) for good?", err=True):
            raise CliError("Not deleted, as you said", code=ExitCode.REFUSED)
    answer = session.client.delete(f"/v1/data/{found['data_set']}")
    words = f"{clean(found['name'])} ({found['data_set']}): {answer['stage']}."
    show(document("data-deletion", **answer), output_format, lambda is_wide: print(words))


def verify(name: Name, project: Project = None, output_format: Output = Format.TABLE) -> int:
    """Have every byte of a data set read again.

    At all its places. Exit code 1 where one is not as it was.
    """
    session = Session()
    found = find_data_set(session, name, project)
    checked = session.client.post(f"/v1/data/{found['data_set']}/check")
    rows = [[one["site"], "whole" if one["is_whole"] else "DAMAGED", one["finding"]] for one in checked["places"]]
    doc = document("data-check", sha256=found["sha256"], **checked)
    show(doc, output_format, lambda is_wide: table(["PLACE", "CONTENT", "~FINDING"], rows))
    return ExitCode.OK if checked["is_whole"] else ExitCode.FAILED


def certificate(name: Name, out: File = None, project: Project = None) -> None:
    """Write the certificate of a data set's deletion, with the log's proofs.

    A data set that is gone has no name any more: give its id (`eisbach data list --all`). Anybody can check the
    certificate: `eisbach data check FILE`; its proofs also with scripts/verify_bundle.py, which needs no Eisbach.
    """
    session = Session()
    found = find_data_set(session, name, project)
    made = session.client.get(f"/v1/data/{found['data_set']}/certificate")
    with opened(out) as file:
        file.write(json.dumps(made).encode() + b"\n")
    if out is not None:
        print(clean(made["certificate"].partition("\n\n")[0], keep_newlines=True))
        say(f"Wrote the certificate to {out}. Check it with `eisbach data check {out}`.")


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate made by `eisbach data certificate`.")],
    key: Annotated[str | None, typer.Option("--key", help="The operator's published key: name+id+base64.")] = None,
    output_format: Output = Format.TABLE,
) -> int:
    """Check a certificate of deletion offline.

    Exit code 1 where anything does not fit. Without --key the certificate's own key is taken, and that is said.
    """
    from eisbach.cli.certificate_check import CertificateWrong, check_certificate

    try:
        found = check_certificate(lambda: lines_of_file(file), key)
    except CertificateWrong as error:
        finding = str(error)
        doc = document("certificate-check", is_verified=False, finding=finding)
        show(doc, output_format, lambda is_wide: print(f"FAILED: {finding}"))
        return ExitCode.FAILED
    doc = document("certificate-check", is_verified=True, certificate=found.text, **found.verified.facts())
    words = [*found.verified.words(), "", *found.text.splitlines()]
    show(doc, output_format, lambda is_wide: print("\n".join(map(clean, words))))
    if key is None and output_format in (Format.TABLE, Format.WIDE):
        say("The key was taken from the certificate itself: compare it with the one the operator publishes, or give it with --key.")
    return ExitCode.OK


def find_data_set(session: Session, wanted: str, project: str | None) -> Json:
    """Return the data set with this id, or the newest with this name."""
    if is_whole_id(wanted, DataSetId):
        found: Json = session.client.get(f"/v1/data/{segment(wanted)}")
        return found
    place = find_project(session, project)
    matches = [one for one in session.client.pages(f"/v1/projects/{place['project']}/data") if one["name"] == wanted]
    if not matches:
        raise CliError(
            f"There is no data set {wanted!r} in project {clean(place['name'])}", "See `eisbach data list`", ExitCode.NOT_FOUND
        )
    if len(matches) > 1:
        say(f"{len(matches)} data sets are named {clean(wanted)}; this is the newest, {matches[0]['data_set']}.")
    return matches[0]


def _download(session: Session, found: Json, target: Path) -> None:
    """Write a file beside its place, from where an earlier try ended, and put it there when its hash is right."""
    draft = target.with_name(f".{target.name}.{found['data_set']}.part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "a+b") as file:
            file.seek(0)
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
            if (have := file.tell()) < found["size"]:
                path, headers = f"/v1/data/{found['data_set']}/content", {"Range": f"bytes={have}-", "Accept": "*/*"}
                with session.client.open(path, headers) as response:
                    while piece := response.read(PIECE_BYTES):
                        digest.update(piece)
                        file.write(piece)
        if digest.hexdigest() != found["sha256"]:
            draft.unlink()
            raise CliError(f"{target} arrived damaged (its SHA-256 differs); it was not kept", "Try again")
        os.replace(draft, target)
    except ConnectionLost as error:
        raise session.client.unreachable(error) from error
    except OSError as error:
        raise CliError(f"{target} cannot be written: {error.strerror or error}", "Free some space or choose --into") from error


def _print(found: Json) -> None:
    places = [_place_words(one) for one in found["places"]]
    pairs(
        [
            ("data set", found["data_set"]),
            ("name", found["name"] or ("(erased)" if found["gone_at"] else "")),
            ("stage", found["stage"]),
            ("size", f"{found['size']:,} bytes ({figures.size(found['size'])})"),
            ("sha-256", found["sha256"]),
            ("content hash", found["manifest"]),
            ("class", found["data_class"]),
            ("licence", found["licence"] or "none given"),
            ("places", "\n".join(places)),
            ("only in", ", ".join(found["countries"])),
            ("kept until", figures.instant(found["kept_until_at"]) if found["kept_until_at"] else "it is deleted"),
            ("upload until", figures.instant(found["expires_at"]) if found["expires_at"] else ""),
            ("gone", figures.instant(found["gone_at"]) if found["gone_at"] else ""),
        ]
    )


def _place_words(place: Json) -> str:
    label = " (simulated site)" if place["simulated"] else ""
    way = "" if place["is_whole"] else ", on its way"
    return f"{place['site']}, {place['country']}, {place['operator']}{label}{way}"


def _print_list(items: list[Json], used: Json, *, is_wide: bool) -> None:
    columns = ["DATA SET", "~NAME", "STAGE", "CLASS", "PLACE", "~LICENCE", ">SIZE", "SHA-256"]
    rows = [
        [
            one["data_set"],
            one["name"],
            one["stage"],
            one["data_class"],
            " ".join(f"{place['site']} ({place['country']}{', simulated' if place['simulated'] else ''})" for place in one["places"]),
            one["licence"],
            figures.size(one["size"]),
            one["sha256"] if is_wide else one["sha256"][:12],
        ]
        for one in items
    ]
    table(columns, rows, empty="No data sets. `eisbach data put FILE` makes one.")
    if items:
        say(f"{figures.size(used['held_bytes'])} of {figures.size(used['quota_bytes'])} of the project's quota are taken.")
