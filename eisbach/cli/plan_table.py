"""The plan of a job before it starts: what, where, at what price, at most how much, and when."""

import contextlib
import sys
from typing import Any

from eisbach.cli import figures
from eisbach.cli.offers import place_words
from eisbach.cli.output import pairs

Json = dict[str, Any]


def print_plan(plan: Json, project: Json, *, to_stderr: bool = False) -> None:
    """Print the plan of a job, a line for each thing to know before saying yes."""
    budget = plan.get("account") or {}
    lines = [
        ("job", str(plan["name"])),
        ("project", f"{project['name']} ({budget.get('available_eur')} EUR available of {budget.get('budget_eur')} this month)"),
        ("nodes", _nodes(plan)),
        ("place", ", ".join(_place(place) for place in plan["places"])),
        ("price", f"{plan['price_per_hour_eur']} EUR per hour, net (tariff: {plan['tariff_label'] or plan['tariff']})"),
        ("at most", _ceiling(plan)),
        ("start", start_words(plan)),
    ]
    if plan["predicted_ms"] < plan["limit_ms"]:
        lines.append(("may run", f"about {figures.duration(plan['predicted_ms'])} (an estimate from your last two jobs)"))
    lines += [("not at", f"{place['site']}: {'. '.join(place['reasons'])}") for place in plan.get("forbidden_places") or ()]
    if plan.get("dedicated"):
        lines.append(("nodes are", f"shared with no other {plan['dedicated']}"))
    with contextlib.redirect_stdout(sys.stderr) if to_stderr else contextlib.nullcontext():
        pairs(lines)


def start_words(plan: Json) -> str:
    """Return when the job would start, and that this is an estimate where it is one."""
    if plan["starts_at_once"]:
        return "now"
    if plan["reason"]:
        return "when the project's budget has room for its ceiling"
    if plan.get("start_promised_at"):
        return f"no later than {figures.instant(plan['start_promised_at'])} (promised as soon as it is submitted)"
    ahead = f"; {figures.counted(plan['queued_before'], 'job')} before it" if plan["queued_before"] else ""
    if plan["start_estimated_at"]:
        return f"about {figures.instant(plan['start_estimated_at'])} (an estimate){ahead}"
    return f"when capacity becomes free{ahead}"


def _nodes(plan: Json) -> str:
    cores = figures.cores(plan["cpu_milli"])
    each = [f"{cores} {'core' if cores == '1' else 'cores'}", figures.memory(plan["memory_mib"])]
    if plan["gpus"]:
        each.append(figures.counted(plan["gpus"], "GPU"))
    return f"{plan['nodes']} x {plan['flavour']} ({', '.join(each)})"


def _place(place: Json) -> str:
    return f"{place_words(place)} (operator: {place['operator']})"


def _ceiling(plan: Json) -> str:
    limit, grace = figures.duration(plan["limit_ms"]), figures.duration(plan["grace_ms"])
    return f"{plan['ceiling_eur']} EUR over all attempts (limit {limit}, grace {grace})"
