"""Where work may be: rules at submission, in the plan, at the commit, in the auditor's round; and what changes do."""

import pytest
from msgspec.structs import replace

from eisbach.app import create_project, explain_job, quote_job, set_rules, submit_job
from eisbach.app.audit_places import audit_places, breaches
from eisbach.app.commands import SYSTEM, Decision
from eisbach.app.event_codec import open_event
from eisbach.app.events import AttemptPlanned
from eisbach.app.events_policy import ViolationFound
from eisbach.app.refuse_late import refuse_late
from eisbach.app.rounds import Round
from eisbach.core.jobs.placement import NO_RULE, Dedicated, PlacementRule
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import a_job, new_factory
from tests.app.invariants import check_all, events_of
from tests.app.world_of_sites import (
    ASHBURN,
    LISBON,
    MUNICH,
    VIENNA,
    a_site_in,
    another_tenant,
    change_site,
    organisation_of,
    put_sites,
    set_rule,
    site_of,
)

AUDIT = Round("audit-places", 1, audit_places)


@pytest.fixture
def factory(tmp_path):
    """Sites in Germany, the United States, Portugal (parent in the United States) and Austria, each of one node."""
    made = new_factory(tmp_path, site=MUNICH)
    put_sites(made, MUNICH, ASHBURN, LISBON, VIENNA)
    return made


def refused(factory, spec, project=None):
    answer = factory.perform(submit_job.command(SYSTEM, project=project or factory.project, spec=spec))
    assert isinstance(answer, Refusal), answer
    return answer


def why(factory, job):
    return factory.ask(explain_job.question(job=job))


# asked


def test_a_job_goes_where_its_rules_let_it(factory):
    set_rule(factory, organisation_of(factory), countries=("DE", "PT", "AT"))
    set_rule(factory, factory.project, parent_countries=("AT", "PT", "DE"))
    jobs = [factory.submit(a_job(cpus=4, placement=PlacementRule(countries=("AT", "PT")))) for _ in range(2)]
    assert site_of(factory, jobs[0]) == ["vienna"], "Lisbon's operator has its parent in the United States"
    assert factory.job(jobs[1])["state"] == "waiting", "and nothing else is left for the second one"
    assert why(factory, jobs[1])["reason"] == Reason.CAPACITY_BUSY.value
    factory.pass_time(20_000)
    check_all(factory)


def test_the_same_task_is_looked_at_anew_after_each_change(factory):
    """What a task costs and where it may be is remembered for each kind of task, until something changes that it follows from."""
    task = a_job(cpus=4)
    assert site_of(factory, factory.submit(task)) == ["munich"]
    set_rule(factory, factory.project, countries=("AT",))
    assert site_of(factory, factory.submit(task)) == ["vienna"]
    change_site(factory, "vienna", country="FR")
    assert refused(factory, task).reason is Reason.RESIDENCY_FORBIDDEN
    set_rule(factory, factory.project)
    assert isinstance(factory.submit(task), str)
    sites = (MUNICH, ASHBURN, LISBON, replace(VIENNA, country="FR"))  # nothing but the nodes changes
    smaller = [replace(one, nodes=tuple(replace(node, cpu_milli=3000) for node in one.nodes)) for one in sites]
    factory.pass_time(2 * HOUR_MS)
    put_sites(factory, *smaller)
    assert refused(factory, task).reason is Reason.MORE_THAN_ANY_NODE


def test_a_forbidden_site_is_refused_with_rule_facts_and_log_position(factory):
    organisation = organisation_of(factory)
    position = set_rule(factory, organisation, countries=("DE",))["position"]
    answer = refused(factory, a_job(placement=PlacementRule(sites=("ashburn",))))
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    (finding,) = answer.values["findings"]
    assert finding == {
        "site": "ashburn", "fact": "country", "value": "US", "allowed": ["DE"],
        "scope": "organisation", "name": organisation, "position": position, "owner_name": "Org",
    }  # fmt: skip
    assert f"ashburn stands in US; the organisation Org allows DE (log position {position})" in answer.what
    event = open_event(events_of(factory)[answer.values["log_position"]].data).body
    assert (event.what, event.project, event.asked) == ("job", factory.project, ("ashburn",))
    assert event.findings[0][:3] == ("ashburn", "country", "US")
    assert factory.store.rows("placement_refusals", {"project": factory.project}).rows[0]["seq"] == answer.values["log_position"]


def test_no_place_at_all_is_refused_with_every_finding(factory):
    set_rule(factory, organisation_of(factory), countries=("FR",))
    answer = refused(factory, a_job())
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    assert [one["site"] for one in answer.values["findings"]] == ["ashburn", "lisbon", "munich", "vienna"]


def test_what_only_a_forbidden_site_has_is_refused_with_that_site(factory):
    set_rule(factory, organisation_of(factory), countries=("DE", "AT"))
    answer = refused(factory, a_job(gpus=1, flavour="h200"))
    assert answer.reason is Reason.RESIDENCY_FORBIDDEN
    assert [one["site"] for one in answer.values["findings"]] == ["ashburn"]
    nowhere = refused(factory, a_job(gpus=1, flavour="b200"))
    assert nowhere.reason is Reason.NO_SUCH_FLAVOUR, "what does not exist anywhere is no question of place"


def test_a_site_that_is_not_there_is_named(factory):
    answer = refused(factory, a_job(placement=PlacementRule(sites=("atlantis",))))
    assert (answer.reason, answer.values["sites"]) == (Reason.INVALID_ARGUMENT, ["ashburn", "lisbon", "munich", "vienna"])


def test_a_site_without_a_country_satisfies_no_rule(factory):
    change_site(factory, "munich", country="ZZ")
    set_rule(factory, factory.project, countries=("DE", "AT"))
    job = factory.submit(a_job())
    assert site_of(factory, job) == ["vienna"]
    answer = refused(factory, a_job(placement=PlacementRule(sites=("munich",))))
    assert answer.values["findings"][0]["value"] == "ZZ"
    assert "a country that nobody has named (ZZ)" in answer.what


def test_the_quote_shows_allowed_and_forbidden_places(factory):
    set_rule(factory, factory.project, countries=("DE", "AT"), dedicated=Dedicated.PROJECT)
    quote = factory.ask(quote_job.question(project=factory.project, spec=a_job(), by=SYSTEM.token))
    assert [place["site"] for place in quote["places"]] == ["munich", "vienna"]
    assert [place["site"] for place in quote["forbidden_places"]] == ["ashburn", "lisbon"]
    assert quote["forbidden_places"][0]["reasons"][0].startswith("ashburn stands in US; the project")
    assert quote["dedicated"] == "project"


def test_a_forbidden_quote_is_put_into_the_log(factory):
    set_rule(factory, factory.project, countries=("DE",))
    spec = a_job(placement=PlacementRule(sites=("ashburn",)))
    quote = factory.ask(quote_job.question(project=factory.project, spec=spec, by=SYSTEM.token))
    assert isinstance(quote, Refusal)
    logged = factory.perform(quote_job.refuse(SYSTEM, project=factory.project, spec=spec))
    assert logged.values["findings"] == quote.values["findings"]
    assert events_of(factory)[logged.values["log_position"]].kind == "placement.refused"
    assert factory.perform(quote_job.refuse(SYSTEM, project=factory.project, spec=a_job())) == {}


def test_another_organisations_rule_is_nobody_elses(factory):
    other, other_project = another_tenant(factory)
    set_rule(factory, other, countries=("AT",))
    assert site_of(factory, factory.submit(a_job("sleep 1"))) == ["munich"]
    assert site_of(factory, factory.submit(a_job("sleep 1"), project=other_project)) == ["vienna"]


def test_rules_come_down_the_tree_of_organisations(factory):
    _, project = another_tenant(factory, "daughter", parent=organisation_of(factory))
    set_rule(factory, organisation_of(factory), countries=("AT", "PT"))
    set_rule(factory, project, parent_countries=("AT",))
    job = factory.submit(a_job(), project=project)
    assert site_of(factory, job) == ["vienna"]
    planned = next(one for one in bodies(factory) if isinstance(one, AttemptPlanned) and one.job == job)
    assert [open_event(events_of(factory)[at].data).kind for at in planned.rules] == ["rule.set", "rule.set"]
    assert planned.policy_version == max(planned.rules)


def bodies(factory):
    return [open_event(sealed.data).body for sealed in events_of(factory)]


# rules that cannot be


def test_a_rule_that_contradicts_one_above_or_below_is_refused_with_both(factory):
    organisation = organisation_of(factory)
    set_rule(factory, organisation, countries=("DE", "AT"))
    answer = set_rule(factory, factory.project, countries=("US",))
    assert (answer.reason, answer.values["key"]) == (Reason.INVALID_ARGUMENT, "countries")
    assert [one["allowed"] for one in answer.values["rules"]] == [["DE", "AT"], ["US"]]
    set_rule(factory, factory.project, countries=("AT",))
    above = set_rule(factory, organisation, countries=("DE",))
    assert above.reason is Reason.INVALID_ARGUMENT, "the project below would be left with nothing"
    assert set_rule(factory, factory.project)["changed"], "without its own rule"
    assert set_rule(factory, organisation, countries=("DE",))["changed"]


def test_a_rule_of_something_that_is_not_there(factory):
    assert set_rule(factory, "prj_absent", countries=("DE",)).reason is Reason.NOT_FOUND
    assert set_rule(factory, factory.project, sites=("atlantis",)).values["absent"] == ["atlantis"]
    assert factory.ask(set_rules.question(owner="prj_absent")).reason is Reason.NOT_FOUND


def test_the_same_rule_twice_is_one_event(factory):
    first = set_rule(factory, factory.project, countries=("DE",))
    second = set_rule(factory, factory.project, countries=("DE",))
    assert (first["changed"], second["changed"], second["position"]) == (True, False, first["position"])


# changes


def test_a_job_without_any_place_left_waits_and_says_why(factory):
    """Whoever waits is compiled again; nobody is refused late for a rule that may change again."""
    set_rule(factory, factory.project, countries=("AT",))
    running = factory.submit(a_job("sleep 100", cpus=4))
    waiting = factory.submit(a_job("sleep 1", cpus=4))
    change_site(factory, "vienna", country="CH")
    answer = why(factory, waiting)
    assert answer["reason"] == Reason.PLACEMENT_FORBIDDEN.value
    assert "The rules leave 0 of 4 sites to it" in answer["text"]
    assert "vienna stands in CH; the project" in answer["text"]
    factory.run_rounds(Round("refuse-late", 1, refuse_late))
    assert factory.job(waiting)["state"] == "waiting"
    change_site(factory, "vienna", country="AT")
    factory.pass_time(300_000)
    assert factory.job(running)["outcome"] == factory.job(waiting)["outcome"] == "succeeded"
    check_all(factory)


def test_a_loosened_rule_lets_waiting_jobs_start_at_once(factory):
    set_rule(factory, factory.project, countries=("DE",))
    factory.submit(a_job("sleep 100", cpus=4))
    waiting = factory.submit(a_job("sleep 1", cpus=4))
    assert factory.job(waiting)["state"] == "waiting"
    factory.perform(set_rules.command(SYSTEM, owner=factory.project, rule=NO_RULE))
    assert factory.job(waiting)["state"] == "running"


def test_a_site_that_changes_its_operator_is_found_by_the_round_and_its_work_moves_at_our_cost(factory):
    set_rule(factory, factory.project, operator_countries=("DE", "AT"))
    job = factory.submit(a_job("sleep 100"))
    assert site_of(factory, job) == ["munich"]
    factory.pass_time(10_000)
    change_site(factory, "munich", operator_country="US", parent_country="US")
    assert factory.job(job)["state"] == "running", "nobody has looked yet"
    factory.run_rounds(AUDIT)
    (row,) = factory.store.rows("violations", {"what": "attempt"}).rows
    assert (row["what"], row["job"], row["site"]) == ("attempt", job, "munich")
    assert "operator_country" in row["findings"]
    factory.run_rounds(AUDIT)
    (row,) = factory.store.rows("violations", {"what": "attempt"}).rows
    assert row["ended_how"] == "gone"
    factory.pass_time(200_000)
    assert site_of(factory, job) == ["vienna"]
    first, second = factory.attempts(job)
    assert (first["reason"], first["fault"], first["charged"]) == ("PLACEMENT_FORBIDDEN", "operator", 0)
    assert second["outcome"] == "succeeded"
    kinds = [sealed.kind for sealed in factory.store.events_of(job)]
    assert kinds.index("violation.found") < kinds.index("job.stopping") < kinds.index("violation.ended")
    check_all(factory)


def test_a_violation_that_the_rules_come_to_allow_ends(factory):
    set_rule(factory, factory.project, countries=("DE",))
    job = factory.submit(a_job("sleep 100", grace_s=60))
    change_site(factory, "munich", country="AT")
    state = factory.app.applier.state
    assert [breach.job for breach in breaches(state) if breach.what == "attempt"] == [job]
    factory.run_rounds(AUDIT)
    assert [one.job for one in state.policy.violations.values() if one.what == "attempt"] == [job]
    factory.perform(set_rules.command(SYSTEM, owner=factory.project, rule=NO_RULE))
    assert list(breaches(factory.app.applier.state)) == []


def test_a_planted_violation_is_found_whatever_the_scheduler_believes(factory):
    """The round does not ask what was compiled: a job that the scheduler would let anywhere is found as well."""
    job = factory.submit(a_job("sleep 100"))
    state = factory.app.applier.state
    set_rule(factory, factory.project, countries=("AT",))
    state.scheduler.move(state.scheduler.jobs[job], type(state.scheduler.jobs[job].where)())  # as a mistake would
    (breach,) = (one for one in breaches(state) if one.what == "attempt")
    assert (breach.job, breach.site) == (job, "munich")


def test_a_violation_told_by_an_event_ends_with_the_next_round(factory):
    """An auditor who plants one sees that the round does not leave it standing where nothing is wrong."""

    def plant(state, context):
        found = ViolationFound(
            violation="vio_planted", what="attempt", subject="att_x", job="", project="", organisation="", site="munich",
            findings=(), policy_version=state.policy.version,
        )  # fmt: skip
        return Decision(events=(found,))

    factory.perform(plant)
    assert factory.app.applier.state.policy.violations
    factory.run_rounds(AUDIT)
    assert not factory.app.applier.state.policy.violations
    check_all(factory)


# the commit


def test_a_plan_by_rules_that_no_longer_hold_is_not_committed(factory):
    set_rule(factory, factory.project, countries=("AT",))
    factory.submit(a_job("sleep 100", cpus=4))
    waiting = factory.submit(a_job(cpus=4))
    state = factory.app.applier.state
    before = len(events_of(factory))

    def plan(node, version):
        def decide(state, context):
            planned = AttemptPlanned(
                attempt="att_forged", job=waiting, number=1, shape=0, tasks=((0, node, 4000, 1024, ()),),
                limit_ms=1, epoch=context.epoch, policy_version=version,
            )  # fmt: skip
            return Decision(events=(planned,))

        future = factory.app.perform(decide)
        factory.app.applier.drain()
        assert isinstance(future.exception(timeout=0), BrokenInvariant)

    plan("munich-0", state.policy.version)
    plan("vienna-0", state.policy.version - 1)
    assert len(events_of(factory)) == before
    check_all(factory)


# dedicated nodes


def test_nobody_joins_a_dedicated_node_and_it_joins_nobody(factory):
    put_sites(factory, a_site_in("munich", "DE", nodes=2), ASHBURN, LISBON, VIENNA)
    here = PlacementRule(sites=("munich",))
    _, other = another_tenant(factory)
    set_rule(factory, factory.project, dedicated=Dedicated.PROJECT)
    mine = [factory.submit(a_job("sleep 100", placement=here)) for _ in range(2)]
    yours = factory.submit(a_job("sleep 100", placement=here), project=other)
    nodes = [factory.attempts(job)[0]["nodes"] for job in (*mine, yours)]
    assert nodes == ["munich-0", "munich-0", "munich-1"]
    third = factory.submit(a_job("sleep 100", cpus=3, placement=here))
    assert factory.job(third)["state"] == "waiting", "three cores are free beside the other tenant, and two beside its own"
    factory.pass_time(300_000)
    check_all(factory)


def test_an_organisation_may_keep_its_nodes_to_itself(factory):
    organisation = organisation_of(factory)
    set_rule(factory, organisation, dedicated=Dedicated.ORGANISATION, countries=("AT",))
    second = factory.perform(
        create_project.command(SYSTEM, organisation=organisation, name="second", budget_micro_eur=10**9)
    )["project"]
    _, other = another_tenant(factory)
    set_rule(factory, other, countries=("AT",))
    jobs = [factory.submit(a_job("sleep 10"), project=project) for project in (factory.project, second, other)]
    assert [factory.job(job)["state"] for job in jobs] == ["running", "running", "waiting"]
    factory.pass_time(60_000)
    assert factory.job(jobs[2])["outcome"] == "succeeded"
    check_all(factory)


def test_rules_survive_restart_and_snapshot(factory):
    set_rule(factory, factory.project, countries=("AT",), dedicated=Dedicated.PROJECT)
    job = factory.submit(a_job("sleep 100"))
    factory.site = MUNICH
    for crash in (True, False):
        factory = factory.restart(crash=crash)
        put_sites(factory, MUNICH, ASHBURN, LISBON, VIENNA)
        assert factory.app.applier.state.scheduler.jobs[job].where.sites == {"vienna"}
    check_all(factory)
