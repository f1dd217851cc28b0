"""What customers book at random, and what becomes of it."""

from eisbach.app import (
    book_capacity,
    cancel_booking,
    drain_node,
    extend_booking,
    hold_option,
    quote_capacity,
    submit_job,
)
from eisbach.app.commands import SYSTEM, Command
from eisbach.app.quote_capacity import Wanted
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.random_story import RandomStory


class RandomBookings(RandomStory):
    """What customers book at random, and what becomes of it."""

    def a_quote(self) -> list[str]:
        """The options of a new quote for some nodes and hours, soon or later."""
        chance, app = self.chance, self.factory.app
        wanted = Wanted(
            flavour=chance.choice(["cpu", "h200"]),
            nodes=chance.choice([1, 1, 2]),
            length_ms=chance.choice([10 * MINUTE_MS, 5 * HOUR_MS, 30 * HOUR_MS, 40 * DAY_MS]),
            from_ms=self.factory.clock.now() + chance.choice([0, 0, 0, HOUR_MS, 20 * DAY_MS]),
        )
        project = chance.choice(self.projects)
        quote = self.factory.perform(quote_capacity.command(SYSTEM, app.sites, project=project, wanted=wanted))
        return [] if isinstance(quote, Refusal) else [one["option"] for one in quote["options"]]

    def book(self) -> str:
        """Somebody books what was quoted now or some time ago; sometimes twice."""
        known = self.factory.app.applier.state.booking.quotes.values()
        older = [f"{quote.quote}.1" for quote in known if not quote.extends]
        options = self.a_quote() if not older or self.chance.random() < 0.7 else older
        if not options:
            return "no option"
        option = self.chance.choice(options)
        for _ in range(self.chance.choice([1, 1, 2])):
            answer = self.factory.perform(self.booking_command(option))
        if isinstance(answer, Refusal):
            return answer.reason.value
        inside = self.run_inside(str(answer["booking"])) if self.chance.random() < 0.5 else "nothing"
        return f"{answer['booking']}, {inside} inside"

    def booking_command(self, option: str) -> Command:
        state = self.factory.app.applier.state
        project = state.booking.quotes[option.partition(".")[0]].project
        return book_capacity.command(SYSTEM, self.factory.app.sites, project=project, option=option)

    def hold(self) -> str:
        options = self.a_quote()
        if not options:
            return "no option"
        project = self.factory.app.applier.state.booking.quotes[options[0].partition(".")[0]].project
        self.factory.perform(hold_option.command(SYSTEM, project=project, option=options[0]))
        if self.chance.random() < 0.3:
            self.factory.perform(hold_option.release(SYSTEM, project=project, option=options[0]))
        return options[0]

    def a_booking(self) -> str:
        known = sorted(self.factory.app.applier.state.booking.bookings)
        return self.chance.choice(known) if known else "bkg_none"

    def change_booking(self) -> str:
        """A booking is cancelled or made longer, or a node of it takes no work any more."""
        booking, sites = self.a_booking(), self.factory.app.sites
        known = self.factory.app.applier.state.booking.bookings.get(booking)
        if known is not None and self.chance.random() < 0.5:
            node = self.chance.choice(known.nodes)
            self.factory.perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=True))
            self.factory.pass_time(max(0, min(known.from_ms - self.factory.clock.now(), HOUR_MS)) + MINUTE_MS)
            self.factory.run_rounds()
            return f"drain {node} of {booking}"
        if self.chance.random() < 0.4:
            self.factory.perform(cancel_booking.command(SYSTEM, booking=booking))
            return f"cancel {booking}"
        length = self.chance.choice([MINUTE_MS, HOUR_MS, 30 * DAY_MS])
        quote = self.factory.perform(extend_booking.command(SYSTEM, sites, booking=booking, length_ms=length))
        if not isinstance(quote, Refusal):
            self.factory.perform(self.booking_command(quote["options"][0]["option"]))
        return f"extend {booking}"

    def run_inside(self, name: str = "") -> str:
        booking = self.factory.app.applier.state.booking.bookings.get(name or self.a_booking())
        if booking is None:
            return "no booking"
        spec = self.a_spec()._replace(booking=booking.booking, capacity_class=CapacityClass.RESERVED)
        return self.took(self.factory.perform(submit_job.command(SYSTEM, project=booking.project, spec=spec)))
