"""The price book as people ask for it: every version with its validity, and which one holds now."""

from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app.state import FactoryState
from eisbach.core.billing.tariff import Tariff
from eisbach.core.vocabulary.reasons import Reason, Refusal


def question() -> Callable[[FactoryState, int], list[dict[str, Any]]]:
    """Return the question for all versions, the one that begins last first; `holds` is now, later or before."""

    def ask(state: FactoryState, now: int) -> list[dict[str, Any]]:
        in_force = state.prices.at(now)
        found = sorted(enumerate(state.prices.versions), key=lambda one: (-one[1].valid_from_ms, -one[0]))
        return [_shown(one, in_force, now) for _, one in found]

    return ask


def version(name: str) -> Callable[[FactoryState, int], dict[str, Any] | Refusal]:
    """Return the question for one version by its name."""

    def ask(state: FactoryState, now: int) -> dict[str, Any] | Refusal:
        found = next((one for one in state.prices.versions if one.version == name), None)
        if found is None:
            return Refusal(Reason.NOT_FOUND, f"There is no version {name!r} of the prices", "Look at `eisbach prices list`")
        return _shown(found, state.prices.at(now), now)

    return ask


def _shown(tariff: Tariff, in_force: Tariff | None, now: int) -> dict[str, Any]:
    gpus: Mapping[str, int] = tariff.gpu_hour
    holds = in_force is not None and tariff.version == in_force.version
    return {
        "version": tariff.version,
        "label": tariff.label,
        "holds": "now" if holds else "later" if tariff.valid_from_ms > now else "before",
        "valid_from_ms": tariff.valid_from_ms,
        "valid_until_ms": tariff.valid_until_ms,
        "core_hour": tariff.core_hour,
        "memory_gib_hour": tariff.memory_gib_hour,
        "gpu_hour": dict(gpus),
        "spot_permille": tariff.spot_permille,
    }
