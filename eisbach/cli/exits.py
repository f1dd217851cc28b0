"""`eisbach org export`, `import`, `verify-import`: an organisation leaves with everything, and comes with everything."""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import ConnectionLost, query_text, segment
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.resolve import find_organisation
from eisbach.cli.session import Session
from eisbach.cli.terminal import is_interactive, say

PIECE_BYTES = 1 << 20
Organisation = Annotated[str, typer.Argument(metavar="ORG", help="The organisation's name or id.")]
Package = Annotated[Path, typer.Argument(metavar="FILE", help="The package, a tar file.")]


def export(organisation: Organisation, file: Package, output_format: Output = Format.TABLE) -> None:
    """Write everything of an organisation into one package.

    Open formats only; `README.md` inside explains every file. Jobs that have not ended stay behind, by name.
    """
    session = Session()
    found = find_organisation(session, organisation)["organisation"]
    if file.exists():
        raise usage_error(f"{file} exists already", "Choose a name that is free: a package is never written over")
    size, digest = _download(session, f"/v1/organisations/{segment(found)}/exports", file)
    contents = _contents(file)
    doc = document("export", organisation=found, file=str(file), size=size, sha256=digest, **contents)
    show(doc, output_format, lambda is_wide: _print_export(file, doc))


def import_package(
    file: Package,
    trust: Annotated[
        str | None, typer.Option("--trust", metavar="KEY", help="The verifier key that the first factory publishes.")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="Where its data sets are to lie; the first site without it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Trust the key in the package without asking.")] = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Take an organisation in from another factory's package.

    Whole or not at all, and only if the package is signed by the key that you trust.
    """
    key = _key_in(file)
    trusted = trust or _asked(key, yes)
    session = Session()
    with open(file, "rb") as content:
        path = f"/v1/imports{query_text({'trust': trusted, 'site': site})}"
        answer = session.client.upload(path, content, os.stat(file).st_size)
    show(document("import", **answer), output_format, lambda is_wide: print(_imported(answer)))


def verify_import(organisation: Organisation, output_format: Output = Format.TABLE) -> None:
    """Compare an imported organisation with its package.

    The kept package is checked again from its first byte on. NOW is the balance after what happened here since.
    """
    session = Session()
    found = find_organisation(session, organisation)["organisation"]
    answer = session.client.get(f"/v1/organisations/{segment(found)}/import")
    if not answer["lines"]:
        raise CliError(f"{organisation} was not imported; it is at home here", code=ExitCode.NOT_FOUND)
    show(document("import-comparison", **answer), output_format, lambda is_wide: _print_comparison(answer))
    if not answer["same"]:
        raise CliError("What arrived is not what left", "Look at the lines that are marked", ExitCode.FAILED)


def _download(session: Session, path: str, file: Path) -> tuple[int, str]:
    """Write an answer into a file that appears whole or not at all; return its size and SHA-256."""
    part = file.with_name(f".{file.name}.part")
    digest, size = hashlib.sha256(), 0
    try:
        with session.client.open(path, {"Accept": "*/*"}, "POST") as response, open(part, "xb") as out:
            while piece := response.read(PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)
    except ConnectionLost as error:
        raise session.client.unreachable(error) from error
    except FileExistsError as error:
        raise usage_error(f"{part} exists already", "Another export writes there; delete it if there is none") from error
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}") from error
    return size, digest.hexdigest()


def _contents(file: Path) -> dict[str, Any]:
    """Return what the manifest says; raise CliError where the package is cut."""
    import json

    from eisbach.adapters.packages import TarPackage
    from eisbach.ports.packages import NoPackage

    try:
        manifest = json.loads(b"".join(TarPackage(file).read("manifest.json")))
    except (NoPackage, ValueError) as error:
        file.unlink(missing_ok=True)
        raise CliError("The export broke off before its end", "Repeat it", ExitCode.UNAVAILABLE) from error
    return {name: manifest[name] for name in ("origin", "key", "events", "unfinished")} | {"files": len(manifest["files"])}


def _print_export(file: Path, doc: dict[str, Any]) -> None:
    print(f"Wrote {file} ({figures.size(doc['size'])}): {doc['events']} events, {doc['files']} files.")
    for one in doc["unfinished"]:
        print(f"Not in it: {one['what']} ({one['why']}).")
    print(f"SHA-256  {doc['sha256']}\nKey      {doc['key']}")


def _key_in(file: Path) -> str:
    from eisbach.adapters.packages import TarPackage
    from eisbach.app.read_package import key_of
    from eisbach.ports.packages import NoPackage

    if not file.is_file():
        raise CliError(f"There is no file {file}", "Name a package made by `eisbach org export`", ExitCode.NOT_FOUND)
    try:
        return str(key_of(TarPackage(file)))
    except NoPackage as error:
        raise usage_error(f"{file} is no package of an organisation: {error}", "Have it exported once more") from error


def _asked(key: str, yes: bool) -> str:
    say(f"The package says that it is signed by\n  {key}\nCompare it with the key that the first factory publishes.")
    if yes:
        return key
    if not is_interactive():
        raise usage_error("Nobody can be asked whether to trust this key", "Give it with --trust KEY, or --yes to trust it unseen")
    if not typer.confirm("Trust it?", default=False, err=True):
        raise CliError("Nothing was imported", code=ExitCode.REFUSED)
    return key


def _imported(answer: dict[str, Any]) -> str:
    if not answer["is_new"]:
        return f"Organisation {answer['organisation']} is here already, from this very package; nothing was changed."
    return (
        f"Imported organisation {answer['organisation']} from {answer['origin']}: {answer['records']} events.\n"
        f"Compare with `eisbach org verify-import {answer['organisation']}`; its people need new tokens (`eisbach token create`)."
    )


def _print_comparison(answer: dict[str, Any]) -> None:
    print(f"Imported at {answer['imported_at']} from {answer['origin']}, signed by {answer['key']}\n")
    rows = [
        [one["what"], one["there"], one["here"], "same" if one["same"] else "DIFFERENT", one["now"]] for one in answer["lines"]
    ]
    table(["WHAT", ">LEFT THERE", ">ARRIVED HERE", "", ">NOW"], rows)
