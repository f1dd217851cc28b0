"""`eisbach backup`, `restore`, `db check`: the home itself, without going through the API."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.home_checks import prepare_home, refuse_second_server
from eisbach.cli.output import Format, Output, document, show
from eisbach.cli.session import settings
from eisbach.cli.target_record import record_backup
from eisbach.cli.terminal import clean
from eisbach.cli.up import Home

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


Site = Annotated[str | None, typer.Option("--site", help="The site where it will be kept; the factory's own without it.")]


def backup(file: File, home: Home = None, site: Site = None, output_format: Output = Format.TABLE) -> None:
    """Write the whole home into one file; it may be in use.

    The store is checked first. The file holds keys and tokens: it is made with mode 0600. It holds everybody's data: a site that
    any organisation's rules forbid is refused, and either way the log says so.
    """
    place = _existing(home)
    if file.exists():
        raise usage_error(f"{file} exists already", "Choose a name that is free: a backup is never written over")
    kept_at = record_backup(place, site)
    _on_the_home(lambda wiring: wiring.backup(place, file.absolute()))
    size = os.stat(file).st_size
    words = (
        f"Wrote {file} ({figures.size(size)}), to be kept at {clean(kept_at['site'])} (log position {kept_at['position']}). "
        "It holds the factory's keys: keep it as safe as the home."
    )
    doc = document("backup", file=str(file), home=str(place), size=size, site=kept_at["site"], position=kept_at["position"])
    show(doc, output_format, lambda is_wide: print(words))


def restore(file: File, home: Home = None, output_format: Output = Format.TABLE) -> None:
    """Make a home from a backup; the log starts a new origin.

    The home must be empty or absent: restore never writes over a factory.
    """
    if not file.is_file():
        raise CliError(f"There is no file {file}", "Name a backup made by `eisbach backup`", ExitCode.NOT_FOUND)
    place = (home or settings().home).expanduser().absolute()
    refuse_second_server(place)
    prepare_home(place)
    if any(place.iterdir()):
        raise CliError(
            f"The home {place} is not empty",
            f"Move it away first (mv {place} {place}.before), or choose another one with --home",
            ExitCode.REFUSED,
        )
    _on_the_home(lambda wiring: wiring.restore(place, file.absolute()))
    words = f"Restored {place} from {file}. Start it with `eisbach up`; its log has a new origin that names the old head."
    show(document("restore", file=str(file), home=str(place)), output_format, lambda is_wide: print(words))


def check(home: Home = None, output_format: Output = Format.TABLE) -> int:
    """Recompute the store's log, tables and sums.

    Exit code 1 where something contradicts itself.
    """
    place = _existing(home)
    findings = [str(finding) for finding in _on_the_home(lambda wiring: wiring.check(place))]
    doc = document("db-check", home=str(place), is_sound=not findings, findings=findings)
    show(doc, output_format, lambda is_wide: _print_findings(findings))
    return ExitCode.FAILED if findings else ExitCode.OK


def _print_findings(findings: list[str]) -> None:
    if not findings:
        print("Sound: the log's tree, every table and every sum follow from the log.")
        return
    print(f"Damaged: {figures.counted(len(findings), 'finding')}")
    for finding in findings:
        print(f"  - {clean(finding)}")
    print("Stop the factory, move the home away, and `eisbach restore` the last backup that is sound.")


def _existing(home: Path | None) -> Path:
    place = (home or settings().home).expanduser().absolute()
    if not place.is_dir():
        raise CliError(f"There is no home {place}", "Name one with --home", ExitCode.NOT_FOUND)
    return place


def _on_the_home(act: Callable[[Any], Any]) -> Any:
    """Return what the composition root did with a home; what it cannot use ends the command in its words."""
    from eisbach import wiring  # here and not above: it brings the whole server with it

    try:
        return act(wiring)
    except wiring.CannotStart as error:
        raise CliError(str(error), code=ExitCode.UNAVAILABLE) from error
