"""The server process: the factory of a home behind the API, until a signal."""

import gc
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eisbach import wiring
from eisbach.api.server import create_app
from eisbach.api.serving import PortTaken, bind, serve
from eisbach.cli.exit_codes import ExitCode
from eisbach.core.jobs.task_file import TaskDefaults

GC_THRESHOLD = (20_000, 20, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyFacts:
    """What a server says once it takes work."""

    url: str
    home: Path
    first_token_path: Path | None
    isolation: str
    gpus: Sequence[str]
    flavours: Sequence[str]


def start(home: Path, host: str, port: int, on_ready: Callable[[ReadyFacts], None]) -> int:
    """Serve until told to stop and return an exit code; raise wiring.CannotStart with what is wrong."""
    try:
        bound = bind(host, port)  # before anything else: a taken port must not touch the home
    except PortTaken as error:
        raise wiring.CannotStart(str(error)) from error
    try:
        factory = wiring.open_home(home)
    except BaseException:
        bound.close()
        raise

    def ready(address: str, real_port: int) -> None:
        shown = f"[{address}]" if ":" in address else address
        on_ready(
            ReadyFacts(
                url=f"http://{shown}:{real_port}",
                home=home,
                first_token_path=factory.operator_token,
                isolation=factory.application.isolation,
                gpus=factory.gpus,
                flavours=factory.flavours,
            )
        )

    # What start-up made lives for good, and the state of a busy factory is large: the collector need not walk through
    # both every 700 allocations (its default).
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    # Another server leads now: this one can decide nothing any more, and whoever watches it should know.
    factory.application.applier.on_deposed = lambda: os.kill(os.getpid(), signal.SIGTERM)
    try:
        defaults = TaskDefaults(sells_spot=False)  # until it can be preempted, it is not spot
        serve(create_app(factory.application, defaults), bound, on_ready=ready)
    finally:
        factory.close()
    return ExitCode.OK
