"""Schemas of what the API tells about sites and nodes."""

from typing import Literal

from pydantic import Field

from eisbach.api.schemas import Paged, Told

Condition = Literal[
    "lost", "suspect", "maintenance", "planned", "cordoned", "draining", "drained", "full", "busy", "idle"
]  # fmt: skip


class SiteFlavour(Told):
    flavour: str
    nodes: int


class SiteFacts(Told):
    site: str
    country: str = Field(description="ISO 3166-1; ZZ: nobody has said.", examples=["DE"])
    operator: str
    operator_country: str
    parent_country: str = Field(description="Of the operator's ultimate parent.")
    simulated: bool = Field(description="Nothing is executed there.")


class Site(SiteFacts):
    nodes: int
    drained: int
    halls: int
    racks: int
    gpus: int
    free_gpus: int
    cpu_milli: int
    free_cpu_milli: int
    memory_mib: int
    free_memory_mib: int
    flavours: list[SiteFlavour]
    has_plant: bool = Field(description="Its power, stream and heat are modelled or measured.")


class Sites(Paged):
    items: list[Site]


class Node(Told):
    node: str
    pool: str
    site: str
    simulated: bool
    hall: str
    row: str
    rack: str
    flavour: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    drained: bool
    removed: bool
    condition: Condition
    allocated_permille: int
    free_cpu_milli: int
    free_memory_mib: int
    free_gpus: int
    attempts: list[str] = Field(description="What holds a share of it.")


class Nodes(Paged):
    items: list[Node]


class Tally(Told):
    nodes: int
    gpus: int
    held_gpus: int
    allocated_permille: int = Field(description="Mean over the nodes.")
    closed: int = Field(description="Nodes that take no new work now, for whatever reason.")
    conditions: dict[Condition, int]


class NodeOnMap(Told):
    node: str
    pool: str
    flavour: str
    condition: Condition
    drained_by: str
    allocated_permille: int
    gpus: int
    held_gpus: int
    attempts: list[str]


class RackOnMap(Tally):
    rack: str
    inside: list[NodeOnMap]


class RowOnMap(Tally):
    row: str
    racks: list[RackOnMap]


class HallOnMap(Tally):
    hall: str
    rows: list[RowOnMap]


class SiteMap(SiteFacts, Tally):
    hall: str | None = Field(description="The only hall whose rows, racks and nodes are here; null: all of them.")
    halls: list[HallOnMap]
