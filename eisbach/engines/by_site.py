"""Several engines as one: each attempt belongs to the engine that serves its site, and no engine hears of another's."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from eisbach.ports.engine import (
    Artifact,
    CanCheckpoint,
    CanExpire,
    CanKeepArtifacts,
    CanStreamLogs,
    CanWatchNodes,
    Engine,
    GoneNode,
    IsOver,
    LogLine,
    Observation,
    Remains,
    StaleEpoch,
    StartOrder,
    StopOrder,
)


class EngineBySite:
    """Routes what is about an attempt to the engine of its site, and merges what all engines say.

    `route` returns the engine of an attempt, or None for one that it does not know: then it belongs to the engine that
    does, and to the first one where none does. A gang is at one site (core/capacity/fleet.py), so an attempt has one engine.
    """

    def __init__(self, engines: Sequence[Engine], route: Callable[[str], Engine | None]) -> None:
        self._engines, self._route = tuple(engines), route
        self._epoch = 0

    def start(self, order: StartOrder) -> None:
        """Begin an attempt on the engine of its site."""
        self._check(order.epoch)
        self._engine_of(order.attempt_id).start(order)

    def stop(self, order: StopOrder) -> None:
        """Ask an attempt to stop, or have its engine remember that it never starts."""
        self._check(order.epoch)
        self._engine_of(order.attempt_id).stop(order)

    def observe(self) -> Sequence[Observation]:
        """Return what all engines know; raise EngineUnavailable where one does not say: half of it would be wrong."""
        return sorted((seen for engine in self._engines for seen in engine.observe()), key=lambda seen: seen.attempt_id)

    def recover(self) -> None:
        """Have every engine take over what an earlier process left."""
        for engine in self._engines:
            engine.recover()

    def subscribe(self, callback: Callable[[Observation], None]) -> None:
        """Call `callback` for what any engine sees."""
        for engine in self._engines:
            engine.subscribe(callback)

    def forget(self, attempt_id: str) -> None:
        """Let the engine of an attempt forget it."""
        self._engine_of(attempt_id).forget(attempt_id)

    def close(self) -> None:
        """Let go of every engine."""
        for engine in self._engines:
            engine.close()

    def read_log(self, attempt_id: str, offset: int = 0, lines_max: int = 1000) -> tuple[Sequence[LogLine], int]:
        """Return the lines that the engine of an attempt kept; none where it keeps no logs."""
        engine = self._engine_of(attempt_id)
        return engine.read_log(attempt_id, offset, lines_max) if isinstance(engine, CanStreamLogs) else ([], offset)

    def artifacts(self, attempt_id: str) -> Sequence[Artifact]:
        """Return what the engine of an attempt kept; nothing where it keeps no artifacts."""
        engine = self._engine_of(attempt_id)
        return engine.artifacts(attempt_id) if isinstance(engine, CanKeepArtifacts) else ()

    def read_artifact(self, attempt_id: str, path: str) -> Iterator[bytes]:
        """Yield the bytes of one artifact; raise FileNotFoundError where it is not on the list."""
        engine = self._engine_of(attempt_id)
        if not isinstance(engine, CanKeepArtifacts):
            raise FileNotFoundError(f"the engine of attempt {attempt_id} keeps no artifacts")
        return engine.read_artifact(attempt_id, path)

    def expire(self, kind: Remains, is_over: IsOver) -> int:
        """Delete what is over on every engine that keeps something; return of how many."""
        return sum(engine.expire(kind, is_over) for engine in self._engines if isinstance(engine, CanExpire))

    def gone_nodes(self) -> Sequence[GoneNode]:
        """Return the nodes that any engine misses."""
        watching = (engine for engine in self._engines if isinstance(engine, CanWatchNodes))
        return sorted((gone for engine in watching for gone in engine.gone_nodes()), key=lambda gone: gone.node)

    def saved_at(self, running: Mapping[str, str]) -> Mapping[str, int]:
        """Return when running attempts last saved, as far as their engines know."""
        found: dict[str, int] = {}
        for engine in self._engines:
            if isinstance(engine, CanCheckpoint):
                found.update(engine.saved_at({name: job for name, job in running.items() if self._engine_of(name) is engine}))
        return found

    def _engine_of(self, attempt_id: str) -> Engine:
        routed = self._route(attempt_id)
        if routed is not None:
            return routed
        known = (one for one in self._engines if any(seen.attempt_id == attempt_id for seen in one.observe()))
        return next(known, self._engines[0])

    def _check(self, epoch: int) -> None:
        """An order of an older leader is refused by all engines once one of them has heard a newer."""
        if epoch < self._epoch:
            raise StaleEpoch(f"the newest leader has epoch {self._epoch}, this order has {epoch}")
        self._epoch = epoch
