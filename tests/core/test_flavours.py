"""What is known of GPU models: their slices are laid out as NVIDIA lists them."""

import pytest

from eisbach.core.capacity.fit import slice_milli
from eisbach.core.capacity.flavours import GPU_MODELS, gpu_model, gpus_said

IN_EIGHTHS = [7, 4, 3, 2, 1, 1]


def test_a_flavour_names_its_model_and_how_many_gpus_a_node_has():
    assert gpu_model("B200.8") is GPU_MODELS["b200"] is gpu_model("b200")
    assert gpu_model("cpu") is None
    assert [gpus_said(name) for name in ("b200.8", "b200", "cpu", "a.b", "x.²")] == [8, None, None, None, None]


@pytest.mark.parametrize("model", GPU_MODELS.values(), ids=lambda model: model.model)
def test_slices_lie_within_the_gpu_and_instances_of_one_profile_beside_each_other(model):
    for profile in model.mig:
        taken = [start + nth for start in profile.starts for nth in range(profile.memory_slices)]
        assert len(set(taken)) == len(taken)
        assert max(taken) < model.memory_slices
        assert profile.instances_max * profile.compute_slices <= model.compute_slices
        assert int(profile.name.partition(".")[2].removesuffix("gb")) <= model.memory_gb
    assert model.profile(model.mig[0].name) is model.mig[0]
    assert model.profile("9g.999gb") is None


def test_b200_and_rtx_pro_are_cut_as_nvidia_lists_them():
    b200, rtx = GPU_MODELS["b200"], GPU_MODELS["rtxpro6000"]
    assert [one.name for one in b200.mig] == ["1g.23gb", "1g.45gb", "2g.45gb", "3g.90gb", "4g.90gb", "7g.180gb"]
    assert [one.instances_max for one in b200.mig] == IN_EIGHTHS
    assert {one.name: one.instances_max for one in rtx.mig} == {"1g.24gb": 4, "2g.48gb": 2, "4g.96gb": 1}
    assert (b200.nvlink_gpus, rtx.nvlink_gpus) == (8, 1)


@pytest.mark.parametrize("model", GPU_MODELS)
def test_the_slices_of_a_gpu_are_together_never_more_than_it(model):
    """All ways to fill a GPU: whatever the slices, their parts sum to at most 1,000 thousandths."""
    profiles = GPU_MODELS[model].mig
    places = [(one.name, ((1 << one.memory_slices) - 1) << start) for one in profiles for start in one.starts]

    def fullest(used, first):
        return max(
            (slice_milli(model, name) + fullest(used | mask, nth) for nth, (name, mask) in enumerate(places[first:], first) if not used & mask),
            default=0,
        )

    assert fullest(0, 0) <= 1000
    assert all(slice_milli(model, one.name) > 0 for one in profiles)
    assert slice_milli(model, "9g.999gb") == 0


def test_what_is_said_of_arithmetic_names_the_precision():
    assert {one.precision for one in GPU_MODELS["b200"].peak_figures} >= {"FP64", "FP8", "FP4"}
    assert GPU_MODELS["gb200"].peak_figures == ()
