"""The server process: the factory of a home behind the API, until a signal."""

import gc
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eisbach import wiring
from eisbach.api.server import create_app
from eisbach.api.serving import PortTaken, bind, serve
from eisbach.app.commands import SYSTEM, Role
from eisbach.cli.exit_codes import ExitCode
from eisbach.cli.joined import Joined
from eisbach.core.jobs.task_file import TaskDefaults
from eisbach.portal.server import create_portal

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
    simulated: Sequence[str]
    """sites at which nothing is executed"""
    portal_links: Mapping[str, str]
    """For whom (`sign-up`, `operator`) -> a link that opens the portal once"""


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
        url = f"http://{shown}:{real_port}"
        offer = factory.application.entry_codes.offer
        codes = {"sign-up": offer(SYSTEM, role=None)[0], "operator": offer(SYSTEM, role=Role.OPERATOR)[0]}
        on_ready(
            ReadyFacts(
                url=url,
                home=home,
                first_token_path=factory.operator_token,
                isolation=factory.application.isolation,
                gpus=factory.gpus,
                flavours=factory.flavours,
                simulated=factory.application.simulated_sites(),
                portal_links={who: f"{url}/portal/enter?code={code}" for who, code in codes.items()},
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
        defaults = TaskDefaults()
        api, portal = create_app(factory.application, defaults), create_portal(factory.application, defaults)

        def close_streams() -> None:
            api.state.host.close_streams()
            portal.state.host.close_streams()

        serve(Joined(api, portal), bound, on_stop=close_streams, on_ready=ready)
    finally:
        factory.close()
    return ExitCode.OK
