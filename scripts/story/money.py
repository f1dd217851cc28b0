"""The money of the story: a bill that an observer outside agrees with, and a budget that is never overspent."""

import json
import re
from itertools import pairwise

from story.stage import Stage

OVER_BUDGET = 7
"""The exit code of `eisbach` for more than the budget allows (docs/cli.md)."""
HALF_A_DAY = "12h"


def compare_bill(stage: Stage) -> None:
    """Compare the time charged for each attempt with what the observer saw."""
    shell, check = stage.shell, stage.record.check
    shell.eisbach("cost", stage.job)
    bill = shell.ask("cost", stage.job)
    seen = _lifetimes(stage)
    for attempt in bill["attempts"]:
        lifetime = seen.get(attempt["attempt"])
        if lifetime is None:
            check(f"attempt {attempt['number']} was observed", False)
            continue
        start_ms, end_ms = lifetime
        charged, observed = attempt["charged_ms"], end_ms - start_ms
        figures = f"{charged} ms charged, {observed:.0f} ms observed: {charged - observed:+.0f} ms"
        agrees = abs(charged - observed) <= stage.difference_ms_max
        check(f"attempt {attempt['number']}: charged = observed within {stage.difference_ms_max} ms", agrees, figures)
    held = sum(attempt["charged_ms"] for attempt in bill["attempts"])
    expected = stage.price * held // 3_600_000
    figures = f"{bill['charged_eur']} EUR for {held} ms"
    check("charge = price x time, rounded down", expected == bill["charged_micro_eur"], figures)
    starts = sorted(seen.values())
    apart = all(later[0] >= earlier[1] for earlier, later in pairwise(starts))
    check("the second attempt began when the first had ended", len(starts) == 2 and apart, f"{len(starts)} attempts seen")


def _lifetimes(stage: Stage) -> dict[str, tuple[float, float]]:
    """Return from the first start to the last end of each attempt's processes, as the observer saw them."""
    found: dict[str, tuple[float, float]] = {}
    for line in stage.lifetimes.read_text().splitlines():
        one = json.loads(line)
        if one["job"] == stage.job:
            start, end = found.get(one["attempt"], (one["start_ms"], one["end_ms"]))
            found[one["attempt"]] = (min(start, one["start_ms"]), max(end, one["end_ms"]))
    return found


def exceed_budget(stage: Stage) -> None:
    """Ask for more than the budget: once more than a month has, once more than is left now."""
    shell, check = stage.shell, stage.record.check
    refused = shell.eisbach("run", "--yes", "--time-limit", "24h", "--", "echo never", codes=range(256))
    has_reason = "budget" in refused.output
    check("a ceiling above the budget is refused, with the reason", refused.code == OVER_BUDGET and has_reason, f"exit code {refused.code}")
    first = ["run", "--yes", "--detach", "--time-limit", HALF_A_DAY]
    shell.eisbach(*first, "--name", "long", "--", "sleep 600")
    shell.eisbach(*first, "--name", "next", "--", "echo paid for")
    shell.eisbach("why", "next")
    reason = shell.ask("why", "next")
    amounts = re.findall(r"\d+\.\d+ EUR", str(reason["detail"]))
    figures = f"{reason['reason']}, {len(amounts)} amounts named"
    check("money that is reserved makes the next job wait", reason["reason"] == "BUDGET_RESERVED" and bool(amounts), figures)
    shell.eisbach("cancel", "long")
    shell.eisbach("logs", "--follow", "next")
    ended = shell.ask("status", "next")["job"]
    check("money given back starts the job that waited", ended["outcome"] == "succeeded", str(ended["outcome"]))
    shell.eisbach("cost")
    cost = shell.ask("cost")
    sums = cost["charged_micro_eur"] + cost["reserved_micro_eur"] + cost["available_micro_eur"]
    figures = f"{cost['charged_eur']} + {cost['reserved_eur']} + {cost['available_eur']} EUR"
    check("charged + reserved + left = budget", sums == cost["budget_micro_eur"], figures)

