"""The frozen specification as a plain mapping for storage and for `-o json`, and back, exactly."""

from collections.abc import Mapping
from typing import Any

from eisbach.core.jobs.placement import limits_of, rule_of
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, NodeShape, RetryRule
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.invariant import require

VERSION = 1


def spec_to_mapping(spec: JobSpec) -> dict[str, Any]:
    """Return every field of the specification in a fixed order, only with types that JSON has; its tuples are arrays there."""
    return {
        "version": VERSION,
        "name": spec.name,
        "nodes": spec.nodes,
        "shapes": [
            {
                "cpu_milli": shape.cpu_milli,
                "memory_mib": shape.memory_mib,
                "gpus": shape.gpus,
                "flavour": shape.flavour,
                "gpu_milli": shape.gpu_milli,
                "mig": shape.mig,
            }
            for shape in spec.shapes
        ],
        "run": spec.run,
        "setup": spec.setup,
        "workdir": spec.workdir,
        # pairs and not a mapping: the order is the tenant's, and writers of canonical JSON sort keys
        "envs": spec.envs,
        "secrets": spec.secrets,
        "data": spec.data,
        "time_limit_ms": spec.time_limit_ms,
        "checkpoint": {
            "signal": spec.checkpoint.signal,
            "grace_ms": spec.checkpoint.grace_ms,
            "path": spec.checkpoint.path,
        },
        "retry": {"max_attempts": spec.retry.max_attempts},
        "outputs": spec.outputs,
        "class": spec.capacity_class.value,
        "placement": dict(limits_of(spec.placement)),
        "within": _within_to_mapping(spec.within),
        "booking": spec.booking,
    }


def spec_from_mapping(mapping: Mapping[str, Any]) -> JobSpec:
    """Return the specification that `spec_to_mapping` wrote; a mapping of another origin breaks an invariant."""
    require(mapping.get("version") == VERSION, "a stored specification has a version that this program knows")
    return JobSpec(
        name=mapping["name"],
        nodes=mapping["nodes"],
        shapes=tuple(NodeShape(**shape) for shape in mapping["shapes"]),
        run=mapping["run"],
        setup=mapping["setup"],
        workdir=mapping["workdir"],
        envs=tuple((name, value) for name, value in mapping["envs"]),
        secrets=tuple(mapping["secrets"]),
        data=tuple((name, data_set) for name, data_set in mapping.get("data", ())),
        time_limit_ms=mapping["time_limit_ms"],
        checkpoint=CheckpointRule(**mapping["checkpoint"]),
        retry=RetryRule(**mapping["retry"]),
        outputs=tuple(mapping["outputs"]),
        capacity_class=CapacityClass(mapping["class"]),
        # older specifications have none
        placement=rule_of(tuple((key, tuple(values)) for key, values in mapping.get("placement", {}).items())),
        within=_within_from_mapping(mapping.get("within")),
        booking=mapping.get("booking", ""),
    )


def _within_to_mapping(within: Within | None) -> dict[str, Any] | None:
    return {"level": within.level.value, "required": within.is_required} if within is not None else None


def _within_from_mapping(mapping: Mapping[str, Any] | None) -> Within | None:
    return Within(Level(mapping["level"]), mapping["required"]) if mapping is not None else None
