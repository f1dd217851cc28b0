"""Shares, quotas and agreements: set, refused, folded into the tree, kept over a restart, and what they do to a price."""

import pytest

from eisbach.app import create_organisation, create_project, set_shares
from eisbach.app.commands import SYSTEM
from eisbach.app.site_facts import NodeFacts
from eisbach.app.snapshot import decode_state, encode_state, fingerprint
from eisbach.app.state_shares import Agreement
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import a_job, a_site, new_factory


def organisation_of(factory):
    return factory.app.applier.state.projects[factory.project].organisation


def tree_of(factory):
    return factory.app.applier.state.scheduler.fair_share


def a_sibling(factory):
    """A second project of the same organisation."""
    return factory.perform(
        create_project.command(SYSTEM, organisation=organisation_of(factory), name="other", budget_micro_eur=1000 * EURO)
    )["project"]


def test_a_share_weighs_among_siblings(factory):
    other = a_sibling(factory)
    assert factory.perform(set_shares.set_share(SYSTEM, owner=other, weight=300))["changed"]
    assert not factory.perform(set_shares.set_share(SYSTEM, owner=other, weight=300))["changed"]
    tree = tree_of(factory)
    tree.charge(factory.project, 1000 * HOUR_MS, 0)
    tree.charge(other, 2999 * HOUR_MS, 0)
    assert tree.rank(other) < tree.rank(factory.project)


def test_a_segment_may_have_a_share_before_anybody_is_in_it(factory):
    factory.perform(set_shares.set_share(SYSTEM, owner="research", weight=700))
    assert "research" not in tree_of(factory)
    factory.perform(create_organisation.command(SYSTEM, name="Uni", segment="research"))
    assert "research" in tree_of(factory)
    state = factory.app.applier.state
    assert fingerprint(decode_state(encode_state(state))) == fingerprint(state)


def test_what_was_set_outlives_a_restart(factory):
    project, organisation = factory.project, organisation_of(factory)
    factory.perform(set_shares.set_share(SYSTEM, owner=project, weight=7))
    factory.perform(set_shares.set_quota(SYSTEM, owner=project, gpu_milli=4000))
    factory.perform(set_shares.set_agreement(SYSTEM, organisation=organisation, gpu_milli=2000, price_permille=900))
    for crash in (True, False):
        factory = factory.restart(crash=crash)
        shares = factory.app.applier.state.shares
        assert (shares.weights, shares.quotas) == ({project: 7}, {project: 4000})
        assert shares.agreements == {organisation: Agreement(2000, 900)}
        assert tree_of(factory).above_quota() == {}
        tree_of(factory).hold(project, 5000)
        assert tree_of(factory).above_quota() == {project: 1000}
        tree_of(factory).hold(project, -5000)


def test_a_quota_and_an_agreement_can_end(factory):
    factory.perform(set_shares.set_quota(SYSTEM, owner=factory.project, gpu_milli=0))
    factory.perform(set_shares.set_quota(SYSTEM, owner=factory.project, gpu_milli=None))
    organisation = organisation_of(factory)
    factory.perform(set_shares.set_agreement(SYSTEM, organisation=organisation, gpu_milli=8000))
    factory.perform(set_shares.set_agreement(SYSTEM, organisation=organisation, gpu_milli=0))
    shares = factory.app.applier.state.shares
    assert (shares.quotas, shares.agreements) == ({}, {})


def test_an_agreement_lowers_the_price_of_what_is_submitted_from_now_on(factory):
    organisation = organisation_of(factory)
    before = factory.submit(a_job("sleep 3600", limit_s=3600))
    factory.perform(set_shares.set_agreement(SYSTEM, organisation=organisation, gpu_milli=0, price_permille=750))
    after = factory.submit(a_job("sleep 3600", limit_s=3600))
    factory.pass_time(2 * HOUR_MS)
    charged = [factory.store.row("jobs", job)["charged"] for job in (before, after)]
    assert charged[1] == charged[0] * 750 // 1000 > 0


@pytest.mark.parametrize(
    ("command", "reason", "where"),
    [
        (lambda own, org: set_shares.set_share(SYSTEM, owner="nobody", weight=1), Reason.NOT_FOUND, "owner"),
        (lambda own, org: set_shares.set_share(SYSTEM, owner=own, weight=-1), Reason.INVALID_ARGUMENT, "weight"),
        (lambda own, org: set_shares.set_share(SYSTEM, owner=own, weight=10**6 + 1), Reason.INVALID_ARGUMENT, "weight"),
        (lambda own, org: set_shares.set_share(SYSTEM, owner=own, weight=0), Reason.INVALID_ARGUMENT, "weight"),
        (lambda own, org: set_shares.set_quota(SYSTEM, owner="research", gpu_milli=1), Reason.NOT_FOUND, "owner"),
        (lambda own, org: set_shares.set_quota(SYSTEM, owner=own, gpu_milli=-1), Reason.INVALID_ARGUMENT, "gpu_milli"),
        (lambda own, org: set_shares.set_quota(SYSTEM, owner=own, gpu_milli=10**10), Reason.INVALID_ARGUMENT, "gpu_milli"),
        (lambda own, org: set_shares.set_agreement(SYSTEM, organisation=own, gpu_milli=1), Reason.NOT_FOUND, "owner"),
        (lambda own, org: set_shares.set_agreement(SYSTEM, organisation=org, gpu_milli=-1), Reason.INVALID_ARGUMENT, "gpu_milli"),
        (
            lambda own, org: set_shares.set_agreement(SYSTEM, organisation=org, gpu_milli=1, price_permille=0),
            Reason.INVALID_ARGUMENT,
            "price_permille",
        ),
        (
            lambda own, org: set_shares.set_agreement(SYSTEM, organisation=org, gpu_milli=1, price_permille=1001),
            Reason.INVALID_ARGUMENT,
            "price_permille",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(factory, command, reason, where):
    answer = factory.perform(command(factory.project, organisation_of(factory)))
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.where) == (reason, where)


def test_the_last_share_of_a_level_stays_above_nothing(factory):
    other = a_sibling(factory)
    assert factory.perform(set_shares.set_share(SYSTEM, owner=other, weight=0))["changed"]
    answer = factory.perform(set_shares.set_share(SYSTEM, owner=factory.project, weight=0))
    assert isinstance(answer, Refusal)
    assert "sum to 0" in answer.what


def test_usage_is_what_was_held_settled_or_not(tmp_path):
    """The tree follows held time, never money: half of it is settled within the hour, the rest at the end."""
    node = NodeFacts(node="n1", pool="p", flavour="h200.4", cpu_milli=8000, memory_mib=16_384, gpus=4)
    factory = new_factory(tmp_path, site=a_site(node))
    factory.perform(
        set_shares.set_agreement(SYSTEM, organisation=organisation_of(factory), gpu_milli=0, price_permille=500)
    )
    factory.submit(a_job("sleep 5400", gpus=2, flavour="h200", limit_s=7200))
    tree, now = tree_of(factory), factory.clock.now
    assert tree.held("enterprise") == 2000
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    assert tree.usage(factory.project, now()) == 2000 * HOUR_MS
    factory.pass_time(HOUR_MS)
    assert tree.held("enterprise") == 0
    state = factory.app.applier.state
    assert state.gpu_milli_ms[factory.project] == 3000 * HOUR_MS
    assert abs(tree.usage(factory.project, now()) - 3000 * HOUR_MS) < 3000 * HOUR_MS // 100  # an hour of a week's half-life


def test_the_next_job_is_predicted_from_the_last_two(factory):
    for seconds in (100, 300):
        factory.submit(a_job(f"sleep {seconds}", limit_s=1000))
        factory.pass_time(HOUR_MS)
    job = factory.submit(a_job("sleep 1", limit_s=2000))
    state = factory.app.applier.state
    assert abs(state.scheduler.jobs[job].predicted_ms - 400_000) < 10
    assert fingerprint(decode_state(encode_state(state))) == fingerprint(state)
