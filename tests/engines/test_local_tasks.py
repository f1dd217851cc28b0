"""What a task of the local engine finds when it runs: environment, workspace, user, setup, gang, checkpoint folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from eisbach.ports.engine import Ending
from tests.contracts.engine_contract import an_order
from tests.engines.local_harness import LocalHarness, a_local_engine

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: each project gets its own uid")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalHarness]:
    with a_local_engine(tmp_path) as made:
        yield made


def environment_of(local: LocalHarness, attempt: str, rank: int) -> dict[str, str]:
    lines, _ = local.engine.read_log(attempt, 0, 10_000)
    pairs = [line.text.partition("=") for line in lines if line.rank == rank and "=" in line.text]
    return {name: value for name, _, value in pairs}


def test_the_environment_is_what_was_booked_and_nothing_of_ours(local: LocalHarness, monkeypatch) -> None:
    monkeypatch.setenv("SERVER_ONLY", "must not leak")
    order = an_order(tasks=2, run="env", envs=(("RANK", "9"), ("MINE", "yes")), secrets=(("TOKEN", "s3cret"),))
    assert local.run(order).ending is Ending.EXITED
    first, second = (environment_of(local, "att_1", rank) for rank in (0, 1))
    assert "SERVER_ONLY" not in first
    assert (first["MINE"], first["TOKEN"]) == ("yes", "s3cret")
    assert (first["RANK"], second["RANK"], first["WORLD_SIZE"], second["LOCAL_RANK"]) == ("0", "1", "2", "0")
    assert first["MASTER_PORT"] == second["MASTER_PORT"]
    assert (first["SKYPILOT_NUM_NODES"], second["SKYPILOT_NODE_RANK"]) == ("2", "1")
    assert (first["OMP_NUM_THREADS"], first["CUDA_VISIBLE_DEVICES"]) == ("1", "")
    assert first["HOME"] != second["HOME"]
    assert first["EISBACH_ATTEMPT_ID"] == "att_1"


def test_a_task_with_a_part_of_a_gpu_sees_that_gpu_and_its_part(local: LocalHarness) -> None:
    (task,) = an_order().tasks
    shared = replace(task, gpu_indices=(3,), gpu_milli=250)
    assert local.run(replace(an_order(run="env"), tasks=(shared,))).ending is Ending.EXITED
    found = environment_of(local, "att_1", 0)
    assert (found["CUDA_VISIBLE_DEVICES"], found["EISBACH_GPU_PART"], found["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"]) == ("3", "0.25", "25")


def test_a_slice_is_refused_where_nobody_cuts_gpus(local: LocalHarness) -> None:
    (task,) = an_order().tasks
    ended = local.run(replace(an_order(run="env"), tasks=(replace(task, gpu_indices=(0,), gpu_milli=142, mig="1g.23gb"),)))
    assert ended.ending is Ending.REFUSED
    assert "cuts no GPU" in ended.detail


def test_secrets_are_in_no_file_of_the_engine(local: LocalHarness) -> None:
    assert local.run(an_order(run="test $TOKEN = s3cret-value", secrets=(("TOKEN", "s3cret-value"),))).exit_code == 0
    for folder in (local.home, local.engine.scratch):
        for file in folder.rglob("*"):
            assert not file.is_file() or b"s3cret-value" not in file.read_bytes().replace(b"= s3cret-value", b""), file


def test_setup_runs_first_and_its_failure_fails_the_task(local: LocalHarness) -> None:
    assert local.run(an_order("att_1", setup="echo one > made", run="cat made")).exit_code == 0
    assert local.log("att_1") == ["one"]
    seen = local.run(an_order("att_2", setup="exit 7", run="echo never"))
    assert (seen.ending, seen.exit_code) == (Ending.FAILED, 7)
    assert local.log("att_2") == []


def test_no_descriptor_but_the_three_is_open_and_input_is_empty(local: LocalHarness) -> None:
    local.run(an_order(tasks=2, run="echo $(ls /proc/self/fd); readlink /proc/self/fd/0; umask"))
    assert sorted(set(local.log())) == ["/dev/null", "0 1 2 3", "0077"]  # 3 is the listing's own


def test_a_failing_task_ends_its_gang_and_is_named(local: LocalHarness) -> None:
    run = "if [ $RANK = 1 ]; then sleep 0.3; exit 5; fi; sleep 60"
    seen = local.run(an_order(tasks=3, run=run))
    assert (seen.ending, seen.rank, seen.exit_code) == (Ending.FAILED, 1, 5)
    assert seen.held_ms < 10_000


def test_a_task_killed_from_outside_is_a_failure_with_its_signal(local: LocalHarness) -> None:
    seen = local.run(an_order(run="kill -9 $$"))
    assert (seen.ending, seen.exit_code) == (Ending.FAILED, 137)


def test_the_checkpoint_folder_is_one_for_all_tasks_and_attempts(local: LocalHarness) -> None:
    save = 'echo "rank $RANK" > checkpoints/$RANK; test "$PWD/checkpoints" = "$EISBACH_CHECKPOINT_DIR"'
    assert local.run(an_order("att_1", tasks=2, job_id="job_x", run=save)).exit_code == 0
    again = an_order("att_2", job_id="job_x", attempt_number=2, run="cat deep/save/*", checkpoint_path="deep/save")
    assert local.run(again).exit_code == 0
    assert local.log("att_2") == ["rank 0", "rank 1"]


def test_a_job_saved_when_an_entry_of_its_folder_came_and_not_when_a_log_there_grew(local: LocalHarness) -> None:
    script = "sleep 0.3; echo a > checkpoints/part; mv checkpoints/part checkpoints/step-1; sleep 0.5; echo b >> checkpoints/step-1"
    seen = local.run(an_order("att_1", job_id="job_1", run=script))
    assert seen.running_since_ms is not None
    saved = local.engine.saved_at({"att_1": "job_1", "att_2": "job_none"})
    assert list(saved) == ["att_1"]
    assert 200 <= saved["att_1"] - seen.running_since_ms <= seen.held_ms - 400



@as_root
def test_projects_have_users_of_their_own_that_last(local: LocalHarness) -> None:
    for attempt, project in (("att_1", "prj_a"), ("att_2", "prj_b"), ("att_3", "prj_a")):
        local.run(an_order(attempt, project_id=project, run="id -u; id -G; grep -E 'NoNewPrivs|CapEff' /proc/self/status"))
    logs = [local.log(f"att_{number}") for number in (1, 2, 3)]
    assert logs[0] == logs[2] != logs[1]
    assert logs[0][0] == logs[0][1]  # no group but its own
    assert int(logs[0][0]) >= 200_000
    assert [line.split()[1] for line in logs[0][2:]] == ["0" * 16, "1"]


@as_root
def test_a_task_cannot_become_root_again(local: LocalHarness) -> None:
    local.run(an_order(run="grep -E '^[UG]id:' /proc/self/status"))
    for line in local.log():  # real, effective, saved and file system user, then the same of the group
        first, *others = line.split()[1:]
        assert int(first) >= 200_000
        assert others == [first] * 3


@as_root
def test_a_project_cannot_read_what_belongs_to_another_or_to_the_engine(local: LocalHarness) -> None:
    local.run(an_order("att_1", project_id="prj_a", job_id="job_a", run="echo private > checkpoints/model"))
    checkpoint = local.engine.scratch / "checkpoints" / "job_a"
    assert (checkpoint / "model").read_text() == "private\n"
    spy = f"cat {checkpoint}/model || ls {checkpoint} || ls {local.engine.scratch}/attempts || ls {local.home}"
    assert local.run(an_order("att_2", project_id="prj_b", run=spy)).ending is Ending.FAILED
    assert all("denied" in line for line in local.log("att_2"))


def test_an_environment_that_the_kernel_does_not_take_is_refused(local: LocalHarness) -> None:
    seen = local.run(an_order("att_1", envs=(("BIG", "x" * 200_000),)))
    assert (seen.ending, seen.running_since_ms) == (Ending.REFUSED, None)
    seen = local.run(an_order("att_2", tasks=2, envs=(("NUL", "a\0b"),)))
    assert (seen.ending, seen.running_since_ms) == (Ending.REFUSED, None)
    assert local.run(an_order("att_3")).ending is Ending.EXITED


@pytest.mark.parametrize("name", ["SIGSTOP", "SIGNIFICANT", "15", ""])
def test_a_checkpoint_signal_that_is_none_is_refused(local: LocalHarness, name: str) -> None:
    assert local.run(an_order(checkpoint_signal=name)).ending is Ending.REFUSED


def test_a_home_with_a_long_path_works(tmp_path: Path) -> None:
    with a_local_engine(tmp_path, home=tmp_path / ("long" * 20) / ("path" * 20)) as local:
        assert local.run(an_order()).ending is Ending.EXITED


def test_ids_that_are_no_names_are_refused(local: LocalHarness) -> None:
    with pytest.raises(ValueError, match="an id"):
        local.engine.start(an_order("../att"))


def test_isolation_is_said(local: LocalHarness) -> None:
    expected = "user id of its own" if os.geteuid() == 0 else "One trust domain"
    assert expected in local.engine.isolation


@as_root
def test_shared_memory_is_the_attempts_own_and_goes_with_it(local: LocalHarness) -> None:
    run = "echo mine > /dev/shm/eisbach-test-left; ls /dev/shm; ipcmk -M 4096 > /dev/null; ipcs -m | grep -c 0x"
    for attempt in ("att_1", "att_2"):
        assert local.run(an_order(attempt, run=run)).ending is Ending.EXITED
        assert local.log(attempt) == ["eisbach-test-left", "1"]  # of what others have there, nothing is seen
    assert not Path("/dev/shm/eisbach-test-left").exists()
