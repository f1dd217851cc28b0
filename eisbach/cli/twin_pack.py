"""`eisbach twin pack`: how full a ranking of nodes packs a list of nodes. Simulated, as everything of the twin."""

from pathlib import Path
from typing import Annotated, Any

import typer

from eisbach.cli.errors import CliError, usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.figures import counted
from eisbach.cli.output import Format, Output, document, pairs, show

POLICIES = ("fgd", "bestfit", "random")
"""As in twin/pack.py; named here so that the help needs none of it."""


def pack(
    nodes: Annotated[Path, typer.Option("--nodes", metavar="FILE", help="A list of nodes: sn,cpu_milli,memory_mib,gpu,model.")],
    pods: Annotated[Path, typer.Option("--pods", metavar="FILE", help="A job table; memory and GPU model stand in `kind`.")],
    seed: Annotated[int, typer.Option("--seed", help="Which pods are drawn again, and their order.")] = 1,
    policy: Annotated[str, typer.Option("--policy", help="fgd, bestfit or random.")] = "fgd",
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Pack pods that never leave on a list of nodes; simulated."""
    import resource

    from eisbach.twin.pack import models_unknown
    from eisbach.twin.pack import pack as pack_pods
    from eisbach.twin.pack_files import read_nodes, read_pods
    from eisbach.twin.trace_file import TraceError

    if policy not in POLICIES:
        raise usage_error(f"There is no policy {policy!r} for packing", f"Use one of {', '.join(POLICIES)}")
    try:
        listed, asked = read_nodes(nodes), read_pods(pods)
        packed = pack_pods(listed, asked, policy=policy, seed=seed)
    except TraceError as error:
        raise CliError(str(error), code=ExitCode.USAGE) from error
    used = resource.getrusage(resource.RUSAGE_SELF)
    doc: dict[str, Any] = document(
        "twin-packed",
        label="simulated",
        policy=policy,
        seed=seed,
        allocated_at_full_demand=round(packed.allocated_at_full_demand, 6),
        allocated_final=round(packed.allocated_final, 6),
        pods=packed.pods,
        placed=packed.placed,
        models_unknown=models_unknown(listed, asked),
        cpu_s=round(used.ru_utime + used.ru_stime, 2),
    )
    show(doc, Format.JSON if as_json else output_format, lambda is_wide: _print(doc))


def _print(doc: dict[str, Any]) -> None:
    pairs(
        [
            ("label", f"{doc['label']}: nothing was executed"),
            ("policy, seed", f"{doc['policy']}, {doc['seed']}"),
            ("GPUs allocated", f"{doc['allocated_at_full_demand']:.2%} when all of them were asked for, {doc['allocated_final']:.2%} in the end"),
            ("pods", f"{doc['pods']:,}, {doc['placed']:,} of them placed"),
            ("on no node", "\n".join(f"{model}; {counted(pods, 'pod')} of the list accept nothing else" for model, pods in doc["models_unknown"].items())),
            ("this computer", f"{doc['cpu_s']:.1f} CPU seconds"),
        ]
    )
