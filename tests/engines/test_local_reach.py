"""Jobs reach the Python of Eisbach although a closed folder, such as /root, stands before it; nothing else in there."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eisbach.engines.local import reach
from tests.contracts.engine_contract import an_order
from tests.engines.local_harness import a_local_engine

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import os, sys
from pathlib import Path
from eisbach.engines.local import reach

closed = Path(sys.argv[1])
reach.python_folders = lambda: [closed / "python"]
reach.open_the_way([closed / "home"])
(closed / "home" / "written").write_text("by the agent")
print(reach.closed_before_python(), sorted(os.listdir(closed)))
os.setresuid(200_000, 200_000, 200_000)
print((closed / "python" / "library").read_text(), os.access(closed / "home", os.X_OK))
"""


@pytest.fixture
def closed():
    """A closed folder with Python, the home of a factory and something private in it, all under open ones."""
    if os.geteuid() != 0:
        pytest.skip("needs root: gives a process a view of its own")
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("cannot mount: views of a process's own are not allowed here")
    place = Path(tempfile.mkdtemp(prefix="eisbach-test-"))
    place.chmod(0o711)
    folder = place / "closed"
    for name, mode in (("python", 0o755), ("home", 0o700), ("private", 0o755)):
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(mode)
    (folder / "python" / "library").write_text("a library")
    folder.chmod(0o700)
    yield folder
    shutil.rmtree(place)


def test_only_what_is_needed_is_seen(closed):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, closed], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["None ['home', 'python']", "a library False"], done.stderr
    assert (closed / "home" / "written").read_text() == "by the agent"
    assert closed.stat().st_mode & 0o777 == 0o700
    assert sorted(os.listdir(closed)) == ["home", "private", "python"]


def test_a_closed_folder_is_named(closed, monkeypatch):
    monkeypatch.setattr(reach, "python_folders", lambda: [closed / "python"])
    assert reach.closed_before_python() == closed
    assert reach.closed_before_python(Path("/proc/self/root")) == closed


def test_a_job_of_another_user_runs_the_python_of_eisbach(tmp_path):
    with a_local_engine(tmp_path) as local:
        if "cannot use the Python" in local.engine.isolation:
            pytest.skip("cannot mount: Python lies in a closed folder here and views of its own are not allowed")
        local.run(an_order(run='"$EISBACH_PYTHON" -c "import sys; print(sys.prefix)"'))
        assert local.log() == [sys.prefix]
