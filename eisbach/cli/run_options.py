"""From the options of `run` to a task: the same keys that a task file has, options over file."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eisbach.cli.errors import usage_error

Task = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line says about a task; None and empty mean: as the file says, or the default."""

    name: str | None = None
    num_nodes: int | None = None
    cpus: str | None = None
    memory: str | None = None
    accelerators: str | None = None
    time_limit: str | None = None
    envs: Sequence[str] = ()
    secrets: Sequence[str] = ()
    workdir: str | None = None
    outputs: Sequence[str] = ()
    retry: int | None = None
    checkpoint_signal: str | None = None
    checkpoint_grace: str | None = None
    capacity_class: str | None = None
    booking: str | None = None
    within: str | None = None
    is_within_required: bool = False
    command: Sequence[str] = field(default=())


def task_with(base: Task, options: RunOptions) -> Task:
    """Return the task with the options put over it, but for `--env`, which task_yaml lays over `envs`."""
    task = dict(base)
    plain = {
        "name": options.name,
        "num_nodes": options.num_nodes,
        "time_limit": options.time_limit,
        "workdir": options.workdir,
        "retry": options.retry,
        "class": options.capacity_class,
        "booking": options.booking,
    }
    task.update({key: value for key, value in plain.items() if value is not None})
    if options.within is not None or options.is_within_required:
        task["within"] = _within(task.get("within"), options)
    if options.command:
        task["run"] = command_line(options.command)
    resources: dict[str, object] = {"cpus": options.cpus, "memory": options.memory, **_gpus(options.accelerators)}
    _put_under(task, "resources", resources)
    _put_under(task, "checkpoint", {"signal": options.checkpoint_signal, "grace": options.checkpoint_grace})
    if options.secrets:
        task["secrets"] = _with_names(task.get("secrets"), options.secrets)
    if options.outputs:
        task["outputs"] = [*(task.get("outputs") or []), *options.outputs]
    return task


def _within(of_file: object, options: RunOptions) -> object:
    """Return how near to one another nodes shall be: the level of the command line or the file's, and whether they must."""
    if options.within is not None:
        return {"level": options.within, "required": True} if options.is_within_required else options.within
    if of_file is None:
        raise usage_error("--within-required is of a level, and none is said", "For example `--within rack --within-required`")
    return {**of_file, "required": True} if isinstance(of_file, Mapping) else {"level": of_file, "required": True}


def command_line(words: Sequence[str]) -> str:
    """Return the words behind `--` as a line for the shell: one word as it stands, several exactly as given."""
    return words[0] if len(words) == 1 else shlex.join(words)


def _gpus(accelerators: str | None) -> dict[str, object]:
    """Return the key for GPUs: `--gpus 2` is a number of any kind, `--gpus H100:8` names one."""
    if accelerators is None:
        return {}
    return {"gpus": int(accelerators)} if accelerators.isdecimal() else {"accelerators": accelerators}


def _put_under(task: Task, key: str, given: Mapping[str, object]) -> None:
    chosen = {name: value for name, value in given.items() if value is not None}
    if not chosen:
        return
    section = _mapping(task, key)
    for alternatives in ("any_of", "ordered"):
        if section.get(alternatives):
            names = ", ".join(f"--{name}" for name in chosen)
            raise usage_error(
                f"The task file lists alternatives under `{key}.{alternatives}`, so {names} could mean several things",
                "Change the file instead",
            )
    replaced = {"gpus", "accelerators"} if chosen.keys() & {"gpus", "accelerators"} else set()
    task[key] = {**{name: value for name, value in section.items() if name not in replaced}, **chosen}


def _mapping(task: Task, key: str) -> dict[str, Any]:
    """Return what stands under a key if it is a mapping; anything else is refused by whoever checks the task."""
    value = task.get(key)
    return value if isinstance(value, dict) else {}


def _with_names(secrets: object, names: Sequence[str]) -> object:
    """Return the file's secrets and more names, in the file's own form, so that its mistakes are still found."""
    if isinstance(secrets, dict):
        return {**secrets, **dict.fromkeys(names)}
    return [*secrets, *names] if isinstance(secrets, list) else list(names)
