"""Caps on the power of sites: what connection, weather and stream allow, looked at by a round; and a named act of the operator.

A cap is an event. What runs above it is stopped by the admission cycle, spot first; nothing starts that would exceed it
(docs/decisions/0013).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from eisbach.app.commands import SYSTEM, Actor, Command, Context, Decision
from eisbach.app.events_energy import PowerCapped
from eisbach.app.model_energy import nodes_of
from eisbach.app.periods import CAPS_EVERY_MS
from eisbach.app.site_facts import SiteFacts
from eisbach.app.state import FactoryState
from eisbach.core.power.budget import CapCause, allowed_for_grid, allowed_within, carried_from
from eisbach.core.power.draw import rating_of_node
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application

LOOK_AHEAD_MS = 2 * CAPS_EVERY_MS
"""A cap counts this long before it is reached, and as much earlier as the longest grace of running work: whoever is stopped
for it has saved by then, even where a round comes late."""
FORESEEN_MS = 7 * DAY_MS
"""So far ahead the series of a plant are asked until when its cap lasts; what lasts longer has no end that counts."""
STEPS = 200
"""A cap moves in steps of this part of what the racks could draw at most: so few events say it."""
CAP_MW_MAX = 10**13

PLANT, OPERATOR = "plant", "operator"


def cap_power(application: "Application") -> int:
    """Set each site's cap to what its plant allows now and soon, end caps that are over; return how many changed."""
    changed = 0
    for facts in application.sites.values():
        if not application.ask(_question(facts)).result():
            continue
        answer = application.perform(_command(facts)).result()
        changed += 0 if isinstance(answer, Refusal) else int(answer["changes"])
    return changed


def _question(facts: SiteFacts) -> Callable[[FactoryState, int], list[PowerCapped]]:
    return lambda state, now: _changes(state, facts, now)


def _command(facts: SiteFacts) -> Command:
    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        events = tuple(_changes(state, facts, context.now))
        return Decision(events=events, reply={"changes": len(events)})

    return decide


def _changes(state: FactoryState, facts: SiteFacts, now: int) -> list[PowerCapped]:
    caps = state.energy.caps.get(facts.site, {})
    events: list[PowerCapped] = []
    by_hand = caps.get(OPERATOR)
    if by_hand is not None and 0 < by_hand.until_ms <= now:
        events.append(_event(facts.site, OPERATOR, CapCause.OPERATOR, None))
    known = caps.get(PLANT)
    racks_mw, cause = _of_plant(state, facts, now)
    is_later = known is not None and 0 < known.until_ms <= now
    if racks_mw != (known.racks_mw if known is not None else None) or is_later:
        until_ms = _foreseen_end(state, facts, now) if racks_mw is not None else 0
        events.append(_event(facts.site, PLANT, cause, racks_mw, until_ms))
    return events


def _most(state: FactoryState, site: str) -> int:
    """Return what the racks of a site could draw at most."""
    return sum(rating_of_node(node).rated_mw for node in nodes_of(state, site))


def _foreseen_end(state: FactoryState, facts: SiteFacts, now: int) -> int:
    """Return from when on a plant carries all its racks again, as its site file foresees it; 0 where that is too far ahead."""
    if facts.plant is None:
        return 0
    return carried_from(facts.plant, _most(state, facts.site), now, now + FORESEEN_MS) or 0


def _of_plant(state: FactoryState, facts: SiteFacts, now: int) -> tuple[int | None, CapCause]:
    """Return what a site's plant allows its racks, None where that is more than they could ever draw."""
    if facts.plant is None:
        return None, CapCause.NONE
    most = _most(state, facts.site)
    grace = max((job.grace_ms for job in state.scheduler.holding.values()), default=0)
    allowed = allowed_within(facts.plant, now, now + LOOK_AHEAD_MS + grace)
    if allowed.it_mw >= most:
        return None, CapCause.NONE
    step = max(1, most // STEPS)
    return allowed.it_mw - allowed.it_mw % step, allowed.cause


def _event(site: str, source: str, cause: CapCause, racks_mw: int | None, until_ms: int = 0) -> PowerCapped:
    return PowerCapped(site=site, source=source, cause=cause.value, racks_mw=racks_mw, by=SYSTEM.token, until_ms=until_ms)


def command(actor: Actor, facts: SiteFacts | None, *, site: str, draw_mw: int | None, until_ms: int = 0) -> Command:
    """Return the command by which an operator caps what a whole site draws from the grid, or lifts that (`draw_mw` None).

    It holds until `until_ms`, 0: until it is lifted. Where the site file describes the plant, losses and cooling are taken
    off for the racks; elsewhere the racks are all there is.
    """

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if site not in state.sites or facts is None:
            return Refusal(Reason.NOT_FOUND, f"There is no site {site!r}", "Look at `eisbach site list`")
        if draw_mw is None:
            known = OPERATOR in state.energy.caps.get(site, {})
            lifted = PowerCapped(
                site=site, source=OPERATOR, cause=CapCause.OPERATOR.value, racks_mw=None, by=actor.token
            )
            return Decision(events=(lifted,) if known else (), reply={"site": site, "racks_mw": None, "until_ms": None})
        if not 0 <= draw_mw <= CAP_MW_MAX:
            what = f"A cap of {draw_mw / 1_000_000:g} kW cannot be one"
            return Refusal(Reason.INVALID_ARGUMENT, what, f"Give 0 to {CAP_MW_MAX // 1_000_000:,} kW", "kw")
        if until_ms and until_ms <= context.now:
            return Refusal(Reason.INVALID_ARGUMENT, "The cap would end before it begins", "Give an instant to come", "until")
        racks = allowed_for_grid(facts.plant, draw_mw, context.now) if facts.plant is not None else draw_mw
        capped = PowerCapped(
            site=site,
            source=OPERATOR,
            cause=CapCause.OPERATOR.value,
            racks_mw=racks,
            by=actor.token,
            until_ms=until_ms,
        )
        return Decision(events=(capped,), reply={"site": site, "racks_mw": racks, "until_ms": until_ms or None})

    return decide
