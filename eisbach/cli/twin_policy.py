"""The policy that the twin plays: one of those that have a name, or a history's own, with other numbers where they are said."""

from typing import TYPE_CHECKING

from eisbach.cli.errors import usage_error
from eisbach.core.jobs.amounts import parse_duration_ms
from eisbach.core.vocabulary.quantities import HOUR_MS

if TYPE_CHECKING:
    from eisbach.core.scheduling.policy import Policy


def policy_of(
    name: str, *, own: "Policy | None" = None, notice: str = "", minimum_run: str = "", half_life: str = "", promised_nodes: int | None = None
) -> "Policy":
    """Return the policy of that name (`own` without one) with these numbers, as `eisbach scheduler set` takes them; a usage error otherwise."""
    from dataclasses import replace

    from eisbach.app.set_scheduler import out_of_bounds
    from eisbach.core.scheduling.policy import DEFAULT, POLICIES

    if name and name not in POLICIES:
        raise usage_error(f"There is no policy {name!r}", f"Use one of {', '.join(POLICIES)}")
    found = POLICIES[name] if name else own or DEFAULT
    half_life_ms = _duration_ms("--half-life", half_life) if half_life else found.half_life_hours * HOUR_MS
    if half_life_ms % HOUR_MS:
        raise usage_error(f"--half-life is {half_life!r}, but must be whole hours", "For example 7d or 36h")
    found = replace(
        found,
        notice_ms=_duration_ms("--notice", notice) if notice else found.notice_ms,
        minimum_run_ms=_duration_ms("--minimum-run", minimum_run) if minimum_run else found.minimum_run_ms,
        half_life_hours=half_life_ms // HOUR_MS,
        promised_nodes=found.promised_nodes if promised_nodes is None else promised_nodes,
    )
    refusal = out_of_bounds(found)
    if refusal is not None:
        raise usage_error(refusal.what, refusal.do)
    return found


def _duration_ms(option: str, text: str) -> int:
    found = parse_duration_ms(text)
    if found is None:
        raise usage_error(f"{option} is {text!r}, but must be a duration such as 30s, 2m or 0")
    return found
