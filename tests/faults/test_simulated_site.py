"""A simulated site in a real factory: the whole server, killed and started again, beside work that is real."""

import pytest

from tests.faults.harness import wait_until

FAR = """
[[site]]
name = "far"
country = "US"
operator = "Example Far"
operator_country = "US"
simulated = true

[[node]]
name = "far"
site = "far"
count = 4
pool = "far-h200"
flavour = "h200.8"
cores = 64
memory_mib = 65536
gpus = 8
nodes_per_rack = 2
"""


@pytest.fixture
def with_far(factory):
    """A factory with a real site and a simulated one, started."""
    file = factory.home / "site.toml"
    said = file.read_text().replace("[site]", "[[site]]").replace("[[node]]", '[[node]]\nsite = "here"')
    file.write_text(said + FAR)
    assert factory.start(), factory.said()
    factory.furnish(100_000)
    return factory


def at_far(run):
    resources = {"cpus": 1, "memory": "1", "accelerators": "h200:8"}
    return {"run": run, "resources": resources, "time_limit": "10m", "placement": {"sites": ["far"]}}


def lines(factory, job):
    return [(line["stream"], line["text"]) for line in factory.made("GET", f"/v1/jobs/{job}/logs")["items"]]


def test_a_simulated_job_beside_a_real_one(with_far):
    real = with_far.submit(with_far.task("echo real"))
    simulated = with_far.submit(at_far("sleep 0.2\necho done"))
    ended = [with_far.wait_for_state(job, "ended") for job in (real, simulated)]
    assert [(one["outcome"], one["site"], one["simulated"]) for one in ended] == [
        ("succeeded", "here", False), ("succeeded", "far", True),
    ]  # fmt: skip
    assert lines(with_far, simulated) == [("notice", "simulated: nothing was executed"), ("stdout", "done")]
    assert ("stdout", "real") in lines(with_far, real)
    assert len(with_far.starts()) == 1, "only the real one was started on this machine"
    cost = with_far.made("GET", f"/v1/jobs/{simulated}/cost")
    assert (cost["simulated"], cost["attempts"][0]["simulated"]) == (True, True)
    assert with_far.made("GET", f"/v1/jobs/{simulated}/artifacts")["items"] == []
    assert with_far.made("GET", "/v1/sites/far/map")["simulated"] is True
    (node,) = with_far.made("GET", "/v1/nodes?site=here")["items"]
    assert (node["simulated"], node["attempts"]) == (False, [])


def test_simulated_work_outlives_the_server(with_far):
    long, short = with_far.submit(at_far("sleep 500")), with_far.submit(at_far("sleep 2"))
    attempts = [with_far.wait_for_state(job, "running")["last_attempt"] for job in (long, short)]
    with_far.kill()
    assert with_far.start(), with_far.said()
    assert with_far.wait_for_state(short, "ended")["outcome"] == "succeeded"
    found = with_far.job(long)
    assert (found["state"], found["attempts"], found["last_attempt"]) == ("running", 1, attempts[0])
    with_far.made("POST", f"/v1/jobs/{long}/cancel")
    assert with_far.wait_for_state(long, "ended")["outcome"] == "cancelled"


def test_a_site_that_left_the_file_empties_and_its_work_ends_where_it_began(with_far):
    job = with_far.submit(at_far("sleep 2"))
    with_far.wait_for_state(job, "running")
    with_far.stop()
    file = with_far.home / "site.toml"
    file.write_text(file.read_text().replace(FAR, ""))
    assert with_far.start(), with_far.said()
    ended = with_far.wait_for_state(job, "ended")
    assert (ended["outcome"], ended["simulated"], ended["attempts"]) == ("succeeded", True, 1)
    wait_until(lambda: all(node["drained"] for node in with_far.made("GET", "/v1/nodes?site=far")["items"]), "far is drained", 20)


def test_a_simulated_site_does_not_become_real(with_far):
    with_far.stop()
    file = with_far.home / "site.toml"
    said = file.read_text().replace("simulated = true\n", "").replace("gpus = 8\n", "gpus = 0\n").replace("h200.8", "cpu")
    file.write_text(said)
    assert not with_far.start()
    assert "'far' cannot change between real and simulated" in with_far.said()
