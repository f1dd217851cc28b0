"""The commands around the repository: what they say on a machine that lacks something, and which skips CI accepts."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from importlib import import_module

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*command, cwd=ROOT, **environment):
    """Output and exit code of a command that has no terminal."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.returncode


@pytest.fixture
def bare_copy(tmp_path):
    """The files that the set-up reads, without an environment."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/setup-venv", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def a_python(folder, version, *, has_venv):
    """A stand-in for an interpreter, as the set-up asks it."""
    is_new = "0" if tuple(map(int, version.split("."))) >= (3, 11) else "1"
    answer = "0" if has_venv else "1"
    path = folder / "python-stand-in"
    path.write_text(
        f"#!/bin/sh\ncase $* in --version) echo Python {version} ;; *sys.exit*) exit {is_new} ;; "
        f"*ensurepip*) exit {answer} ;; *) echo python{version.rpartition('.')[0]}-venv ;; esac\n"
    )
    path.chmod(0o755)
    return path


def test_setup_names_an_old_python(bare_copy):
    said, code = run("scripts/setup-venv", cwd=bare_copy, PYTHON=str(a_python(bare_copy, "3.9.2", has_venv=True)))
    assert code == 1
    assert "Python 3.11 or newer: found Python 3.9.2" in said
    assert not (bare_copy / ".venv").exists()


def test_setup_names_the_package_that_brings_venv(bare_copy):
    said, code = run("scripts/setup-venv", cwd=bare_copy, PYTHON=str(a_python(bare_copy, "3.12.1", has_venv=False)))
    assert code == 1
    assert "apt install python3.12-venv" in said


def test_help_lists_the_commands():
    if not shutil.which("make"):
        pytest.skip("no make on this machine")
    said, code = run("make", "help")
    assert code == 0
    assert {"demo", "test", "prove", "bench"} <= {line.split()[1] for line in said.splitlines()}


THREE_SKIPS = """
import pytest
def test_gpu(): pytest.skip("no GPU on this machine")
@pytest.mark.skipif(True, reason="no database: start one")
def test_database(): pass
@pytest.mark.xfail(reason="not built yet")
def test_later(): assert False
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A real report with three skips and a module that is skipped as a whole."""
    tmp_path = tmp_path_factory.mktemp("skips")
    (tmp_path / "test_some.py").write_text(THREE_SKIPS)
    (tmp_path / "test_module.py").write_text('import pytest\npytest.importorskip("no_such_module_anywhere")\n')
    path = tmp_path / "tests.xml"
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={path}", cwd=tmp_path)
    return path


@pytest.mark.parametrize(
    ("allowed", "complaints"),
    [
        (["no GPU # none in CI"], ["no database: start one", "not built yet", "no_such_module_anywhere"]),
        (["no GPU # a", "^no database # b", "not built # c", "no_such_module # d", "# nothing else"], []),
    ],
)
def test_only_listed_skips_pass(report, allowed, complaints):
    listed = report.with_name("allowed-skips")
    listed.write_text("\n".join(allowed) + "\n")
    said, code = run(sys.executable, ROOT / "scripts" / "check_skips.py", report, listed)
    assert code == (1 if complaints else 0), said
    assert len(said.splitlines()) == len(complaints), said
    assert all(complaint in said for complaint in complaints), said


def test_each_allowed_skip_says_why(report):
    listed = report.with_name("allowed-skips")
    listed.write_text("no GPU\n")
    said, code = run(sys.executable, ROOT / "scripts" / "check_skips.py", report, listed)
    assert (code, "say why" in said) == (1, True)


def test_make_bench_names_programs_that_can_be_run_so():
    """It ran every file of the folder, the first of which is a part of another, and ended there."""
    (said,) = re.findall(r"^BENCHMARKS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name in said.split():
        assert callable(import_module(f"benchmarks.{name}").main), name


@pytest.mark.parametrize(("name", "says"), [("whole", "there are no traces at"), ("peers", "there is no week at")])
def test_a_benchmark_without_its_data_says_so(tmp_path, name, says):
    said, code = run(sys.executable, "-m", f"benchmarks.{name}", EISBACH_SHARED=str(tmp_path))
    assert says in said
    assert code == 0
