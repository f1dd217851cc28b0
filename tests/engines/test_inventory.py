"""What a machine has: its own, its GPUs by their names, and the limits its cgroup sets."""

import pynvml
import pytest

from eisbach.engines.local import inventory
from eisbach.engines.local.inventory import Gpu, Inventory, accelerator_of, detect


@pytest.mark.parametrize(
    ("product", "accelerator"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("Tesla T4", "t4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtxpro6000"),
        ("NVIDIA RTX A6000", "rtxa6000"),
        ("NVIDIA Graphics Device", "gpu"),
    ],
)
def test_products_have_the_names_that_users_ask_for(product, accelerator):
    assert accelerator_of(product) == accelerator


def test_this_machine_has_something():
    found = detect()
    assert found.cpu_milli >= 1
    assert found.memory_mib >= 256
    assert found.flavour == "cpu" or found.gpus


def test_the_flavour_counts_the_gpus():
    gpus = tuple(Gpu(index, "NVIDIA H200", 143_771, f"GPU-{index}") for index in range(8))
    assert Inventory(64_000, 2_000_000, gpus).flavour == "h200.8"
    assert Inventory(2_000, 4_096, ()).flavour == "cpu"


def test_without_a_driver_there_are_no_gpus(monkeypatch):
    def no_driver():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
    assert inventory.detect_gpus() == ()


@pytest.mark.parametrize(
    ("file", "text", "cores"),
    [("cpu.max", "150000 100000", 1_500), ("cpu.max", "max 100000", 0), ("cpu.cfs_quota_us", "50000", 500)],
)
def test_a_quota_of_the_cgroup_counts(tmp_path, monkeypatch, file, text, cores):
    (tmp_path / file).write_text(text)
    (tmp_path / "cpu.cfs_period_us").write_text("100000")
    monkeypatch.setattr(inventory, "_own_cgroups", lambda root, controller, names: [tmp_path / file])
    assert inventory._cpu_quota_milli(tmp_path) == cores


def test_the_smallest_memory_limit_counts(tmp_path, monkeypatch):
    for name, text in (("a", "max"), ("b", str(4 * 1024**3)), ("c", str(2 * 1024**3))):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(inventory, "_own_cgroups", lambda *_: [tmp_path / name for name in "abc"])
    assert inventory._memory_limit_mib(tmp_path) == 2048
