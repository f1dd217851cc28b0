"""What people do in a story: customers submit and cancel, budgets, rules and shares change."""

from collections.abc import Callable, Mapping

from eisbach.app import (
    cancel_job,
    create_organisation,
    create_project,
    set_budget,
    set_rules,
    set_scheduler,
    set_shares,
    submit_job,
)
from eisbach.app.commands import SYSTEM, Answer
from eisbach.app.create_organisation import SEGMENTS
from eisbach.core.capacity.flavours import gpu_model
from eisbach.core.jobs.placement import NO_RULE, Dedicated, PlacementRule
from eisbach.core.jobs.request import CapacityClass, CheckpointRule, JobSpec, NodeShape, RetryRule
from eisbach.core.jobs.within import Level, Within
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.twin.story import Story


def new_customer(story: Story, name: str) -> str:
    """Make an organisation with a project; return that."""
    segment = story.chance.choice(SEGMENTS)
    made = story.perform(create_organisation.command(SYSTEM, name=name, segment=segment))
    budget = story.chance.choice([5, 1000, 10**5, 10**5])
    command = create_project.command(
        SYSTEM, organisation=made["organisation"], name=name, budget_micro_eur=round(budget * EURO)  # type: ignore[index]
    )
    return str(story.perform(command)["project"])  # type: ignore[index]


def a_spec(story: Story) -> JobSpec:
    """Return a job of a random kind: mostly small, some that fail, some over their limit, some wide, some near together."""
    chance = story.chance
    nodes = chance.choice([1, 1, 1, 1, 2, 3, 4])
    seconds = chance.choice([0, 1, 30, 600, 3600, 3 * 3600, 2 * 86_400])
    return JobSpec(
        name="job",
        nodes=nodes,
        shapes=tuple(_a_shape(story, nodes) for _ in range(chance.choice([1, 1, 1, 2]))),
        run=f"sleep {seconds}" + chance.choice(["", "", "", "; false", "; exit 3"]),
        time_limit_ms=SECOND_MS * chance.choice([10, 700, 3600, 4 * 3600, 3 * 86_400]),
        checkpoint=CheckpointRule(grace_ms=SECOND_MS * chance.choice([0, 5, 30])),
        retry=RetryRule(max_attempts=chance.choice([1, 1, 2, 4])),
        capacity_class=chance.choice([CapacityClass.ON_DEMAND, CapacityClass.ON_DEMAND, CapacityClass.SPOT]),
        placement=chance.choice([NO_RULE] * 10 + _rules(story)),
        within=Within(chance.choice(list(Level)), chance.random() < 0.5) if nodes > 1 and chance.random() < 0.4 else None,
    )


def _a_shape(story: Story, nodes: int) -> NodeShape:
    """Return a shape that some node here has; now and then one that none has."""
    chance, fleet = story.chance, story.world.state.scheduler.fleet.nodes
    node = fleet[chance.choice(sorted(fleet))]
    flavour = "b200" if chance.random() < 0.03 else node.flavour.partition(".")[0]
    gpus = chance.choice([one for one in (0, 1, 1, 2, 4) if one <= node.gpus])
    part = chance.choice([250, 500, 700]) if gpus == 1 and chance.random() < 0.3 else 1000
    model = gpu_model(node.flavour) if gpus == 1 and part == 1000 else None
    mig = chance.choice(model.mig).name if model is not None and model.mig and chance.random() < 0.3 else ""
    return NodeShape(
        cpu_milli=chance.choice([one for one in (500, 1000, 2000, 4000) if one <= node.cpu_milli]),
        memory_mib=1024,
        gpus=gpus,
        flavour=flavour if gpus or chance.random() < 0.3 else None,
        gpu_milli=part,
        mig=mig,
    )


def _rules(story: Story) -> list[PlacementRule]:
    return [
        PlacementRule(countries=("DE",)),
        PlacementRule(countries=("AT", "DE"), dedicated=Dedicated.PROJECT),
        PlacementRule(dedicated=story.chance.choice([Dedicated.PROJECT, Dedicated.ORGANISATION])),
    ]


def submit(story: Story) -> str:
    """Somebody submits a job."""
    command = submit_job.command(SYSTEM, project=story.chance.choice(story.projects), spec=a_spec(story))
    return _took(story, story.perform(command))


def submit_many(story: Story) -> str:
    """Several submit in one batch."""
    commands = [
        submit_job.command(SYSTEM, project=story.chance.choice(story.projects), spec=a_spec(story))
        for _ in range(story.chance.randint(2, 6))
    ]
    return "; ".join(_took(story, answer) for answer in story.perform_together(commands))


def _took(story: Story, answer: Answer) -> str:
    if isinstance(answer, Refusal):
        return answer.reason.value
    story.jobs.append(str(answer["job"]))
    return story.jobs[-1]


def cancel(story: Story) -> str:
    """Somebody cancels a job, sometimes one that is over."""
    active = sorted(story.world.state.scheduler.jobs)
    pool = active if active and story.chance.random() < 0.9 else story.jobs
    job = story.chance.choice(pool) if pool else "job_none"
    story.perform(cancel_job.command(SYSTEM, job=job))
    return job


def budget(story: Story) -> str:
    """A project gets another budget."""
    project, euro = story.chance.choice(story.projects), story.chance.choice([0, 0.5, 10, 1000, 10**5])
    story.perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=round(euro * EURO)))
    return f"{project} {euro} EUR"


def rule(story: Story) -> str:
    """Somebody sets a rule about places, or takes it away."""
    owner = story.chance.choice([*story.projects, *story.world.state.organisations])
    rule = story.chance.choice([NO_RULE, NO_RULE, *_rules(story)])
    story.perform(set_rules.command(SYSTEM, owner=owner, rule=rule))
    return owner


def policy(story: Story) -> str:
    """The operator lets the scheduler decide by another policy."""
    name = story.chance.choice(["default", "default", "easy", "fifo"])
    story.perform(set_scheduler.command(SYSTEM, policy=name))
    return name


def shares(story: Story) -> str:
    """Somebody gets another weight, quota or agreement, or none any more."""
    chance, organisations = story.chance, list(story.world.state.organisations)
    owner = chance.choice([*story.projects, *organisations])
    command = chance.choice(
        [
            set_shares.set_share(SYSTEM, owner=chance.choice([owner, "enterprise"]), weight=chance.choice([None, 0, 7])),
            set_shares.set_quota(SYSTEM, owner=owner, gpu_milli=chance.choice([None, 0, 2000])),
            set_shares.set_agreement(
                SYSTEM, organisation=chance.choice(organisations), gpu_milli=chance.choice([0, 3000]), price_permille=1000
            ),
        ]
    )
    story.perform(command)
    return owner

ACTS: Mapping[Callable[[Story], str], int] = {submit: 30, submit_many: 8, cancel: 7, budget: 5, rule: 5, shares: 3, policy: 3}
