"""Schemas of what the API tells about sites and nodes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from eisbach.api.schemas import Asked, At, Label, Name, Paged, Told

Condition = Literal[
    "lost", "suspect", "maintenance", "planned", "cordoned", "draining", "drained", "full", "busy", "idle"
]  # fmt: skip


Note = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SiteFlavour(Told):
    flavour: str
    nodes: int


class SiteLink(Told):
    """What leads from a domain of the topology up to an outer one: a level for all its domains, or one by its name."""

    lower: str = Field(alias="from", examples=["rack"])
    to: str = Field(examples=["row"])
    gbit_s: int = Field(description="What each lower domain exchanges over it, each way.")
    source: str


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
    links: list[SiteLink]
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
    health: Literal["healthy", "suspect", "lost"]
    health_cause: str = Field(description="Who noticed: operator, engine or failures; empty while it is healthy.")
    health_since_at: At | None
    closure: str = Field(description="The maintenance that goes on there, or the next closure; empty without one.")
    closes_at: At | None = Field(description="When the next closure begins.")
    is_there_from_at: At | None = Field(description="The day from which it is there, while that lies ahead.")


class HistoryOfNode(Told):
    mark: str
    node: str
    at: At
    what: str = Field(description="cordoned, drained, resumed, suspect, lost or healthy.")
    cause: str
    by: str = Field(description="The token it was done with, or what of the factory did it.")
    by_label: str = Field(description="The label of that token; empty without one.")
    note: str


class NodeDetail(Node):
    history: list[HistoryOfNode] = Field(description="The newest entry first.")


class Nodes(Paged):
    items: list[Node]


class NodeTargets(Asked):
    """Nodes that have one of the names (with `*` for anything) and stand at all the places that are said."""

    names: list[Name] = Field(default=[], max_length=1000)
    site: Label = ""
    hall: Label = Field(default="", description="Its name, or as people say it: `2` for `hall-02`.")
    row: Label = ""
    rack: Label = ""
    pool: Label = ""


class NodeAct(NodeTargets):
    act: Literal["cordon", "uncordon", "drain", "resume", "lost", "repair"]
    note: Note = ""


class NodesActedOn(Told):
    act: str
    nodes: list[str]
    changed: list[str] = Field(description="Those that were not so before.")
    attempts_on_them: int


class NewClosure(NodeTargets):
    force: bool = Field(default=False, description="Over bookings and promises too: they move, or are credited.")
    from_ms: int | None = Field(default=None, description="UTC milliseconds; null: now.")
    length_ms: int | None = Field(default=None, description="Null: a drain, until somebody takes them back.")
    note: Note = ""


class Closure(Told):
    closure: str
    kind: Literal["maintenance", "drain"]
    nodes: list[str]
    from_at: At
    until_at: At | None


class AnnouncedClosure(Closure):
    moved: list[str] = Field(description="Bookings and promises over which it was forced: they move to equal nodes, or are credited.")
    attempts_on_them: int
    attempts_leaving: int = Field(description="Those that would not end before; they are asked to save in time.")
    attempts_with_less_grace: int = Field(description="Those of them that have less than the grace of their task.")


class ListedClosure(Closure):
    targets: str = Field(description="What the operator said.")
    node_count: int
    state: Literal["announced", "begun", "over", "cancelled", "drained"]
    by: str
    announced_at: At
    ended_at: At | None
    ended_by: str
    note: str


class Closures(Paged):
    items: list[ListedClosure]


class CancelledClosure(Told):
    closure: str
    nodes: list[str]
    had_begun: bool


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
