"""The site file: one site or several, many nodes in few lines, and what is wrong with one said with file, place and value."""

from collections import Counter
from dataclasses import replace

import pytest

from eisbach.adapters.home_files import HomeFileError
from eisbach.adapters.site_file import check_machine, read_site_file, write_site_file
from eisbach.app.site_facts import NodeFacts
from eisbach.core.vocabulary.countries import is_country

MACHINE = NodeFacts(node="node-1", pool="local", flavour="cpu", cpu_milli=8000, memory_mib=16_384)
HERE = """\
[[site]]
name = "here"
country = "DE"
operator = "Example"
operator_country = "DE"

[[node]]
name = "node-1"
site = "here"
pool = "local"
flavour = "cpu"
cores = 8
memory_mib = 16384
"""
HALLS = """
[[site]]
name = "halls"
country = "DE"
operator = "Example"
operator_country = "DE"
parent_country = "US"
simulated = true

[[node]]
name = "gpu"
site = "halls"
count = 1250
pool = "halls-b200"
flavour = "b200.8"
cores = 112
memory_mib = 2097152
gpus = 8
nodes_per_rack = 8
racks_per_row = 16
rows_per_hall = 3
"""


@pytest.fixture
def read(tmp_path):
    """Return what reads a text as a site file."""

    def read_text(text):
        file = tmp_path / "site.toml"
        file.write_text(text)
        return read_site_file(file)

    return read_text


def test_what_a_first_start_writes_can_be_read(tmp_path):
    file = tmp_path / "site.toml"
    write_site_file(file, [MACHINE])
    (site,) = read_site_file(file)
    assert (site.site, site.country, site.parent_country, site.is_simulated) == ("here", "ZZ", "ZZ", False)
    assert site.nodes == (MACHINE,)


def test_a_file_with_one_site_names_none_at_its_nodes(read):
    (site,) = read(HERE.replace("[[site]]", "[site]").replace('site = "here"\n', ""))
    assert [node.node for node in site.nodes] == ["node-1"]


def test_several_sites_each_with_its_nodes(read):
    here, halls = read(HERE + HALLS)
    assert (here.site, here.parent_country, here.is_simulated, len(here.nodes)) == ("here", "DE", False, 1)
    assert (halls.site, halls.parent_country, halls.is_simulated, len(halls.nodes)) == ("halls", "US", True, 1250)


def test_many_nodes_fill_racks_then_rows_then_halls(read):
    nodes = read(HERE + HALLS)[1].nodes
    assert [node.node for node in (nodes[0], nodes[-1])] == ["gpu-0001", "gpu-1250"]
    places = [(node.hall, node.row, node.rack) for node in nodes]
    assert places[0] == places[7] == ("hall-01", "row-01", "rack-01")
    assert places[8] == ("hall-01", "row-01", "rack-02")
    assert places[128] == ("hall-01", "row-02", "rack-01")
    assert places[384] == ("hall-02", "row-01", "rack-01")
    assert Counter(hall for hall, _, _ in places) == {"hall-01": 384, "hall-02": 384, "hall-03": 384, "hall-04": 98}
    assert max(Counter(places).values()) == 8


def test_a_named_place_holds_all_nodes_of_an_entry(read):
    spread = HALLS.replace("rows_per_hall = 3", 'hall = "north"').replace("count = 1250", "count = 20")
    nodes = read(HERE + spread)[1].nodes
    assert {(node.hall, node.row) for node in nodes} == {("north", "row-01")}
    assert nodes[19].rack == "rack-03"


def test_nodes_come_on_the_day_that_the_file_says(read):
    since = {"2027-03-01": 1803859200000, "2027-03-01T08:00:00+02:00": 1803880800000}
    for said, from_ms in since.items():
        nodes = read(HERE + HALLS.replace("count = 1250", f"count = 9\nfrom = {said}"))[1].nodes
        assert {node.from_ms for node in nodes} == {from_ms}
    assert {node.from_ms for node in read(HERE + HALLS)[1].nodes} == {0}


def test_nodes_share_an_nvlink_domain_within_their_rack(read):
    spread = HALLS.replace("count = 1250", "count = 20\nnodes_per_nvlink = 4")
    nodes = read(HERE + spread)[1].nodes
    assert nodes[3].nvlink == "gpu-nvlink-0001" != nodes[4].nvlink
    assert max(Counter(node.nvlink for node in nodes).values()) == 4
    racks = {node.nvlink: (node.row, node.rack) for node in nodes}
    assert all(racks[node.nvlink] == (node.row, node.rack) for node in nodes)
    assert read(HERE + HALLS.replace("count = 1250", 'count = 8\nnvlink = "all"'))[1].nodes[7].nvlink == "all"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[[site]]", "[[size]]", "'size' is not known"),
        ("[[site]]", "[site]", "each is a [[site]]"),
        ('name = "here"', 'name = "here/there"', "name is 'here/there'"),
        ('name = "here"', 'name = "here there"', "name is 'here there'"),
        ('name = "here"\n', "", "name is None"),
        ('name = "here"', 'name = "halls"', "two sites are named 'halls'"),
        ('\ncountry = "DE"\noperator = "Example"\noperator_country = "DE"\n\n', "\n", "country is None"),
        ('\ncountry = "DE"', '\ncountry = "XQ"', "country is 'XQ'"),
        ('\ncountry = "DE"', '\ncountry = "EU"', "country is 'EU'"),
        ('\ncountry = "DE"', '\ncountry = "de"', "country is 'de'"),
        ('operator_country = "DE"', 'operator_country = "Germany"', "operator_country is 'Germany'"),
        ('parent_country = "US"', "parent_country = 1", "parent_country is 1"),
        ("simulated = true", 'simulated = "yes"', "simulated is 'yes'"),
        ("simulated = true", "cuntry = 1", "'cuntry' is not known"),
        ("simulated = true", "[site.unheard_of]", "'unheard_of' is not known"),
        ('site = "here"\n', "", "site is missing; say one of here, halls"),
        ('site = "here"', 'site = "there"', "there is no site 'there'"),
        ('site = "here"', 'site = "halls"', "there is no [[node]] at it"),
        ('pool = "local"', 'pool = "halls-b200"', "a pool is at one site"),
        ('name = "node-1"', 'name = "gpu-0007"', "two nodes are named 'gpu-0007'"),
        ("count = 1250", "count = 0", "count is 0"),
        ("count = 1250", "", "rows_per_hall spreads several nodes"),
        ("nodes_per_rack = 8", "", "rows_per_hall needs nodes_per_rack"),
        ("nodes_per_rack = 8", "nodes_per_rack = 0.5", "nodes_per_rack is 0.5"),
        ("nodes_per_rack = 8", 'nodes_per_rack = 8\nhall = "north"', "hall names one, and rows_per_hall counts several"),
        ("cores = 8", "cores = 0", "cores is 0"),
        ("memory_mib = 16384", "memory_mib = -1", "memory_mib is -1"),
        ("gpus = 8", "gpus = true", "gpus is True"),
        ("gpus = 8", 'gpus = 8\nfrom = "2027-03-01"', "from is '2027-03-01'"),
        ("gpus = 8", "gpus = 8\nfrom = 2027-03-01T08:00:00", "an instant with its zone"),
        ("gpus = 8", "gpus = 8\nfrom = 0", "from is 0"),
        ("gpus = 8", "gpus = 8\nfrom = 1970-01-01", "since 2000 at the earliest"),
        ("gpus = 8", "gpus = 8\nnodes_per_nvlink = 3", "nodes_per_nvlink is 3, but must divide nodes_per_rack (8)"),
        ("gpus = 8", 'gpus = 8\nnodes_per_nvlink = 4\nnvlink = "a"', "nvlink names one domain"),
        ("cores = 8", "cores = 8\nnodes_per_nvlink = 4", "nodes_per_nvlink spreads several nodes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(read, tmp_path, before, after, said):
    text = HERE + HALLS
    assert before in text
    with pytest.raises(HomeFileError) as refused:
        read(text.replace(before, after, 1))
    assert said in str(refused.value)
    assert str(tmp_path / "site.toml") in str(refused.value)


def test_the_machine_at_hand_is_what_is_found_there(tmp_path):
    file = tmp_path / "site.toml"
    offers = 'flavour = "cpu"\ncores = 8\nmemory_mib = 16384\n'
    file.write_text(HERE.replace(offers, 'this_machine = true\nrack = "rack-1"\n').replace("node-1", "box"))
    found = NodeFacts(node="node-1", pool="local", flavour="h200.2", cpu_milli=96_000, memory_mib=1, gpus=2)
    assert read_site_file(file, found)[0].nodes == (replace(found, node="box", rack="rack-1"),)
    with pytest.raises(HomeFileError, match="nothing is known of this machine"):
        read_site_file(file)
    file.write_text(HERE.replace("cores = 8", "cores = 8\nthis_machine = true"))
    with pytest.raises(HomeFileError, match="flavour is found by itself"):
        read_site_file(file, found)


@pytest.mark.parametrize("text", ["", "[[node]]\nname = 'n'\n", HERE.partition("[[node]]")[0]])
def test_a_file_without_site_or_node_is_refused(read, text):
    with pytest.raises(HomeFileError, match="there is no"):
        read(text)


def test_gpus_that_this_machine_lacks_are_refused_at_a_real_site_only(read, tmp_path):
    check_machine(tmp_path / "site.toml", read(HERE + HALLS), MACHINE)
    with pytest.raises(HomeFileError, match="'halls' have 10000 GPUs, and this machine has 0"):
        check_machine(tmp_path / "site.toml", read(HERE + HALLS.replace("simulated = true", "")), MACHINE)


def test_countries_are_those_of_iso_3166_1():
    assert all(map(is_country, ("DE", "AT", "US", "GB", "ZZ")))
    assert not any(map(is_country, ("UK", "EU", "XX", "de", "D", "DEU", "150", "")))
