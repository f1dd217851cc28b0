"""Two results side by side: what differs, by how much, and which is better where one can be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eisbach.twin.report import RESULT
from eisbach.twin.scenario import DOCUMENT

LOWER, HIGHER, NEITHER = -1, 1, 0
BETTER = {
    "jobs": NEITHER,
    "finished": HIGHER,
    "mean_wait_s": LOWER,
    "p50_wait_s": LOWER,
    "p99_wait_s": LOWER,
    "makespan_s": LOWER,
    "sold": HIGHER,
    "allocated": NEITHER,
    "busy": HIGHER,
    "stranded_gpu_h": LOWER,
    "shortfall_gpu_h": LOWER,
    "preemptions": LOWER,
    "moves": NEITHER,
    "moves_gain_gpu_h": HIGHER,
    "energy_kwh": NEITHER,
    "pue": LOWER,
    "promises": NEITHER,
    "promises_broken": LOWER,
    "violations": LOWER,
    "revenue_eur": HIGHER,
    "in_rack": HIGHER,
    "events": NEITHER,
    "cpu_s": NEITHER,
    "jobs_per_cpu_s": NEITHER,
    "peak_rss_mb": NEITHER,
}
"""figure -> whether more or less of it is better; the last three are this computer's, not the factory's"""
PLAYED = ("sites", "workload", "policy", "promised_nodes", "notice_s", "minimum_run_s", "half_life_h", "seed", "days", "checkpoint_s")
NOTE_SMALL = 1e-9


class NoResult(Exception):
    """A path holds no result of the twin; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure in both results. `better` is `a`, `b`, or empty where they are equal or neither is better."""

    key: str
    a: float | None
    b: float | None
    change: float | None
    better: str


def read_result(path: Path) -> dict[str, Any]:
    """Return the result in a file of `--json`, or in the folder of a report; raise NoResult."""
    file = path / RESULT if path.is_dir() else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoResult(f"{file} cannot be read: {error.strerror}. Give what --json printed, or the folder of a --report") from error
    except (ValueError, RecursionError) as error:
        raise NoResult(f"{file} is no JSON document: {error}. Give what --json printed, or the folder of a --report") from error
    if not isinstance(document, dict) or document.get("format") != DOCUMENT:
        raise NoResult(f"{file} is no result of the twin: its format is not {DOCUMENT!r}")
    wrong = [key for key in BETTER if not isinstance(document.get(key), int | float | None) or isinstance(document.get(key), bool)]
    if wrong:
        raise NoResult(f"{file}: {wrong[0]} is {document[wrong[0]]!r}, which is no figure. Was it edited?")
    if not any(key in document for key in BETTER):
        raise NoResult(f"{file} holds none of the figures of a result ({', '.join(list(BETTER)[:3])}, ...). Was it cut? Write it anew with --json")
    return document


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return every figure that one of both has, in a fixed order; what the other lacks is None there."""
    return [_difference(key, a.get(key), b.get(key)) for key in BETTER if key in a or key in b]


def unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return what was played differently: a difference in results may come from there."""
    return [f"{key}: {_said(a[key])} and {_said(b[key])}" for key in PLAYED if key in a and key in b and a[key] != b[key]]


def is_same_plan(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return whether both decided the same: every start with its nodes, every stop."""
    return bool(a.get("plan_hash")) and a.get("plan_hash") == b.get("plan_hash")


def _difference(key: str, a: float | None, b: float | None) -> Difference:
    if a is None or b is None:
        return Difference(key, a, b, None, "")
    change = b - a
    is_equal = abs(change) <= NOTE_SMALL * max(abs(a), abs(b))
    better = "" if is_equal or BETTER[key] is NEITHER else "b" if (change > 0) is (BETTER[key] is HIGHER) else "a"
    return Difference(key, a, b, change, better)


def _said(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
