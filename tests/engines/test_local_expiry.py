"""What ended jobs left goes when it is told to, links lead nowhere, and no attempt that was deleted runs again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eisbach.engines.local.expiry import expire
from eisbach.engines.local.layout import Layout
from eisbach.engines.local.logreader import NOTICE_STREAM
from eisbach.ports.engine import CanExpire, Ending, Remains
from tests.contracts.engine_contract import a_stop, an_order
from tests.engines.local_harness import LocalHarness, a_local_engine


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalHarness]:
    with a_local_engine(tmp_path) as made:
        yield made


def always(job: str, changed_ms: int) -> bool:
    return True


def expire_all(local: LocalHarness) -> list[int]:
    return [local.engine.expire(kind, always) for kind in Remains]


def run_and_forget(local: LocalHarness, attempt: str = "att_1") -> None:
    order = an_order(attempt, run="echo hello; echo model > model.bin; echo w > checkpoints/weights", outputs=("model.bin",))
    assert local.run(order).ending is Ending.EXITED
    local.engine.forget(attempt)


def test_what_an_ended_job_left_goes_and_only_its_tombstone_stays(local: LocalHarness) -> None:
    assert isinstance(local.engine, CanExpire)
    run_and_forget(local)
    assert expire_all(local) == [1, 1, 1]
    assert expire_all(local) == [0, 0, 0]
    assert os.listdir(local.engine.scratch / "checkpoints") == []
    assert os.listdir(local.home / "jobs") == []
    tombstone = local.home / "ended" / "att_1"
    assert [(path.name, path.stat().st_size) for path in tombstone.iterdir()] == [("log-deleted", 0)]


def test_a_deleted_log_says_so_once_and_deleted_artifacts_are_not_listed(local: LocalHarness) -> None:
    run_and_forget(local)
    expire_all(local)
    lines, offset = local.engine.read_log("att_1")
    assert [line.stream for line in lines] == [NOTICE_STREAM]
    assert "was deleted" in lines[0].text
    assert local.engine.read_log("att_1", offset) == ([], offset)
    assert local.engine.artifacts("att_1") == []
    with pytest.raises(FileNotFoundError):
        local.engine.read_artifact("att_1", "model.bin")


def test_a_deleted_attempt_never_starts_again_not_even_under_a_new_agent(local: LocalHarness) -> None:
    run_and_forget(local)
    expire_all(local)
    proof = local.home / "ran-again"
    again = an_order(run=f"touch {proof}")
    local.engine.start(again)
    local.kill_agent()
    local.engine.start(again)
    local.engine.stop(a_stop())
    assert local.engine.observe() == []
    assert not proof.exists()


def test_each_kind_goes_for_itself_and_outputs_are_read_after_their_log(local: LocalHarness) -> None:
    run_and_forget(local)
    assert local.engine.expire(Remains.LOGS, always) == 1
    assert b"".join(local.engine.read_artifact("att_1", "model.bin")) == b"model\n"
    assert local.engine.expire(Remains.OUTPUTS, always) == 1
    assert local.engine.artifacts("att_1") == []
    assert local.engine.expire(Remains.LOGS, always) == 0
    assert os.listdir(local.home / "ended" / "att_1") == ["log-deleted"]


def test_work_that_is_not_over_keeps_everything_whoever_says_it_is_over(local: LocalHarness) -> None:
    order = an_order(run="echo w > checkpoints/weights; echo hello; sleep 60", outputs=("checkpoints/weights",))
    local.engine.start(order)
    weights = local.engine.scratch / "checkpoints" / "job_att_1" / "weights"
    local.wait(lambda: weights.exists() and local.log() == ["hello"])
    os.utime(weights.parent, (0, 0))
    assert expire_all(local) == [0, 0, 0]
    assert weights.exists()
    local.engine.stop(a_stop(grace_ms=0))
    local.wait(lambda: local.engine.observe()[0].ending is not None)
    assert expire_all(local) == [0, 0, 0]  # it has ended, and nobody has taken note of it
    assert [artifact.path for artifact in local.engine.artifacts("att_1")] == ["checkpoints/weights"]
    assert local.log() == ["hello"]


def test_only_jobs_that_are_over_lose_anything(local: LocalHarness) -> None:
    run_and_forget(local, "att_1")
    run_and_forget(local, "att_2")
    for kind in Remains:
        assert local.engine.expire(kind, lambda job, changed_ms: job == "job_att_1" and changed_ms > 0) == 1
    assert local.log("att_2") == ["hello"]
    assert len(local.engine.artifacts("att_2")) == 1
    assert os.listdir(local.engine.scratch / "checkpoints") == ["job_att_2"]


def a_layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "home", tmp_path / "scratch")
    layout.make()
    layout.checkpoints.mkdir(parents=True)
    return layout


def test_links_lead_nowhere(tmp_path: Path) -> None:
    layout = a_layout(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    inside = layout.checkpoint("job_1")
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "precious")
    layout.checkpoint("job_2").symlink_to(outside)
    (layout.jobs / "job_2").symlink_to(outside)
    (layout.ended / "att_2").symlink_to(outside)
    assert [expire(layout, kind, always) for kind in Remains] == [1, 0, 0]
    assert not inside.exists()
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert layout.checkpoint("job_2").is_symlink()


def test_what_is_no_folder_of_a_job_is_left_alone_and_any_depth_goes(tmp_path: Path) -> None:
    layout = a_layout(tmp_path)
    (layout.checkpoints / "lost+found").mkdir()
    (layout.checkpoints / "file").touch()
    deep = layout.checkpoint("job_1")
    deep.mkdir()
    folder = os.open(deep, os.O_RDONLY)
    for _ in range(1500):  # deeper than Python recurses and than a process has descriptors
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    assert expire(layout, Remains.CHECKPOINTS, always) == 1
    assert sorted(path.name for path in layout.checkpoints.iterdir()) == ["file", "lost+found"]
