"""Counters of processors, on a tree of files as the kernel shows it."""

import pytest

from eisbach.meters.machine import MachineMeter
from eisbach.meters.rapl import MOST_MW, RaplMeter
from eisbach.ports.meter import Part

WRAPS_UJ = 262_143_328_850


class Machine:
    """A powercap tree in a folder, and a clock."""

    def __init__(self, folder):
        self.root, self.boot_id, self.now_ms = folder / "powercap", folder / "boot_id", 1_000_000
        self.boot_id.write_text("a-boot\n")

    def zone(self, name, kind, energy_uj):
        zone = self.root / name
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "name").write_text(f"{kind}\n")
        (zone / "energy_uj").write_text(f"{energy_uj}\n")
        (zone / "max_energy_range_uj").write_text(f"{WRAPS_UJ}\n")

    def meter(self):
        return RaplMeter(lambda: self.now_ms, self.root, self.boot_id)


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    machine.zone("intel-rapl:0", "package-0", 5_000_000)
    machine.zone("intel-rapl:0:0", "dram", 1_000_000)
    return machine


def values(meter):
    return {channel.name: channel.counted.value_mj for channel in meter.read()}


def test_packages_and_memory_are_counted_and_nothing_twice(machine):
    machine.zone("intel-rapl:0:1", "core", 4_000_000)
    machine.zone("intel-rapl:1", "psys", 9_000_000)
    meter = machine.meter()
    assert values(meter) == {"rapl/intel-rapl:0": 5_000, "rapl/intel-rapl:0:0": 1_000}
    assert {channel.part for channel in meter.read()} == {Part.HOSTS}
    assert "2 counters" in meter.says()


def test_a_counter_that_is_watched_never_falls(machine):
    meter = machine.meter()
    machine.zone("intel-rapl:0", "package-0", WRAPS_UJ - 1_000_000)
    before = values(meter)["rapl/intel-rapl:0"]
    machine.now_ms += 15_000
    machine.zone("intel-rapl:0", "package-0", 2_000_000)
    assert values(meter)["rapl/intel-rapl:0"] == before + 3_000
    assert meter.read()[0].watched_since_ms == 1_000_000


def test_a_counter_that_nobody_watched_for_long_begins_anew(machine):
    meter = machine.meter()
    meter.read()
    machine.now_ms += WRAPS_UJ // MOST_MW + 1
    assert meter.read()[0].watched_since_ms == machine.now_ms


def test_a_counter_that_may_not_be_read_says_so(machine):
    unreadable = machine.root / "intel-rapl:0" / "energy_uj"
    unreadable.unlink()
    unreadable.mkdir()  # root may read any file, so what cannot be read is no file here
    meter = machine.meter()
    assert list(meter.read()) == []
    assert "cannot be read" in meter.says()
    assert "modelled" in meter.says()


def test_nonsense_in_a_counter_is_no_measurement(machine):
    (machine.root / "intel-rapl:0" / "energy_uj").write_text("")
    assert list(machine.meter().read()) == []


def test_a_machine_without_counters_says_so(tmp_path):
    machine = Machine(tmp_path)
    meter = MachineMeter(machine.meter())
    assert list(meter.read()) == []
    assert "no energy counters" in meter.says()
