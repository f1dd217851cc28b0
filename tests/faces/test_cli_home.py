"""Profile, homes and the server process: first start, second start, what stands in the way, stop and come back."""

import json
import socket
import urllib.error
import urllib.request

import pytest

from eisbach import wiring
from eisbach.cli import home_checks
from eisbach.cli.errors import CliError
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.session import Session
from tests.faces.cli_tools import own_environment, run_cli, run_program


@pytest.fixture(autouse=True)
def environment_of_its_own(monkeypatch, tmp_path):
    own_environment(monkeypatch, tmp_path)


@pytest.fixture
def factory(tmp_path):
    """A factory in the default home, started in the background and stopped at the end."""
    ran = run_program("up", "--detach", "--port", "0", "-o", "json")
    assert ran.code == ExitCode.OK, ran.err
    yield ran.document()
    run_cli("down")


# ---- a whole life ------------------------------------------------------------------------------------------------


def test_the_first_start_makes_the_next_command_just_work(factory, tmp_path):
    home, profile = tmp_path / "data/eisbach", tmp_path / "config/eisbach/profile.toml"
    assert factory["format"] == "eisbach.factory/1"
    assert [path.stat().st_mode & 0o777 for path in (home, profile, home / "operator.token", home / "server.log")] == [
        0o700, 0o600, 0o600, 0o600,
    ]  # fmt: skip
    assert run_cli("offers").code == ExitCode.OK
    assert run_cli("org", "create", "acme").code == ExitCode.OK
    made = run_cli("project", "create", "demo", "--budget", "25")
    assert "Commands use project demo from now on" in made.err
    ran = run_cli("run", "-y", "--time-limit", "1m", "--memory", "0.25", "--", "echo hello; exit 3")
    assert (ran.code, ran.out) == (3, "hello\n")
    assert run_cli("audit", "verify").code == ExitCode.OK
    assert "goes on" not in run_cli("down").out
    gone = run_cli("ps")
    assert gone.code == ExitCode.UNAVAILABLE
    assert gone.err == (
        f"error: No factory answers at {factory['url']} (connection refused)\n"
        "  Start it with `eisbach up`, or choose another one with EISBACH_URL or `eisbach login`\n"
    )


def test_the_portal_is_opened_by_links_that_are_printed(factory):
    assert set(factory["portal_links"]) == {"sign-up", "operator"}
    run_cli("org", "create", "acme")
    for arguments, role in (((), ""), (("--organisation", "acme"), "administrator"), (("--role", "auditor"), "auditor")):
        ran = run_cli("portal", *arguments)
        assert ran.code == ExitCode.OK, ran.err
        for link in ran.out.split():
            with urllib.request.urlopen(link, timeout=10) as answer:
                assert role in answer.read().decode()
    browser = urllib.request.Request(factory["url"] + "/", headers={"Accept": "text/html"})
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(browser, timeout=10)
    with refused.value as answer:  # it holds a connection: unclosed, it failed whichever test came next
        assert answer.url.endswith("/portal/")


@pytest.mark.parametrize("arguments", [("--role", "king"), ("--role", "admin"), ("--role", "operator", "--organisation", "x")])
def test_a_link_for_nobody_is_refused(factory, arguments):
    assert run_cli("portal", *arguments).code != ExitCode.OK


def test_a_backup_is_restored_into_another_home(factory, tmp_path, monkeypatch):
    run_cli("org", "create", "acme")
    backup, other = tmp_path / "backup", tmp_path / "other"
    assert run_cli("backup", str(backup)).code == ExitCode.OK
    assert backup.stat().st_mode & 0o777 == 0o600
    assert run_cli("backup", str(backup)).code == ExitCode.USAGE
    assert run_cli("restore", str(backup)).code == ExitCode.REFUSED  # its home is served
    assert run_cli("restore", str(backup), "--home", str(other)).code == ExitCode.OK
    assert run_cli("restore", str(backup), "--home", str(other)).code == ExitCode.REFUSED  # not empty any more
    assert run_cli("db", "check", "--home", str(other)).out.startswith("Sound: ")
    up = run_program("up", "--detach", "--port", "0", "--home", str(other))
    assert up.code == ExitCode.OK, up.err
    try:
        monkeypatch.setenv("EISBACH_HOME", str(other))
        assert "acme" in run_cli("org", "list").out
        verified = run_cli("audit", "verify")
        assert verified.code == ExitCode.OK, verified.out
    finally:
        run_cli("down", "--home", str(other))
    monkeypatch.delenv("EISBACH_HOME")
    assert Session().client.url == factory["url"]  # the profile stayed with the first factory


def test_a_second_server_on_a_home_is_refused_with_its_process(factory):
    ran = run_cli("up", "--port", "0")
    assert ran.code == ExitCode.REFUSED
    assert f"is already served at {factory['url']} by process {factory['pid']}" in ran.err


def test_db_check_of_no_home(tmp_path):
    ran = run_cli("db", "check", "--home", str(tmp_path / "nonesuch"))
    assert (ran.code, "There is no home" in ran.err) == (ExitCode.NOT_FOUND, True)


def test_down_without_a_factory_says_so(tmp_path):
    assert run_cli("down").out == f"No factory runs from {tmp_path}/data/eisbach.\n"


# ---- what stands in the way of a start ---------------------------------------------------------------------------


def test_a_taken_port_is_named_with_another_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run_cli("up", "--port", str(port))
    assert ran.code == ExitCode.UNAVAILABLE
    assert f"Port {port} on 127.0.0.1 cannot be used" in ran.err
    assert "--port 0" in ran.err


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--host", "no.such.host.invalid")])
def test_an_address_that_is_none_is_refused(arguments):
    assert run_cli("up", *arguments).code == ExitCode.USAGE


def test_a_home_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    ran = run_cli("up", "--home", str(tmp_path / "file"))
    assert (ran.code, "is a file" in ran.err) == (ExitCode.USAGE, True)


def test_a_home_that_is_a_link_to_nothing_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    ran = run_cli("up", "--home", str(tmp_path / "link"))
    assert ran.code == ExitCode.USAGE
    assert "where no folder is" in ran.err


def test_a_home_that_takes_no_log_is_refused(tmp_path):
    (tmp_path / "home" / "server.log").mkdir(parents=True)
    (tmp_path / "home").chmod(0o700)
    ran = run_cli("up", "--home", str(tmp_path / "home"), "--detach", "--port", "0")
    assert ran.code == ExitCode.REFUSED
    assert "server.log cannot be written" in ran.err


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"eis_" + b"a" * 40 + b"\nmore", b"eis_a\0" + b"a" * 40])
def test_an_operators_token_that_is_none_starts_nothing(tmp_path, content):
    """Else what stands there, an empty word even, would be a key to everything."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "operator.token").write_bytes(content)
    (home / "operator.token").chmod(0o600)
    with pytest.raises(wiring.CannotStart, match=r"does not hold a token.*delete the file"):
        wiring.open_home(home)


def test_down_leaves_a_folder_that_is_no_home_as_it_is(tmp_path):
    assert run_cli("down", "--home", str(tmp_path)).code == ExitCode.OK
    assert not list(tmp_path.iterdir())


def test_a_home_below_a_file_is_not_writable(tmp_path):
    (tmp_path / "file").write_text("")
    ran = run_cli("up", "--home", str(tmp_path / "file/home"))
    assert (ran.code, "is not writable" in ran.err) == (ExitCode.REFUSED, True)


def test_a_home_that_others_may_write_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    ran = run_cli("up", "--home", str(tmp_path / "open"))
    assert ran.code == ExitCode.REFUSED
    assert f"Run: chmod 700 {tmp_path}/open" in ran.err


def test_a_home_on_a_network_file_system_is_refused_by_name(tmp_path):
    mounts = f"22 1 0:21 / / rw - ext4 /dev/sda rw\n23 22 0:22 / {tmp_path} rw - nfs4 server:/export rw\n"
    with pytest.raises(home_checks.CliError, match=r"network file system \(nfs4\)"):
        home_checks.prepare_home(tmp_path / "home", mounts)


# ---- templates ---------------------------------------------------------------------------------------------------


def test_a_template_is_written_into_a_new_folder(tmp_path):
    folder = tmp_path / "train"
    ran = run_cli("init", "train-language-model", str(folder), "-o", "json")
    assert ran.code == ExitCode.OK
    assert sorted(path.name for path in folder.iterdir()) == json.loads(ran.out)["files"]
    assert (folder / "task.yaml").is_file()
    again = run_cli("init", "train-language-model", str(folder))
    assert again.code == ExitCode.REFUSED


def test_an_unknown_template_is_refused_with_those_there_are(tmp_path):
    ran = run_cli("init", "train-llm", str(tmp_path / "x"))
    assert ran.code == ExitCode.USAGE
    assert "There are: train-language-model" in ran.err


# ---- a site file of one's own ------------------------------------------------------------------------------------


def test_a_first_start_takes_a_site_file_and_later_ones_keep_it(tmp_path):
    home, file = tmp_path / "home", tmp_path / "sites.toml"
    home.mkdir()
    file.write_text("one")
    home_checks.take_site_file(home, file, is_new=True)
    assert (home / "site.toml").read_text() == "one"
    assert (home / "site.toml").stat().st_mode & 0o777 == 0o600
    file.write_text("mended")
    home_checks.take_site_file(home, file, is_new=True)  # the first start failed on it, nothing was opened yet
    home_checks.take_site_file(home, file, is_new=False)
    file.write_text("another")
    with pytest.raises(CliError, match="has a site file of its own, and it differs"):
        home_checks.take_site_file(home, file, is_new=False)
    assert (home / "site.toml").read_text() == "mended"


def test_a_site_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(CliError, match="cannot be read: No such file"):
        home_checks.take_site_file(tmp_path, tmp_path / "absent.toml", is_new=True)


def test_a_factory_starts_with_several_sites(tmp_path):
    file = tmp_path / "sites.toml"
    file.write_text(
        """
[[site]]
name = "here"
country = "DE"
operator = "Example"
operator_country = "DE"

[[node]]
name = "box"
site = "here"
pool = "here"
this_machine = true

[[site]]
name = "far"
country = "US"
operator = "Example Far"
operator_country = "US"
simulated = true

[[node]]
name = "far"
site = "far"
count = 3
pool = "far"
flavour = "cpu"
cores = 4
memory_mib = 4096
nodes_per_rack = 2
"""
    )
    ran = run_program("up", "--detach", "--port", "0", "--site-file", str(file))
    assert ran.code == ExitCode.OK, ran.err
    try:
        sites = run_cli("site", "list", "-o", "json").document()["sites"]
        assert [(one["site"], one["simulated"], one["nodes"], one["racks"]) for one in sites] == [("here", False, 1, 0), ("far", True, 3, 2)]
        assert "nothing is executed here" in run_cli("site", "show", "far").out
        assert "far-0003" in run_cli("node", "list", "--site", "far", "-o", "wide").out
        assert run_cli("site", "show", "nowhere").code == ExitCode.NOT_FOUND
        assert "far, US (simulated)" in run_cli("offers").out
    finally:
        run_cli("down")
