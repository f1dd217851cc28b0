"""Task files as people write them: YAML read strictly, `--env` laid over it, a plain mapping handed on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from eisbach.core.jobs.environment import is_variable_name
from eisbach.core.vocabulary.reasons import Reason, Refusal

FILE_BYTES_MAX = 1024 * 1024
EXPANDED_CHARACTERS_MAX = 1024 * 1024
EXPANDED_NODES_MAX = 20_000
DEPTH_MAX = 32

_TAG = "tag:yaml.org,2002:"

# YAML 1.1 as PyYAML reads it, without three traps: 1:30 is 90, 010 is 8, 2024-01-01 is a date. All stay text here.
# Exponents need no dot and integers are bounded, because Python refuses to read those of thousands of digits.
_SCALARS = (
    ("bool", "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", "[-+]?(?:0|[1-9][0-9_]{0,99}|0x[0-9a-fA-F_]{1,99})", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)", "-+0123456789."),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
    ("merge", "<<", "<"),
)  # fmt: skip


def load_task_file(path: Path) -> dict[Any, Any] | Refusal:
    """Return the mapping of a task file; numbers under `envs` stay as they are written (3.10 is not 3.1)."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Refusal(Reason.INVALID_ARGUMENT, f"{path} cannot be read: {reason}", "Name a YAML file that exists; before a command stands --: `eisbach run -- COMMAND`")
    return load_task_text(data, str(path))


def load_task_text(data: bytes, name: str) -> dict[Any, Any] | Refusal:
    """Return the mapping that the bytes of a task file hold; `name` stands in messages."""
    if len(data) > FILE_BYTES_MAX:
        what = f"{name} is larger than {FILE_BYTES_MAX // 1024} KiB, which no task file is"
        return Refusal(Reason.TOO_LARGE, what, "Put data and long scripts into `workdir`")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _invalid(name, line, "has bytes that are not UTF-8", "Save the file as UTF-8")
    try:
        return _load(text, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return _invalid(name, line, f"is not YAML: {error.problem or error.context}", _syntax_advice(text, line))
    except yaml.YAMLError as error:
        return _invalid(name, 0, f"is not YAML: {str(error).splitlines()[0]}", "Remove control characters")


def apply_env_overrides(
    task: Mapping[Any, Any], overrides: Sequence[str], environment: Mapping[str, str]
) -> dict[Any, Any] | Refusal:
    """Return the task with `--env KEY=VALUE`, or `--env KEY` from the caller's own environment, laid over `envs`."""
    envs = task.get("envs")
    if not overrides or not (envs is None or isinstance(envs, Mapping)):
        return dict(task)  # what is wrong with such `envs`, parse_task says
    merged = dict(envs or {})
    for override in overrides:
        name, equals, value = override.partition("=")
        if not is_variable_name(name):
            what = "--env is not followed by the name of a variable"
            return Refusal(Reason.INVALID_ARGUMENT, what, "Write --env NAME=VALUE, or --env NAME to pass on your own")
        if not equals and name not in environment:
            what = f"--env {name} has no value and your environment has no {name}"
            return Refusal(Reason.INVALID_ARGUMENT, what, f"Write --env {name}=VALUE, or export {name} first")
        merged[name] = value if equals else environment[name]
    return {**task, "envs": merged}


def local_workdir(task: Mapping[Any, Any], base: Path) -> Path | None:
    """Return the local folder that `workdir` names, seen from `base`; None where it names none."""
    workdir = task.get("workdir")
    if not isinstance(workdir, str) or workdir.startswith("sha256:"):
        return None
    return base / Path(workdir).expanduser()


def _load(text: str, name: str) -> dict[Any, Any] | Refusal:
    refusal = _check_events(text, name)
    if refusal is not None:
        return refusal
    loader = _loader_class()(text)
    try:
        root = loader.get_single_node()
        refusal = _check_expansion(root, name) or _check_duplicates(root, name)
        if refusal is not None:
            return refusal
        if not isinstance(root, yaml.MappingNode):
            what = "is empty" if root is None else "is not a mapping of keys"
            return _invalid(name, 1, what, "Write keys such as `run: python train.py`")
        _keep_numbers_as_written(root)
        task = loader.construct_document(root)
    finally:
        loader.dispose()
    assert isinstance(task, dict)
    return task


@cache
def _loader_class() -> Any:
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast, but may be missing

    class TaskLoader(base):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    for kind, pattern, first in _SCALARS:
        TaskLoader.add_implicit_resolver(_TAG + kind, re.compile(f"(?:{pattern})\\Z"), list(first))
    return TaskLoader


def _check_events(text: str, name: str) -> Refusal | None:
    """Refuse what a task file never needs before anything is built from it: several documents, tags, deep nesting."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_loader_class()):
        line = _line(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                what = "begins a second document (---), but a task file holds one task"
                return _invalid(name, line, what, "Write one file for each task and submit them one by one")
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            return _invalid(name, line, f"is nested deeper than {DEPTH_MAX} levels", "Write it flat")
        if getattr(event, "tag", None) is not None:
            return _invalid(name, line, "has a YAML tag (!...), which is not taken", "Remove the tag")
    return None


def _check_expansion(root: yaml.Node | None, name: str) -> Refusal | None:
    """Refuse aliases that hold themselves or that unfold to far more than the file: a few lines can be gigabytes."""
    sizes: dict[int, tuple[int, int, int]] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> tuple[int, int, int] | None:
        """Return values, characters and levels below a node, None if it holds itself."""
        known = sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in open_nodes:
            return None
        open_nodes.add(id(node))
        values, characters, levels = 1, len(node.value) if isinstance(node, yaml.ScalarNode) else 0, 0
        for child in _children(node):
            inner = size(child)
            if inner is None:
                return None
            values, characters, levels = values + inner[0], characters + inner[1], max(levels, inner[2])
        open_nodes.discard(id(node))
        sizes[id(node)] = values, characters, levels + 1
        return sizes[id(node)]

    total = (0, 0, 0) if root is None else size(root)
    if total is None:
        return _invalid(name, 0, "has an alias (*) that holds itself", "Write the values out")
    if total[2] > DEPTH_MAX + 1:
        return _invalid(name, 0, f"is nested deeper than {DEPTH_MAX} levels by its aliases (*)", "Write it flat")
    if total[0] > EXPANDED_NODES_MAX or total[1] > EXPANDED_CHARACTERS_MAX:
        return Refusal(
            Reason.TOO_LARGE,
            f"{name} holds {total[0]} values with {total[1]} characters when its aliases (*) are written out",
            f"At most {EXPANDED_NODES_MAX} values and {EXPANDED_CHARACTERS_MAX} characters are read",
        )
    return None


def _check_duplicates(root: yaml.Node | None, name: str) -> Refusal | None:
    """Refuse a key that stands twice: YAML readers silently keep the last one."""
    seen_nodes: set[int] = set()
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen_nodes:
            continue
        seen_nodes.add(id(node))
        waiting.extend(_children(node))
        lines: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                return _invalid(
                    name, _line(key.start_mark), "has a key that is not a word", "Put texts with { or [ in quotes"
                )
            line = _line(key.start_mark)
            if key.value in lines:
                shown = key.value[:40] if key.value.isprintable() else ascii(key.value[:40])
                what = f"has the key `{shown}` a second time (first in line {lines[key.value]})"
                return _invalid(name, line, what, "Keep one of them")
            lines[key.value] = line
    return None


def _keep_numbers_as_written(root: yaml.MappingNode) -> None:
    """Make numbers under `envs` text, so that 3.10, 007 and 1e5 reach the program as the user wrote them."""
    for key, value in root.value:
        if isinstance(value, yaml.MappingNode) and key.value == "envs":
            value.value = [(name, _as_text(number)) for name, number in value.value]


def _as_text(node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.ScalarNode) and node.tag in (f"{_TAG}int", f"{_TAG}float"):
        return yaml.ScalarNode(f"{_TAG}str", node.value, node.start_mark, node.end_mark)  # a copy: it may be an alias
    return node


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 1


def _syntax_advice(text: str, line: int) -> str:
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or written.startswith("\t"):
        return "Indent with spaces; YAML takes no tabs"
    if ": " in written.partition(":")[2]:
        return "Put a value that has a colon followed by a space in quotes"
    return "Check the indentation and the quotes of this line and the one above"


def _invalid(name: str, line: int, what: str, do: str) -> Refusal:
    place = f"{name}, line {line}" if line else name
    return Refusal(Reason.INVALID_TASK, f"{place} {what}", do)
