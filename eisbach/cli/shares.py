"""`eisbach share`, `quota` and `agreement`: who is due how much, what he had, and what may be held at once."""

from typing import Annotated, Any

import typer

from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.output import Format, Output, document, show, table
from eisbach.cli.resolve import find_organisation, find_owner
from eisbach.cli.session import Session
from eisbach.cli.terminal import clean

Json = dict[str, Any]
Org = Annotated[str | None, typer.Option("--org", help="The organisation: name or id.")]
Project = Annotated[str | None, typer.Option("--project", "-p", help="The project: name or id.")]
GPU_HOUR = 1000 * 3_600_000


def list_shares(output_format: Output = Format.TABLE) -> None:
    """List who is due how much of the factory, who had how much, and whose turn it is.

    Usage fades by half in the half-life of `eisbach scheduler show`. Within a capacity class the work of the project whose TURN comes first is tried first.
    """
    found = Session().client.get("/v1/shares")["items"]
    depths: dict[str, int] = {}
    for one in found:
        depths[one["owner"]] = depths.get(one["parent"] or "", -1) + 1
    columns = ["~WHO", "WHAT", ">WEIGHT", ">DUE", ">HAD", ">GPU-HOURS", ">HELD", ">TURN"]
    rows = [
        [
            "  " * depths[one["owner"]] + clean(one["name"]),
            one["scope"],
            str(one["weight"]),
            _percent(one["due_ppm"]),
            _percent(one["used_ppm"]),
            f"{one['usage_gpu_milli_ms'] / GPU_HOUR:,.1f}",
            _gpus(one["held_gpu_milli"]),
            f"{one['turn']} of {one['turns']}" if one["turn"] else "",
        ]
        for one in found
    ]
    show(document("shares", shares=found), output_format, lambda is_wide: table(columns, rows, empty="Nobody is here yet."))


def set_share(
    weight: Annotated[str, typer.Argument(metavar="WEIGHT", help="Its weight among its siblings (100 is usual), or usual.")],
    of_segment: Annotated[str | None, typer.Option("--segment", help="The segment, such as research.")] = None,
    org: Org = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Set the share of a segment, an organisation or a project among its siblings.

    A weight of 300 is due three times what one of 100 is. One of 0 gets only what nobody else wants.
    """
    body = {"weight": None if weight == "usual" else _whole(weight, "WEIGHT")}
    session = Session()
    if of_segment is not None:
        if org is not None or project is not None:
            raise usage_error("--segment, --org and --project exclude each other")
        path, name = f"/v1/segments/{segment(of_segment)}", of_segment
    else:
        path, name = find_owner(session, org, project)
    changed = session.client.put(f"{path}/share", body)
    words = f"{clean(name)} has a weight of {changed['weight']} among its siblings."
    show(document("share", share=changed), output_format, lambda is_wide: print(words))


def remove_share(
    of_segment: Annotated[str | None, typer.Option("--segment", help="The segment, such as research.")] = None,
    org: Org = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Give a segment, an organisation or a project the usual weight again."""
    set_share("usual", of_segment, org, project, output_format)


def list_quotas(output_format: Output = Format.TABLE) -> None:
    """List the quotas and agreements, and what is held against them."""
    found = [
        one
        for one in Session().client.get("/v1/shares")["items"]
        if one["quota_gpu_milli"] is not None or one["agreed_gpu_milli"]
    ]
    columns = ["~WHO", "WHAT", ">HELD", ">QUOTA", ">ABOVE", ">AGREED"]
    rows = [
        [
            clean(one["name"]),
            one["scope"],
            _gpus(one["firm_gpu_milli"]),
            _gpus(one["quota_gpu_milli"]),
            _gpus(max(0, one["firm_gpu_milli"] - one["quota_gpu_milli"])) if one["quota_gpu_milli"] is not None else "",
            _gpus(one["agreed_gpu_milli"] or None),
        ]
        for one in found
    ]
    empty = "There are no quotas. Set one with `eisbach quota set GPUS --project NAME`."
    show(document("quotas", quotas=found), output_format, lambda is_wide: table(columns, rows, empty=empty))


def set_quota(
    gpus: Annotated[str, typer.Argument(metavar="GPUS", help="What may be held at once, or none.")],
    org: Org = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Set how many GPUs an organisation or a project may hold at once.

    Work above a quota starts only from what others leave idle, and gives it back, with notice and grace, when they come.
    """
    amount = None if gpus == "none" else _gpu_milli(gpus)
    session = Session()
    path, name = find_owner(session, org, project)
    changed = session.client.put(f"{path}/quota", {"gpu_milli": amount})
    words = f"{clean(name)} has no quota." if amount is None else f"{clean(name)} may hold {_gpus(amount)} GPUs at once."
    show(document("quota", quota=changed), output_format, lambda is_wide: print(words))


def remove_quota(org: Org = None, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Let an organisation or a project hold as much at once as there is."""
    set_quota("none", org, project, output_format)


def set_agreement(
    org: Annotated[str, typer.Argument(metavar="ORG", help="The organisation: name or id.")],
    gpus: Annotated[str, typer.Option("--gpus", help="Committed GPUs: up to there its work goes first.")],
    price: Annotated[str, typer.Option("--price", metavar="PERCENT", help="What it pays of the list price, such as 85.")] = "100",
    output_format: Output = Format.TABLE,
) -> None:
    """Set what an organisation has committed to, and its part of the list price.

    It holds for what is submitted from now on. --gpus 0 with --price 100 ends the agreement.
    """
    body = {"gpu_milli": _gpu_milli(gpus), "price_permille": _permille(price)}
    session = Session()
    found = find_organisation(session, org)
    changed = session.client.put(f"/v1/organisations/{segment(found['organisation'])}/agreement", body)
    words = f"{clean(found['name'])} has agreed to {_gpus(changed['gpu_milli'])} GPUs at {changed['price_permille'] / 10:g} % of the list price."
    show(document("agreement", agreement=changed), output_format, lambda is_wide: print(words))


def _whole(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise usage_error(f"{what} {text!r} is no whole number", "Give digits alone, such as 300")
    if len(text) > 12:
        raise usage_error(f"{what} {text} is more than any may be", "Give a smaller one, such as 300")
    return int(text)


def _gpu_milli(text: str) -> int:
    """Return GPUs such as 512 or 0.5 in thousandths."""
    whole, _, part = text.partition(".")
    if not (whole + part).isdigit() or not text.isascii() or len(part) > 3:
        raise usage_error(f"{text!r} is no number of GPUs", "Give GPUs such as 512, or 0.5")
    if len(whole) > 12:
        raise usage_error(f"{text} GPUs are more than there can be", "Give at most 1,000,000")
    return int(whole or "0") * 1000 + int(part.ljust(3, "0"))


def _permille(text: str) -> int:
    whole, _, part = text.removesuffix("%").partition(".")
    if not (whole + part).isdigit() or not text.isascii() or len(part) > 1:
        raise usage_error(f"--price {text!r} is no percentage", "Give one such as 85 or 92.5")
    if len(whole) > 12:
        raise usage_error(f"--price {text} is more than any may be", "Give one such as 85 or 92.5")
    return int(whole or "0") * 10 + int(part or "0")


def _gpus(gpu_milli: int | None) -> str:
    return "" if gpu_milli is None else f"{gpu_milli / 1000:,g}"


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:.1f} %"
