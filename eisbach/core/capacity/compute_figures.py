"""Peak arithmetic of GPU models per precision, as their makers state it; nothing here was measured.

Sources: NVIDIA Blackwell Architecture Technical Brief, table for HGX B200 at 1,000 W per GPU (as collected at
glennklockwood.com/garden/processors/B200); NVIDIA H200 data sheet (SXM); NVIDIA's announcement of the RTX PRO 6000
Blackwell (125 TFLOPS FP32, 4,000 AI TOPS at FP4 with sparsity; its other precisions were not found and are left out).
"Sparse" is 2:4 structured sparsity, which doubles the figure on paper for weights of which half are zero.
"""

from typing import NamedTuple

TFLOPS_PER_EXAFLOPS = 1_000_000


class PeakFigure(NamedTuple):
    """Peak TFLOPS of one GPU in one precision; `sparse` is None where no sparsity applies or none was stated."""

    precision: str
    dense: int | None
    sparse: int | None = None


PEAK_FIGURES: dict[str, tuple[PeakFigure, ...]] = {
    "b200": (
        PeakFigure("FP64", 40),
        PeakFigure("FP32", 80),
        PeakFigure("TF32", 1_100, 2_200),
        PeakFigure("BF16", 2_250, 4_500),
        PeakFigure("FP8", 4_500, 9_000),
        PeakFigure("FP4", 9_000, 18_000),
    ),
    "h200": (
        PeakFigure("FP64", 34),
        PeakFigure("FP32", 67),
        PeakFigure("BF16", 989, 1_979),
        PeakFigure("FP8", 1_979, 3_958),
    ),
    "rtxpro6000": (PeakFigure("FP32", 125), PeakFigure("FP4", None, 4_000)),
}


def around(model: str, tflops: int) -> tuple[PeakFigure | None, PeakFigure | None]:
    """Return the dense figures of a model next below (or at) and next above what was promised for one GPU."""
    dense = [figure for figure in PEAK_FIGURES[model] if figure.dense is not None]
    below = [figure for figure in dense if figure.dense is not None and figure.dense <= tflops]
    above = [figure for figure in dense if figure.dense is not None and figure.dense > tflops]
    return (below[-1] if below else None), (above[0] if above else None)
