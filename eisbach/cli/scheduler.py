"""`eisbach scheduler`: the policy by which jobs start."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.errors import usage_error
from eisbach.cli.output import Format, Output, document, pairs, show
from eisbach.cli.session import Session
from eisbach.core.jobs.amounts import parse_duration_ms
from eisbach.core.vocabulary.quantities import HOUR_MS

Json = dict[str, Any]


def show_policy(output_format: Output = Format.TABLE) -> None:
    """Show the policy by which the scheduler decides, and how many starts are promised."""
    found = Session().client.get("/v1/scheduler")
    show(document("scheduler", scheduler=found), output_format, lambda is_wide: pairs(_lines(found)))


def set_policy(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="fifo, easy or default.")],
    notice: Annotated[str, typer.Option("--notice", metavar="TIME", help="How long before its signal work is told that it is preempted.")] = "30s",
    minimum_run: Annotated[
        str, typer.Option("--minimum-run", metavar="TIME", help="How long an attempt runs at least before it gives way to other work.")
    ] = "10m",
    half_life: Annotated[str, typer.Option("--half-life", metavar="TIME", help="After how long usage counts half in fair shares; whole hours.")] = "7d",
    output_format: Output = Format.TABLE,
) -> None:
    """Set the policy by which the scheduler decides.

    What is not said is as usual again. Promises that were given stay. Try a policy on last month first: `eisbach twin replay --history`.
    """
    half_life_ms = _duration_ms("--half-life", half_life)
    if half_life_ms % HOUR_MS:
        raise usage_error(f"--half-life is {half_life!r}, but must be whole hours", "For example 7d or 36h")
    body = {
        "policy": policy,
        "notice_ms": _duration_ms("--notice", notice),
        "minimum_run_ms": _duration_ms("--minimum-run", minimum_run),
        "half_life_hours": half_life_ms // HOUR_MS,
    }
    changed = Session().client.put("/v1/scheduler", body)
    words = "decides by" if changed["changed"] else "already decides by"
    holds = (  # said each time: what is left out is as usual again, also where it was set before
        f"notice {figures.duration(changed['notice_ms'])}, minimum run {figures.duration(changed['minimum_run_ms'])}, "
        f"half-life {figures.duration(changed['half_life_hours'] * HOUR_MS)}"
    )
    show(document("scheduler", scheduler=changed), output_format, lambda is_wide: print(f"The scheduler {words} {changed['policy']}: {holds}."))


def _duration_ms(option: str, text: str) -> int:
    found = parse_duration_ms(text)
    if found is None:
        raise usage_error(f"{option} is {text!r}, but must be a duration such as 30s, 2m or 0")
    return found


def _lines(found: Json) -> list[tuple[str, str]]:
    promised = f"up to {found['promises_max']} a pool: the first of its class"
    if found["promised_nodes"]:
        promised += f", and gangs of {found['promised_nodes']} nodes or more"
    return [
        ("policy", str(found["policy"])),
        ("order", str(found["order"])),
        ("backfill", str(found["backfill"])),
        ("promises", promised if found["promises_max"] else "none"),
        ("looked at again", figures.duration(found["again_ms"]) if found["again_ms"] else "whenever something is freed"),
        ("notice", f"{figures.duration(found['notice_ms'])} before the signal of who is preempted"),
        ("minimum run", f"{figures.duration(found['minimum_run_ms'])} before an attempt gives way to other work"),
        ("half-life", f"{figures.duration(found['half_life_hours'] * HOUR_MS)}: usage of that long ago counts half"),
        ("promised now", str(found["promises"])),
        ("waiting", str(found["waiting"])),
    ]
