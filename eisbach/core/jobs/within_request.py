"""`within` of a task file: how near to one another the nodes of a gang shall be, and whether they must."""

from collections.abc import Mapping

from eisbach.core.jobs.findings import Findings
from eisbach.core.jobs.task_keys import WITHIN_KEYS, check_keys
from eisbach.core.jobs.within import Level, Within

LEVELS = {level.value: level for level in Level}


def parse_within(value: object, findings: Findings) -> Within | None:
    """Return the wish that `within` is: `rack` is preferred, `{level: rack, required: true}` holds the job until it can be."""
    if value is None:
        return None
    if isinstance(value, str):
        return _within("within", value, False, findings)
    if not isinstance(value, Mapping):
        findings.wrong("within", value, "a level such as rack, or {level: rack, required: true}")
        return None
    check_keys(value, "within", WITHIN_KEYS, findings)
    is_required = value.get("required", False)
    if not isinstance(is_required, bool):
        findings.wrong("within.required", is_required, "true or false")
        return None
    return _within("within.level", value.get("level"), is_required, findings)


def _within(where: str, name: object, is_required: bool, findings: Findings) -> Within | None:
    level = LEVELS.get(name.strip().lower()) if isinstance(name, str) else None
    if level is None:
        findings.wrong(where, name, f"one of {', '.join(LEVELS)}, from the tightest to the widest")
        return None
    return Within(level, is_required)
