"""Data sets in a task's workspace: put together, checked, not to be changed, gone with the attempt."""

import hashlib
import os
import random
import tarfile

import pytest

from eisbach.adapters.object_folders import ObjectFolders
from eisbach.ports.engine import DataOrder, Ending
from eisbach.ports.objects import Shelf
from tests.contracts.engine_contract import an_order
from tests.engines.local_harness import a_local_engine

CHUNK = 1000
SHELF = Shelf("here", "org_1")
CONTENT = random.Random(2).randbytes(5 * CHUNK + 17)


@pytest.fixture
def data(tmp_path):
    objects = ObjectFolders(tmp_path / "objects", CHUNK)
    with objects.append(SHELF, "dset_1", len(CONTENT)) as incoming:
        incoming.write(CONTENT)
    sealed = objects.seal(SHELF, "dset_1", len(CONTENT))
    folder = objects.folder_of(SHELF, "dset_1")
    return DataOrder(
        name="flow", file_name="flow 1.csv", data_set="dset_1", folder=folder, size=len(CONTENT), manifest=sealed.manifest
    )


@pytest.fixture
def local(tmp_path):
    with a_local_engine(tmp_path) as harness:
        yield harness


def ended(local, **order):
    return local.run(an_order(**order))


def test_each_task_finds_the_file_and_its_folder_in_the_environment(local, data):
    seen = ended(local, run='sha256sum < "data/flow/flow 1.csv"; ls "$EISBACH_DATA_FLOW"; echo $EISBACH_DATA_FLOW', tasks=2, data=(data,))
    assert seen.ending is Ending.EXITED, seen
    lines = local.log()
    assert sum(hashlib.sha256(CONTENT).hexdigest() in line for line in lines) == 2
    assert lines.count("flow 1.csv") == 2
    assert sum(line.startswith("/") and line.endswith("/data/flow") for line in lines) == 2


def test_a_task_cannot_change_what_it_reads(local, data):
    run = 'cd data/flow; echo x >> "flow 1.csv"; echo y > new; rm -f "flow 1.csv"; ls'
    if os.geteuid() != 0:
        pytest.skip("without root the job is the engine's own user: it changes its own copy, never the chunks")
    seen = ended(local, run=run, data=(data,), project_id="prj_a")
    assert seen.ending is Ending.EXITED
    assert "flow 1.csv" in local.log()
    assert "new" not in local.log()


def test_nothing_of_it_is_left_after_the_end(local, data):
    ended(local, run="true", data=(data,))
    local.engine.forget("att_1")
    local.wait(lambda: not list(local.engine.scratch.glob("attempts/*/data")))
    assert len(list(data.folder.iterdir())) == 6, "the chunks are as they were"


@pytest.mark.parametrize("harm", ["changed", "missing", "gone"])
def test_damaged_or_missing_chunks_end_the_attempt_before_it_runs(local, data, harm):
    part = sorted(data.folder.iterdir())[2]
    if harm == "changed":
        part.write_bytes(bytes(CHUNK))
    elif harm == "missing":
        part.unlink()
    else:
        data.folder.rename(data.folder.with_name("elsewhere"))
    seen = ended(local, run="echo ran", data=(data,))
    assert seen.ending is Ending.REFUSED
    assert "data set" in seen.detail
    assert "ran" not in local.log()


def test_a_workspace_with_something_named_data_is_refused(local, data, tmp_path):
    folder = tmp_path / "workdir"
    (folder / "data").mkdir(parents=True)
    archive = tmp_path / "workdir.tar"
    with tarfile.open(archive, "w") as packed:
        packed.add(folder, ".")
    archive.chmod(0o644)
    seen = ended(local, run="true", data=(data,), workdir=archive)
    assert seen.ending is Ending.REFUSED
    assert "`data`" in seen.detail


def test_data_without_room_for_it_is_a_full_disk(local, data):
    order = DataOrder(
        name="huge", file_name="huge.bin", data_set="dset_2", folder=data.folder, size=10**18, manifest=data.manifest
    )
    seen = ended(local, run="true", data=(order,))
    assert seen.ending is Ending.DISK_FULL
    assert "free" in seen.detail
