"""`eisbach init`: writes a template into a new folder."""

import shutil
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.output import Format, Output, document, show

TEMPLATES = {"train-language-model": "train_language_model", "predictive-maintenance": "predictive_maintenance"}
"""Names as typed, and the folders of package data that hold them."""
IGNORED = {"__pycache__", "__init__.py"}


def init(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help=f"One of: {', '.join(TEMPLATES)}.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty or does not exist.")],
    output_format: Output = Format.TABLE,
) -> None:
    """Write a template that runs as it is into a new folder."""
    if template not in TEMPLATES:
        raise usage_error(f"There is no template {template!r}", f"There are: {', '.join(TEMPLATES)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CliError(f"{folder} is there already and not empty", "Choose a new folder", ExitCode.REFUSED)
    source = resources.files("eisbach.templates") / TEMPLATES[template]
    with resources.as_file(source) as path:
        if not path.is_dir():
            raise CliError(f"This installation lacks the template {template}", "Install Eisbach anew")
        names = sorted(str(one.relative_to(path)) for one in _files(path))
        try:
            for name in names:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path / name, target)
        except OSError as error:
            raise CliError(f"{folder} cannot be written: {error.strerror}", "Choose another folder") from error
    doc = document("init", template=template, folder=str(folder), files=names)
    show(doc, output_format, lambda is_wide: _print_next(folder, names))


def _files(path: Path) -> list[Path]:
    return [one for one in path.rglob("*") if one.is_file() and not IGNORED & {*one.relative_to(path).parts}]


def _print_next(folder: Path, names: list[str]) -> None:
    print(f"Wrote {', '.join(names)} into {folder}.")
    print("Next:")
    print(f"  eisbach run {folder}/task.yaml --dry-run    what it would cost")
    print(f"  eisbach run {folder}/task.yaml              run it and follow its log")
    for other in (name for name in names if name.endswith(".yaml") and name != "task.yaml"):
        print(f"  eisbach run {folder}/{other}            another task of this template")
