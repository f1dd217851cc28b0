"""`data` of a task file: which data sets a task reads, and under which names it finds them."""

from collections.abc import Mapping

from eisbach.core.jobs.findings import Findings, shown

MOUNTS_MAX = 32
REFERENCE_LENGTH_MAX = 255
FOLDER = "data"
"""Where data sets lie in a task's workspace: data/NAME/FILE."""
VARIABLE_PREFIX = "EISBACH_DATA_"
NAME_LENGTH_MAX = 63

Mount = tuple[str, str]
"""a name in the task, and the data set: its id, or in a task file also its name"""


def parse_data(raw: object, findings: Findings) -> tuple[Mount, ...]:
    """Return what `data` names, in its order."""
    if raw is None:
        return ()
    if not isinstance(raw, Mapping):
        findings.wrong("data", raw, "a mapping of names to data sets, such as {flow: flow.csv}")
        return ()
    if len(raw) > MOUNTS_MAX:
        findings.invalid("data", f"`data` names {len(raw)} data sets, but a job gets at most {MOUNTS_MAX}")
        return ()
    mounts: list[Mount] = []
    taken: dict[str, str] = {}
    for name, reference in raw.items():
        if not isinstance(name, str) or not is_mount_name(name):
            do = "Use letters, digits, - and _, beginning with a letter"
            findings.invalid("data", f"{shown(name)} cannot be a name in `data`: it becomes a folder and a variable", do)
            continue
        variable = variable_of(name)
        if variable in taken:
            findings.invalid(f"data.{name}", f"`{name}` and `{taken[variable]}` both give {variable}", "Rename one of them")
        taken[variable] = name
        if not isinstance(reference, str) or not 0 < len(reference) <= REFERENCE_LENGTH_MAX or not reference.isprintable():
            findings.wrong(f"data.{name}", reference, "the name or the id of a data set of the project")
            continue
        mounts.append((name, reference))
    return tuple(mounts)


def is_mount_name(name: str) -> bool:
    """Return whether a text may name a data set in a task: a letter, then letters, digits, - and _."""
    plain = name.replace("-", "").replace("_", "")
    return name.isascii() and plain.isalnum() and name[:1].isalpha() and len(name) <= NAME_LENGTH_MAX


def variable_of(name: str) -> str:
    """Return the environment variable that tells a task in which folder a data set lies: EISBACH_DATA_FLOW for `flow`."""
    return VARIABLE_PREFIX + name.upper().replace("-", "_")
