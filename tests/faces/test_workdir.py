"""Packing a working directory: the same folder gives the same archive, and the server accepts it."""

import errno
import io
import os
import socket
import tarfile
from pathlib import Path
from typing import IO

import pytest

from eisbach.adapters import workdir
from eisbach.adapters.archives import ArchiveFacts, check_archive
from eisbach.adapters.ignore_rules import IgnoreRules
from eisbach.adapters.workdir import PackedWorkdir, pack_workdir
from eisbach.core.vocabulary.reasons import Reason, Refusal


def folder_of(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    root.mkdir(exist_ok=True)
    return root


def packed(root: Path, into: Path) -> PackedWorkdir:
    answer = pack_workdir(root, into)
    assert isinstance(answer, PackedWorkdir), str(answer)
    assert isinstance(check_archive(answer.path), ArchiveFacts)
    return answer


def names(archive: PackedWorkdir) -> list[str]:
    with tarfile.open(archive.path) as tar:
        return tar.getnames()


def refused(root: Path, into: Path, **bounds: int) -> Refusal:
    answer = pack_workdir(root, into, **bounds)
    assert isinstance(answer, Refusal), answer
    assert not into.exists()
    return answer


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    files = {"train.py": "print()", "lib/b.py": "b", "lib/a.py": "a"}
    first = folder_of(tmp_path / "first", files)
    second = folder_of(tmp_path / "second", dict(reversed(files.items())))
    os.utime(second / "train.py", (1, 1))
    one, two = packed(first, tmp_path / "1.tar.gz"), packed(second, tmp_path / "2.tar.gz")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.archive_id == two.archive_id
    assert names(one) == ["lib", "lib/a.py", "lib/b.py", "train.py"]
    assert (one.files, one.unpacked_bytes, one.packed_bytes) == (3, 9, one.path.stat().st_size)
    (second / "train.py").chmod(0o755)
    three = packed(second, tmp_path / "3.tar.gz")
    assert three.archive_id != one.archive_id, "modes are kept"
    with tarfile.open(three.path) as tar:
        member = tar.getmember("train.py")
    assert (member.mode, member.uid, member.uname) == (0o755, 0, "")


def test_what_no_job_needs_is_left_out(tmp_path: Path) -> None:
    root = folder_of(
        tmp_path / "w", {".git/HEAD": "", "a/__pycache__/x.pyc": "", ".venv/x": "", "a/b.py": "", ".env": ""}
    )
    assert names(packed(root, tmp_path / "x")) == [".env", "a", "a/b.py"]


def test_the_first_ignore_file_counts(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "w", {"data/x": "", "big.bin": "", "run.py": "", ".gitignore": "*.bin\n"})
    archive = packed(root, tmp_path / "1")
    assert (archive.ignore_file, names(archive)) == (".gitignore", [".gitignore", "data", "data/x", "run.py"])
    (root / ".skyignore").write_text("# large\n/data\n")
    archive = packed(root, tmp_path / "2")
    assert (archive.ignore_file, names(archive)) == (".skyignore", [".gitignore", ".skyignore", "big.bin", "run.py"])
    (root / ".eisbachignore").write_text("*\n!run.py\n")
    assert names(packed(root, tmp_path / "3")) == ["run.py"]


@pytest.mark.parametrize(
    ("pattern", "out", "kept"),
    [
        ("*.pt", ["a.pt", "d/a.pt"], ["a.py", "pt"]),
        ("/a.pt", ["a.pt"], ["d/a.pt"]),
        ("d/a.pt", ["d/a.pt"], ["e/d/a.pt"]),
        ("data/", ["data/"], ["data"]),
        ("**/logs", ["logs", "a/b/logs/"], ["alogs"]),
        ("logs/**", ["logs/a", "logs/a/b"], ["logs/", "logs"]),
        ("a/**/z", ["a/z", "a/b/c/z"], ["az"]),
        ("run?.sh", ["run1.sh"], ["run12.sh", "run/.sh"]),
        ("[a-c].py", ["a.py", "x/b.py"], ["d.py"]),
        ("[!a-c].py", ["d.py"], ["a.py"]),
        ("\\#x", ["#x"], ["x"]),
        ("# x", [], ["# x"]),
        ("", [], ["a"]),
        ("  ", [], ["a"]),
        ("[z-a]", [], ["z"]),
        ("[", ["["], ["a"]),
        ("x.y", ["x.y"], ["xay"]),
        ("trailing  ", ["trailing"], ["trailing  "]),
        ("./a", ["a"], ["b/a"]),
    ],
)
def test_patterns_mean_what_they_mean_to_git(pattern: str, out: list[str], kept: list[str]) -> None:
    rules = IgnoreRules([pattern])
    for paths, expected in ((out, True), (kept, False)):
        for path in paths:
            assert rules.leave_out(path.rstrip("/"), path.endswith("/")) is expected, path


def test_links_inside_are_kept_and_links_out_are_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "w", {"src/a.py": "a"})
    (root / "one").symlink_to("src/a.py")
    (root / "src" / "two").symlink_to(root / "one")
    (root / "src" / "dangling").symlink_to("nothing")
    (root / "folder").symlink_to("src/../src")
    with tarfile.open(packed(root, tmp_path / "x").path) as tar:
        links = {member.name: member.linkname for member in tar if member.issym()}
    assert links == {"one": "src/a.py", "src/two": "a.py", "src/dangling": "nothing", "folder": "src"}
    (root / "out").symlink_to("../secret")
    (root / "passwd").symlink_to("/etc/passwd")
    refusal = refused(root, tmp_path / "y")
    assert "out -> " in refusal.what
    assert "passwd -> /etc/passwd" in refusal.what


def test_a_folder_that_is_a_link_is_followed(tmp_path: Path) -> None:
    folder_of(tmp_path / "w", {"a": ""})
    (tmp_path / "link").symlink_to("w")
    assert names(packed(tmp_path / "link", tmp_path / "x")) == ["a"]


def test_a_folder_that_is_too_large_names_its_largest_parts(tmp_path: Path) -> None:
    root = folder_of(
        tmp_path / "w", {"data/raw/a": "x" * 5000, "data/raw/deep/b": "x" * 5000, "m.bin": "x" * 3000, "run.py": ""}
    )
    refusal = refused(root, tmp_path / "x", bytes_max=10_000)
    assert refusal.reason is Reason.TOO_LARGE
    assert "data/raw/ (9.8 KiB), m.bin (2.9 KiB)" in refusal.what


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "none"):
        assert str(path) in refused(path, tmp_path / "x").what


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    folder_of(tmp_path / "w", {"a": ""})
    (tmp_path / "x").write_text("mine")
    assert isinstance(pack_workdir(tmp_path / "w", tmp_path / "x"), Refusal)
    assert (tmp_path / "x").read_text() == "mine"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder_of(tmp_path / "w", {"a": "", "private": ""})

    def denied(path: Path) -> IO[bytes]:
        if path.name == "private":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return path.open("rb")

    monkeypatch.setattr(workdir, "_open_plain", denied)  # root may read every file, so the mode alone proves nothing
    assert "private: Permission denied" in refused(root, tmp_path / "x").what


def test_a_file_that_shrinks_while_it_is_packed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder_of(tmp_path / "w", {"log": "x" * 1000})
    monkeypatch.setattr(workdir, "_open_plain", lambda path: io.BytesIO(b"x"))
    assert "nothing writes into it" in refused(root, tmp_path / "x").do


def test_pipes_and_sockets_are_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder_of(tmp_path / "w", {"a": ""})
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        archive = packed(root, tmp_path / "x")
    assert (archive.left_out, names(archive)) == (("pipe", "socket"), ["a"])


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "w", {})
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_text("")
    assert "UTF-8" in refused(root, tmp_path / "x").what
