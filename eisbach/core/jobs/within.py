"""How near to one another the nodes of a gang shall be."""

from dataclasses import dataclass

from eisbach.core.vocabulary.closed_enum import ClosedEnum


class Level(ClosedEnum):
    """A level of the topology, from the tightest to the widest that a gang may ask for."""

    NVLINK = "nvlink"
    RACK = "rack"
    ROW = "row"
    HALL = "hall"


@dataclass(frozen=True, slots=True)
class Within:
    """A gang's wish to be in one domain of a level. Where it is not required, the next wider one that holds it will do."""

    level: Level
    is_required: bool = False
