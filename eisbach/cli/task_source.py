"""Where the task of `run` comes from: a file or the words behind `--`, with the options over it, and its folder."""

import tempfile
from pathlib import Path
from typing import Any

from eisbach.adapters.task_yaml import apply_env_overrides, load_task_file, local_workdir
from eisbach.adapters.workdir import pack_workdir
from eisbach.cli import figures
from eisbach.cli.errors import refusals_error, usage_error
from eisbach.cli.run_options import RunOptions, Task, task_with
from eisbach.cli.session import Session
from eisbach.cli.terminal import say
from eisbach.core.jobs.request import JobSpec
from eisbach.core.jobs.task_file import TaskDefaults, parse_task
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.settings import own_environment

ARCHIVE_OF_NOTHING = "sha256:" + 64 * "0"


def read_task(file: str | None, options: RunOptions) -> tuple[Task, Path | None]:
    """Return the task and the local folder it wants sent along; raise CliError with everything that is wrong with it."""
    if file is None and not options.command:
        raise usage_error("There is nothing to run", "Name a task file, or write a command behind --: eisbach run -- COMMAND")
    if file is not None and options.command:
        raise usage_error("A task file and a command were both given", "Give one of them")
    base: Any = {} if file is None else load_task_file(Path(file))
    if isinstance(base, Refusal):
        raise refusals_error([base], "")
    folder_of_file = Path() if file is None or options.workdir is not None else Path(file).parent
    task = apply_env_overrides(task_with(base, options), list(options.envs), own_environment())
    if isinstance(task, Refusal):
        raise refusals_error([task], "")
    folder = local_workdir(task, folder_of_file)
    _refuse_mistakes(task, folder, file)
    if folder is not None and not folder.is_dir():
        raise usage_error(f"`workdir` names {folder}, which is no folder", "Name a folder that exists, or leave it out")
    return task, folder


def send_workdir(session: Session, project_path: str, folder: Path) -> str:
    """Pack a folder, upload it and return its archive's id."""
    with tempfile.TemporaryDirectory(prefix="eisbach-") as drafts:
        packed = pack_workdir(folder, Path(drafts) / "workdir.tar.gz")
        if isinstance(packed, Refusal):
            raise refusals_error([packed], "")
        left = f", without {len(packed.left_out)} sockets, pipes and devices" if packed.left_out else ""
        sizes = f"{figures.size(packed.unpacked_bytes)}, packed {figures.size(packed.packed_bytes)}"
        say(f"Sending {folder}: {figures.counted(packed.files, 'file')}, {sizes}{left}")
        with open(packed.path, "rb") as file:
            answer = session.client.upload(f"{project_path}/archives", file, packed.packed_bytes)
    return str(answer["archive"])


def _refuse_mistakes(task: Task, folder: Path | None, file: str | None) -> None:
    """Say everything that is wrong with a task before anything is sent; the factory's own limits it says itself."""
    checked = task if folder is None else {**task, "workdir": ARCHIVE_OF_NOTHING}
    found = parse_task(checked, defaults=TaskDefaults())
    if not isinstance(found, JobSpec):
        raise refusals_error(found, file or "The command")
