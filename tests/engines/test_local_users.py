"""User ids of projects."""

import os
import stat
from pathlib import Path

import pytest

from eisbach.engines.local import users
from eisbach.engines.local.cgroups import TaskGroup
from eisbach.engines.local.layout import choose_scratch
from eisbach.engines.local.prepare import make_workspace
from eisbach.engines.local.tasks import TaskPlan
from eisbach.engines.local.users import FIRST_USER_ID, LAST_USER_ID, ProjectUsers


def test_a_project_keeps_its_user_id_and_no_other_gets_it(tmp_path: Path) -> None:
    made = ProjectUsers(tmp_path / "uids.json")
    ids = [made.user_id(f"prj_{number}") for number in range(5)]
    assert len(set(ids)) == 5
    again = ProjectUsers(tmp_path / "uids.json")
    assert [again.user_id(f"prj_{number}") for number in range(5)] == ids
    assert again.user_id("prj_6") not in ids


def test_two_homes_on_one_machine_begin_apart(tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        ids.add(ProjectUsers(tmp_path / name / "uids.json").user_id("prj_1"))
    assert len(ids) >= 2  # by their paths, so by chance
    assert all(FIRST_USER_ID <= one <= LAST_USER_ID for one in ids)


def test_user_ids_begin_again_at_the_first(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(users, "LAST_USER_ID", FIRST_USER_ID + 2 * 100 - 1)
    made = ProjectUsers(tmp_path / "uids.json")
    ids = {made.user_id(f"prj_{number}") for number in range(200)}
    assert ids == set(range(FIRST_USER_ID, FIRST_USER_ID + 200))


def test_workspaces_lie_where_the_operator_said(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "home").mkdir(parents=True)
    closed.chmod(0o700)
    assert choose_scratch(closed / "home", True, tmp_path / "chosen").parent == tmp_path / "chosen"


def test_a_workspace_is_closed_to_everybody_until_all_of_it_is_made(tmp_path: Path, monkeypatch) -> None:
    """Another job of the same user could otherwise put a link where root is about to give a path away."""
    folder = tmp_path / "att_1.0"
    plan = TaskPlan(
        rank=0, memory_mib=64, folder=str(folder), run="true", setup="", environment={}, workdir=None,
        checkpoint=str(tmp_path / "checkpoints"), checkpoint_path="deep/inside", user_id=os.geteuid(),
        group=TaskGroup(()), processes_max=None,
    )  # fmt: skip
    given: list[str] = []

    def give(path: str, user: int, group: int) -> None:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, f"{path} is given away while others can reach it"
        given.append(path.removeprefix(f"{folder}/"))

    monkeypatch.setattr(os, "lchown", give)
    make_workspace(plan)
    assert given == ["work", "tmp", plan.checkpoint, "run.sh", "work/deep/inside", "work/deep"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711
    with pytest.raises(FileExistsError):
        make_workspace(plan)
