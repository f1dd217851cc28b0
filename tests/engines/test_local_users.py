"""User ids of projects."""

from pathlib import Path

from eisbach.engines.local import users
from eisbach.engines.local.layout import choose_scratch
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
