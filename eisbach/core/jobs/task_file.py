"""A task file becomes a job's specification, or everything that is wrong with it is said at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from eisbach.core.jobs.amounts import DURATION, duration_text, is_digits, parse_count, parse_duration_ms
from eisbach.core.jobs.data_request import parse_data
from eisbach.core.jobs.environment import check_no_name_twice, parse_envs, parse_secrets
from eisbach.core.jobs.findings import Findings, byte_length, is_text, shown
from eisbach.core.jobs.inside_path import parse_inside_path, parse_outputs
from eisbach.core.jobs.placement_request import parse_placement
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, RetryRule
from eisbach.core.jobs.resource_request import ResourceDefaults, parse_resources
from eisbach.core.jobs.task_keys import CHECKPOINT_KEYS, RETRY_KEYS, check_keys, check_task_keys
from eisbach.core.jobs.within_request import parse_within
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

NAME_LENGTH_MAX = 63
COMMAND_BYTES_MAX = 256 * 1024
CHECKPOINT_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")

_BOOKING_LENGTH_MAX = 80
_RETRY_FORM = "a number of further tries such as 3, or {max_attempts: 4}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefaults:
    """What holds where a task file is silent, and the most that it may ask for; set by the operator."""

    name: str = "job"
    time_limit_ms: int = DAY_MS
    time_limit_max_ms: int = 30 * DAY_MS
    cpu_milli: int = 1000
    memory_per_core_mib: int = 1024
    grace_ms: int = 30 * SECOND_MS
    grace_max_ms: int = HOUR_MS
    nodes_max: int = 4096
    attempts_max: int = 100


def parse_task(raw: object, *, defaults: TaskDefaults) -> JobSpec | tuple[Refusal, ...]:
    """Return the specification that a mapping (as YAML or JSON gave it) asks for, else all its problems.

    `workdir` must be the id of an uploaded archive here (`sha256:` and 64 hex digits): the command line uploads the
    folder that the user named and puts the id in its place.
    """
    findings = Findings()
    if not isinstance(raw, Mapping):
        findings.invalid(
            "", f"The task file is {shown(raw)}, but must be a mapping of keys such as `run: python train.py`"
        )
        return tuple(findings.refusals)
    check_task_keys(raw, findings)
    resources = parse_resources(
        raw.get("resources"), ResourceDefaults(defaults.cpu_milli, defaults.memory_per_core_mib), findings
    )
    envs = parse_envs(raw.get("envs"), findings)
    secrets = parse_secrets(raw.get("secrets"), findings)
    check_no_name_twice(envs, secrets, findings)
    spec = JobSpec(
        name=_name(raw.get("name"), defaults, findings),
        nodes=_nodes(raw.get("num_nodes"), defaults, findings),
        shapes=resources.shapes,
        run=_run(raw.get("run"), findings),
        setup=_command("setup", raw.get("setup"), findings),
        workdir=_workdir(raw.get("workdir"), findings),
        envs=envs,
        secrets=secrets,
        data=parse_data(raw.get("data"), findings),
        time_limit_ms=_time_limit_ms(raw.get("time_limit"), defaults, findings),
        checkpoint=_checkpoint(raw.get("checkpoint"), defaults, findings),
        retry=_retry(raw.get("retry"), defaults, findings),
        outputs=parse_outputs(raw.get("outputs"), findings),
        capacity_class=_capacity_class(raw.get("class"), resources.is_spot, "booking" in raw, findings),
        placement=parse_placement(raw.get("placement"), "placement", findings),
        within=parse_within(raw.get("within"), findings),
        booking=_booking(raw.get("booking"), findings),
    )
    return tuple(findings.refusals) if findings.refusals else spec


def _name(value: object, defaults: TaskDefaults, findings: Findings) -> str:
    if value is None:
        return defaults.name
    if not isinstance(value, str):
        findings.wrong("name", value, "text", "Put it in quotes")
        return ""
    if not 0 < len(value) <= NAME_LENGTH_MAX or not value.isprintable() or value != value.strip():
        findings.wrong("name", value, f"1 to {NAME_LENGTH_MAX} printable characters, no space at either end")
    elif value.startswith("job_"):
        findings.wrong("name", value, "a name that does not begin like a job's id", "Leave out `job_`")
    return value


def _nodes(value: object, defaults: TaskDefaults, findings: Findings) -> int:
    if value is None:
        return 1
    count = None if isinstance(value, bool) else parse_count(value)
    if count is None or not 1 <= count <= defaults.nodes_max:
        findings.wrong("num_nodes", value, f"a whole number of nodes from 1 to {defaults.nodes_max}")
        return 1
    return count


def _run(value: object, findings: Findings) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        findings.invalid(
            "run",
            "`run` is missing or empty, so there is nothing to do",
            "Write the command, such as `run: python train.py`",
        )
        return ""
    return _command("run", value, findings)


def _command(key: str, value: object, findings: Findings) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        findings.wrong(
            key, value, "text", f"Write several lines as a block: `{key}: |` and the lines below it, indented"
        )
        return ""
    if not is_text(value):
        findings.invalid(key, f"`{key}` holds a NUL byte or text that is not Unicode", "Write it as plain UTF-8 text")
    elif byte_length(value) > COMMAND_BYTES_MAX:
        findings.refuse(
            Reason.TOO_LARGE,
            key,
            f"`{key}` has {byte_length(value)} bytes, but at most {COMMAND_BYTES_MAX} are taken",
            "Put the script into `workdir` and call it",
        )
    return value


def _workdir(value: object, findings: Findings) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and is_archive_id(value):
        return value
    if isinstance(value, Mapping):
        findings.refuse(
            Reason.NOT_SUPPORTED,
            "workdir",
            "`workdir` from a git repository cannot be honoured here",
            "Clone it in `setup`, or name a local folder",
        )
        return None
    findings.wrong(
        "workdir",
        value,
        "the id of an uploaded archive (sha256: and 64 hex digits)",
        "`eisbach run` uploads a local folder and fills this in; over the API upload the archive first",
    )
    return None


def is_archive_id(text: str) -> bool:
    """Return whether a text is the id of an archive: `sha256:` and 64 hex digits in lower case."""
    return len(text) == 71 and text.startswith("sha256:") and not text[7:].strip("0123456789abcdef")


def _time_limit_ms(value: object, defaults: TaskDefaults, findings: Findings) -> int:
    default_ms = min(defaults.time_limit_ms, defaults.time_limit_max_ms)
    if value is None:
        return default_ms
    limit_ms = parse_duration_ms(value)
    if limit_ms is None:
        findings.wrong("time_limit", value, DURATION, _clock_advice(value))
        return default_ms
    if limit_ms < SECOND_MS:
        findings.wrong("time_limit", value, "at least one second")
    elif limit_ms > defaults.time_limit_max_ms:
        most = duration_text(defaults.time_limit_max_ms)
        findings.refuse(
            Reason.LIMIT_ABOVE_MAXIMUM,
            "time_limit",
            f"`time_limit` is {shown(value)}, but the operator allows at most {most}",
            f"Write `time_limit: {most}` or less and save checkpoints, so that a next job can go on",
            maximum_ms=defaults.time_limit_max_ms,
        )
    return limit_ms


def _clock_advice(value: object) -> str:
    """Return what to write for `1:30`, which one reads as minutes and another as hours."""
    if not isinstance(value, str) or ":" not in value:
        return ""
    parts = value.strip().split(":")
    if len(parts) > 3 or not all(is_digits(part) for part in parts):
        return ""
    numbers = [int(part) for part in parts]
    if len(numbers) == 3:
        return f"Write {numbers[0]}h{numbers[1]}m{numbers[2]}s"
    return f"Write {numbers[0]}h{numbers[1]}m or {numbers[0]}m{numbers[1]}s, whichever is meant"


def _checkpoint(value: object, defaults: TaskDefaults, findings: Findings) -> CheckpointRule:
    default = CheckpointRule(grace_ms=defaults.grace_ms)
    if value is None:
        return default
    if not isinstance(value, Mapping):
        findings.wrong("checkpoint", value, "a mapping such as {signal: SIGUSR1, grace: 60s, path: checkpoints}")
        return default
    check_keys(value, "checkpoint", CHECKPOINT_KEYS, findings)
    path = value.get("path")
    return CheckpointRule(
        signal=_signal(value.get("signal"), default.signal, findings),
        grace_ms=_grace_ms(value.get("grace"), defaults, findings),
        path=default.path if path is None else parse_inside_path("checkpoint.path", path, findings),
    )


def _signal(value: object, default: str, findings: Findings) -> str:
    if value is None:
        return default
    name = value.strip().upper() if isinstance(value, str) else ""
    name = name if name.startswith("SIG") else f"SIG{name}"
    if name not in CHECKPOINT_SIGNALS:
        findings.wrong("checkpoint.signal", value, f"one of {', '.join(CHECKPOINT_SIGNALS)}")
    return name


def _grace_ms(value: object, defaults: TaskDefaults, findings: Findings) -> int:
    if value is None:
        return defaults.grace_ms
    grace_ms = parse_duration_ms(value)
    if grace_ms is None:
        findings.wrong("checkpoint.grace", value, DURATION, _clock_advice(value))
    elif not SECOND_MS <= grace_ms <= defaults.grace_max_ms:
        findings.wrong("checkpoint.grace", value, f"between 1s and {duration_text(defaults.grace_max_ms)}")
    else:
        return grace_ms
    return defaults.grace_ms


def _retry(value: object, defaults: TaskDefaults, findings: Findings) -> RetryRule:
    if value is None:
        return RetryRule()
    if isinstance(value, Mapping):
        check_keys(value, "retry", RETRY_KEYS, findings)
        where, given, more = "retry.max_attempts", value.get("max_attempts", 1), 0
    else:
        where, given, more = "retry", value, 1
    count = None if isinstance(given, bool | str) else parse_count(given)
    if count is None:
        findings.wrong(where, given, _RETRY_FORM)
    elif not 1 - more <= count <= defaults.attempts_max - more:
        findings.wrong(where, given, f"between {1 - more} and {defaults.attempts_max - more}")
    else:
        return RetryRule(max_attempts=count + more)
    return RetryRule()


def _booking(value: object, findings: Findings) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not _is_booking(value):
        findings.wrong("booking", value, "the id of a booking such as bkg_01..., as `eisbach bookings` lists it")
        return ""
    return value


def _is_booking(value: str) -> bool:
    return value.startswith("bkg_") and value.isascii() and value.replace("_", "").isalnum() and len(value) <= _BOOKING_LENGTH_MAX


def _capacity_class(value: object, is_spot: bool | None, is_booked: bool, findings: Findings) -> CapacityClass:
    name = value.strip().lower().replace("_", "-") if isinstance(value, str) else ""
    if is_booked:
        if is_spot or name not in ("", "reserved"):
            findings.invalid("class", "The task runs inside a booking, but asks for another capacity class", "Leave `class` out")
        return CapacityClass.RESERVED
    if value is None:
        return CapacityClass.SPOT if is_spot else CapacityClass.ON_DEMAND
    if name == "reserved":
        findings.refuse(
            Reason.NOT_SUPPORTED,
            "class",
            "`class: reserved` is given by a booking",
            "Name it with `booking: bkg_...`, or write on-demand or spot",
        )
    elif name not in ("on-demand", "spot"):
        findings.wrong("class", value, "on-demand or spot")
    elif is_spot is not None and is_spot != (name == "spot"):
        findings.invalid("class", f"`class` is {name}, but `resources.use_spot` says otherwise", "Keep one of them")
    return CapacityClass.SPOT if name == "spot" else CapacityClass.ON_DEMAND
