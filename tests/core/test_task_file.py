"""What a task file asks for is what the job gets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.core.jobs.frozen_spec import spec_from_mapping, spec_to_mapping
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, NodeShape, RetryRule
from eisbach.core.jobs.task_file import TaskDefaults, parse_task
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Refusal

DEFAULTS = TaskDefaults()
ARCHIVE = "sha256:" + "0a" * 32


def accepted(**keys: object) -> JobSpec:
    keys = {key.rstrip("_"): value for key, value in keys.items()}
    spec = parse_task({"run": "true", **keys}, defaults=DEFAULTS)
    assert isinstance(spec, JobSpec), [str(refusal) for refusal in spec]
    return spec


def shapes(**resources: object) -> list[tuple[str | None, int]]:
    return [(shape.flavour, shape.gpus) for shape in accepted(resources=resources).shapes]


def test_a_command_alone_is_a_whole_task() -> None:
    assert accepted() == JobSpec(
        name="job",
        nodes=1,
        shapes=(NodeShape(cpu_milli=1000, memory_mib=1024),),
        run="true",
        time_limit_ms=DAY_MS,
        checkpoint=CheckpointRule(signal="SIGTERM", grace_ms=30_000, path="checkpoints"),
        retry=RetryRule(max_attempts=1),
        capacity_class=CapacityClass.ON_DEMAND,
    )


def test_every_key_finds_its_place() -> None:
    spec = accepted(
        name="train",
        workdir=ARCHIVE,
        num_nodes=2,
        resources={"accelerators": "H100:8", "cpus": "16+", "memory": "64+"},
        envs={"EPOCHS": 3, "RATE": 0.5, "MODEL": "13b", "EMPTY": ""},
        secrets=["HF_TOKEN"],
        setup="pip install .",
        run="torchrun train.py",
        time_limit="1h30m",
        checkpoint={"signal": "usr1", "grace": "2m", "path": "./save//all/"},
        retry=2,
        outputs=["model", "metrics.jsonl"],
        class_="spot",
    )
    assert spec == JobSpec(
        name="train",
        workdir=ARCHIVE,
        nodes=2,
        shapes=(NodeShape(cpu_milli=16_000, memory_mib=64 * 1024, gpus=8, flavour="H100"),),
        envs=(("EPOCHS", "3"), ("RATE", "0.5"), ("MODEL", "13b"), ("EMPTY", "")),
        secrets=("HF_TOKEN",),
        setup="pip install .",
        run="torchrun train.py",
        time_limit_ms=90 * MINUTE_MS,
        checkpoint=CheckpointRule(signal="SIGUSR1", grace_ms=120_000, path="save/all"),
        retry=RetryRule(max_attempts=3),
        outputs=("model", "metrics.jsonl"),
        capacity_class=CapacityClass.SPOT,
    )


def test_empty_keys_mean_their_defaults() -> None:
    everything = dict.fromkeys(["name", "workdir", "num_nodes", "resources", "envs", "secrets", "setup", "time_limit"])
    assert accepted(**everything, checkpoint=None, retry=None, outputs=None, class_=None) == accepted()


@pytest.mark.parametrize(
    ("written", "milli"),
    [
        (4, 4000),
        ("4", 4000),
        ("4+", 4000),
        (0.5, 500),
        ("0.5", 500),
        ("0.5+", 500),
        (" 2 ", 2000),
        (".25", 250),
        (4.0, 4000),
        ("4.500", 4500),
        (0.001, 1),
        ("010", 10000),
    ],
)
def test_cores(written: object, milli: int) -> None:
    assert accepted(resources={"cpus": written}).shapes[0].cpu_milli == milli


@pytest.mark.parametrize(
    ("written", "mib"),
    [
        (32, 32 * 1024),
        ("32+", 32 * 1024),
        ("32", 32 * 1024),
        (0.5, 512),
        ("16GB", 16 * 1024),
        ("16 GiB", 16 * 1024),
        ("16gb+", 16 * 1024),
        ("512MB", 512),
        ("512Mi", 512),
        ("1TB", 1024 * 1024),
        ("4x", 8 * 1024),
        ("0.5x", 1024),
        ("0.0005", None),
        ("0.001", 2),
    ],
)
def test_memory_of_two_cores(written: object, mib: int | None) -> None:
    spec = parse_task({"run": "x", "resources": {"cpus": 2, "memory": written}}, defaults=DEFAULTS)
    assert (spec.shapes[0].memory_mib if isinstance(spec, JobSpec) else None) == mib


def test_memory_follows_the_cores_where_nothing_is_said() -> None:
    assert accepted(resources={"cpus": 8}).shapes[0].memory_mib == 8 * 1024
    assert accepted(resources={"cpus": 0.001}).shapes[0].memory_mib == 2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("H100:8", [("H100", 8)]),
        ("h100", [("H100", 1)]),
        ("A100-80GB:4", [("A100-80GB", 4)]),
        ({"H100": 8}, [("H100", 8)]),
        ({"H100": "8"}, [("H100", 8)]),
        ({"H100:8": None, "A100:8": None}, [("H100", 8), ("A100", 8)]),
        (["H100:8", "A100:8", "H100:8"], [("H100", 8), ("A100", 8)]),
        ([{"H100": 8}, "L4"], [("H100", 8), ("L4", 1)]),
        ({"H100:8", "A100:8"}, [("A100", 8), ("H100", 8)]),
        ({}, [(None, 0)]),
        (None, [(None, 0)]),
    ],
)
def test_accelerators(written: object, expected: list[tuple[str, int]]) -> None:
    assert shapes(accelerators=written) == expected


def test_flavours_by_name() -> None:
    assert shapes(flavour="cpu") == [("cpu", 0)]
    assert shapes(flavour="b200.8") == [("b200.8", 8)], "a flavour without a number of GPUs is the whole node"
    assert shapes(flavour="b200.8", accelerators="B200:4") == [("b200.8", 4)]
    assert shapes(flavour="b200.8", gpus=4) == [("b200.8", 4)]
    assert shapes(gpus=2) == [(None, 2)]
    assert shapes(gpus="L4:2") == [("L4", 2)]


@pytest.mark.parametrize("key", ["any_of", "ordered"])
def test_alternatives_are_laid_over_the_rest_in_order(key: str) -> None:
    alternatives = [
        {"accelerators": "H100:8"},
        {"accelerators": ["A100:8", "L4:8"], "cpus": 8},
        {"accelerators": "H100:8"},
    ]
    spec = accepted(resources={"cpus": 4, "memory": 32, key: alternatives})
    assert spec.shapes == (
        NodeShape(cpu_milli=4000, memory_mib=32 * 1024, gpus=8, flavour="H100"),
        NodeShape(cpu_milli=8000, memory_mib=32 * 1024, gpus=8, flavour="A100"),
        NodeShape(cpu_milli=8000, memory_mib=32 * 1024, gpus=8, flavour="L4"),
    )


def test_spot_as_skypilot_says_it() -> None:
    assert accepted(resources={"use_spot": True}).capacity_class is CapacityClass.SPOT
    assert accepted(resources={"use_spot": False}).capacity_class is CapacityClass.ON_DEMAND
    assert accepted(resources={"use_spot": True}, class_="spot").capacity_class is CapacityClass.SPOT
    both = {"any_of": [{"use_spot": True}, {"use_spot": True, "cpus": 2}]}
    assert accepted(resources=both).capacity_class is CapacityClass.SPOT


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("30m", 30 * MINUTE_MS),
        ("1h30m", 90 * MINUTE_MS),
        ("2d", 2 * DAY_MS),
        (90, 90000),
        ("90", 90000),
        ("1h 30m", 90 * MINUTE_MS),
        ("1D12H", 36 * HOUR_MS),
        (60.0, 60000),
        ("30d", 30 * DAY_MS),
        ("1s", 1000),
    ],
)
def test_time_limits(written: object, ms: int) -> None:
    assert accepted(time_limit=written).time_limit_ms == ms


def test_the_operators_maximum_also_bounds_the_default() -> None:
    spec = parse_task({"run": "true"}, defaults=TaskDefaults(time_limit_max_ms=HOUR_MS))
    assert isinstance(spec, JobSpec)
    assert spec.time_limit_ms == HOUR_MS


@pytest.mark.parametrize(("written", "attempts"), [(0, 1), (3, 4), ({"max_attempts": 3}, 3), ({}, 1), (99, 100)])
def test_retries(written: object, attempts: int) -> None:
    assert accepted(retry=written).retry.max_attempts == attempts


def test_numbers_in_envs_become_text_exactly() -> None:
    big = 2**200
    assert dict(accepted(envs={"A": big, "B": -1, "C": 1e-7, "D": 0.1}).envs) == {
        "A": str(big),
        "B": "-1",
        "C": "1e-07",
        "D": "0.1",
    }


def test_secrets_are_names() -> None:
    assert accepted(secrets={"HF_TOKEN": None, "WANDB_KEY": "secrets:WANDB_KEY"}).secrets == ("HF_TOKEN", "WANDB_KEY")


def test_keys_of_other_tools_that_ask_for_nothing_are_honoured() -> None:
    nothing: dict[str, object] = {"cloud": None, "ports": [], "labels": {}, "autostop": False}
    assert accepted(file_mounts={}, service=None, resources=nothing) == accepted()


WORDS = sorted(
    {
        "name",
        "workdir",
        "num_nodes",
        "resources",
        "envs",
        "secrets",
        "setup",
        "run",
        "time_limit",
        "checkpoint",
        "retry",
    }
    | {
        "outputs",
        "class",
        "accelerators",
        "gpus",
        "cpus",
        "memory",
        "flavour",
        "use_spot",
        "any_of",
        "ordered",
        "signal",
    }
    | {"grace", "path", "max_attempts", "H100:8", "4+", "32+", "1h", "SIGUSR1", "ports", "image_id", "a", "x/y", "spot"}
)
TEXTS = st.sampled_from(WORDS) | st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=5), max_leaves=20
)
YAML_KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(WORDS), JSON, max_size=8) | JSON | st.dictionaries(YAML_KEYS, JSON, max_size=5))
def test_anything_gives_a_specification_or_says_why_not(raw: object) -> None:
    answer = parse_task(raw, defaults=DEFAULTS)
    if isinstance(answer, JobSpec):
        assert answer.shapes
        assert all(shape.cpu_milli > 0 and shape.memory_mib > 0 and shape.gpus >= 0 for shape in answer.shapes)
        assert spec_from_mapping(spec_to_mapping(answer)) == answer
        return
    assert answer
    for refusal in answer:
        assert isinstance(refusal, Refusal)
        assert str(refusal).isprintable()
        assert len(str(refusal)) < 700


NAMES = st.text(max_size=10)
PATHS = st.lists(st.text(max_size=10), max_size=3).map(tuple)
SPECS = st.builds(
    JobSpec,
    name=NAMES,
    nodes=st.integers(1, 5000),
    shapes=st.lists(
        st.builds(
            NodeShape,
            cpu_milli=st.integers(1),
            memory_mib=st.integers(1),
            gpus=st.integers(0, 8),
            flavour=st.none() | st.text(max_size=5),
        ),
        max_size=3,
    ).map(tuple),
    run=st.text(),
    setup=st.text(),
    workdir=st.none() | st.text(),
    envs=st.lists(st.tuples(NAMES, st.text()), max_size=4).map(tuple),
    secrets=PATHS,
    time_limit_ms=st.integers(1),
    checkpoint=st.builds(CheckpointRule, signal=NAMES, grace_ms=st.integers(0), path=NAMES),
    retry=st.builds(RetryRule, max_attempts=st.integers(1)),
    outputs=PATHS,
    capacity_class=st.sampled_from(CapacityClass),
)


@given(SPECS)
def test_a_frozen_specification_comes_back_exactly(spec: JobSpec) -> None:
    assert spec_from_mapping(spec_to_mapping(spec)) == spec


@pytest.mark.parametrize(
    ("accelerators", "gpu_milli", "mig"),
    [("B200:0.5", 500, ""), ({"B200": 0.25}, 250, ""), ("B200:1g.23gb", 142, "1g.23gb"), ("B200", 1000, "")],
)
def test_less_than_a_gpu_is_a_part_of_one(accelerators: object, gpu_milli: int, mig: str) -> None:
    (shape,) = accepted(resources={"accelerators": accelerators}).shapes
    assert (shape.gpus, shape.gpu_milli, shape.mig) == (1, gpu_milli, mig)


@pytest.mark.parametrize(
    ("within", "expected"),
    [("rack", Within(Level.RACK)), ({"level": "nvlink", "required": True}, Within(Level.NVLINK, True)), (None, None)],
)
def test_nearness_is_a_wish_unless_it_is_required(within: object, expected: Within | None) -> None:
    assert accepted(within=within).within == expected
