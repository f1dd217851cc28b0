"""Compiled modules: never those of other sources, only in the twin, and the same to the byte as the Python they were made of."""

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eisbach import compiled
from tests.twin.traces import WEEK

ROOT = Path(__file__).parents[1]
FIGURES_OF_THIS_COMPUTER = {"cpu_s", "jobs_per_cpu_s", "peak_rss_mb", "compiled"}


@pytest.fixture
def package(tmp_path):
    """A package of two files, and a folder with a build of it."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "one.py").write_text("A = 1\n")
    (folder / "two.py").write_text("B = 2\n")
    made = tmp_path / "compiled"
    made.mkdir()
    modules = {"package.one": {"file": "package/one.so", "annotations": {"One": {"a": "int | None"}}}}
    (made / compiled.STAMP).write_text(json.dumps({"digest": compiled.sources_digest(folder), "modules": modules}))
    return folder


def test_a_build_of_these_sources_is_found(package, tmp_path):
    one = compiled.Compiled(tmp_path / "compiled" / "package/one.so", {"One": {"a": "int | None"}})
    assert compiled.built(tmp_path / "compiled", package) == {"package.one": one}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "one.py").write_text("A = 2\n"), id="a compiled source"),
        pytest.param(lambda folder: (folder / "two.py").write_text("B = 3\n"), id="any other source"),
        pytest.param(lambda folder: (folder / "three.py").write_text(""), id="a new source"),
        pytest.param(lambda folder: (folder / "two.py").unlink(), id="a source less"),
        pytest.param(lambda folder: (folder / "two.py").rename(folder / "2.py"), id="another name"),
    ],
)
def test_whatever_changes_in_the_sources_the_build_is_not_used(package, tmp_path, change):
    change(package)
    assert compiled.built(tmp_path / "compiled", package) == {}


def test_another_python_uses_no_build_of_this_one(package, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "version", "4.0")
    assert compiled.built(tmp_path / "compiled", package) == {}


def test_half_a_stamp_and_none_are_no_build(package, tmp_path):
    (tmp_path / "compiled" / compiled.STAMP).write_text('{"digest":')
    assert compiled.built(tmp_path / "compiled", package) == {}
    assert compiled.built(tmp_path / "elsewhere", package) == {}


def test_only_compiled_modules_are_found_elsewhere(tmp_path):
    finder = compiled.CompiledFinder({"eisbach.core.x": compiled.Compiled(tmp_path / "x.so", {})})
    found = finder.find_spec("eisbach.core.x")
    assert found is not None
    assert found.origin == str(tmp_path / "x.so")
    assert finder.find_spec("eisbach.core.y") is None


def test_once_a_module_was_imported_as_python_all_are(monkeypatch, tmp_path):
    importlib.import_module("eisbach.core.admission.cycle")
    monkeypatch.setattr(compiled, "built", lambda folder: {"eisbach.core.admission.cycle": compiled.Compiled(tmp_path / "cycle.so", {})})
    assert not compiled.use()
    assert not compiled.is_used()


def test_the_compiler_is_named_where_there_is_none(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("compile")
    monkeypatch.setattr(script.shutil, "which", lambda name: None)
    assert script.missing().startswith("a C compiler: there is no ")


def test_a_build_that_breaks_off_or_plays_otherwise_is_found(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("compile")
    ran = script.subprocess.run

    def playing(*answers):
        left = iter(answers)
        monkeypatch.setattr(script.subprocess, "run", lambda *args, **kwargs: _told(ran(*args, **kwargs), **next(left)))

    playing({"compiled": True}, {"compiled": False})
    assert script.tried(tmp_path) == ""
    playing({"compiled": True, "plan_hash": "0"}, {"compiled": False, "plan_hash": "1"})
    assert script.tried(tmp_path).startswith("a short week gives (plan hash, root of the log) ('0', ")
    playing({"compiled": False}, {"compiled": False})
    assert script.tried(tmp_path) == "with EISBACH_COMPILED=yes the wrong kind of modules ran: nothing was compared"
    monkeypatch.setattr(script.subprocess, "run", lambda *args, **kwargs: subprocess.CompletedProcess(args, 1, "", "no key"))
    assert script.tried(tmp_path) == "no key"


def _told(ran, **otherwise):
    """Return what a run printed, with other values."""
    return subprocess.CompletedProcess(ran.args, ran.returncode, json.dumps({**json.loads(ran.stdout), **otherwise}), "")


def test_a_build_of_other_scripts_is_built_again(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("compile")
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    assert not script.is_built()
    for module in script.hot_modules():
        (tmp_path / module.with_suffix(".so")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module.with_suffix(".so")).touch()
    (tmp_path / script.STAMP).write_text(script.stamp(tmp_path, compiled.sources_digest()))
    assert script.is_built()
    monkeypatch.setattr(script, "BUILDERS", ("constructors.py",))
    assert not script.is_built()


def test_every_module_to_compile_is_there(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    modules = importlib.import_module("compile").hot_modules()
    assert Path("eisbach/core/admission/cycle.py") in modules
    assert all((ROOT / module).is_file() for module in modules)


def test_no_class_that_stays_python_derives_from_a_compiled_one(monkeypatch):
    """mypyc's classes take no such subclass, unless they are slowed down for all."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    hot = {".".join(module.with_suffix("").parts) for module in importlib.import_module("compile").hot_modules()}
    derived = []
    for path in (ROOT / "eisbach").rglob("*.py"):
        if ".".join(path.relative_to(ROOT).with_suffix("").parts) in hot:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            name.asname or name.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module in hot
            for name in node.names
        }
        derived += [
            f"{path.relative_to(ROOT)}: {node.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & imported
        ]
    assert not derived, "leave the module of their parent out of PATTERNS in scripts/compile.py"


@pytest.fixture
def hot(monkeypatch):
    """The modules that are compiled, as they are parsed."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    modules = importlib.import_module("compile").hot_modules()
    return {str(module): ast.parse((ROOT / module).read_text(encoding="utf-8")) for module in modules}


def test_every_constant_of_a_compiled_module_is_final(hot):
    """Of a name that may change mypyc asks the module's dictionary each time."""
    loose = []
    for module, tree in hot.items():
        for line in tree.body:
            if isinstance(line, ast.Assign):
                targets = [one for target in line.targets for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
                names = [name.id for name in targets if isinstance(name, ast.Name)]
                loose += [f"{module}: {name}" for name in names if name.isupper() and len(name) > 1]
            elif isinstance(line, ast.AnnAssign) and ast.unparse(line.target).isupper():
                loose += [] if "Final" in ast.unparse(line.annotation) else [f"{module}: {ast.unparse(line.target)}"]
    assert not loose, "write NAME: Final = ..."


def test_no_attribute_of_a_compiled_class_becomes_a_keyword_of_the_compiler(hot):
    """mypyc puts an underscore before each name: of _thread it makes __thread."""
    taken = {"_alignof", "_asm", "_attribute", "_complex", "_const", "_extension", "_imag", "_inline", "_int128", "_real", "_restrict", "_signed",
             "_thread", "_typeof", "_volatile"}  # fmt: skip
    found = [
        f"{module}: {node.attr}" for module, tree in hot.items() for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in taken
    ]
    assert not found, "choose another name"


def test_no_compiled_class_has_an_option_that_changes_what_is_written(hot):
    """mypyc makes a class without what stands behind its bases: of a frozen struct one that may change and is no key."""
    harmless = {"frozen", "kw_only", "gc"}
    found = [
        f"{module}: {node.name}({option.arg}=...)"
        for module, tree in hot.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for option in node.keywords
        if option.arg not in harmless
    ]
    assert not found, "let the class stand in a module that stays Python"


def test_the_types_of_attributes_are_kept_as_they_are_written(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    source = tmp_path / "one.py"
    source.write_text("class One:\n    a: int | None = None\n    b: 'frozenset[str]'\n\nclass Two:\n    c = 1\n")
    assert importlib.import_module("compile").annotations(source) == {"One": {"a": "int | None", "b": "frozenset[str]"}}


@pytest.fixture(scope="module")
def build():
    """A build of these sources, made now where there is none."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")
    made = subprocess.run(
        [sys.executable, "scripts/compile.py"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr


def both(*words: str) -> tuple[dict, dict]:
    """Return what a command of the twin prints, run compiled and as Python."""
    compiled_run, python_run = (
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "eisbach", "twin", *words, "--json"], cwd=ROOT,
                env={**os.environ, "EISBACH_COMPILED": choice}, capture_output=True, check=True,
            ).stdout
        )
        for choice in ("yes", "no")
    )  # fmt: skip
    return compiled_run, python_run


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("policy", ["default", "easy", "fifo"])
def test_a_played_week_is_the_same_compiled_and_as_python(tmp_path, build, policy):
    rows = [f"{n},{n * 97 % 400_000},{(1, 1, 2, 3, 8, 16)[n % 6]},{600 + n * 7919 % 40_000},50000\n" for n in range(1500)]
    trace = tmp_path / "week.csv"
    trace.write_text(WEEK + "".join(sorted(rows, key=lambda row: int(row.split(",")[1]))))
    fast, plain = both(
        "replay", "--jobs", str(trace), "--nodes", "24", "--gpus-per-node", "8", "--policy", policy, "--check", "--log"
    )
    assert (fast["compiled"], plain["compiled"]) == (True, False)
    for figure in FIGURES_OF_THIS_COMPUTER:
        del fast[figure], plain[figure]
    assert fast == plain
    assert fast["log_root"]


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_random_stories_with_crashes_are_the_same_compiled_and_as_python(build):
    fast, plain = both("explore", "--seeds", "1..6")
    assert fast == plain
    assert fast["failing"] == []
