"""A share: what one task of a gang holds of one node."""

from functools import partial
from typing import Final, NamedTuple

from eisbach.core.jobs.request import WHOLE


class Share(NamedTuple):
    """What one task of a gang holds of one node; `tenant` is for whom the node is dedicated meanwhile, if for anybody.

    It holds `gpu_milli` thousandths of each of `gpus`; `mig` is the profile of its MIG instance, `slot` that one's first
    memory slice.
    """

    rank: int
    node: str
    cpu_milli: int
    memory_mib: int
    gpus: tuple[int, ...]
    tenant: str = ""
    gpu_milli: int = WHOLE
    mig: str = ""
    slot: int = 0


share_of_fields: Final = partial(tuple.__new__, Share)
"""Returns the share of all its fields, given as one tuple: without a constructor in Python, as there are very many."""
