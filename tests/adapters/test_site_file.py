"""The site file: one site or several, many nodes in few lines, and what is wrong with one said with file, place and value."""

from collections import Counter

import pytest
from msgspec.structs import replace

from eisbach.adapters.home_files import HomeFileError
from eisbach.adapters.shipped_sites import as_simulated, shipped_sites, site_file_of
from eisbach.adapters.site_file import SiteFileError, check_machine, read_site_file, write_site_file
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
    since = {"2027-03-01": 1803859200000, "2027-03-01T08:00:00+02:00": 1803880800000, "9999-12-31T23:59:59-14:00": 253402351199000}
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
        ("gpus = 8", f"gpus = {'9' * 5000}", "not valid TOML"),
        ("gpus = 8", f"gpus = {'[' * 3000}", "nested too deeply"),
        ("gpus = 8", "gpus = 8\n[[link]]\nsite = ['halls']", "site is ['halls']; say one of here, halls"),
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


@pytest.mark.parametrize("key", ["name", "pool", "flavour", "hall", "row", "rack", "nvlink"])
@pytest.mark.parametrize("name", ["a/b", "a*", "../x", "b200.-8", "", " ", "a b", "-a", "a.", "a[1]", "a?", "a\\n", "Süd", "x" * 64])
def test_one_rule_for_the_names_of_all_that_a_site_is_made_of(read, key, name):
    node = {"name": "node-1", "pool": "local", "flavour": "cpu", "hall": "hall-1", "row": "row-1", "rack": "r07", "nvlink": "all"}
    lines = "\n".join(f'{one} = "{name if one == key else value}"' for one, value in node.items())
    text = f"{HERE.partition('[[node]]')[0]}[[node]]\n{lines}\ncores = 8\nmemory_mib = 16384\n"
    with pytest.raises(SiteFileError) as refused:
        read(text)
    (mistake,) = refused.value.mistakes
    assert f"{key} is {name.replace(chr(92) + 'n', chr(10))!r}, but must be a name of up to 63 letters a to z and digits" in mistake
    assert read(text.replace(f'{key} = "{name}"', f'{key} = "B200_x.8-a"'))


def test_numbered_nodes_keep_the_rule_of_names(read):
    with pytest.raises(SiteFileError, match="name has 60 letters, and a dash and 4 digits follow"):
        read(HERE + HALLS.replace('name = "gpu"', f'name = "{"x" * 60}"'))


LINKS = """
[[link]]
site = "halls"
from = "rack"
to = "row"
gbit_s = 800
source = "assumed"
"""


def test_links_lead_from_inner_domains_to_outer_ones(read):
    one = LINKS.replace('"rack"', '"hall-01/row-02"').replace('"row"', '"hall-02"')
    links = read(HERE + HALLS + LINKS + one)[1].links
    assert [(link.lower, link.upper, link.gbit_s) for link in links] == [("rack", "row", 800), ("hall-01/row-02", "hall-02", 800)]
    assert read(HERE + HALLS)[0].links == ()


def a_link(lower, upper):
    return LINKS.replace('from = "rack"', f'from = "{lower}"').replace('to = "row"', f'to = "{upper}"')


@pytest.mark.parametrize(
    ("links", "said"),
    [
        pytest.param(a_link("rack", "shelf"), "to is 'shelf'; say one of nvlink, node, rack, row, hall, site", id="unknown"),
        pytest.param(a_link("row", "rack"), "it leads down", id="down"),
        pytest.param(a_link("rack", "rack"), "rack -> rack leads in a circle", id="to itself"),
        pytest.param(a_link("rack", "row") + a_link("row", "rack"), "leads in a circle", id="there and back"),
        pytest.param(a_link("hall-01", "hall-02") + a_link("hall-02", "hall-03") + a_link("hall-03", "hall-01"), "hall-01 -> hall-02 -> hall-03 -> hall-01", id="ring"),
        pytest.param(a_link("rack", "row") + a_link("rack", "row"), "it is there twice", id="twice"),
        pytest.param(a_link("node", "rack") + a_link("row", "hall"), "links lead up to 'rack', and none leads on", id="hole"),
        pytest.param(LINKS.replace("800", "0"), "gbit_s is 0", id="nothing fits through"),
        pytest.param(LINKS.replace('source = "assumed"', ""), "source is None", id="no source"),
        pytest.param(LINKS.replace('site = "halls"', ""), "site is None; say one of here, halls", id="no site"),
        pytest.param(LINKS + 'parent = "x"', "'parent' is not known", id="unknown key"),
    ],
)  # fmt: skip
def test_links_that_lead_nowhere_are_refused(read, links, said):
    with pytest.raises(SiteFileError) as refused:
        read(HERE + HALLS + links)
    assert said in str(refused.value)


def test_entries_stand_beside_each_other_where_their_numbers_say_so(read):
    text = HERE + HALLS.replace("count = 1250", "count = 384") + HALLS.partition("[[node]]")[2].join(["[[node]]", ""]).replace(
        'name = "gpu"', 'name = "more"\nnumbered_from = 2'
    )
    nodes = read(text)[1].nodes
    assert (nodes[384].node, nodes[384].hall, nodes[384].row) == ("more-0001", "hall-02", "row-01")
    with pytest.raises(SiteFileError, match=r"hall-01/row-01/rack-01 at 'halls' is filled by .*'gpu' too, and so are 47 more racks"):
        read(text.replace("\nnumbered_from = 2", ""))


def test_racks_that_entries_share_by_name_are_meant(read):
    second = HERE.partition("[[node]]")[2].replace("node-1", "node-2")
    places = 'hall = "hall-01"\nrow = "row-01"\nrack = "rack-01"\n'
    one_site = HERE + places + "[[node]]" + second + places
    assert {node.rack for node in read(one_site)[0].nodes} == {"rack-01"}
    with pytest.raises(SiteFileError, match="say in which row of the hall"):
        read(one_site.replace('row = "row-01"\n', ""))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("gpus = 8", "gpus = 4", "flavour is 'b200.8', but gpus is 4"),
        ('flavour = "b200.8"', 'flavour = "rtxpro6000.8"\nnvlink = "a"', "has no NVLink; leave nvlink out"),
        ("rows_per_hall = 3\n", "numbered_from = 0\n", "numbered_from is 0"),
        ("nodes_per_rack = 8\nracks_per_row = 16\nrows_per_hall = 3", "numbered_from = 2", "say nodes_per_rack too"),
        ("racks_per_row = 16\nrows_per_hall = 3", 'hall = "north"', "a hall is named, but no row"),
        ("simulated = true", "simulatde = true", "did you mean 'simulated'?"),
        ('pool = "halls-b200"', 'pool = "halls-b200"\ncoutn = 3', "did you mean 'count'?"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_said(read, before, after, said):
    assert before in HALLS
    with pytest.raises(SiteFileError) as refused:
        read(HERE + HALLS.replace(before, after, 1))
    assert said in str(refused.value)


def test_a_pool_is_of_equal_nodes(read):
    with pytest.raises(SiteFileError, match=r"the pool 'halls-b200' has nodes of 'b200\.8' and of 'h200\.8'"):
        read(HERE + HALLS + HALLS.partition("[[node]]")[2].join(["[[node]]", ""]).replace("b200.8", "h200.8").replace("gpu", "other", 1))


def test_all_mistakes_are_said_at_once(read, tmp_path):
    wrong = (HERE + HALLS).replace("cores = 8", "cores = 0").replace('country = "DE"', 'country = "de"', 1)
    wrong = wrong.replace("count = 1250", 'count = 0\nfrom = "soon"').replace("simulated = true", "simulated = 1\n[site.power]\ngrid_kw = -1")
    with pytest.raises(SiteFileError) as refused:
        read(wrong)
    named = ["cores is 0", "country is 'de'", "count is 0", "from is 'soon'", "simulated is 1", "grid_kw is -1"]
    assert [sum(name in mistake for mistake in refused.value.mistakes) for name in named] == [1] * len(named)
    assert len(refused.value.mistakes) == len(named)
    assert all(mistake.startswith(str(tmp_path / "site.toml")) for mistake in refused.value.mistakes)


def test_the_shipped_sites_are_what_they_are_called():
    sites = {name: read_site_file(site_file_of(name))[0] for name in shipped_sites()}
    assert {name: (len(site.nodes), sum(node.gpus for node in site.nodes)) for name, site in sites.items()} == {
        "bench-100k": (12_500, 100_000), "bench-10k": (1_250, 10_000), "gigafactory": (12_500, 100_000), "munich": (1_250, 10_000),
    }  # fmt: skip
    assert all(name == site.site for name, site in sites.items())
    bench = Counter((node.row, node.rack) for node in sites["bench-100k"].nodes)
    assert (max(bench.values()), max(Counter(row for row, _ in bench).values())) == (8, 16)
    assert Counter(node.flavour for node in sites["munich"].nodes) == {"b200.8": 1000, "rtxpro6000.8": 250}
    assert len({node.hall for node in sites["munich"].nodes}) == 4
    assert all(getattr(sites["munich"], part) is not None for part in ("power", "stream", "heat", "carbon"))
    assert len({node.from_ms for node in sites["gigafactory"].nodes}) == 4


def test_a_site_is_simulated_where_that_is_asked_for(tmp_path):
    file = tmp_path / "site.toml"
    file.write_text(as_simulated(HERE + "[site.power]\ngrid_kw = 1\n"))
    assert read_site_file(file)[0].is_simulated
    file.write_text(as_simulated(site_file_of("munich").read_text()))
    assert read_site_file(file)[0].is_simulated
    for said in ("simulated = true", "simulated = false # for real", '"simulated" = false'):  # once more would be no TOML
        file.write_text(as_simulated(HERE.replace("[[site]]\n", f"[[site]]\n{said}\n")))
        assert read_site_file(file)[0].is_simulated


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
