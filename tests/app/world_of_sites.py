"""A factory with sites in several countries, for what is about places."""

from msgspec.structs import replace

from eisbach.app import create_organisation, create_project, set_rules
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.core.jobs.placement import PlacementRule
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.reasons import Refusal


def a_site_in(site, country, *, operator_country=None, parent_country=None, nodes=1, gpus=0):
    """A simulated site with equal nodes of 4 cores."""
    return SiteFacts(
        site=site,
        country=country,
        operator=f"{site} operator",
        operator_country=operator_country or country,
        parent_country=parent_country or operator_country or country,
        nodes=tuple(
            NodeFacts(
                node=f"{site}-{number}",
                pool=f"{site}-pool",
                flavour=f"h200.{gpus}" if gpus else "cpu",
                cpu_milli=4000,
                memory_mib=8192,
                gpus=gpus,
            )
            for number in range(nodes)
        ),
        is_simulated=True,
    )


MUNICH = a_site_in("munich", "DE")
ASHBURN = a_site_in("ashburn", "US", gpus=4)
LISBON = a_site_in("lisbon", "PT", parent_country="US")
VIENNA = a_site_in("vienna", "AT")


def put_sites(factory, *sites):
    """Have the site file name these sites from now on; the first one is the factory's own."""
    factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, list(sites))))


def change_site(factory, site, **facts):
    """Change the facts of one of the four sites."""
    put_sites(factory, *(replace(one, **facts) if one.site == site else one for one in (MUNICH, ASHBURN, LISBON, VIENNA)))


def organisation_of(factory, project=None):
    """Return the organisation of a project."""
    return factory.app.applier.state.projects[project or factory.project].organisation


def set_rule(factory, owner, **limits):
    """Set a rule and return the answer."""
    return factory.perform(set_rules.command(SYSTEM, owner=owner, rule=PlacementRule(**limits)))


def another_tenant(factory, name="other", parent=None):
    """Return the ids of one more organisation and its project."""
    made = factory.perform(create_organisation.command(SYSTEM, name=name, parent=parent))
    assert not isinstance(made, Refusal), made
    project = factory.perform(
        create_project.command(SYSTEM, organisation=made["organisation"], name=name, budget_micro_eur=1000 * EURO)
    )
    return made["organisation"], project["project"]


def site_of(factory, job):
    """Return the sites at which a job's last attempt was placed."""
    nodes = factory.app.applier.state.scheduler.fleet.nodes
    last = factory.attempts(job)[-1]
    return sorted({nodes[node].site for node in last["nodes"].split()})
