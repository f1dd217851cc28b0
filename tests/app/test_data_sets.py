"""Data sets in the application: rules about places, jobs that read them, deletion that finishes itself, retention."""

import pytest

from eisbach.app import announce_data_set, copy_data_set, delete_data_set, set_rules, submit_job
from eisbach.app.announce_data_set import NewDataSet
from eisbach.app.commands import SYSTEM
from eisbach.app.data_shelves import shelf_of
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.refuse_late import refuse_late
from eisbach.app.rounds import Round
from eisbach.app.site_facts import SiteFacts
from eisbach.app.tend_data_sets import tend_data_sets
from eisbach.core.jobs.placement import PlacementRule
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import a_job
from tests.app.invariants import check_all

ABROAD = SiteFacts(site="virginia", country="US", operator="Nobody Inc", operator_country="US", nodes=(), is_simulated=True)
VIENNA = SiteFacts(site="vienna", country="AT", operator="Niemand AG", operator_country="AT", nodes=(), is_simulated=True)
TEND = Round("tend-data-sets", 1, tend_data_sets)


@pytest.fixture
def sites(factory):
    factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [factory.site, ABROAD, VIENNA])))
    return factory


def announced(factory, **told):
    new = NewDataSet(**{"name": "flow.csv", "size": 2500, **told})
    command = announce_data_set.command(SYSTEM, project=factory.project, new=new, limits=factory.app.data_limits)
    return factory.perform(command)


def put(factory, **told):
    data_set = announced(factory, **told)["data_set"]
    one = factory.app.applier.state.data.sets[data_set]
    with factory.app.objects.append(shelf_of(factory.app, one.project, one.places[0]), data_set, one.size) as incoming:
        incoming.write(bytes(one.size))
    factory.run_rounds(TEND)
    return data_set


def copied(factory, data_set, site):
    return factory.perform(copy_data_set.command(SYSTEM, data_set=data_set, site=site, limits=factory.app.data_limits))


def deleted(factory, data_set):
    answer = factory.perform(delete_data_set.command(SYSTEM, data_set=data_set))
    factory.run_rounds(TEND)
    return answer


def row(factory, data_set):
    return factory.app.reader.row("data_sets", data_set)


def in_germany(factory):
    owner = factory.app.applier.state.projects[factory.project].organisation
    factory.perform(set_rules.command(SYSTEM, owner=owner, rule=PlacementRule(countries=("DE",))))


def test_a_copy_abroad_is_refused_with_rule_fact_and_position(sites):
    data_set = put(sites)
    in_germany(sites)
    answer = copied(sites, data_set, "virginia")
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    assert answer.values["findings"][0]["value"] == "US"
    assert sites.store.events(after_seq=answer.values["log_position"] - 1, limit=1)[0].kind == "placement.refused"
    sites.run_rounds(TEND)
    assert row(sites, data_set)["places"] == "here"
    assert sites.app.objects.folder_of(shelf_of(sites.app, sites.project, "virginia"), data_set) is None


def test_an_upload_to_a_forbidden_site_is_refused_before_a_byte_comes(sites):
    in_germany(sites)
    answer = announced(sites, site="virginia")
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN


def test_a_data_set_may_have_a_rule_of_its_own(sites):
    data_set = put(sites, countries=("DE", "AT"))
    answer = copied(sites, data_set, "virginia")
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    assert answer.values["findings"][0]["scope"] == "data_set"
    assert copied(sites, data_set, "vienna")["site"] == "vienna"
    sites.run_rounds(TEND)
    assert row(sites, data_set)["places"] == "here vienna"


def test_a_job_runs_only_where_its_data_may_be(sites):
    data_set = put(sites, countries=("DE",))
    at_home = a_job("sleep 5", data=(("flow", data_set),))
    job = sites.submit(at_home)
    assert sites.job(job)["state"] != "ended"
    elsewhere = put(sites, countries=("AT",), site="vienna")
    answer = sites.perform(submit_job.command(SYSTEM, project=sites.project, spec=a_job(data=(("flow", elsewhere),))))
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    assert answer.values["findings"][0]["scope"] == "data_set"


def test_what_is_counted_against_the_quota(sites):
    data_set = put(sites, size=40_000)
    assert copied(sites, data_set, "vienna")["site"] == "vienna"
    answer = copied(sites, data_set, "virginia")
    assert (answer.reason, answer.values["held_bytes"]) == (Reason.OVER_QUOTA, 80_000)
    sites.run_rounds(TEND)
    deleted(sites, data_set)
    assert sites.app.applier.state.data.bytes_held == {}


@pytest.mark.parametrize("other", ["absent", "foreign", "uploading", "deleted"])
def test_a_data_set_that_is_not_the_projects_own_and_whole_is_absent(factory, other):
    data_set = "dset_01aaaaaaaaaaaaaaaaaaaaaaaa"
    if other == "uploading":
        data_set = announced(factory)["data_set"]
    elif other == "deleted":
        data_set = put(factory)
        deleted(factory, data_set)
    elif other == "foreign":
        data_set = put(factory)
        factory.app.applier.state.data.sets[data_set].project = "prj_of_somebody_else"
    answer = factory.perform(submit_job.command(SYSTEM, project=factory.project, spec=a_job(data=(("flow", data_set),))))
    assert (answer.reason, answer.where) == (Reason.NOT_FOUND, "data.flow")
    assert "no data set" in answer.what


def test_a_job_that_works_keeps_its_data_and_one_that_waits_ends_with_the_reason(factory):
    data_set = put(factory)
    running = factory.submit(a_job("sleep 100", cpus=8, data=(("flow", data_set),)))
    waiting = factory.submit(a_job("sleep 100", cpus=8, data=(("flow", data_set),)))
    answer = deleted(factory, data_set)
    assert (answer.reason, answer.values["jobs"]) == (Reason.DATA_IN_USE, [running])
    factory.engine.lose(factory.attempts(running)[0]["attempt"])
    factory.settle()
    factory.pass_time(300_000)
    another = put(factory, name="other.csv")
    factory.submit(a_job("sleep 1000", cpus=8))
    late = factory.submit(a_job("sleep 5", cpus=8, data=(("flow", another),)))
    assert not isinstance(deleted(factory, another), Refusal)
    factory.run_rounds(Round("refuse-late", 1, refuse_late))
    assert (factory.job(late)["state"], factory.job(late)["outcome"], factory.job(late)["reason"]) == ("ended", "refused_late", "DATA_DELETED")
    assert factory.job(waiting)["outcome"] == "succeeded"
    check_all(factory)


def test_retention_waits_for_the_job_that_works_with_it(factory):
    data_set = put(factory, keep_days=1)
    job = factory.submit(a_job("sleep 200000", limit_s=300_000, data=(("flow", data_set),)))
    factory.pass_time(DAY_MS + 1)
    factory.run_rounds(TEND)
    assert row(factory, data_set)["stage"] == "ready"
    factory.pass_time(2 * DAY_MS)
    assert factory.job(job)["state"] == "ended"
    factory.run_rounds(TEND)
    assert (row(factory, data_set)["stage"], row(factory, data_set)["name"]) == ("deleted", "")
    kinds = [sealed.kind for sealed in factory.store.events_of(data_set)]
    assert kinds == ["data_set.announced", "data_set.created", "data_set.deleting", "data_set.deleted"]
    check_all(factory)


@pytest.mark.parametrize("after", ["deleting", "removed_here", "removed_everywhere"])
def test_a_deletion_that_a_crash_broke_off_is_finished_by_the_round(sites, after):
    factory = sites
    data_set = put(factory)
    copied(factory, data_set, "vienna")
    factory.run_rounds(TEND)
    factory.perform(delete_data_set.command(SYSTEM, data_set=data_set))
    for site in {"deleting": (), "removed_here": ("here",), "removed_everywhere": ("here", "vienna")}[after]:
        factory.app.objects.remove(shelf_of(factory.app, factory.project, site), data_set)
    factory = factory.restart()
    factory.run_rounds(TEND)
    found = [sealed for sealed in factory.store.events_of(data_set) if sealed.kind == "data_set.deleted"]
    assert len(found) == 1
    assert b'"removed":[["here",3,0],["vienna",3,0]]' in found[0].data, "the figures are those of the whole deletion"
    assert not [path for path in factory.folder.glob("objects/*/*/*/*") if path.is_file()]
    assert factory.app.reader.text(f"{data_set}/name") is None
    check_all(factory)


def test_an_expired_upload_is_given_up_with_its_bytes_and_name(factory):
    data_set = announced(factory)["data_set"]
    one = factory.app.applier.state.data.sets[data_set]
    with factory.app.objects.append(shelf_of(factory.app, one.project, one.places[0]), data_set, one.size) as incoming:
        incoming.write(bytes(1500))
    factory.pass_time(8 * DAY_MS)
    factory.run_rounds(TEND)
    assert (row(factory, data_set)["stage"], row(factory, data_set)["name"]) == ("abandoned", "")
    factory.run_rounds(Round("sweep", 1, lambda app: app.objects.sweep()))
    assert not list(factory.folder.glob("objects/*/*/chunks/*/*"))
    check_all(factory)


def test_the_rule_of_a_data_set_names_countries_that_there_are(sites):
    assert announced(sites, countries=("XX",)).reason is Reason.INVALID_ARGUMENT
    assert announced(sites, countries=("ZZ",)).reason is Reason.INVALID_ARGUMENT
    in_the_union = announced(sites, countries=("EU",))["data_set"]
    assert len(sites.app.applier.state.data.sets[in_the_union].countries) == 27
