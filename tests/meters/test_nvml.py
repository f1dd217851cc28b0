"""Counters of GPUs. Where this machine has none, a driver that answers like NVML stands in for it."""

import pytest

from eisbach.meters.nvml import NvmlMeter
from eisbach.ports.meter import Part


class Driver:
    """Answers like pynvml for GPUs whose energies are given; None is one that has no counter."""

    class NVMLError(Exception):
        """What pynvml raises."""

    def __init__(self, *energies_mj, is_loaded=True):
        self.energies_mj, self.is_loaded, self.opened = energies_mj, is_loaded, 0

    def nvmlInit(self):
        if not self.is_loaded:
            raise self.NVMLError("Driver Not Loaded")
        self.opened += 1

    def nvmlShutdown(self):
        self.opened -= 1

    def nvmlDeviceGetCount(self):
        return len(self.energies_mj)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetUUID(self, handle):
        return f"GPU-{handle}"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        energy = self.energies_mj[handle]
        if energy is None:
            raise self.NVMLError("Not Supported")
        return energy


def test_each_gpu_is_a_counter():
    driver = Driver(100, 250)
    meter = NvmlMeter(driver)
    found = meter.read()
    assert [(one.name, one.counted.value_mj, one.part) for one in found] == [
        ("nvml/GPU-0", 100, Part.ACCELERATORS),
        ("nvml/GPU-1", 250, Part.ACCELERATORS),
    ]
    assert driver.opened == 0
    assert meter.says() == "GPUs: 2 counters"


@pytest.mark.parametrize(
    ("driver", "says"),
    [
        pytest.param(Driver(is_loaded=False), "Driver Not Loaded", id="no driver"),
        pytest.param(Driver(100, None), "Not Supported", id="one without a counter"),
    ],
)
def test_what_cannot_be_read_is_said_and_not_counted_in_part(driver, says):
    meter = NvmlMeter(driver)
    assert list(meter.read()) == []
    assert says in meter.says()
    assert driver.opened == 0


def test_the_installed_library_answers_or_says_why_not():
    meter = NvmlMeter()
    assert meter.read() or "GPUs" in meter.says()
