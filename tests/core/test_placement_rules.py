"""Placement rules: the most restrictive wins, in any order; more rules never allow more; an unknown country is never allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.capacity.where import ANYWHERE, Where
from eisbach.core.jobs.findings import Findings
from eisbach.core.jobs.placement import NO_RULE, Dedicated, PlacementRule, limits_of, rule_of
from eisbach.core.jobs.placement_request import parse_placement
from eisbach.core.policy.compile import compile_rules
from eisbach.core.policy.rules import Place, Scope, ScopedRule, contradictions, dedication, findings_of
from eisbach.core.vocabulary.countries import COUNTRIES, GROUPS, UNKNOWN_COUNTRY, expand, in_words
from tests.core.fleets import a_fleet, a_node, a_shape

CODES = ["AT", "DE", "FR", "US"]
MUNICH = Place("munich", "DE", "DE", "DE")
ASHBURN = Place("ashburn", "US", "US", "US")
LISBON = Place("lisbon", "PT", "PT", "US")

countries = st.lists(st.sampled_from(CODES), unique=True, max_size=3).map(lambda codes: tuple(sorted(codes)))
rules = st.builds(
    PlacementRule,
    countries=countries,
    operator_countries=countries,
    parent_countries=countries,
    sites=st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=2).map(lambda names: tuple(sorted(names))),
    dedicated=st.sampled_from(Dedicated),
)
scoped = st.lists(st.builds(ScopedRule, st.sampled_from(Scope), st.sampled_from(["x", "y"]), rules), max_size=4)
some_places = st.tuples(*(st.tuples(*[st.sampled_from([*CODES, UNKNOWN_COUNTRY])] * 3) for _ in "abc")).map(
    lambda drawn: [Place(site, *facts) for site, facts in zip("abc", drawn, strict=True)]
)


def compiled(given_rules, places=(MUNICH, ASHBURN, LISBON)):
    return compile_rules(given_rules, places, 7)


def a_rule(scope=Scope.ORGANISATION, name="org", **limits):
    return ScopedRule(scope, name, PlacementRule(**limits), 3)


@given(scoped, some_places)
def test_allowed_is_what_every_rule_alone_allows(given_rules, places):
    """Most restrictive wins: the intersection."""
    together = compile_rules(given_rules, places, 0)
    alone = [compile_rules([one], places, 0) for one in given_rules]
    for place in places:
        assert together.allows(place.site) == all(one.allows(place.site) for one in alone)
        assert together.allows(place.site) == (not together.forbidden.get(place.site))


@given(scoped, some_places, st.randoms())
def test_the_order_of_rules_changes_nothing_that_is_allowed(given_rules, places, chance):
    shuffled = list(given_rules)
    chance.shuffle(shuffled)
    one, other = compile_rules(given_rules, places, 0), compile_rules(shuffled, places, 0)
    assert (one.sites, one.dedicated) == (other.sites, other.dedicated)
    assert {site: set(found) for site, found in one.forbidden.items()} == {
        site: set(found) for site, found in other.forbidden.items()
    }


@given(scoped, scoped, some_places)
def test_one_more_rule_never_allows_more(given_rules, more, places):
    fewer, all_of_them = compile_rules(given_rules, places, 0), compile_rules([*given_rules, *more], places, 0)
    assert all(fewer.allows(place.site) for place in places if all_of_them.allows(place.site))
    order = list(Dedicated)
    assert order.index(all_of_them.dedicated) >= order.index(fewer.dedicated)


@given(rules)
def test_an_unknown_country_satisfies_no_limit(rule):
    nowhere = Place("a", UNKNOWN_COUNTRY, UNKNOWN_COUNTRY, UNKNOWN_COUNTRY)
    limited = rule.countries or rule.operator_countries or rule.parent_countries
    assert bool(findings_of([ScopedRule(Scope.JOB, "", rule)], nowhere)) >= bool(limited)
    allowing = ScopedRule(Scope.JOB, "", PlacementRule(countries=(UNKNOWN_COUNTRY,)))
    assert findings_of([allowing], nowhere), "not even a rule that names it, however that came about"


@given(rules)
def test_a_rule_survives_the_log(rule):
    assert rule_of(limits_of(rule)) == rule


def test_a_finding_names_rule_fact_and_what_would_be_allowed():
    found = compiled([a_rule(countries=("DE",)), a_rule(Scope.PROJECT, "prj", parent_countries=("DE", "PT"))])
    assert found.sites == frozenset({"munich"})
    (country, parent) = found.forbidden["ashburn"]
    assert (country.fact, country.value, country.allowed, country.scope, country.name, country.position) == (
        "country", "US", ("DE",), Scope.ORGANISATION, "org", 3,
    )  # fmt: skip
    assert (parent.fact, parent.value, parent.scope) == ("parent_country", "US", Scope.PROJECT)
    assert [one.fact for one in found.forbidden["lisbon"]] == ["country", "parent_country"]


def test_without_limits_every_place_is_allowed_also_a_later_one():
    assert compiled([]).sites is None
    assert compiled([a_rule(dedicated=Dedicated.PROJECT)]).sites is None
    assert compiled([a_rule(sites=("elsewhere",))]).is_nowhere


def test_limits_without_anything_in_common_are_told_with_their_rules():
    org, project = a_rule(countries=("DE",)), a_rule(Scope.PROJECT, "prj", countries=("FR", "US"), sites=("x",))
    (found,) = contradictions([org, project])
    assert (found.key, found.rules) == ("countries", (org, project))
    assert not contradictions([org, a_rule(countries=("DE", "FR"))])


def test_the_strictest_dedication_wins():
    assert dedication([]) is Dedicated.NO
    assert dedication([a_rule(dedicated=Dedicated.PROJECT), a_rule(dedicated=Dedicated.ORGANISATION)]) is Dedicated.PROJECT


# groups and words


def test_groups_are_sets_of_countries_with_date_and_source():
    assert len(GROUPS["EU"].members) == 27
    assert GROUPS["EEA"].members - GROUPS["EU"].members == {"IS", "LI", "NO"}
    assert len(COUNTRIES) == 249
    for group in GROUPS.values():
        assert group.members <= COUNTRIES
        assert group.valid_from
        assert group.source


def test_groups_are_expanded_and_told_by_name():
    assert expand(["EU", "CH", "DE"]) == tuple(sorted({*GROUPS["EU"].members, "CH"}))
    assert in_words(expand(["EU", "CH"])) == "CH, EU (27 countries as of 2020-02-01)"
    assert in_words(expand(["EEA"])) == "EEA (30 countries as of 2020-02-01)"
    assert in_words(("DE",)) == "DE"


# what people write


def parsed(value):
    findings = Findings()
    rule = parse_placement(value, "placement", findings)
    return rule, [str(one) for one in findings.refusals]


def test_a_rule_as_people_write_it():
    rule, wrong = parsed({"countries": ["de", "AT"], "operator_countries": "EU", "sites": "munich", "dedicated": "project"})
    assert not wrong
    assert rule.countries == ("AT", "DE")
    assert len(rule.operator_countries) == 27
    assert (rule.sites, rule.dedicated) == (("munich",), Dedicated.PROJECT)
    assert parsed(None) == parsed({}) == (NO_RULE, [])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("DE", "must be a mapping"),
        ({"country": ["DE"]}, "`placement.country` is not a key"),
        ({"countries": ["XX"]}, "'XX', which is no country of ISO 3166-1"),
        ({"countries": ["UK"]}, "Write GB"),
        ({"countries": ["EWR"]}, "Write EEA"),
        ({"countries": [7]}, "names 7, which is no country"),
        ({"countries": ["ZZ"]}, "an unknown one is never allowed"),
        ({"countries": []}, "would allow nothing at all"),
        ({"countries": {"DE": 1}}, "must be a list such as [DE, AT]"),
        ({"countries": False}, 'Norway is "NO" in quotes'),
        ({"parent_countries": ["DE", False]}, 'Norway is "NO" in quotes'),
        ({"sites": [""]}, "names of sites"),
        ({"sites": ["a\nb"]}, "names of sites"),
        ({"dedicated": "me"}, "must be project or organisation"),
        ({"dedicated": True}, "must be project or organisation"),
    ],
)
def test_what_is_no_rule_is_refused_in_words(value, said):
    wrong = parsed(value)[1]
    assert len(wrong) == 1
    assert said in wrong[0]


# dedicated nodes


def test_a_dedicated_node_is_shared_with_nobody_else_either_way():
    mine, yours = Where(tenant="prj_mine"), Where(tenant="prj_yours")
    fleet = a_fleet(a_node("n1", cores=4))
    held = fleet.place(a_shape(1), 1, mine)
    fleet.take(held)
    assert fleet.place(a_shape(1), 1, mine), "others of the same project join"
    assert not fleet.place(a_shape(1), 1, yours)
    assert not fleet.place(a_shape(1), 1, ANYWHERE)
    fleet.give_back(held)
    assert fleet.nodes["n1"].tenant == ""
    shared = fleet.place(a_shape(1), 1)
    fleet.take(shared)
    assert not fleet.place(a_shape(1), 1, mine), "a node that others are on is not dedicated"
    assert fleet.place(a_shape(1), 1)


def test_only_allowed_sites_are_looked_at():
    fleet = a_fleet(a_node("n1", cores=4))
    assert fleet.place(a_shape(1), 1, Where(frozenset({"here"})))
    elsewhere = Where(frozenset({"elsewhere"}))
    assert not fleet.place(a_shape(1), 1, elsewhere)
    assert not fleet.could_ever(a_shape(1), 1, elsewhere)
    assert not fleet.could_without_drained(a_shape(1), 1, elsewhere)
