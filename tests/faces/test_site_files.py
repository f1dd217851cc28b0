"""`eisbach site check` and `site show` of a site file, offline; and which site a factory may be started with."""

import pytest

from eisbach.adapters.shipped_sites import shipped_sites
from eisbach.cli.errors import CliError
from eisbach.cli.home_checks import site_file_said, take_site_file
from tests.faces.cli_tools import run_cli


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """A command line that knows of no factory."""
    monkeypatch.setenv("EISBACH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EISBACH_URL", "http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["munich", "bench-10k"])
def test_a_shipped_site_is_right_and_is_told_without_a_factory(name):
    checked = run_cli("site", "check", name)
    assert (checked.code, checked.out.splitlines()[-1]) == (0, "Nothing is wrong in it.")
    shown = run_cli("site", "show", name, "-o", "json").document()
    assert shown["format"] == "eisbach.site-facts/1"
    assert (shown["site"]["nodes"], shown["site"]["gpus"]) == (1_250, 10_000)


def test_a_site_tells_its_gpus_its_stages_and_its_links():
    site = run_cli("site", "show", "munich", "-o", "json").document()["site"]
    b200, rtx = site["pools"]
    assert (b200["gpus"], b200["gpu_memory_gb"], b200["nvlink_gpus"], b200["dense_tflops"]["FP4"]) == (8_000, 180, 8, 9_000)
    assert (rtx["nvlink_gpus"], rtx["mig"]) == (1, ["1g.24gb", "2g.48gb", "4g.96gb"])
    assert [stage["gpus_then"] for stage in site["stages"]] == [3_072, 6_144, 10_000]
    assert [link["to"] for link in site["links"]] == ["rack", "row", "hall", "site"]
    text = run_cli("site", "show", "munich").out
    assert "no factory was asked" in text
    assert "assumed" in text


def test_all_mistakes_of_a_file_are_printed_at_once(tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text('[site]\nname = "a"\ncountry = "de"\noperator = "O"\noperator_country = "DE"\n[[node]]\nname = "n"\ncount = 0\n')
    ran = run_cli("site", "check", str(file))
    assert ran.code == 1
    assert ran.out.splitlines()[0] == f"6 mistakes in {file}:"
    assert all(said in ran.out for said in ("country is 'de'", "count is 0", "cores is None", "pool is None"))
    assert len(run_cli("site", "check", str(file), "-o", "json").document()["mistakes"]) == 6
    refused = run_cli("site", "show", str(file))
    assert refused.code == 2
    assert f"eisbach site check {file}" in refused.err


def test_a_file_that_is_not_there_is_said():
    ran = run_cli("site", "check", "absent.toml")
    assert ran.code == 1
    assert "absent.toml is missing" in ran.out


def test_a_site_that_nobody_ships_is_asked_of_the_factory():
    assert run_cli("site", "show", "elsewhere").code == 6


@pytest.mark.parametrize(
    ("site", "file", "is_simulated", "said"),
    [
        ("munich", None, False, "--site munich --simulated"),
        ("atlantis", None, True, "Say one of bench-100k, bench-10k, gigafactory, munich"),
        (None, None, True, "none is named"),
        ("munich", "other.toml", True, "Say one of them"),
    ],
)
def test_a_start_with_a_site_that_cannot_be_is_refused(tmp_path, site, file, is_simulated, said):
    with pytest.raises(CliError) as refused:
        site_file_said(site, tmp_path / file if file else None, is_simulated=is_simulated)
    assert said in f"{refused.value.what} {refused.value.do}"


@pytest.mark.parametrize("site", ["munich", "bench-10k"])
def test_a_home_keeps_its_site_as_simulated(tmp_path, site):
    assert site in shipped_sites()
    file = site_file_said(site, None, is_simulated=True)
    take_site_file(tmp_path, file, is_new=True, is_simulated=True)
    assert "simulated = true" in (tmp_path / "site.toml").read_text()
    take_site_file(tmp_path, file, is_new=False, is_simulated=True)
    with pytest.raises(CliError, match="a site file of its own"):
        take_site_file(tmp_path, file, is_new=False)
