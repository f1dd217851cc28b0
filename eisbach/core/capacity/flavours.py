"""What GPU models are, as their makers state it: memory, NVLink, the slices MIG cuts them into. Nothing here was measured.

Sources. MIG: NVIDIA Multi-Instance GPU User Guide, "Supported GPUs" and "Supported MIG Profiles" (number of instances,
fractions of memory and of multiprocessors; where a profile may begin is what `nvidia-smi mig -lgipp` lists); for B200 also the
profiles of nvidia-mig-parted's default configuration. Memory as those tables count it. NVLink: data sheets of DGX B200 (1.8
TB/s a GPU, 8 in a domain), H100 and H200 SXM (900 GB/s), A100 (600 GB/s), GB200 NVL72 (72 in a domain); both directions
together, as they count. RTX PRO 6000 has none. Arithmetic: core/capacity/compute_figures.py.
"""

from typing import NamedTuple

from eisbach.core.capacity.compute_figures import PEAK_FIGURES, PeakFigure


class MigProfile(NamedTuple):
    """A slice of a GPU with walls of its own: how many compute and memory slices it takes, and on which memory slices it may begin."""

    name: str
    compute_slices: int
    memory_slices: int
    starts: tuple[int, ...]

    @property
    def instances_max(self) -> int:
        """Return how many of it one GPU holds."""
        return len(self.starts)


class GpuModel(NamedTuple):
    """A GPU. `nvlink_gpus` is how many are one NVLink domain in the systems it is sold in (1: it has no NVLink),
    `nvlink_gbit_s` what one GPU exchanges over it, both directions together. `mig` is empty where it cannot be cut.
    """

    model: str
    name: str
    memory_gb: int
    nvlink_gpus: int = 1
    nvlink_gbit_s: int = 0
    compute_slices: int = 0
    memory_slices: int = 0
    mig: tuple[MigProfile, ...] = ()

    @property
    def peak_figures(self) -> tuple[PeakFigure, ...]:
        """Return its peak arithmetic by precision, nothing where none was found."""
        return PEAK_FIGURES.get(self.model, ())

    def profile(self, name: str) -> MigProfile | None:
        """Return a profile by its name such as `1g.23gb`, None where the model has no such slice."""
        return next((one for one in self.mig if one.name == name), None)


def _in_eighths(one: str, double: str, half: str, full: str) -> tuple[MigProfile, ...]:
    """The profiles of a GPU of 7 compute and 8 memory slices, by what an eighth, a quarter, a half and all of its memory are called."""
    return (
        MigProfile(f"1g.{one}", 1, 1, (0, 1, 2, 3, 4, 5, 6)),
        MigProfile(f"1g.{double}", 1, 2, (0, 2, 4, 6)),
        MigProfile(f"2g.{double}", 2, 2, (0, 2, 4)),
        MigProfile(f"3g.{half}", 3, 4, (0, 4)),
        MigProfile(f"4g.{half}", 4, 4, (0,)),
        MigProfile(f"7g.{full}", 7, 8, (0,)),
    )


_EIGHTHS = {"compute_slices": 7, "memory_slices": 8}

GPU_MODELS: dict[str, GpuModel] = {
    one.model: one
    for one in (
        GpuModel(
            model="b200", name="NVIDIA B200", memory_gb=180, nvlink_gpus=8, nvlink_gbit_s=14_400,
            mig=_in_eighths("23gb", "45gb", "90gb", "180gb"), **_EIGHTHS,
        ),
        GpuModel(
            model="gb200", name="NVIDIA GB200", memory_gb=186, nvlink_gpus=72, nvlink_gbit_s=14_400,
            mig=_in_eighths("23gb", "47gb", "93gb", "186gb"), **_EIGHTHS,
        ),
        GpuModel(
            model="h200", name="NVIDIA H200 SXM", memory_gb=141, nvlink_gpus=8, nvlink_gbit_s=7_200,
            mig=_in_eighths("18gb", "35gb", "71gb", "141gb"), **_EIGHTHS,
        ),
        GpuModel(
            model="h100", name="NVIDIA H100 SXM", memory_gb=80, nvlink_gpus=8, nvlink_gbit_s=7_200,
            mig=_in_eighths("10gb", "20gb", "40gb", "80gb"), **_EIGHTHS,
        ),
        GpuModel(
            model="a100", name="NVIDIA A100 SXM4 80GB", memory_gb=80, nvlink_gpus=8, nvlink_gbit_s=4_800,
            mig=_in_eighths("10gb", "20gb", "40gb", "80gb"), **_EIGHTHS,
        ),
        GpuModel(
            model="rtxpro6000", name="NVIDIA RTX PRO 6000 Blackwell Server Edition", memory_gb=96,
            compute_slices=4, memory_slices=4,
            mig=(
                MigProfile("1g.24gb", 1, 1, (0, 1, 2, 3)),
                MigProfile("2g.48gb", 2, 2, (0, 2)),
                MigProfile("4g.96gb", 4, 4, (0,)),
            ),
        ),
    )
}  # fmt: skip


def gpu_model(flavour: str) -> GpuModel | None:
    """Return the GPU model of a flavour such as `b200.8` or `b200`, None where nothing is known of it."""
    return GPU_MODELS.get(flavour.lower().partition(".")[0])


def gpus_said(flavour: str) -> int | None:
    """Return how many GPUs a flavour's name says that a node has: 8 for `b200.8`, None where it names no number."""
    _, _, count = flavour.partition(".")
    return int(count) if count.isascii() and count.isdigit() else None
