"""`eisbach scheduler`: the policy by which jobs start."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.errors import usage_error
from eisbach.cli.output import Format, Output, document, pairs, show
from eisbach.cli.session import Session
from eisbach.core.jobs.amounts import parse_duration_ms

Json = dict[str, Any]


def show_policy(output_format: Output = Format.TABLE) -> None:
    """Show the policy by which the scheduler decides, and how many starts are promised."""
    found = Session().client.get("/v1/scheduler")
    show(document("scheduler", scheduler=found), output_format, lambda is_wide: pairs(_lines(found)))


def set_policy(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="fifo, easy or default.")],
    notice: Annotated[str, typer.Option("--notice", metavar="TIME", help="How long before its signal work is told that it is preempted.")] = "30s",
    output_format: Output = Format.TABLE,
) -> None:
    """Set the policy by which the scheduler decides.

    Promises that were given stay. Try a policy on last month first: `eisbach twin replay --history`.
    """
    notice_ms = parse_duration_ms(notice)
    if notice_ms is None:
        raise usage_error(f"--notice is {notice!r}, but must be a duration such as 30s, 2m or 0")
    changed = Session().client.put("/v1/scheduler", {"policy": policy, "notice_ms": notice_ms})
    words = "decides by" if changed["changed"] else "already decides by"
    show(document("scheduler", scheduler=changed), output_format, lambda is_wide: print(f"The scheduler {words} {changed['policy']}."))


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
        ("promised now", str(found["promises"])),
        ("waiting", str(found["waiting"])),
    ]
