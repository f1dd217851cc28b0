"""`eisbach twin explore`: random small factories with crashes and faults, and every invariant checked on them."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eisbach.cli.errors import usage_error
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.figures import counted
from eisbach.cli.output import Format, Output, document, show

if TYPE_CHECKING:
    from eisbach.twin.explore import Explored, Told

Json = dict[str, Any]
SEEDS_MAX = 1_000_000
STEPS = 60
"""As in twin/explore.py; named here so that the help needs none of it."""
VIOLATIONS_SHOWN = 3
TRACE_SHOWN = 8


def explore(
    seeds: Annotated[str, typer.Option("--seeds", metavar="A..B", help="Which seeds; each is a factory and its story.")] = "1..25",
    steps: Annotated[int, typer.Option("--steps", min=1, max=100_000, help="Things that happen in each story.")] = STEPS,
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
    output_format: Output = Format.TABLE,
) -> int:
    """Try random small factories with crashes; check every invariant.

    Whatever is found is printed with the command that repeats it. The exit status is 1 where anything is.
    """
    chosen = _seeds(seeds)
    from eisbach.twin.explore import explore as explore_seeds

    logging.disable(logging.CRITICAL)  # what breaks on purpose would be told at length
    with _progress(len(chosen)) as shown:
        explored = explore_seeds(chosen, steps=steps, after=shown)
    show(_document(seeds, steps, explored), Format.JSON if as_json else output_format, lambda is_wide: _print(explored, steps))
    return ExitCode.FAILED if explored.violations else ExitCode.OK


def _seeds(said: str) -> range:
    first, dots, last = said.partition("..")
    last = last if dots else first
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()) or not int(first) <= int(last) <= SEEDS_MAX:
        raise usage_error(f"--seeds {said!r} are no seeds", f"Write a first and a last one, such as 1..200, up to {SEEDS_MAX:,}")
    return range(int(first), int(last) + 1)


def _document(seeds: str, steps: int, explored: "Explored") -> Json:
    return document(
        "twin-explored",
        label="simulated",
        seeds=explored.seeds,
        asked=seeds,
        steps=steps,
        events=explored.events,
        full_checks=explored.full_checks,
        violations=explored.violations,
        promises=explored.promises,
        promises_broken=explored.promises_broken,
        never=explored.never,
        outcomes=dict(sorted(explored.outcomes.items())),
        failing=[
            {
                "seed": told.seed,
                "violations": [one.what for one in told.violations],
                "trace": told.trace[-TRACE_SHOWN:],
                "repeat": _repeat(told, steps),
            }
            for told in explored.failing
        ],
    )


def _print(explored: "Explored", steps: int) -> None:
    for told in explored.failing:
        print(f"seed {told.seed}: {counted(len(told.violations), 'violation')}")
        for violation in told.violations[:VIOLATIONS_SHOWN]:
            print(f"  - {violation.what}")
        print("  the last things that happened:")
        for line in told.trace[-TRACE_SHOWN:]:
            print(f"    {line}")
        print(f"  repeat it: {_repeat(told, steps)}")
    never = "; ".join(f"{what.replace('_', ' ')} {', '.join(names) or 'none'}" for what, names in explored.never.items())
    print(
        f"simulated: {counted(explored.seeds, 'seed')}, {counted(explored.events, 'event')}, {counted(explored.violations, 'violation')}, "
        f"{explored.promises_broken} of {counted(explored.promises, 'promise')} broken; never hit: {never}"
    )


def _repeat(told: "Told", steps: int) -> str:
    more = f" --steps {steps}" if steps != STEPS else ""
    return f"eisbach twin explore --seeds {told.seed}..{told.seed}{more}"


@contextmanager
def _progress(seeds: int) -> "Iterator[Callable[[Told], object]]":
    """Yield what is told of each seed: a progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda told: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("exploring", total=seeds)
        yield lambda told: bar.advance(task)
