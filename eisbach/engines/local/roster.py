"""What the agent knows of each attempt, and the steps that keep that knowledge equal to the attempt folders."""

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace as changed

from eisbach.engines.local import durable, processes
from eisbach.engines.local.cgroups import TaskGroup
from eisbach.engines.local.environment import LOOPBACK
from eisbach.engines.local.folder import AttemptFolder, Journal, Marker, OrderFile, Outcome
from eisbach.engines.local.layout import PORTS
from eisbach.engines.local.lost import end_leftovers
from eisbach.engines.local.prepare import remove_workplace
from eisbach.engines.local.supervisor import SupervisorSettings
from eisbach.engines.local.users import ProjectUsers
from eisbach.engines.local.workers import Job, Worker, Workers
from eisbach.ports import crash
from eisbach.ports.engine import Ending, EngineUnavailable, Observation, StaleEpoch, StartOrder, StopOrder

_RUBBISH_MAX = 5_000
_LAUNCHES_MAX = 3


@dataclass(slots=True)
class Entry:
    """One attempt that was not forgotten."""

    folder: AttemptFolder
    order_file: OrderFile | None
    observation: Observation
    secrets: tuple[tuple[str, str], ...] | None = None
    boottime_ms: int | None = None
    worker: Worker | None = None
    launches: int = 0


class Roster:
    """All attempts; every method leaves the folders as the truth. `watch` and `unwatch` follow pidfds."""

    def __init__(
        self,
        settings: SupervisorSettings,
        separates_users: bool,
        watch: Callable[[int, Callable[[], None]], None],
        unwatch: Callable[[int], None],
        publish: Callable[[Observation], None],
    ) -> None:
        self._settings = settings
        self._layout = settings.layout
        self._users = ProjectUsers(self._layout.agent / "uids.json") if separates_users else None
        self._workers = Workers(settings, watch, unwatch, self._on_free)
        self._publish = publish
        self._entries: dict[str, Entry] = {}
        self._helpers: set[int] = set()
        self._rubbish: list[str] = []
        self._next_port = PORTS.start + os.getpid() % len(PORTS)
        self._epoch = int(durable.read_file(self._layout.agent / "epoch") or b"0")
        self.undecided: set[str] = set()

    def recover(self) -> None:
        """Look at every attempt folder; go on with what is there."""
        for name in sorted(os.listdir(self._layout.attempts)):
            self._load(name)
        living = {name for name, entry in self._entries.items() if entry.observation.ending is None}
        self._settings.parents.remove_empty(self._layout.group_prefix, living)
        for name in os.listdir(self._layout.scratch / "attempts"):
            if name.rpartition(".")[0] not in self._entries:
                self._rubbish.append(f"{self._layout.scratch}/attempts/{name}")

    def observe(self) -> list[Observation]:
        """Return what is known of each attempt, in order of their ids; held time of running ones up to now."""
        now = processes.boottime_ms()
        seen = []
        for _, entry in sorted(self._entries.items()):
            observation = entry.observation
            if observation.ending is None and entry.boottime_ms is not None:
                observation = changed(observation, held_ms=now - entry.boottime_ms)
            seen.append(observation)
        return seen

    def accept(self, order: StartOrder) -> bool:
        """Make an order durable; return whether `launch` must follow. Raise StaleEpoch, OSError, ValueError."""
        self._check_epoch(order.epoch)
        path = self._layout.attempt(order.attempt_id)
        self._layout.checkpoint(order.job_id)
        entry = self._entries.get(order.attempt_id)
        if entry is not None:
            waits = entry.order_file is not None and entry.secrets is None and entry.worker is None
            if waits and entry.observation.ending is None and order.attempt_id not in self.undecided:
                entry.secrets = order.secrets
                return True
            return False
        if (self._layout.ended / order.attempt_id).exists():
            return False
        user_id = None if self._users is None else self._users.user_id(order.project_id)
        stripped = changed(order, secrets=tuple((name, "") for name, _ in order.secrets))
        order_file = OrderFile(stripped, bool(order.secrets), self._free_port(), user_id)
        folder = AttemptFolder(path)
        try:
            folder.create(order_file)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise
        self._entries[order.attempt_id] = Entry(folder, order_file, _unseen(order.attempt_id), order.secrets)
        crash.reached("engine.order_written")
        return True

    def launch(self, attempt_id: str) -> None:
        """Give an accepted attempt its supervisor."""
        entry = self._entries[attempt_id]
        if entry.order_file is None or entry.secrets is None:
            return
        entry.launches += 1
        try:
            entry.worker = self._workers.begin(attempt_id, Job(entry.order_file, entry.secrets))
        except OSError:  # no process or no memory left on the machine: not the end of the agent
            durable.log_error()
            self.undecided.add(attempt_id)
        crash.reached("engine.forked")

    def stop(self, order: StopOrder) -> None:
        """Make a stop order durable and pass it on; an attempt that does not run is ended by it at once."""
        self._check_epoch(order.epoch)
        path = self._layout.attempt(order.attempt_id)
        entry = self._entries.get(order.attempt_id)
        if entry is None:
            if (self._layout.ended / order.attempt_id).exists():
                return
            entry = Entry(AttemptFolder(path), None, _unseen(order.attempt_id))
            entry.folder.create(None)
            self._entries[order.attempt_id] = entry
        if entry.observation.ending is not None:
            return
        entry.folder.write_stop(order)
        crash.reached("engine.stop_written")
        if entry.worker is not None:
            entry.worker.pass_on_stop()
        elif order.attempt_id not in self.undecided:
            self._assess(order.attempt_id)

    def forget(self, attempt_id: str) -> None:
        """Let an ended attempt go: its folder moves to the ended ones, its scratch space is removed."""
        entry = self._entries.get(attempt_id)
        if entry is None:
            return
        if entry.observation.ending is None:
            raise ValueError("an attempt that has not ended cannot be forgotten")
        target = self._layout.ended / attempt_id
        os.rename(entry.folder.path, target)
        durable.sync_folder(self._layout.ended)
        durable.sync_folder(self._layout.attempts)
        del self._entries[attempt_id]
        crash.reached("engine.forget_moved")
        for task in () if entry.order_file is None else entry.order_file.order.tasks:
            self._rubbish.append(str(self._layout.workplace(attempt_id, task.rank)))
        if len(self._rubbish) > _RUBBISH_MAX:
            self.clear_up()

    def on_report(self, seen: Observation) -> None:
        """Take what a supervisor says."""
        entry = self._entries.get(seen.attempt_id)
        if entry is None or entry.observation.ending is not None:
            return
        if seen.running_since_ms is not None and seen.ending is None:
            running = entry.folder.read().running
            entry.boottime_ms = processes.boottime_ms() if running is None else running.boottime_ms
        self._set(entry, seen)

    def look_again(self) -> None:
        """Assess the attempts whose supervisor held the lock but had no marker yet, or could not be forked."""
        for attempt_id in list(self.undecided):
            self._assess(attempt_id)

    @property
    def has_rubbish(self) -> bool:
        """Return whether `clear_up` has something to do."""
        return bool(self._rubbish)

    def clear_up(self) -> None:
        """Remove the scratch space of forgotten attempts, in a process of its own since a big one takes long."""
        pid = os.fork()
        if pid == 0:
            for folder in self._rubbish:
                remove_workplace(folder)
            os._exit(0)
        self._rubbish.clear()
        self._helpers.add(pid)

    def reap(self) -> None:
        """Collect children that ended, and let supervisors go on that a tenant stopped."""
        processes.wake_stopped_children()
        processes.reap(lambda pid, _: self._helpers.discard(pid))

    def _load(self, name: str) -> None:
        folder = AttemptFolder(self._layout.attempt(name))
        journal = folder.read()
        if journal.order is None and journal.outcome is None and folder.read_stop() is None:
            shutil.rmtree(folder.path, ignore_errors=True)  # an order that was never answered
            return
        entry = self._entries[name] = Entry(folder, journal.order, _unseen(name))
        if journal.order is not None and not journal.order.needs_secrets:
            entry.secrets = ()
        self._assess(name)

    def _assess(self, attempt_id: str) -> None:
        """Find out from its journal where an attempt is that nobody is known to supervise, and do what is next."""
        entry = self._entries[attempt_id]
        self.undecided.discard(attempt_id)
        lock = entry.folder.try_lock()
        journal = entry.folder.read()  # after the lock: what it says now stays so
        if journal.outcome is not None:
            self._set(entry, journal.outcome)
        elif lock is None:
            if journal.marker is None or not self._take_over(entry, journal, journal.marker):
                self.undecided.add(attempt_id)  # it is about to write its marker or to end
        elif journal.marker is not None:
            self._end_lost(entry, journal, journal.marker)
        elif entry.folder.read_stop() is not None:
            self._end(entry, changed(entry.observation, ending=Ending.STOPPED, detail="stopped before it ran"))
        elif entry.launches >= _LAUNCHES_MAX:
            self._end(entry, changed(entry.observation, ending=Ending.LOST, detail="its supervisor died or could not be forked at each start"))
        if lock is not None:
            os.close(lock)
            if entry.observation.ending is None:
                self.launch(attempt_id)

    def _take_over(self, entry: Entry, journal: Journal, marker: Marker) -> bool:
        """Watch a supervisor that an earlier agent forked; return whether it is alive."""
        if marker.boot_id != self._settings.boot_id:
            return False
        pidfd = processes.open_exact(marker.pid, marker.start)
        if pidfd is None:
            return False
        if journal.running is not None:
            entry.boottime_ms = journal.running.boottime_ms
            self._set(entry, changed(entry.observation, running_since_ms=journal.running.wall_ms))
        entry.worker = self._workers.adopt(entry.observation.attempt_id, marker.pid, pidfd)
        if entry.folder.read_stop() is not None:
            entry.worker.pass_on_stop()
        return True

    def _on_free(self, attempt_id: str) -> None:
        """Its supervisor is done with an attempt or died: the journal says which."""
        entry = self._entries.get(attempt_id)
        if entry is None:
            return
        entry.worker = None
        if entry.observation.ending is None:
            self._assess(attempt_id)

    def _end_lost(self, entry: Entry, journal: Journal, marker: Marker) -> None:
        """The supervisor died without an outcome: end what it left and say so."""
        running = journal.running
        since = None if running is None else running.wall_ms
        groups = TaskGroup(tuple(Path(name) for name in marker.groups))
        if marker.boot_id != self._settings.boot_id:
            groups.remove()
            last = entry.folder.last_change_ms()
            held = 0 if since is None else max(0, last - since)
            seen = changed(entry.observation, running_since_ms=since, held_ms=held, ended_at_ms=last)
            self._end(entry, changed(seen, ending=Ending.LOST, detail="the machine was restarted"))
            return
        children = self._workers.pids() | self._helpers
        is_clean = end_leftovers(
            self._layout.workplaces(entry.observation.attempt_id), marker, running, groups, children
        )
        groups.remove()
        held = 0 if running is None else processes.boottime_ms() - running.boottime_ms
        detail = "its supervisor died" + ("" if is_clean else "; a process that it left cannot be killed")
        self._end(
            entry,
            changed(entry.observation, running_since_ms=since, held_ms=held, ending=Ending.LOST, detail=detail),
        )

    def _end(self, entry: Entry, seen: Observation) -> None:
        """Write an outcome in the supervisor's place; the caller holds the lock."""
        if seen.ended_at_ms is None:
            seen = changed(seen, ended_at_ms=processes.wall_ms())
        entry.folder.append(Outcome(seen))
        self._set(entry, seen)

    def _set(self, entry: Entry, seen: Observation) -> None:
        if seen == entry.observation:
            return
        entry.observation = seen
        entry.secrets = None  # it runs or has ended: nobody starts it again
        self._publish(seen)

    def _check_epoch(self, epoch: int) -> None:
        if epoch < self._epoch:
            raise StaleEpoch(f"the order is of epoch {epoch}, the engine saw {self._epoch}")
        if epoch > self._epoch:
            durable.write_file(self._layout.agent / "epoch", str(epoch).encode())
            self._epoch = epoch

    def _free_port(self) -> int:
        """Return a port that no attempt has and nothing listens on."""
        taken = {entry.order_file.port for entry in self._entries.values() if entry.order_file is not None}
        for _ in PORTS:
            port = self._next_port
            self._next_port = port + 1 if port + 1 in PORTS else PORTS.start
            if port not in taken and _is_free(port):
                return port
        raise EngineUnavailable("every port for MASTER_PORT is taken")


def _unseen(attempt_id: str) -> Observation:
    return Observation(attempt_id=attempt_id, running_since_ms=None, held_ms=0)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
