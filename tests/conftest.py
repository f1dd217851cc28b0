"""What holds for every test: nothing outside the test's own folder is touched, and no test is judged by the clock."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failed property: hypothesis's own deadline and its "too slow" check are off.
settings.register_profile("eisbach", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("eisbach")


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path_factory, monkeypatch):
    """Each test has an empty home, so that a forgotten path can never reach the user's files."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("EISBACH_COMPILED", "no")  # tests run the sources; those of compiled modules say so
    for name in ("EISBACH_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def scratch_of_its_own():
    """As root, workspaces must lie where other users reach them, which pytest's folders are not; never in the system's."""
    folder = Path(tempfile.mkdtemp(prefix="eisbach-test-scratch-"))
    folder.chmod(0o711)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EISBACH_SCRATCH", str(folder))
        yield folder
    shutil.rmtree(folder, ignore_errors=True)
