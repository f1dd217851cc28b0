"""Task files as people write them, with the traps of YAML."""

from pathlib import Path
from typing import Any

import pytest

from eisbach.adapters.task_yaml import apply_env_overrides, load_task_file, load_task_text, local_workdir
from eisbach.core.jobs.request import CapacityClass, JobSpec
from eisbach.core.jobs.task_file import TaskDefaults, parse_task
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

STYLE = Path(__file__).parent / "skypilot_style"
ARCHIVE = "sha256:" + "0" * 64


def read(text: str | bytes) -> dict[Any, Any]:
    task = load_task_text(text.encode() if isinstance(text, str) else text, "task.yaml")
    assert isinstance(task, dict), str(task)
    return task


def refused(text: str | bytes) -> Refusal:
    answer = load_task_text(text.encode() if isinstance(text, str) else text, "task.yaml")
    assert isinstance(answer, Refusal), answer
    assert str(answer).isprintable()
    assert len(str(answer)) < 400
    return answer


def spec_of(task: dict[Any, Any]) -> JobSpec:
    """The job that the command line would submit once the folder is uploaded."""
    if local_workdir(task, Path("/home/ada")) is not None:
        task = {**task, "workdir": ARCHIVE}
    spec = parse_task(task, defaults=TaskDefaults())
    assert isinstance(spec, JobSpec), [str(refusal) for refusal in spec]
    return spec


def style(name: str) -> dict[Any, Any]:
    task = load_task_file(STYLE / name)
    assert isinstance(task, dict), str(task)
    return task


def test_a_finetuning_over_two_nodes_parses_unchanged() -> None:
    task = style("finetune.yaml")
    assert local_workdir(task, Path("/home/ada")) == Path("/home/ada")
    with_user = apply_env_overrides(task, ["HF_USER=ada"], {})
    assert isinstance(with_user, dict)
    spec = spec_of(with_user)
    assert (spec.name, spec.nodes, spec.workdir) == ("llama-finetune", 2, ARCHIVE)
    assert [(shape.flavour, shape.gpus, shape.cpu_milli) for shape in spec.shapes] == [("H100", 8, 32_000)]
    assert spec.shapes[0].memory_mib == 256 * 1024
    assert dict(spec.envs)["LEARNING_RATE"] == "2e-5"
    assert spec.secrets == ("HF_TOKEN", "WANDB_API_KEY")
    assert "torchrun" in spec.run


def test_alternatives_of_accelerators_parse_unchanged() -> None:
    spec = spec_of(style("batch_inference.yaml"))
    assert [(shape.flavour, shape.gpus) for shape in spec.shapes] == [("L4", 1), ("A10G", 1), ("A100", 1)]
    assert spec.capacity_class is CapacityClass.SPOT
    assert dict(spec.envs)["PYTHON_VERSION"] == "3.10"


def test_ordered_resources_parse_unchanged() -> None:
    spec = spec_of(style("ordered_gpus.yaml"))
    assert [(shape.flavour, shape.gpus) for shape in spec.shapes] == [("H200", 8), ("H100", 8), ("A100-80GB", 8)]
    assert {shape.cpu_milli for shape in spec.shapes} == {16_000}


def test_a_small_cpu_task_parses_unchanged() -> None:
    spec = spec_of(style("cpu_sweep.yaml"))
    assert [(shape.flavour, shape.gpus, shape.cpu_milli) for shape in spec.shapes] == [(None, 0, 4000)]
    assert spec.time_limit_ms == 24 * HOUR_MS


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3.10", "3.10"),
        ("007", "007"),
        ("1e5", "1e5"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("123e456", "123e456"),
        (".inf", ".inf"),
        ("'yes'", "yes"),
        ("", None),
        ("~", None),
        ("yes", True),
        ("NO", False),
    ],
)
def test_values_of_envs_stay_as_written(written: str, value: object) -> None:
    assert read(f"envs:\n  A: {written}\n")["envs"]["A"] == value


def test_numbers_elsewhere_are_numbers() -> None:
    task = read("a: 8\nb: 0.5\nc: 0x10\nd: 1:30\ne: 010\nf: 2024-01-01\ng: .5\nh: -3\ni: " + "9" * 5000)
    assert [task[key] for key in "abcdefgh"] == [8, 0.5, 16, "1:30", "010", "2024-01-01", 0.5, -3]
    assert isinstance(task["i"], str), "an integer of thousands of digits stays text and is refused by its field"


def test_anchors_and_merges_work_in_bounds() -> None:
    task = read(
        "x: &gpu\n  accelerators: L4\n  cpus: 4\nresources:\n  <<: *gpu\n  cpus: &n 8\nnum_nodes: *n\nenvs: {N: *n}\n"
    )
    assert task["resources"] == {"accelerators": "L4", "cpus": 8}
    assert task["num_nodes"] == 8
    assert task["envs"] == {"N": "8"}


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("run: a\nname: b\nrun: c\n", 3, "first in line 1"),
        ("envs:\n  A: 1\n  B: 2\n  A: 3\n", 4, "`A`"),
        ("run: |\n  x\nresources:\n\tcpus: 4\n", 4, "no tabs"),
        ("run: a\n---\nrun: b\n", 2, "one task"),
        ("run: echo a: b\n", 1, "quotes"),
        ("run: 'a\n", 2, "not YAML"),
        ("name: !!python/object:os.system x\n", 1, "tag"),
        ("n: !!int foo\n", 1, "tag"),
        ("a: " + "[" * 50_000 + "]" * 50_000, 1, "nested"),
        ("{a: b}: c\n", 1, "not a word"),
        ("- run: a\n", 1, "not a mapping"),
        ("", 1, "empty"),
        ("# nothing\n", 1, "empty"),
        (b"run: a\nname: \xff\xfe\n", 2, "UTF-8"),
        ("run: %TAG\n  - x\n a", 1, "not YAML"),
    ],
)
def test_what_is_not_a_task_file_is_refused_with_its_line(text: str | bytes, line: int, word: str) -> None:
    refusal = refused(text)
    assert refusal.reason is Reason.INVALID_TASK
    assert f"line {line} " in refusal.what
    assert word in str(refusal)


def test_bombs_of_aliases_are_refused_unexpanded() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    assert refused("\n".join(lines)).reason is Reason.TOO_LARGE
    assert refused(f"a: &a '{'x' * 10_000}'\nb: [{', '.join(['*a'] * 5000)}]").reason is Reason.TOO_LARGE
    chain = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))
    assert "nested deeper" in refused(chain).what
    assert "holds itself" in refused("a: &a [*a]").what
    assert "holds itself" in refused("a: &a\n  <<: *a\n").what


def test_a_very_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    answer = load_task_file(path)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.TOO_LARGE


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        answer = load_task_file(path)
        assert isinstance(answer, Refusal)
        assert str(path) in answer.what


def test_control_characters_are_refused() -> None:
    assert "not YAML" in refused("run: a\x00b\n").what
    assert "not YAML" in refused("run: a\x1bb\n").what


def test_a_mark_of_utf8_and_windows_line_ends_are_taken() -> None:
    assert read(b"\xef\xbb\xbfrun: |\r\n  a\r\n  b\r\n") == {"run": "a\nb\n"}


def test_envs_of_the_command_line_win() -> None:
    task = {"run": "x", "envs": {"A": "1", "B": None}}
    merged = apply_env_overrides(task, ["A=2=3", "B", "C="], {"B": "mine", "PATH": "/bin"})
    assert isinstance(merged, dict)
    assert merged["envs"] == {"A": "2=3", "B": "mine", "C": ""}
    assert task["envs"] == {"A": "1", "B": None}
    assert apply_env_overrides({"run": "x"}, ["A=1"], {}) == {"run": "x", "envs": {"A": "1"}}
    assert apply_env_overrides({"run": "x", "envs": []}, ["A=1"], {}) == {"run": "x", "envs": []}


@pytest.mark.parametrize("override", ["=x", "A-B=hunter2", "MISSING", "", "1A=x"])
def test_wrong_overrides_are_refused_without_their_value(override: str) -> None:
    answer = apply_env_overrides({"run": "x"}, [override], {})
    assert isinstance(answer, Refusal)
    assert "hunter2" not in str(answer)


def test_where_the_workdir_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert local_workdir({"workdir": "src"}, Path("/base")) == Path("/base/src")
    assert local_workdir({"workdir": "~/src"}, Path("/base")) == Path("/home/ada/src")
    assert local_workdir({"workdir": "/srv"}, Path("/base")) == Path("/srv")
    assert local_workdir({"workdir": ARCHIVE}, Path("/base")) is None
    assert local_workdir({}, Path("/base")) is None
