"""The keys of a task file: those we know, those of other tools that we refuse by name, and what to do instead."""

from collections.abc import Mapping, Set

from eisbach.core.jobs.findings import Findings
from eisbach.core.jobs.nearest import nearest
from eisbach.core.vocabulary.reasons import Reason

TASK_KEYS = frozenset(
    {
        "name", "workdir", "num_nodes", "resources", "envs", "secrets", "setup", "run",
        "time_limit", "checkpoint", "retry", "outputs", "class", "placement", "data", "within",
        "booking",
    }
)  # fmt: skip
RESOURCE_KEYS = frozenset(
    {"accelerators", "gpus", "cpus", "memory", "flavour", "use_spot", "any_of", "ordered"}
)  # fmt: skip
CHECKPOINT_KEYS = frozenset({"signal", "grace", "path"})
RETRY_KEYS = frozenset({"max_attempts"})
WITHIN_KEYS = frozenset({"level", "required"})
PLACEMENT_KEYS = frozenset({"countries", "operator_countries", "parent_countries", "sites", "dedicated"})

_PLACE = "Remove it: the factory chooses the node; write `placement` for where it may be, such as {countries: [DE]}"
_MOUNT = (
    "Upload the files (`eisbach data put`) and name them in `data`, put small ones into `workdir`, or fetch them in `setup` with "
    "the storage's own client and keys in `secrets`"
)
_DISK = "Remove it: each task has a workspace on its node's own disk; large data is best read from where it lies"
_PORTS = "Remove it: tasks of one job reach each other through MASTER_ADDR and MASTER_PORT without opening anything"
_IMAGE = "Remove it and install in `setup` what the image would hold, for example into a virtual environment"
_RETRY = "Write `retry: 3` for three more tries after a failure of your own; ours are retried anyway, at our cost"
_NODE = (
    "Ask for what a node must have with `accelerators`, `cpus` and `memory`, or name one of our flavours in `flavour`"
)
_SERVICE = "Remove it: a job runs until its command ends; write `time_limit` for how long it may serve"
_TRIGGER = "Remove it and call what should be told at the end of `run`, or follow the job with `eisbach status JOB`"
_CONFIG = "Remove it: settings of the factory are the operator's, those of the job are the keys of this file"
_PRIORITY = "Remove it: the order of the queue is the factory's; write `class: spot` for work that can wait"

REFUSED_TASK_KEYS: Mapping[str, str] = {
    "file_mounts": _MOUNT,
    "storage_mounts": _MOUNT,
    "file_mounts_mapping": _MOUNT,
    "volumes": _MOUNT,
    "volume_mounts": _MOUNT,
    "inputs": _MOUNT,
    "service": _SERVICE,
    "pool": "Remove it: workers are not kept between jobs; submit one job for each piece of work",
    "config": _CONFIG,
    "experimental": _CONFIG,
    "api_server": _CONFIG,
    "event_callback": _TRIGGER,
    "docker": _IMAGE,
    "image": _IMAGE,
    "container": _IMAGE,
    "ports": _PORTS,
    "autostop": "Remove it: a job gives its nodes back when it ends; write `time_limit` for the latest end",
    "labels": "Remove it and put what tells jobs apart into `name`",
    "priority": _PRIORITY,
    "depends_on": "Remove it and submit the next job when this one has ended; `eisbach run` exits with the job's exit code",
    "array": "Remove it and submit one job for each element, with `--env INDEX=1` and so on",
    "schedule": "Remove it and submit at that time, for example from cron",
    "user": "Remove it: a job belongs to the project of the token that submits it",
    "shell": "Remove it: setup and run are given to bash; call another interpreter from there",
}

REFUSED_RESOURCE_KEYS: Mapping[str, str] = {
    "infra": _PLACE,
    "cloud": _PLACE,
    "region": _PLACE,
    "zone": _PLACE,
    "instance_type": _NODE,
    "accelerator_args": _NODE,
    "image_id": _IMAGE,
    "docker": _IMAGE,
    "disk_size": _DISK,
    "disk_tier": _DISK,
    "local_disk": _DISK,
    "network_tier": "Remove it: tasks talk over the network that their nodes have",
    "ports": _PORTS,
    "labels": REFUSED_TASK_KEYS["labels"],
    "autostop": REFUSED_TASK_KEYS["autostop"],
    "autodown": REFUSED_TASK_KEYS["autostop"],
    "job_recovery": _RETRY,
    "spot_recovery": _RETRY,
    "priority": _PRIORITY,
    "priority_class": _PRIORITY,
    "volumes": _MOUNT,
    "max_hourly_cost": "Remove it: the plan shows price and ceiling before the start, and the project's budget is never overspent",
}

# What people write who come from dstack, Slurm, Compose or Kubernetes: the same thing under our name.
OTHER_NAMES: Mapping[str, str] = {
    "env": "envs",
    "environment": "envs",
    "command": "run",
    "commands": "run",
    "entrypoint": "run",
    "script": "run",
    "init": "setup",
    "nodes": "num_nodes",
    "replicas": "num_nodes",
    "timeout": "time_limit",
    "time": "time_limit",
    "max_duration": "time_limit",
    "walltime": "time_limit",
    "artifacts": "outputs",
    "working_dir": "workdir",
    "num_gpus": "resources.accelerators",
    "gpu": "resources.accelerators",
    "spot": "class",
    "spot_policy": "class",
    "max_restarts": "retry",
    "retries": "retry",
    "cpu": "resources.cpus",
    "mem": "resources.memory",
    "ram": "resources.memory",
    "flavor": "resources.flavour",
    "residency": "placement",
    "sovereignty": "placement",
    "topology": "within",
}


def check_task_keys(raw: Mapping[object, object], findings: Findings) -> None:
    """Refuse the keys of the task itself that we cannot honour or do not know."""
    if not raw.keys() <= TASK_KEYS:
        _check(raw, "", TASK_KEYS, REFUSED_TASK_KEYS, findings)


def check_resource_keys(raw: Mapping[object, object], where: str, findings: Findings) -> None:
    """Refuse the keys of `resources` (or of one alternative, at `where`) that we cannot honour or do not know."""
    if not raw.keys() <= RESOURCE_KEYS:
        _check(raw, where, RESOURCE_KEYS, REFUSED_RESOURCE_KEYS, findings)


def check_keys(raw: Mapping[object, object], where: str, known: Set[str], findings: Findings) -> None:
    """Refuse the keys of a small section that we do not know."""
    if not raw.keys() <= known:
        _check(raw, where, known, {}, findings)


def _check(
    raw: Mapping[object, object], where: str, known: Set[str], refused: Mapping[str, str], findings: Findings
) -> None:
    for key, value in raw.items():
        if findings.is_full:
            return
        if key in known:
            continue
        if not isinstance(key, str):
            _refuse_key_of_another_kind(key, where, findings)
        elif key not in refused:
            _refuse_unknown(key, where, known, refused, findings)
        elif not _asks_for_nothing(value):
            path = _path(where, key)
            findings.refuse(Reason.NOT_SUPPORTED, path, f"`{path}` cannot be honoured here", refused[key])


def _asks_for_nothing(value: object) -> bool:
    """Return whether a key of another tool is there but empty, which means the same as its absence."""
    return value is None or value is False or (isinstance(value, Mapping | list) and not value)


def _refuse_key_of_another_kind(key: object, where: str, findings: Findings) -> None:
    place = f"under `{where}`" if where else "of the task file"
    kind = {bool: "a boolean", int: "a number", float: "a number", type(None): "empty"}.get(type(key), "not a text")
    findings.refuse(
        Reason.UNKNOWN_KEY,
        where,
        f"A key {place} is {kind}, but keys are words",
        "Put it in quotes if it is meant as text (yes, no, on, off are booleans in YAML)",
    )


def _refuse_unknown(key: str, where: str, known: Set[str], refused: Mapping[str, str], findings: Findings) -> None:
    name = key if len(key) <= 40 else f"{key[:40]}..."
    path = _path(where, name if name.isprintable() else ascii(name)[1:-1])
    advice = _advice_from_elsewhere(key, where == "") if refused else None
    if advice is None:
        near = nearest(key, known)
        everything = f"Known here are {', '.join(f'`{name}`' for name in sorted(known))}"
        advice = everything if near is None else f"Did you mean `{_path(where, near)}`?"
    findings.refuse(Reason.UNKNOWN_KEY, path, f"`{path}` is not a key of a task file", advice)


def _advice_from_elsewhere(key: str, at_top: bool) -> str | None:
    """Return what to write for a key that belongs to another level of the file or to another tool."""
    word = key.lower().replace("-", "_")
    other = OTHER_NAMES.get(word)
    if other is not None:
        return f"Write `{other}` instead" if at_top or "." in other else f"Write `{other}` at the top level instead"
    if at_top and word in RESOURCE_KEYS:
        return f"It belongs under `resources`: write `resources.{word}`"
    if not at_top and word in TASK_KEYS:
        return f"It stands at the top level of the file: write `{word}` there"
    return (REFUSED_RESOURCE_KEYS if at_top else REFUSED_TASK_KEYS).get(word)


def _path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
