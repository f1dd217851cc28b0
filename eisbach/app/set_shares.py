"""Who gets how much: weights of fair shares, quotas, and agreements are set."""

from typing import Final

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.create_organisation import SEGMENTS
from eisbach.app.events_shares import AgreementSet, QuotaSet, ShareSet
from eisbach.app.state import FactoryState
from eisbach.app.state_shares import FULL_PRICE, Agreement
from eisbach.core.scheduling.fair_share import WEIGHT, WEIGHT_MAX
from eisbach.core.vocabulary.reasons import Reason, Refusal

GPU_MILLI_MAX: Final = 10**9
"""A million GPUs: more than any factory, so a slip of the hand is noticed."""


def set_share(actor: Actor, *, owner: str, weight: int | None) -> Command:
    """Return the command that gives a segment, an organisation or a project its weight; None gives back the usual one."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        scope = "segment" if owner in SEGMENTS else scope_of(state, owner)
        if scope is None:
            return _absent(owner)
        if weight is not None and not 0 <= weight <= WEIGHT_MAX:
            do = f"Give a whole number from 0 to {WEIGHT_MAX:,}; what nobody set is {WEIGHT}"
            return Refusal(Reason.INVALID_ARGUMENT, f"A share cannot have the weight {weight}", do, "weight")
        if weight == 0 and not any(state.shares.weights.get(one, WEIGHT) for one in _siblings(state, owner) if one != owner):
            return Refusal(
                Reason.INVALID_ARGUMENT,
                f"With a weight of 0 for {owner} nobody at this level would have a share: the weights would sum to 0",
                "Leave somebody at this level a weight above 0",
                "weight",
            )
        reply = {"owner": owner, "scope": scope, "weight": WEIGHT if weight is None else weight}
        if state.shares.weights.get(owner) == weight:
            return Decision(reply={**reply, "changed": False})
        event = ShareSet(owner=owner, scope=scope, weight=weight, by=actor.token)
        return Decision(events=(event,), reply={**reply, "changed": True})

    return decide


def set_quota(actor: Actor, *, owner: str, gpu_milli: int | None) -> Command:
    """Return the command that sets what an organisation or a project may hold at once; None takes the quota away."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        scope = scope_of(state, owner)
        if scope is None:
            return _absent(owner)
        if gpu_milli is not None and not 0 <= gpu_milli <= GPU_MILLI_MAX:
            return _not_so_many(gpu_milli, "quota")
        reply = {"owner": owner, "scope": scope, "gpu_milli": gpu_milli}
        if state.shares.quotas.get(owner) == gpu_milli:
            return Decision(reply={**reply, "changed": False})
        event = QuotaSet(owner=owner, scope=scope, gpu_milli=gpu_milli, by=actor.token)
        return Decision(events=(event,), reply={**reply, "changed": True})

    return decide


def set_agreement(actor: Actor, *, organisation: str, gpu_milli: int, price_permille: int = FULL_PRICE) -> Command:
    """Return the command that sets an organisation's agreement; nothing at the full price ends it."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if organisation not in state.organisations:
            return _absent(organisation)
        if not 0 <= gpu_milli <= GPU_MILLI_MAX:
            return _not_so_many(gpu_milli, "agreement")
        if not 0 < price_permille <= FULL_PRICE:
            return Refusal(
                Reason.INVALID_ARGUMENT,
                f"An agreement cannot be at {price_permille} thousandths of the list price",
                "Give 1 to 1000; 850 is a discount of 15 %",
                "price_permille",
            )
        reply = {"organisation": organisation, "gpu_milli": gpu_milli, "price_permille": price_permille}
        known = state.shares.agreements.get(organisation, Agreement(0, FULL_PRICE))
        if known == Agreement(gpu_milli, price_permille):
            return Decision(reply={**reply, "changed": False})
        event = AgreementSet(organisation=organisation, gpu_milli=gpu_milli, price_permille=price_permille, by=actor.token)
        return Decision(events=(event,), reply={**reply, "changed": True})

    return decide


def scope_of(state: FactoryState, owner: str) -> str | None:
    """Return what an id stands for, or None where nothing has it."""
    if owner in state.organisations:
        return "organisation"
    return "project" if owner in state.projects else None


def price_permille(state: FactoryState, project: str) -> int:
    """Return which thousandths of the list price a project pays: its organisation's agreement, or the next one above."""
    agreements = state.shares.agreements
    owner: str | None = state.projects[project].organisation if agreements else None
    while owner is not None:
        if owner in agreements:
            return agreements[owner].price_permille
        owner = state.organisations[owner].parent
    return FULL_PRICE


def _siblings(state: FactoryState, owner: str) -> list[str]:
    if owner in SEGMENTS:
        return list(SEGMENTS)
    known = state.organisations.get(owner)
    parent = known.parent if known is not None else state.projects[owner].organisation
    if known is not None and parent is None:
        segment = known.segment
        return [one.organisation for one in state.organisations.values() if one.parent is None and one.segment == segment]
    organisations = [one.organisation for one in state.organisations.values() if one.parent == parent]
    return organisations + [one.project for one in state.projects.values() if one.organisation == parent]


def _absent(owner: str) -> Refusal:
    return Refusal(
        Reason.NOT_FOUND,
        f"There is no segment, organisation or project {owner!r}",
        f"Look at `eisbach org list` and `eisbach project list`; segments are {', '.join(SEGMENTS)}",
        "owner",
    )


def _not_so_many(gpu_milli: int, what: str) -> Refusal:
    return Refusal(
        Reason.INVALID_ARGUMENT,
        f"{gpu_milli} thousandths of a GPU are no {what}",
        "Give between 0 and 1,000,000 GPUs, in thousandths of one",
        "gpu_milli",
    )
