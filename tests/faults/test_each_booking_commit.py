"""A booking over the turn of a month, killed before and after each of its commits: it ends as the one that nobody killed."""

import pytest
from msgspec.structs import replace

from eisbach.app import book_capacity, drain_node, extend_booking, hold_option, quote_capacity
from eisbach.app.commands import SYSTEM
from eisbach.app.quote_capacity import Wanted
from eisbach.app.site_facts import NodeFacts
from eisbach.core.billing.booking_rules import BookingRules, OnFault
from eisbach.core.jobs.request import CapacityClass
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.quantities import HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.factory import TARIFF, a_job, a_site, new_factory
from tests.app.invariants import check_step
from tests.faults.test_each_commit import DeadlyStore, Killed


class Story:
    """Steps that are repeated when a kill left open whether they were done; each looks first."""

    def __init__(self, folder, kill_at, before, on_fault):
        nodes = (NodeFacts(node=f"n{nth}", pool="p", flavour="cpu", cpu_milli=8000, memory_mib=16_384) for nth in range(2))
        self.store = DeadlyStore()
        self.factory = new_factory(folder, store=self.store, site=a_site(*nodes))
        self.factory = self.factory.restart(tariff=replace(TARIFF, version="patient", booking=BookingRules(no_show_ms=0)))
        self.store.commits, self.store.kill_at, self.store.before = 0, kill_at, before
        self.start_ms = month_end(self.factory.clock.now()) - HOUR_MS
        self.option = self.booking = ""
        self.on_fault = on_fault
        for step in (self.quote, self.hold, self.book, self.extend, self.use, self.lose, self.end):
            while True:
                try:
                    step()
                    break
                except Killed:
                    self.factory = self.factory.restart()
        check_step(self.factory)

    def perform(self, command):
        answer = self.factory.perform(command)
        assert not isinstance(answer, Refusal), str(answer)
        return answer

    def row(self):
        return self.factory.app.reader.row("bookings", self.booking)

    def quote(self):
        wanted = Wanted(flavour="cpu", nodes=2, length_ms=3 * HOUR_MS, from_ms=self.start_ms)
        command = quote_capacity.command(SYSTEM, {}, project=self.factory.project, wanted=wanted)
        self.option = self.perform(command)["options"][0]["option"]

    def hold(self):
        self.perform(hold_option.command(SYSTEM, project=self.factory.project, option=self.option))

    def book(self):
        command = book_capacity.command(SYSTEM, {}, project=self.factory.project, option=self.option, on_fault=self.on_fault)
        self.booking = self.perform(command)["booking"]

    def extend(self):
        if self.row()["until_ms"] == self.start_ms + 3 * HOUR_MS:
            quote = self.perform(extend_booking.command(SYSTEM, {}, booking=self.booking, length_ms=HOUR_MS))
            option = quote["options"][0]["option"]
            self.perform(book_capacity.command(SYSTEM, {}, project=self.factory.project, option=option))
        self.price = self.row()["price"]

    def use(self):
        if not self.factory.app.reader.rows("jobs", {}, limit=1).rows:
            self.factory.submit(a_job("sleep 60", booking=self.booking, capacity_class=CapacityClass.RESERVED, limit_s=600))
        self.until(self.start_ms + HOUR_MS + MINUTE_MS)

    def lose(self):
        self.perform(drain_node.command(SYSTEM, node="n1", drained=True, stop_work=True))
        self.factory.run_rounds()

    def end(self):
        self.until(self.start_ms + 3 * HOUR_MS)
        self.until(self.start_ms + 9 * HOUR_MS)

    def until(self, at_ms):
        self.factory.pass_time(max(0, at_ms - self.factory.clock.now()))
        self.factory.run_rounds()

    def outcome(self):
        row, state = self.row(), self.factory.app.applier.state
        told = {name: row[name] for name in ("state", "cause", "price", "charged", "credited", "fee", "until_ms", "nodes")}
        return told, {name: amount for name, amount in state.ledger.balances.items() if amount}


@pytest.mark.parametrize("on_fault", OnFault)
@pytest.mark.parametrize("before", [True, False])
def test_a_booking_ends_as_if_nobody_had_killed_it(tmp_path, before, on_fault):
    undisturbed = Story(tmp_path, set(), before, on_fault)
    told, balances = undisturbed.outcome()
    assert (told["state"], told["cause"]) == ("ended", "over")
    assert told["charged"] == told["price"]
    longer, price = told["until_ms"] - undisturbed.start_ms - 4 * HOUR_MS, undisturbed.price
    if on_fault is OnFault.EXTEND:
        assert (longer, told["price"]) == (3 * HOUR_MS - MINUTE_MS, price), "n1's hours follow on n0, and nothing is credited"
    else:
        assert longer == 0
        assert told["price"] < price
    for commit in range(1, undisturbed.store.commits + 1):
        folder = tmp_path / str(commit)
        folder.mkdir()
        assert Story(folder, {commit}, before, on_fault).outcome() == (told, balances), f"killed at commit {commit}"
