"""Which engines and meters a home has: the local ones for what stands here, a simulated engine where the site file has an example."""

from collections.abc import Sequence
from pathlib import Path

from eisbach.app.site_facts import NodeFacts, SiteFacts
from eisbach.engines.by_site import EngineBySite
from eisbach.engines.local.engine import LocalEngine
from eisbach.engines.local.inventory import Inventory
from eisbach.engines.local.layout import SCRATCH_ROOT
from eisbach.engines.simulated.live import LiveSimulatedEngine
from eisbach.engines.simulated.script import CHECKPOINT_EVERY_MS
from eisbach.meters.machine import MachineMeter
from eisbach.meters.nvml import NvmlMeter
from eisbach.meters.rapl import RaplMeter
from eisbach.ports.clock import Clock
from eisbach.ports.engine import Engine
from eisbach.ports.meter import Meter
from eisbach.ports.store import Reader
from eisbach.settings import scratch_root

SIMULATED = "simulated"
"""The folder of the home in which simulated attempts are kept."""
SYSTEM_SHARE = 10
"""Percent of the machine's memory that stays with the system, at least SYSTEM_MIB."""
SYSTEM_MIB = 512


def local_engine(home: Path) -> LocalEngine:
    """Return the engine that runs work on this machine."""
    return LocalEngine(home, scratch_root=scratch_root() or SCRATCH_ROOT)


def engine_of_sites(home: Path, local: LocalEngine, sites: Sequence[SiteFacts], reader: Reader, clock: Clock) -> Engine:
    """Return the engine of all sites: the local one alone unless there is, or was, a simulated site."""
    if not any(site.is_simulated for site in sites) and not (home / SIMULATED).exists():
        return local
    simulated = LiveSimulatedEngine(clock, home / SIMULATED, checkpoint_every_ms=CHECKPOINT_EVERY_MS)

    def route(attempt: str) -> Engine | None:
        row = reader.row("attempts", attempt)
        if row is None:
            return None
        return simulated if row["simulated"] else local

    return EngineBySite([local, simulated], route)


def machine_as_node(machine: Inventory) -> NodeFacts:
    """Return the machine as one node; a part of its memory stays with the system."""
    kept = max(SYSTEM_MIB, machine.memory_mib * SYSTEM_SHARE // 100)
    return NodeFacts(
        node="node-1",
        pool="local",
        flavour=machine.flavour,
        cpu_milli=machine.cpu_milli,
        memory_mib=max(256, machine.memory_mib - kept),
        gpus=len(machine.gpus),
    )


def meters_of_sites(sites: Sequence[SiteFacts], machine: Inventory, clock: Clock) -> dict[str, Meter]:
    """Return the meters of the real sites: the counters of this machine. Where two real sites share it, nobody could tell
    whose energy is counted, so both are modelled; so is whatever is simulated.
    """
    real = [site.site for site in sites if not site.is_simulated]
    if len(real) != 1:
        return {}
    processors = RaplMeter(clock.now)
    return {real[0]: MachineMeter(processors, NvmlMeter()) if machine.gpus else MachineMeter(processors)}
