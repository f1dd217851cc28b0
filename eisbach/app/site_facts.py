"""What a factory is made of, as its site file says: values that the application compares with the log."""

from dataclasses import dataclass

BY_SITE_FILE = "site-file"
"""On whose word a node is drained that the site file changes or leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """A node: one machine's share for work."""

    node: str
    pool: str
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """A site: a place with a country and an operator, and its nodes."""

    site: str
    country: str
    operator: str
    operator_country: str
    nodes: tuple[NodeFacts, ...]
    is_simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffFacts:
    """A price list: micro-euro per unit-hour."""

    version: str
    label: str
    core_hour: int
    memory_gib_hour: int
    gpu_hour: dict[str, int]
    spot_permille: int
