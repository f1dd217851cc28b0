"""`envs` and `secrets` of a task file: what its commands find in their environment."""

from collections.abc import Mapping

from eisbach.core.jobs.findings import Findings, byte_length, is_text
from eisbach.core.vocabulary.reasons import Reason

ENVS_BYTES_MAX = 64 * 1024
"""Names and values together; Linux gives arguments and environment of a process 128 KiB at the very least."""
SECRETS_MAX = 64

RESERVED_PREFIXES = ("EISBACH_", "SKYPILOT_")
RESERVED = frozenset(
    {"MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK", "CUDA_VISIBLE_DEVICES", "TMPDIR"}
)
"""What the factory sets for every task; a value of the tenant's would break the gang or reach for others' GPUs."""

_NAME_RULE = "letters, digits and _, not beginning with a digit"
_BOOLEAN_ADVICE = "Put it in quotes as your program expects it, for example 'true', '1' or 'no'"


def parse_envs(raw: object, findings: Findings) -> tuple[tuple[str, str], ...]:
    """Return the variables in the order given; numbers become text exactly, booleans and empty values are refused."""
    if raw is None:
        return ()
    if not isinstance(raw, Mapping):
        findings.invalid(
            "envs", f"`envs` is not a mapping but {_kind(raw)}", "Write one line `NAME: value` for each variable"
        )
        return ()
    envs: list[tuple[str, str]] = []
    size = 0
    for name, value in raw.items():
        if findings.is_full:
            break
        if not _is_allowed_name(name, "envs", findings):
            continue
        text = value if isinstance(value, str) and is_text(value) else _text_of(str(name), value, findings)
        envs.append((str(name), text))
        size += byte_length(str(name)) + byte_length(text) + 2
    if size > ENVS_BYTES_MAX:
        findings.refuse(
            Reason.TOO_LARGE,
            "envs",
            f"`envs` holds {size} bytes, but at most {ENVS_BYTES_MAX} reach a process",
            "Put large values into a file in `workdir`",
        )
    return tuple(envs)


def parse_secrets(raw: object, findings: Findings) -> tuple[str, ...]:
    """Return the names of stored secrets from a list of names or a mapping of names to nothing; never echo a value."""
    if raw is None:
        return ()
    if isinstance(raw, Mapping):
        names = [name for name, value in raw.items() if _is_reference(name, value, findings)]
    elif isinstance(raw, list | tuple):
        names = list(raw)
    else:
        findings.invalid("secrets", "`secrets` is neither a list of names nor a mapping", "Write `secrets: [HF_TOKEN]`")
        return ()
    if len(names) > SECRETS_MAX:
        findings.invalid("secrets", f"`secrets` names {len(names)} secrets, but a job gets at most {SECRETS_MAX}")
        return ()
    found: list[str] = []
    for index, name in enumerate(names):
        if not isinstance(name, str) or not is_variable_name(name):
            findings.invalid(
                f"secrets[{index}]",
                f"`secrets[{index}]` is not the name of a secret ({_NAME_RULE})",
                "Values never stand in a task file: store the secret in the project and write its name here",
            )
        elif name in found:
            findings.invalid(f"secrets[{index}]", f"`secrets` names {_short(name)} twice", "Name it once")
        elif _is_allowed_name(name, "secrets", findings):
            found.append(name)
    return tuple(found)


def check_no_name_twice(envs: tuple[tuple[str, str], ...], secrets: tuple[str, ...], findings: Findings) -> None:
    """Refuse a variable that is set by both `envs` and `secrets`."""
    if secrets and envs:
        for name, _ in envs:
            if name in secrets:
                findings.invalid(
                    f"envs.{name}", f"`{name}` stands in both `envs` and `secrets`", "Keep it in one of them"
                )


def is_variable_name(name: str) -> bool:
    """Return whether a text may name an environment variable: [A-Za-z_][A-Za-z0-9_]*, at most 255 of these."""
    return name.isascii() and name.isidentifier() and len(name) <= 255


def _is_allowed_name(name: object, where: str, findings: Findings) -> bool:
    if not isinstance(name, str) or not is_variable_name(name):
        shown = "A name" if where == "secrets" or not isinstance(name, str) else f"`{_short(name)}`"
        findings.invalid(where, f"{shown} in `{where}` cannot name a variable", f"Names are {_NAME_RULE}")
        return False
    if name in RESERVED or name.startswith(RESERVED_PREFIXES):
        findings.refuse(
            Reason.NOT_SUPPORTED,
            f"{where}.{_short(name)}",
            f"`{where}.{_short(name)}` cannot be set: the factory sets it for every task",
            "Remove it, or choose another name",
        )
        return False
    return True


def _text_of(name: str, value: object, findings: Findings) -> str:
    """Return the text of a value that is not plainly one; what is wrong with it is said without repeating it."""
    where = f"envs.{_short(name)}"
    if isinstance(value, str):
        findings.invalid(
            where, f"`{where}` holds a NUL byte or text that is not Unicode", "Encode it, for example as base64"
        )
    elif isinstance(value, bool):
        spelling = "true" if value else "false"
        findings.invalid(
            where, f"`{where}` is the boolean {spelling} (in YAML yes, no, on, off are booleans too)", _BOOLEAN_ADVICE
        )
    elif isinstance(value, int) and abs(value) < 10**100:
        return str(value)
    elif isinstance(value, float) and value - value == 0:
        return repr(value)
    elif isinstance(value, int | float):
        findings.invalid(where, f"`{where}` is not a number that can be written exactly", "Put it in quotes")
    elif value is None:
        findings.invalid(
            where,
            f"`{where}` has no value",
            f"Give it on the command line: --env {_short(name)}=VALUE, or write '' for an empty text",
        )
    else:
        findings.invalid(
            where, f"`{where}` is {_kind(value)}, but must be text or a number", "Put the whole value in quotes"
        )
    return ""


def _is_reference(name: object, value: object, findings: Findings) -> bool:
    if value is None or (isinstance(name, str) and value == f"secrets:{name}"):
        return True
    where = f"secrets.{_short(name)}" if isinstance(name, str) and is_variable_name(name) else "secrets"
    if isinstance(value, str) and value.startswith("secrets:"):
        findings.refuse(
            Reason.NOT_SUPPORTED,
            where,
            f"`{where}` refers to a secret of another name, but a variable gets the stored secret of its own name",
            "Store the secret under the variable's name",
        )
    else:
        findings.invalid(
            where,
            f"`{where}` holds a value, but values of secrets never stand in a task file",
            "Store the secret in the project and leave the value empty; if this file was shared, replace the secret",
        )
    return False


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return "a text" if isinstance(value, str) else f"a value of the kind {type(value).__name__}"


def _short(name: str) -> str:
    text = name if len(name) <= 64 else f"{name[:64]}..."
    return text if text.isprintable() else ascii(text)[1:-1]
