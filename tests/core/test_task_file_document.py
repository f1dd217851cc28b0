"""docs/task-file.md says what the code does: every key, every refusal, every example."""

from pathlib import Path

import pytest
import yaml

from eisbach.core.jobs.environment import RESERVED
from eisbach.core.jobs.request import JobSpec
from eisbach.core.jobs.task_file import CHECKPOINT_SIGNALS, TaskDefaults, parse_task
from eisbach.core.jobs.task_keys import (
    CHECKPOINT_KEYS,
    OTHER_NAMES,
    PLACEMENT_KEYS,
    REFUSED_RESOURCE_KEYS,
    REFUSED_TASK_KEYS,
    RESOURCE_KEYS,
    RETRY_KEYS,
    TASK_KEYS,
    WITHIN_KEYS,
)

TEXT = (Path(__file__).parents[2] / "docs" / "task-file.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"\n{title}\n", 1)[1].split("\n#", 1)[0]


def first_cells(title: str) -> set[str]:
    rows = [line for line in section(title).splitlines() if line.startswith("| `")]
    return {row.split("`")[1] for row in rows}


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("## Keys", TASK_KEYS),
        ("### resources", RESOURCE_KEYS),
        ("### checkpoint", CHECKPOINT_KEYS),
        ("### retry", RETRY_KEYS),
        ("### placement", PLACEMENT_KEYS),
        ("### within", WITHIN_KEYS),
        ("### At the top level", set(REFUSED_TASK_KEYS)),
        ("### Under resources", {f"resources.{key}" for key in REFUSED_RESOURCE_KEYS}),
        ("### Other tools' words for our keys", set(OTHER_NAMES)),
    ],
)
def test_each_table_has_exactly_the_keys_of_the_code(title: str, keys: set[str]) -> None:
    assert first_cells(title) == keys


def test_what_to_do_instead_is_what_the_message_says() -> None:
    for key, advice in REFUSED_TASK_KEYS.items():
        assert f"| `{key}` | {advice} |" in TEXT
    for key, advice in REFUSED_RESOURCE_KEYS.items():
        assert f"| `resources.{key}` | {advice} |" in TEXT
    for word, ours in OTHER_NAMES.items():
        assert f"| `{word}` | `{ours}` |" in TEXT


def test_reserved_names_and_signals_are_named() -> None:
    for name in (*RESERVED, *CHECKPOINT_SIGNALS):
        assert f"`{name}`" in TEXT


def test_the_example_is_a_task() -> None:
    example = yaml.safe_load(TEXT.split("```yaml\n", 1)[1].split("```", 1)[0])
    spec = parse_task({**example, "workdir": "sha256:" + "0" * 64}, defaults=TaskDefaults())
    assert isinstance(spec, JobSpec)
    assert set(example) | {"class", "booking"} == TASK_KEYS
