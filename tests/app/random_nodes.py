"""What happens to nodes and sites at random: faults, closures, drains, caps, a new site file."""

from msgspec.structs import replace

from eisbach.app import (
    cap_power,
    close_nodes,
    drain_node,
    tend_nodes,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.open_factory import apply_site_changes
from eisbach.app.rounds import Round
from eisbach.app.site_facts import NodeFacts
from eisbach.app.tend_nodes import Act
from eisbach.core.capacity.targets import Targets
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.random_story import RandomStory


class RandomNodes(RandomStory):
    """What happens to nodes and sites at random: faults, closures, drains, caps, a new site file."""

    def drain(self) -> str:
        node, stop_work = self.a_node(), self.chance.random() < 0.6
        self.factory.perform(drain_node.command(SYSTEM, node=node, drained=True, stop_work=stop_work))
        return f"{node} {'now' if stop_work else 'when idle'}"

    def resume(self) -> str:
        node = self.a_node()
        self.factory.perform(drain_node.command(SYSTEM, node=node, drained=False))
        return node

    def lose(self) -> str:
        """A running attempt is lost; often the same job's again, so that its delays grow."""
        jobs = self.factory.app.applier.state.scheduler.jobs.values()
        known = self.factory.engine._attempts
        running = sorted(
            str(job.attempt) for job in jobs if job.state is JobState.RUNNING and known[str(job.attempt)].ended_ms is None
        )
        if not running:
            return "nothing"
        attempt = running[0] if self.chance.random() < 0.7 else self.chance.choice(running)
        self.factory.engine.lose(attempt)
        self.factory.settle()
        return attempt

    def lose_node(self) -> str:
        """A node fails; its engine tells it, a round finds it, or the operator says it."""
        node, is_seen = self.a_node(), self.chance.random() < 0.7
        if is_seen:
            self.factory.engine.lose_node(node)
            self.factory.settle()
        else:
            self.factory.perform(tend_nodes.command(SYSTEM, act=Act.LOST, targets=Targets(names=(node,))))
        return f"{node} {'by the engine' if is_seen else 'by the operator'}"

    def close(self) -> str:
        """Some nodes are to be closed for a while, or drained by a deadline; sometimes at a time that cannot be."""
        names = ("*",) if self.chance.random() < 0.2 else (self.a_node(),)
        from_ms = self.factory.clock.now() + self.chance.choice([-1, 0, SECOND_MS, MINUTE_MS, HOUR_MS, HOUR_MS, DAY_MS])
        length_ms = self.chance.choice([None, 0, MINUTE_MS, HOUR_MS, 9 * HOUR_MS])
        targets, is_forced = Targets(names=names), self.chance.random() < 0.5
        command = close_nodes.command(SYSTEM, targets=targets, from_ms=from_ms, length_ms=length_ms, is_forced=is_forced)
        answer = self.factory.perform(command)
        return answer.reason.value if isinstance(answer, Refusal) else f"{names} {answer['kind']} at {from_ms}"

    def cancel_closure(self) -> str:
        """A closure is cancelled, or cut short."""
        known = sorted(self.factory.app.applier.state.health.closures)
        if not known:
            return "nothing"
        closure = self.chance.choice(known)
        self.factory.perform(close_nodes.cancel(SYSTEM, closure=closure))
        return closure

    def repair(self) -> str:
        """Somebody looks at all nodes that are ill; some work again, the engine may still miss others."""
        for gone in self.factory.engine.gone_nodes():
            if self.chance.random() < 0.8:
                self.factory.engine.bring_node_back(gone.node)
        ill = sorted(self.factory.app.applier.state.health.marks)
        for node in ill:
            self.factory.perform(tend_nodes.command(SYSTEM, act=Act.REPAIR, targets=Targets(names=(node,))))
        return " ".join(ill)

    def change_site(self) -> str:
        """A node gets another size, or one more node comes, or one goes."""
        site, kind = self.factory.site, self.chance.choice(["size", "more", "less", "rack"])
        nodes = list(site.nodes)
        if kind == "size":
            at = self.chance.randrange(len(nodes))
            nodes[at] = replace(nodes[at], cpu_milli=self.chance.choice([2000, 4000, 8000]))
        elif kind == "more" and len(nodes) < 6:
            from_ms = self.chance.choice([0, 0, self.factory.clock.now() + HOUR_MS])
            more = NodeFacts(node=f"m{len(self.trace)}", pool="p", flavour="cpu", cpu_milli=4000, memory_mib=16_384, from_ms=from_ms)
            nodes.append(more)
        elif kind == "less" and len(nodes) > 1:
            nodes.pop()
        elif kind == "rack":
            nodes[0] = replace(nodes[0], hall="hall-01", rack=self.chance.choice(["rack-01", "rack-02"]))
        self.factory.site = replace(site, nodes=tuple(nodes))
        self.factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [self.factory.site])))
        return kind

    def change_country(self) -> str:
        """The site file names another country; some rules allow it and some do not."""
        self.factory.site = replace(self.factory.site, country=self.chance.choice(["DE", "DE", "AT", "US"]))
        self.factory.run_rounds(Round("site-file", 1, lambda app: apply_site_changes(app, [self.factory.site])))
        return self.factory.site.country

    def cap(self) -> str:
        """An operator caps the site, for a while or until it is lifted."""
        facts = self.factory.app.sites[self.factory.site.site]
        draw_mw = self.chance.choice([None, None, 0, 20_000, 60_000, 10**6])
        until_ms = self.chance.choice([0, self.factory.clock.now() + HOUR_MS])
        self.factory.perform(cap_power.command(SYSTEM, facts, site=facts.site, draw_mw=draw_mw, until_ms=until_ms))
        return f"{draw_mw} mW"
