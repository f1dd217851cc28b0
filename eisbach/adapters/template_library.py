"""The workload templates of the package: their task files, and their folders packed as working directories."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from eisbach.adapters.task_yaml import load_task_file
from eisbach.adapters.workdir import pack_workdir
from eisbach.core.vocabulary.reasons import Refusal

TASK_FILE = "task.yaml"


class TemplateLibrary:
    """Templates as folders below `eisbach/templates` (a ports.templates.Templates); `a-name` lies in `a_name`."""

    def names(self) -> Sequence[str]:
        """Return the names of all folders that hold a task file, sorted."""
        return tuple(_folders())

    def task(self, name: str) -> Mapping[str, Any] | None:
        """Return the task file of a template as a mapping, or None where there is no such template."""
        if name not in _folders():
            return None
        return _task(name)

    def pack(self, name: str) -> bytes | Refusal:
        """Return the folder of a template as a tar.gz archive: the same bytes each time."""
        with tempfile.TemporaryDirectory(prefix="eisbach-template-") as drafts, ExitStack() as stack:
            folder = stack.enter_context(as_file(files("eisbach").joinpath("templates", _folders()[name])))
            packed = pack_workdir(folder, Path(drafts) / "workdir.tar.gz")
            return packed if isinstance(packed, Refusal) else packed.path.read_bytes()


@lru_cache(maxsize=1)
def _folders() -> Mapping[str, str]:
    found = files("eisbach").joinpath("templates").iterdir()
    names = sorted(one.name for one in found if one.joinpath(TASK_FILE).is_file())
    return {name.replace("_", "-"): name for name in names}


@lru_cache(maxsize=64)
def _task(name: str) -> Mapping[str, Any] | None:
    with as_file(files("eisbach").joinpath("templates", _folders()[name], TASK_FILE)) as path:
        task = load_task_file(path)
    return None if isinstance(task, Refusal) else task
