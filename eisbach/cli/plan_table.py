"""The plan of a job before it starts: what, where, at what price, at most how much, and when."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from eisbach.cli import figures
from eisbach.cli.output import pairs
from eisbach.cli.terminal import clean

Json = dict[str, Any]


def print_plan(plan: Json, project: Json, *, to_stderr: bool = False) -> None:
    """Print the plan of a job, a line for each thing to know before saying yes."""
    with _to_stderr(to_stderr):
        pairs(
            [
                ("job", str(plan.get("name") or "")),
                ("project", str(project.get("name") or project["project"])),
                ("nodes", _nodes(plan)),
                ("place", _place(plan)),
                ("price", f"{plan.get('price_per_hour_eur')} EUR per hour"),
                ("at most", _ceiling(plan)),
                ("start", _start(plan)),
            ]
        )


@contextlib.contextmanager
def _to_stderr(is_wanted: bool) -> Iterator[None]:
    if is_wanted:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


def _nodes(plan: Json) -> str:
    nodes = int(plan.get("nodes") or 1)
    each = [f"{figures.cores(int(plan['cpu_milli']))} cores", figures.memory(int(plan["memory_mib"]))]
    if plan.get("gpus"):
        each.append(figures.counted(int(plan["gpus"]), "GPU"))
    return f"{nodes} x {plan.get('flavour') or ''} ({', '.join(each)})"


def _place(plan: Json) -> str:
    return ", ".join(str(part) for part in (plan.get("site"), plan.get("country")) if part)


def _ceiling(plan: Json) -> str:
    limit = figures.duration(plan.get("limit_ms"))
    return f"{plan.get('ceiling_eur')} EUR (limit {limit} and grace, {figures.counted(int(plan.get('attempts_max') or 1), 'attempt')})"


def _start(plan: Json) -> str:
    reason = str(plan.get("detail") or "")
    return clean(reason or "now")
