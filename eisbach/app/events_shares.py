"""Events about agreements, quotas and fair shares."""

from eisbach.app.event_body import Body


class ShareSet(Body, frozen=True):
    """The weight of a segment, an organisation or a project among its siblings; None where it has the usual one again."""

    owner: str
    scope: str
    weight: int | None
    by: str


class QuotaSet(Body, frozen=True):
    """What an organisation or a project may hold at once before its work may be reclaimed; None without a quota."""

    owner: str
    scope: str
    gpu_milli: int | None
    by: str


class AgreementSet(Body, frozen=True):
    """What an organisation has committed to: its capacity goes first up to there, its prices are a part of the list's.

    `gpu_milli` of nothing at the full price ends the agreement.
    """

    organisation: str
    gpu_milli: int
    price_permille: int
    by: str


class DefragmentationPlanned(Body, frozen=True):
    """These spot jobs move aside for a waiting gang, and all have room again; what that is reckoned to bring.

    `lost_gpu_milli_ms` is the work that is done once more, `gain_*` the gang's time until its start otherwise less that.
    """

    job: str
    moved: tuple[str, ...]
    lost_gpu_milli_ms: int
    gain_gpu_milli_ms: int
    gain_micro_eur: int


KINDS: dict[str, type[Body]] = {
    "share.set": ShareSet,
    "quota.set": QuotaSet,
    "agreement.set": AgreementSet,
    "defragmentation.planned": DefragmentationPlanned,
}
