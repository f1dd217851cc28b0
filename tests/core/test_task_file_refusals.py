"""What a task file is refused for, in the words a user reads; the golden file holds every message."""

import os
from pathlib import Path

import pytest

from eisbach.core.jobs.environment import RESERVED
from eisbach.core.jobs.findings import REFUSALS_MAX
from eisbach.core.jobs.nearest import edit_distance, nearest
from eisbach.core.jobs.request import JobSpec
from eisbach.core.jobs.task_file import TaskDefaults, parse_task
from eisbach.core.jobs.task_keys import REFUSED_RESOURCE_KEYS, REFUSED_TASK_KEYS
from eisbach.core.vocabulary.reasons import Reason, Refusal

GOLDEN = Path(__file__).parent.parent / "golden" / "task_file_refusals.txt"
DEFAULTS = TaskDefaults()

Case = tuple[str, object]


def with_run(**keys: object) -> dict[str, object]:
    return {"run": "true", **{key.rstrip("_"): value for key, value in keys.items()}}


def resources(**keys: object) -> dict[str, object]:
    return with_run(resources=keys)


KINDS: list[Case] = [
    ("an empty file", None),
    ("a file with only a text", "python train.py"),
    ("a file with a list", [{"run": "true"}]),
    ("an empty mapping", {}),
    ("a blank command", {"run": " \n"}),
    ("a command as a list", {"run": ["pip install .", "python train.py"]}),
    ("a NUL byte in the command", {"run": "echo \0"}),
    ("a lone surrogate in the setup", with_run(setup="echo \ud800")),
    ("a very long setup", with_run(setup="x" * 262_145)),
    ("a mapping as the setup", with_run(setup={"run": "x"})),
    ("a name that is a number", with_run(name=5)),
    ("a name that is a boolean (name: no)", with_run(name=False)),
    ("an empty name", with_run(name="")),
    ("a name of two lines", with_run(name="a\nb")),
    ("a long name", with_run(name="n" * 64)),
    ("a name like an id", with_run(name="job_01")),
    ("a local folder where an archive is due", with_run(workdir="./src")),
    ("a git repository as workdir", with_run(workdir={"url": "https://example.org/x.git"})),
    ("a workdir that is a number", with_run(workdir=7)),
]
NUMBERS: list[Case] = [
    ("no nodes", with_run(num_nodes=0)),
    ("a negative number of nodes", with_run(num_nodes=-1)),
    ("too many nodes", with_run(num_nodes=4097)),
    ("half a node", with_run(num_nodes=1.5)),
    ("nodes as a boolean", with_run(num_nodes=True)),
    ("an absurd number of nodes", with_run(num_nodes=10**5000)),
    ("resources as a list", with_run(resources=["H100"])),
    ("cores in words", resources(cpus="many")),
    ("no cores", resources(cpus=0)),
    ("negative cores", resources(cpus=-4)),
    ("cores that are not a number", resources(cpus=float("nan"))),
    ("infinite cores", resources(cpus=float("inf"))),
    ("finer than a thousandth of a core", resources(cpus=0.0001)),
    ("more cores than there are", resources(cpus=1_000_000)),
    ("cores as a boolean", resources(cpus=True)),
    ("cores as a list", resources(cpus=[4])),
    ("memory in words", resources(memory="much")),
    ("no memory", resources(memory="0")),
    ("negative memory", resources(memory=-1)),
    ("petabytes of memory", resources(memory="1000TB")),
    ("memory as a mapping", resources(memory={"gb": 4})),
]
GPUS: list[Case] = [
    ("a GPU and a half", resources(accelerators="H100:1.5")),
    ("a GPU and a half in a mapping", resources(accelerators={"H100": 1.5})),
    ("a part finer than a thousandth", resources(accelerators="H100:0.0001")),
    ("a slice that no GPU has", resources(accelerators="H100:5g.40gb")),
    ("nearness of no level", with_run(within="building")),
    ("nearness that is a number", with_run(within=8)),
    ("nearness that must, perhaps", with_run(within={"level": "rack", "required": "perhaps"})),
    ("nearness without a level", with_run(within={"required": True})),
    ("nearness in other words", with_run(within={"level": "rack", "must": True})),
    ("no GPUs of a model", resources(accelerators="H100:0")),
    ("negative GPUs", resources(accelerators={"H100": -1})),
    ("more GPUs than a node can have", resources(accelerators="H100:5000")),
    ("at least so many GPUs", resources(accelerators="H100:4+")),
    ("a number without a model", resources(accelerators=8)),
    ("a model that is no name", resources(accelerators="H 100!")),
    ("accelerators in a list, one wrong", resources(accelerators=["H100:8", 4])),
    ("gpus and accelerators", resources(accelerators="H100", gpus="H100")),
    ("a flavour that is no name", resources(flavour="b200 8")),
    ("a flavour of another model", resources(flavour="b200.8", accelerators="H100:8")),
    ("use_spot in words", resources(use_spot="sometimes")),
    ("any_of that is no list", resources(any_of={"accelerators": "H100"})),
    ("an empty any_of", resources(any_of=[])),
    ("any_of of words", resources(any_of=["H100"])),
    ("any_of in any_of", resources(any_of=[{"any_of": [{"cpus": 2}]}])),
    ("any_of and ordered", resources(any_of=[{"cpus": 2}], ordered=[{"cpus": 4}])),
    ("a wrong value in one alternative", resources(cpus="many", any_of=[{"cpus": 2}, {"memory": "much"}])),
    ("a cloud in one alternative", resources(any_of=[{"cloud": "aws"}, {"accelerators": "H100"}])),
    ("spot in one alternative only", resources(any_of=[{"use_spot": True}, {"use_spot": False}])),
    ("too many alternatives", resources(any_of=[{"cpus": n} for n in range(1, 40)])),
    ("too many models", resources(accelerators={f"GPU{n}": 1 for n in range(40)})),
]
VARIABLES: list[Case] = [
    ("envs as a list", with_run(envs=["A=1"])),
    ("a boolean in envs (DEBUG: yes)", with_run(envs={"DEBUG": True})),
    ("another boolean in envs (DEBUG: no)", with_run(envs={"DEBUG": False})),
    ("a variable without a value", with_run(envs={"DATA": None})),
    ("a list in envs", with_run(envs={"GPUS": [0, 1]})),
    ("a mapping in envs", with_run(envs={"CONFIG": {"a": 1}})),
    ("not a number in envs", with_run(envs={"LOSS": float("nan")})),
    ("a NUL byte in envs", with_run(envs={"KEY": "abc\0def"})),
    ("a variable name with a dash", with_run(envs={"MY-VAR": "1"})),
    ("a variable name that is a number", with_run(envs={1: "1"})),
    ("an empty variable name", with_run(envs={"": "1"})),
    ("a variable of the factory", with_run(envs={"EISBACH_JOB_ID": "x", "SKYPILOT_NODE_RANK": "0", "RANK": 0})),
    ("very large envs", with_run(envs={"BIG": "x" * 65_536})),
    ("a secret with its value", with_run(secrets={"HF_TOKEN": "hf_hunter2"})),
    ("a secret with a number as its value", with_run(secrets={"PIN": 1234})),
    ("a secret of another name", with_run(secrets={"HF_TOKEN": "secrets:hunter2"})),
    ("a secret with its value in a list", with_run(secrets=["HF_TOKEN=hunter2"])),
    ("secrets as a text", with_run(secrets="hunter2")),
    ("a secret twice", with_run(secrets=["HF_TOKEN", "HF_TOKEN"])),
    ("a reserved name as a secret", with_run(secrets=["MASTER_ADDR"])),
    ("a name both as env and secret", with_run(envs={"KEY": "1"}, secrets=["KEY"])),
    ("too many secrets", with_run(secrets=[f"S{n}" for n in range(65)])),
]
RULES: list[Case] = [
    ("a limit above the maximum", with_run(time_limit="31d")),
    ("a limit in seconds above the maximum", with_run(time_limit=10**30)),
    ("a limit of nothing", with_run(time_limit=0)),
    ("a negative limit", with_run(time_limit=-5)),
    ("a limit like a clock", with_run(time_limit="1:30")),
    ("a limit like Slurm's", with_run(time_limit="04:00:00")),
    ("a limit with a unit we do not know", with_run(time_limit="3 weeks")),
    ("a limit with its units mixed up", with_run(time_limit="30m1h")),
    ("a limit with a fraction", with_run(time_limit="1.5h")),
    ("a limit as a boolean", with_run(time_limit=True)),
    ("checkpoint as a text", with_run(checkpoint="SIGTERM")),
    ("a signal that cannot be caught", with_run(checkpoint={"signal": "SIGKILL"})),
    ("a signal by number", with_run(checkpoint={"signal": 10})),
    ("a grace that is too long", with_run(checkpoint={"grace": "2h"})),
    ("no grace", with_run(checkpoint={"grace": 0})),
    ("a checkpoint folder outside", with_run(checkpoint={"path": "../../etc"})),
    ("an absolute checkpoint folder", with_run(checkpoint={"path": "/checkpoints"})),
    ("the whole workspace as checkpoint folder", with_run(checkpoint={"path": "./"})),
    ("a checkpoint folder in the home", with_run(checkpoint={"path": "~/checkpoints"})),
    ("an unknown key of checkpoint", with_run(checkpoint={"signals": "SIGTERM"})),
    ("retry as a text", with_run(retry="often")),
    ("a negative retry", with_run(retry=-1)),
    ("endless retries", with_run(retry=1_000_000)),
    ("no attempt at all", with_run(retry={"max_attempts": 0})),
    ("retry as a boolean", with_run(retry=True)),
    ("outputs as a mapping", with_run(outputs={"model": "10GB"})),
    ("an output outside", with_run(outputs="model/../../x")),
    ("an output by wildcard", with_run(outputs=["*.pt"])),
    ("an output by variable", with_run(outputs="$OUT")),
    ("an output twice", with_run(outputs=["model", "./model/"])),
    ("an output that is a number", with_run(outputs=[1])),
    ("an empty output", with_run(outputs="")),
    ("an output with a line break", with_run(outputs="a\nb")),
    ("too many outputs", with_run(outputs=[f"o{n}" for n in range(257)])),
    ("a class of bookings", with_run(class_="reserved")),
    ("an unknown class", with_run(class_="cheap")),
    ("class and use_spot at odds", with_run(class_="on-demand", resources={"use_spot": True})),
]
KEYS: list[Case] = [
    ("mistyped keys", with_run(nmae="x", resource={}, ouputs="x", **{"num-nodes": 2})),
    ("a mistyped key of resources", resources(acelerators="H100:8")),
    ("a key like none of ours", with_run(flux_capacitor=1)),
    ("a key of resources at the top", with_run(cpus=4)),
    ("a key of the task in resources", resources(time_limit="1h")),
    ("keys of other tools", with_run(env={}, commands=[], image="x", num_gpus=8, timeout=5)),
    ("keys of other tools in resources", resources(cpu=4, mem="8G", gpu="H100", env={})),
    ("keys that are not words", {"run": "true", True: "x", 5: 1, None: 2}),
    ("a key with control characters", {"run": "true", "a\x1b[31m": 1}),
    ("a very long key", {"run": "true", "k" * 5000: 1}),
    *((f"another tool's key {key}", with_run(**{key: "x"})) for key in sorted(REFUSED_TASK_KEYS)),
    *((f"another tool's key resources.{key}", resources(**{key: "x"})) for key in sorted(REFUSED_RESOURCE_KEYS)),
]
MANY: list[Case] = [
    ("a file with a mistake in every part", {
        "name": 1, "num_nodes": 0, "resources": {"cpus": "many", "image_id": "docker:x"}, "envs": {"A": None},
        "secrets": {"S": "hunter2"}, "time_limit": "1:30", "retry": "x", "outputs": "/x", "colour": "blue",
    }),
]  # fmt: skip
CASES = [*KINDS, *NUMBERS, *GPUS, *VARIABLES, *RULES, *KEYS, *MANY]


def refusals_of(raw: object) -> tuple[Refusal, ...]:
    answer = parse_task(raw, defaults=DEFAULTS)
    assert not isinstance(answer, JobSpec), answer
    return answer


def written(cases: list[Case]) -> str:
    parts = []
    for title, raw in cases:
        lines = [f"  {refusal.reason.value}: {refusal}" for refusal in refusals_of(raw)]
        parts.append("\n".join([title, *lines]))
    return "\n\n".join(parts) + "\n"


def test_the_words_of_every_refusal() -> None:
    text = written(CASES)
    if os.environ.get("EISBACH_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "read the difference; EISBACH_GOLDEN=write accepts it"


@pytest.mark.parametrize(("title", "raw"), CASES, ids=[title for title, _ in CASES])
def test_a_refusal_is_short_plain_and_keeps_secrets(title: str, raw: object) -> None:
    for refusal in refusals_of(raw):
        assert str(refusal).isprintable()
        assert len(str(refusal)) < 500
        everything = f"{refusal}{refusal.where}{dict(refusal.values)}"
        assert "hunter2" not in everything, "a secret's value is never repeated"


@pytest.mark.parametrize("key", sorted(REFUSED_TASK_KEYS))
def test_what_we_cannot_honour_is_refused_by_name(key: str) -> None:
    (refusal,) = refusals_of(with_run(**{key: "x"}))
    assert (refusal.reason, refusal.where) == (Reason.NOT_SUPPORTED, key)
    assert refusal.do


@pytest.mark.parametrize("key", sorted(REFUSED_RESOURCE_KEYS))
def test_what_we_cannot_honour_in_resources_is_refused_by_name(key: str) -> None:
    (refusal,) = refusals_of(resources(**{key: "x"}))
    assert (refusal.reason, refusal.where) == (Reason.NOT_SUPPORTED, f"resources.{key}")
    assert refusal.do


@pytest.mark.parametrize("name", [*sorted(RESERVED), "EISBACH_X", "SKYPILOT_NUM_NODES"])
def test_what_the_factory_sets_cannot_be_set(name: str) -> None:
    assert [refusal.where for refusal in refusals_of(with_run(envs={name: "x"}))] == [f"envs.{name}"]


def test_all_problems_are_said_at_once() -> None:
    ((_, raw),) = MANY
    assert {refusal.where for refusal in refusals_of(raw)} == {
        "name", "num_nodes", "resources.cpus", "resources.image_id", "envs.A", "secrets.S", "time_limit", "retry",
        "outputs", "colour", "run",
    }  # fmt: skip


def test_a_limit_above_the_maximum_tells_machines_the_maximum() -> None:
    (refusal,) = refusals_of(with_run(time_limit="31d"))
    assert refusal.reason is Reason.LIMIT_ABOVE_MAXIMUM
    assert refusal.values["maximum_ms"] == DEFAULTS.time_limit_max_ms


def test_a_flood_of_mistakes_is_cut_short() -> None:
    assert len(refusals_of({f"key{n}": 1 for n in range(50_000)})) == REFUSALS_MAX
    assert len(refusals_of(with_run(envs={f"a-{n}": 1 for n in range(50_000)}))) == REFUSALS_MAX


def test_deep_nesting_is_refused_without_descending() -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert refusals_of(with_run(name=deep, envs={"A": deep}, resources={"cpus": deep, "any_of": deep}))


@pytest.mark.parametrize(
    ("left", "right", "edits"),
    [("", "", 0), ("abc", "", 3), ("cpus", "cpu", 1), ("nmae", "name", 1), ("kitten", "sitting", 3)],
)
def test_edit_distance(left: str, right: str, edits: int) -> None:
    assert edit_distance(left, right) == edit_distance(right, left) == edits


def test_the_nearest_word_is_near() -> None:
    assert nearest("acelerators", {"accelerators", "cpus"}) == "accelerators"
    assert nearest("colour", {"accelerators", "cpus"}) is None
    assert nearest("x" * 10_000, {"accelerators"}) is None
