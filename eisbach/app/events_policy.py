"""Events about placement rules."""

from eisbach.app.event_body import Body
from eisbach.core.jobs.placement import LimitTuple

FindingTuple = tuple[str, str, str, tuple[str, ...], str, str, int]
"""site, fact, its value, what is allowed, whose rule (scope and id), the position of that rule's event"""


class RuleSet(Body, frozen=True):
    """The rule of an organisation or a project is this from now on; without limits there is none any more.

    Groups of countries are expanded, so that what holds follows from the log alone.
    """

    owner: str
    scope: str
    limits: tuple[LimitTuple, ...]
    by: str


class PlacementRefused(Body, frozen=True):
    """Somebody asked for a place that rules forbid. `what` is `job`, `copy`, `log` or `backup`."""

    what: str
    project: str
    organisation: str
    asked: tuple[str, ...]
    findings: tuple[FindingTuple, ...]
    policy_version: int
    by: str


class ViolationFound(Body, frozen=True):
    """Something is where rules forbid it. `what` is `attempt`, `copy`, `log` or `backup`, `subject` its id."""

    violation: str
    what: str
    subject: str
    job: str
    project: str
    organisation: str
    site: str
    findings: tuple[FindingTuple, ...]
    policy_version: int


class ViolationEnded(Body, frozen=True):
    """It is no longer there (`gone`), or the rules and facts allow it now (`allowed`)."""

    violation: str
    job: str
    how: str


class TargetUsed(Body, frozen=True):
    """A backup was written, or the log exported, to a site; the rules of all organisations allowed it.

    `head_size` is how much of the log it holds at most.
    """

    target: str
    use: str
    site: str
    head_size: int
    policy_version: int
    by: str


class TargetCleared(Body, frozen=True):
    """Whoever answers for it says that nothing of this use is kept at that site any more."""

    target: str
    use: str
    site: str
    by: str


class ResidencyStated(Body, frozen=True):
    """The operator's word: the events at these positions are all that bear on where the job and what is left of it were and are."""

    job: str
    project: str
    positions: tuple[int, ...]
    by: str


KINDS: dict[str, type[Body]] = {
    "rule.set": RuleSet,
    "placement.refused": PlacementRefused,
    "violation.found": ViolationFound,
    "violation.ended": ViolationEnded,
    "target.used": TargetUsed,
    "target.cleared": TargetCleared,
    "residency.stated": ResidencyStated,
}
