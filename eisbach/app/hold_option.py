"""An option is held: its nodes are kept for the project for some minutes, at no price; and let go again."""

from eisbach.app.book_capacity import conflict, expired, quote_of, used_up
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_booking import HoldReleased, OptionHeld
from eisbach.app.expire_holds import releases
from eisbach.app.fold_booking import option_named
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Reason, Refusal

RELEASED = "released"


def command(actor: Actor, *, project: str, option: str) -> Command:
    """Return the command that holds an option; one that is held already stays held until the same instant."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if due := releases(state, context.now):
            return Decision(events=due, again=True)
        quote, chosen = quote_of(state, project, option), option_named(state, option)
        known = state.booking.holds.get(option)
        if known is not None and known.project == project:
            return Decision(reply={"option": option, "held_until_ms": known.until_ms})
        if quote is None or chosen is None or quote.expires_ms <= context.now:
            return expired(option, quote.expires_ms if quote is not None and chosen is not None else None)
        if option in quote.booked:
            what = f"The option {option} is the booking {quote.booked[option]}"
            return Refusal(Reason.ALREADY_BOOKED, what, "There is nothing to hold", "option", {"option": option, "booking": quote.booked[option]})
        used = used_up(quote, option)
        if used is not None:
            return used
        held = sum(hold.project == quote.project for hold in state.booking.holds.values())
        if held >= quote.rules.holds_max:
            return Refusal(
                Reason.TOO_MANY_HOLDS,
                f"The project holds {held} options, and more are not possible at a time",
                "Book one of them, let one go, or wait until one expires",
                "option",
                {"held": held, "holds_max": quote.rules.holds_max},
            )
        met = conflict(state, chosen, (option,), context.now)
        if met or chosen.from_ms < context.now:
            return Refusal(Reason.OPTION_TAKEN, f"The option cannot be held any more: {met or 'its time has begun'}", "Ask for a new quote", "option")
        until = min(context.now + quote.rules.hold_ms, chosen.from_ms)
        event = OptionHeld(quote=quote.quote, option=option, project=quote.project, until_ms=until, by=actor.token)
        return Decision(events=(event,), reply={"option": option, "held_until_ms": until}, status=201)

    return decide


def release(actor: Actor, *, project: str, option: str) -> Command:
    """Return the command that lets a held option go; one of a known quote that is not held is let go already."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        hold = state.booking.holds.get(option)
        reply = {"option": option, "held_until_ms": 0}
        if hold is None or hold.project != project:
            is_known = quote_of(state, project, option) is not None and option_named(state, option) is not None
            what, do = f"There is no option {option!r} that this project holds", "Look at the quote for its options; a hold ends by itself too"
            return Decision(reply=reply) if is_known else Refusal(Reason.NOT_FOUND, what, do, "option")
        event = HoldReleased(quote=hold.quote, option=option, project=hold.project, cause=RELEASED)
        return Decision(events=(event,), reply=reply)

    return decide
