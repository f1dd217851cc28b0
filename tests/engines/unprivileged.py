"""Runs the local engine as user 65534: a job, then a fork bomb; prints what it saw (a program for one test)."""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from eisbach.engines.local import agent
from eisbach.engines.local.engine import LocalEngine
from eisbach.engines.local.processes import all_processes
from tests.contracts.engine_contract import Harness, an_order
from tests.engines.local_harness import wait_until

USER = 65534
BOMB = "b() { sleep 987652 & b & b & wait; }; ulimit -u 300; b 2>/dev/null; wait"


class ForkingEngine(LocalEngine):
    """Forks its agent out of this process: another user may not reach the interpreter's files any more."""

    def _start_agent(self) -> int:
        pid = os.fork()
        if pid == 0:
            agent.main([str(self._layout.home), msgspec.json.encode(self._settings).decode()])
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def owner_of(pid: int) -> int | None:
    """Return the user of a process, None where it has ended meanwhile."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        return None


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="eisbach-test-"))
    os.chown(home, USER, USER)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    before = {(row.pid, row.start) for row in all_processes()}  # somebody else may work as this user as well
    before = {(row.pid, row.start) for row in all_processes()}  # whatever else this user runs on the machine
    engine = ForkingEngine(home)
    harness = Harness(engine, wait_until)
    first = harness.run(an_order("att_1", run="test $(id -u) = 65534"))
    bomb = harness.run(an_order("att_2", run=BOMB, limit_ms=1_500, grace_ms=300, memory_mib=2048))
    fresh = [row for row in all_processes() if row.lives and (row.pid, row.start) not in before]
    closed = harness.run(an_order("att_3", run="mkdir -p a/b; echo x > a/b/c; chmod 0 a/b a ../tmp ."))
    with contextlib.suppress(AssertionError):  # its folder is cleared when its end has been told; what stays is counted
        wait_until(lambda: not list((engine.scratch / "attempts").glob("att_3*")))
    work_left = len(list((engine.scratch / "attempts").glob("att_3*")))
    left = [row for row in fresh if owner_of(row.pid) == USER]
    agent_pid = engine.agent_pid()
    ours = [row for row in left if (row.pid, row.start) not in before]
    others = [row for row in ours if row.pid not in (agent_pid, os.getpid()) and row.parent != agent_pid]
    sentence = engine.isolation
    engine.shut_agent_down()
    engine.close()
    shutil.rmtree(home)
    endings = [seen.ending.value for seen in (first, bomb, closed) if seen.ending is not None]
    sys.stdout.write(f"{' '.join(endings)} {len(others)} left {work_left} closed\n{sentence}\n")


if __name__ == "__main__":
    main()
