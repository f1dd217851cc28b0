"""The server's file, the profile, and whom a command talks to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.profile import write_profile
from eisbach.cli.server_file import ServerFile, read_server_file, write_server_file
from eisbach.cli.server_process import is_alive, running_server, stop_server, this_process
from eisbach.cli.session import Session
from eisbach.settings import Profile, SettingsError, read_profile, read_settings
from tests.faces.cli_tools import NOWHERE, own_environment, run_cli


@pytest.fixture(autouse=True)
def environment_of_its_own(monkeypatch, tmp_path):
    own_environment(monkeypatch, tmp_path)


def test_a_process_is_known_by_pid_start_and_boot(tmp_path):
    mine = this_process(NOWHERE, None)
    assert is_alive(mine)
    others = [
        ServerFile(pid=mine.pid, started=mine.started + 1, boot=mine.boot, url=NOWHERE),
        ServerFile(pid=mine.pid, started=mine.started, boot="another boot", url=NOWHERE),
    ]
    assert [is_alive(one) for one in others] == [False, False]
    for one in others:
        stop_server(one, tmp_path, 0)  # would end this test if a pid alone were enough


def test_a_server_that_is_gone_does_not_run(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        made = ServerFile(pid=process.pid, started=int(stat[19]), boot=this_process(NOWHERE, None).boot, url=NOWHERE)
        write_server_file(tmp_path, made)
        assert running_server(tmp_path) == made
        stop_server(made, tmp_path, 10)
        assert running_server(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "eisbach.server/2"}', '{"format": "eisbach.server/1"}'])
def test_a_server_file_that_says_nothing_counts_as_none(tmp_path, content):
    (tmp_path / "server.json").write_text(content)
    assert read_server_file(tmp_path) is None


def test_a_profile_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "deep/profile.toml"
    written = Profile(url=NOWHERE, token='"quoted" \\ \x7f \u00e4', home=Path("/a b"), project="prj_1")
    write_profile(file, written)
    assert read_profile(file) == written
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("url = ", "is not valid TOML"),
        ('format = "eisbach.profile/2"', "newer version"),
        ('uri = "x"', "unknown key 'uri'"),
        ("url = 1", "must be a text in quotes"),
    ],
)
def test_a_damaged_profile_is_told(tmp_path, content, words):
    (tmp_path / "config/eisbach").mkdir(parents=True)
    (tmp_path / "config/eisbach/profile.toml").write_text(content)
    ran = run_cli("ps")
    assert (ran.code, words in ran.err) == (ExitCode.USAGE, True)


def test_a_profile_with_a_token_that_others_may_read_is_refused(tmp_path):
    file = tmp_path / "profile.toml"
    write_profile(file, Profile(url=NOWHERE, token="t"))
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_profile(file)


def test_a_remembered_token_goes_only_where_it_was_remembered_with(tmp_path, monkeypatch):
    write_profile(read_settings().profile_file, Profile(url=NOWHERE, token="secret"))
    assert Session().client._token == "secret"
    monkeypatch.setenv("EISBACH_URL", "http://elsewhere.example")
    assert Session().client._token is None
    monkeypatch.setenv("EISBACH_TOKEN", "other")
    assert Session().client._token == "other"


def test_a_remembered_project_is_of_the_factory_it_was_remembered_with(tmp_path, monkeypatch):
    home = tmp_path / "home"
    write_profile(read_settings().profile_file, Profile(url=NOWHERE, token="secret", home=home, project="prj_of_it"))
    assert Session().default_project == "prj_of_it"
    monkeypatch.setenv("EISBACH_URL", "http://elsewhere.example")
    assert Session().default_project is None
    monkeypatch.delenv("EISBACH_URL")
    for folder, project in ((home, "prj_of_it"), (tmp_path / "other", None)):  # its own home at another port; another home
        folder.mkdir(mode=0o700)
        write_server_file(folder, this_process("http://127.0.0.1:8", None))
        monkeypatch.setenv("EISBACH_HOME", str(folder))
        assert Session().default_project == project
    monkeypatch.setenv("EISBACH_PROJECT", "said")
    assert Session().default_project == "said"


def test_relative_xdg_folders_are_ignored(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert read_settings().home == Path(os.environ["HOME"]) / ".local/share/eisbach"


def test_without_any_factory_the_way_to_one_is_told():
    ran = run_cli("ps")
    assert ran.code == ExitCode.UNAVAILABLE
    assert "Start one with `eisbach up`" in ran.err


def test_a_home_without_a_factory_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("EISBACH_HOME", str(tmp_path))
    ran = run_cli("ps")
    assert f"No factory was started in {tmp_path} (EISBACH_HOME)" in ran.err


def test_what_is_no_factory_is_told(monkeypatch):
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("EISBACH_URL", f"http://127.0.0.1:{server.server_port}")
        ran = run_cli("ps")
        server.shutdown()
        thread.join()
    assert ran.code == ExitCode.FAILED
    assert "so it is hardly a factory" in ran.err
