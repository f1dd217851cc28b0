"""The past played again: what somebody did then is asked of the application once more, under the ids that it has now."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from eisbach.app import events as e
from eisbach.app import set_budget, set_rules, set_shares
from eisbach.app.commands import SYSTEM, Command
from eisbach.app.create_organisation import command as create_organisation
from eisbach.app.create_project import command as create_project
from eisbach.app.events_policy import RuleSet
from eisbach.app.events_shares import AgreementSet, QuotaSet, ShareSet
from eisbach.core.jobs.placement import rule_of
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.twin.run import Act
from eisbach.twin.world import World

Deed = Callable[[World], object]


class Again:
    """What things of the past are called in the world in which it is played, and what was refused there."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        """id in the past -> id now; what kept its name (sites, nodes, segments) is not here"""
        self.refused: Counter[str] = Counter()
        """what was refused, with the reason -> how often"""

    def now(self, past_id: str) -> str:
        """Return what an id is now."""
        return self.ids.get(past_id, past_id)

    def ask(self, world: World, what: str, command: Command) -> dict[str, Any] | None:
        """Have something decided; return the answer, None where it is refused, which is counted."""
        (answer,) = world.decide([command])
        world.rest()
        if isinstance(answer, Refusal):
            self.refused[f"{what} ({answer.reason.value})"] += 1
            return None
        return dict(answer) if isinstance(answer, dict) else {}


class PastPeople:
    """Organisations in their tree, projects, budgets, shares, quotas, agreements and rules about places, each set when it was.

    What was before the part that is played is there at its first instant.
    """

    def __init__(self, again: Again) -> None:
        self._again = again
        self._deeds: list[tuple[int, Deed]] = []
        self.take: dict[type[e.Body], Callable[[int, Any], None]] = {
            e.OrganisationCreated: self._created,
            e.ProjectCreated: self._project,
            e.BudgetSet: self._budget,
            ShareSet: self._share,
            QuotaSet: self._quota,
            AgreementSet: self._agreement,
            RuleSet: self._rule,
        }

    def acts(self, begin_ms: int) -> Iterator[Act]:
        """Yield what was set, in its order."""
        for at_ms, deed in self._deeds:
            yield Act(max(begin_ms, at_ms), deed)

    def _created(self, at_ms: int, body: e.OrganisationCreated) -> None:
        again = self._again

        def create(world: World) -> None:
            parent = again.now(body.parent) if body.parent is not None else None
            made = again.ask(world, "an organisation", create_organisation(SYSTEM, name=body.organisation, segment=body.segment, parent=parent))
            if made is not None:
                again.ids[body.organisation] = str(made["organisation"])

        self._deeds.append((at_ms, create))

    def _project(self, at_ms: int, body: e.ProjectCreated) -> None:
        again = self._again

        def create(world: World) -> None:
            organisation = again.now(body.organisation)
            command = create_project(SYSTEM, organisation=organisation, name=body.project, budget_micro_eur=body.budget)
            made = again.ask(world, "a project", command)
            if made is not None:
                again.ids[body.project] = world.projects[body.project] = str(made["project"])

        self._deeds.append((at_ms, create))

    def _budget(self, at_ms: int, body: e.BudgetSet) -> None:
        self._set(at_ms, "a budget", lambda now: set_budget.command(SYSTEM, project=now(body.project), budget_micro_eur=body.budget))

    def _share(self, at_ms: int, body: ShareSet) -> None:
        self._set(at_ms, "a share", lambda now: set_shares.set_share(SYSTEM, owner=now(body.owner), weight=body.weight))

    def _quota(self, at_ms: int, body: QuotaSet) -> None:
        self._set(at_ms, "a quota", lambda now: set_shares.set_quota(SYSTEM, owner=now(body.owner), gpu_milli=body.gpu_milli))

    def _agreement(self, at_ms: int, body: AgreementSet) -> None:
        self._set(
            at_ms,
            "an agreement",
            lambda now: set_shares.set_agreement(
                SYSTEM, organisation=now(body.organisation), gpu_milli=body.gpu_milli, price_permille=body.price_permille
            ),
        )

    def _rule(self, at_ms: int, body: RuleSet) -> None:
        self._set(at_ms, "a rule about places", lambda now: set_rules.command(SYSTEM, owner=now(body.owner), rule=rule_of(body.limits)))

    def _set(self, at_ms: int, what: str, command: Callable[[Callable[[str], str]], Command]) -> None:
        again = self._again
        self._deeds.append((at_ms, lambda world: again.ask(world, what, command(again.now))))
