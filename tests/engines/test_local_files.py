"""What goes into a workspace of the local engine and what comes out: archives, outputs, full disks."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eisbach.engines.local.outputs import keep_outputs
from eisbach.ports.engine import Ending, EngineUnavailable
from tests.contracts.engine_contract import an_order
from tests.engines.local_harness import LocalHarness, a_local_engine, wait_until


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalHarness]:
    with a_local_engine(tmp_path) as made:
        yield made


def test_outputs_are_kept_with_their_digests_also_of_a_failure(local: LocalHarness) -> None:
    run = "mkdir -p out/deep; echo $RANK > out/deep/rank; echo model > model.bin; ln -s /etc/passwd out/leak; sleep 0.3; exit 4"
    order = an_order(tasks=2, run=run, outputs=("model.*", "out"))
    assert local.run(order).ending is Ending.FAILED
    kept = local.engine.artifacts("att_1")
    paths = [artifact.path for artifact in kept]
    assert paths == ["model.bin", "out/deep/rank", "rank-1/model.bin", "rank-1/out/deep/rank"]
    content = b"".join(local.engine.read_artifact("att_1", "rank-1/out/deep/rank"))
    assert content == b"1\n"
    assert kept[3].sha256 == hashlib.sha256(content).hexdigest()
    for path in ("out/leak", "../../../../../etc/passwd"):
        with pytest.raises(FileNotFoundError):
            local.engine.read_artifact("att_1", path)


def test_outputs_may_lie_in_the_checkpoint_folder_and_outlast_forget(local: LocalHarness) -> None:
    order = an_order(run="echo w > checkpoints/model; echo hello", outputs=("checkpoints/model",))
    assert local.run(order).ending is Ending.EXITED
    local.engine.forget("att_1")
    assert b"".join(local.engine.read_artifact("att_1", "checkpoints/model")) == b"w\n"
    assert (local.engine.scratch / "checkpoints" / "job_att_1" / "model").read_text() == "w\n"
    assert local.log() == ["hello"]
    local.wait(lambda: not list((local.engine.scratch / "attempts").iterdir()))


@pytest.mark.parametrize("outputs", [("../x",), ("/etc/passwd",), ("a/../../b",), ("",)])
def test_outputs_outside_of_the_workspace_are_refused(local: LocalHarness, outputs: tuple[str, ...]) -> None:
    seen = local.run(an_order(outputs=outputs))
    assert (seen.ending, seen.running_since_ms) == (Ending.REFUSED, None)


def test_outputs_beyond_the_bound_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    workspace.mkdir()
    for name, size in (("a", 10), ("b", 100), ("c", 10)):
        (workspace / name).write_bytes(b"x" * size)
    kept = keep_outputs(["*"], [(0, workspace)], tmp_path / "none", tmp_path / "kept", bytes_max=50)
    assert [artifact.path for artifact in kept.artifacts] == ["a", "c"]
    assert "not kept" in kept.left_out


def test_a_named_output_that_is_not_there_is_said_and_many_are_kept(tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    workspace.mkdir()
    for number in range(100):
        (workspace / f"file-{number:03}").write_text(str(number))
    kept = keep_outputs(["file-*", "modle.bin"], [(0, workspace)], tmp_path / "none", tmp_path / "kept")
    assert len(kept.artifacts) == 100
    assert (tmp_path / "kept" / "file-099").read_text() == "99"
    assert kept.left_out == "1 of 2 outputs held no file to keep"


def an_archive(path: Path, *entries: tarfile.TarInfo, content: bytes = b"content") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            if entry.isreg():
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return path


def an_entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, 0o755
    return entry


def test_a_workdir_is_unpacked_for_each_task(local: LocalHarness, tmp_path: Path) -> None:
    entries = [an_entry("src/main.sh"), an_entry("link", tarfile.SYMTYPE, "src/main.sh"), an_entry("checkpoints/first")]
    archive = an_archive(tmp_path / "work.tar.gz", *entries, content=b"echo from the archive\n")
    seen = local.run(an_order(tasks=2, run="bash link; ls checkpoints; test -x src/main.sh", workdir=archive))
    assert seen.ending is Ending.EXITED, local.log()
    assert local.log().count("from the archive") == 2
    assert local.log().count("first") == 2


BAD_ENTRIES = {
    "climbs out": [an_entry("../outside")],
    "absolute": [an_entry("/tmp/eisbach-outside")],
    "link out": [an_entry("link", tarfile.SYMTYPE, "../../outside")],
    "absolute link": [an_entry("link", tarfile.SYMTYPE, "/etc")],
    "through a link": [an_entry("a", tarfile.SYMTYPE, "."), an_entry("a/../../outside")],
    "hard link out": [an_entry("link", tarfile.LNKTYPE, "../run.sh")],
    "device": [an_entry("null", tarfile.CHRTYPE)],
    "pipe": [an_entry("pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("case", sorted(BAD_ENTRIES))
def test_an_archive_that_leads_out_is_refused(local: LocalHarness, tmp_path: Path, case: str) -> None:
    archive = an_archive(tmp_path / "bad.tar.gz", an_entry("fine"), *BAD_ENTRIES[case])
    seen = local.run(an_order(run="echo ran", workdir=archive))
    assert (seen.ending, seen.running_since_ms) == (Ending.REFUSED, None)
    assert "archive" in seen.detail
    assert local.log() == []
    assert not list(local.engine.scratch.rglob("outside"))


@pytest.mark.parametrize("content", [b"", b"this is no archive", b"\x1f\x8b\x08 damaged"])
def test_a_workdir_that_is_no_archive_is_refused(local: LocalHarness, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    assert local.run(an_order(workdir=tmp_path / "bad")).ending is Ending.REFUSED


def test_an_archive_of_more_than_two_gib_is_refused(local: LocalHarness, tmp_path: Path) -> None:
    entry = an_entry("huge")
    entry.size = 3 * 1024**3
    (tmp_path / "huge.tar").write_bytes(entry.tobuf() + b"\0" * 10_240)
    seen = local.run(an_order(workdir=tmp_path / "huge.tar"))
    assert seen.ending is Ending.REFUSED
    assert "2 GiB" in seen.detail


def test_an_archive_that_asks_for_much_memory_is_refused(local: LocalHarness, tmp_path: Path) -> None:
    header = an_entry("header", tarfile.XHDTYPE)
    header.size = 8 * 1024**3
    with open(tmp_path / "big.tar", "wb") as file:
        file.write(header.tobuf())
        file.truncate(9 * 1024**3)  # sparse: it takes no room on the disk
    assert local.run(an_order(workdir=tmp_path / "big.tar")).ending is Ending.REFUSED


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Yield a folder on a disk of 8 MiB; skip where it cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a small tmpfs")
    disk = Path(tempfile.mkdtemp(prefix="eisbach-test-disk-"))
    disk.chmod(0o711)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=711", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("cannot mount: a small tmpfs is not allowed here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
        disk.rmdir()


def fill(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            while True:
                try:
                    file.write(b"x")
                except OSError:
                    return


def test_a_job_that_fills_its_disk_sees_that_and_its_outcome_is_kept(small_disk: Path, tmp_path: Path) -> None:
    with a_local_engine(tmp_path, home=small_disk / "home", scratch=small_disk / "scratch") as local:
        run = "echo before; cat /dev/zero > big; echo code $?; head -c 100000 /dev/zero | tr '\\0' x; exit 9"
        seen = local.run(an_order(run=run))
        assert (seen.ending, seen.exit_code) == (Ending.FAILED, 9)
        assert "No space left" in " ".join(local.log()) or seen.usage.log_dropped_bytes > 0
        assert local.log()[0] == "before"
        wait_until(lambda: shutil.disk_usage(small_disk).free > 2**20)  # its workspace goes, so there is room again
        assert local.run(an_order("att_2")).ending is Ending.EXITED


def test_a_copy_that_found_no_room_leaves_none_of_itself(small_disk: Path) -> None:
    workspace, saved, target = small_disk / "work", small_disk / "checkpoints", small_disk / "kept"
    for folder in (workspace, saved):
        folder.mkdir()
    (saved / "model").write_bytes(b"x" * 5 * 1024**2)
    (workspace / "checkpoints").symlink_to(saved)
    with pytest.raises(OSError, match="No space left"):
        keep_outputs(["checkpoints"], [(0, workspace)], saved, target)
    assert not target.exists()
    assert (saved / "model").exists()


def test_the_engines_own_full_disk_is_said_and_nothing_is_lost(small_disk: Path, tmp_path: Path) -> None:
    with a_local_engine(tmp_path, home=small_disk / "home") as local:
        go = local.engine.scratch / "go"
        order = an_order("att_1", run=f"until [ -e {go} ]; do sleep 0.02; done; echo result > out", outputs=("out",))
        local.engine.start(order)
        local.wait_running("att_1")
        fill(small_disk)
        with pytest.raises(EngineUnavailable, match="No space left"):
            local.engine.start(an_order("att_2"))
        go.touch()
        seen = local.wait_ended("att_1")
        assert seen.ending is Ending.DISK_FULL
        assert "full" in seen.detail
        assert (local.engine.scratch / "attempts" / "att_1.0" / "work" / "out").read_text() == "result\n"
        (small_disk / "filler").unlink()
        assert local.run(an_order("att_2")).ending is Ending.EXITED  # the order may be repeated
        assert local.seen("att_1") == seen


def test_an_output_is_taken_from_the_workspace_and_from_nowhere_else(tmp_path: Path) -> None:
    """What a job could put there so that its supervisor, as root, hands out what the job may not read."""
    workspace, saved, other = tmp_path / "1" / "work", tmp_path / "checkpoints", tmp_path / "other"
    for folder in (workspace, saved, other):
        folder.mkdir(parents=True)
    (other / "secret").write_text("secret")
    (workspace / "folder").symlink_to(other)
    (workspace / "file").symlink_to(other / "secret")
    (workspace / "all").symlink_to("/")
    os.mkfifo(workspace / "pipe")
    (workspace / "closed").write_text("mine")
    (workspace / "closed").chmod(0)
    (workspace / "twin").hardlink_to(workspace / "closed")
    (saved / "model").write_text("weights")
    (workspace / "saved").symlink_to(saved)
    names = ["folder", "file", "all", "pipe", "closed", "twin", "saved"]
    kept = keep_outputs(names, [(0, workspace)], saved, tmp_path / "kept")
    assert [artifact.path for artifact in kept.artifacts] == ["closed", "saved/model", "twin"]
    assert (tmp_path / "kept" / "closed").read_text() == "mine"
    assert (other / "secret").read_text() == "secret"
    assert (saved / "model").read_text() == "weights"


def test_a_workspace_that_is_a_link_has_no_outputs(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret").write_text("secret")
    (tmp_path / "work").symlink_to(tmp_path / "other")
    assert not keep_outputs(["secret"], [(0, tmp_path / "work")], tmp_path / "none", tmp_path / "kept").artifacts
    assert (tmp_path / "other" / "secret").exists()


def test_what_belongs_to_somebody_else_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "foreign").write_text("x")
    workspaces = [(0, tmp_path / "work")]
    assert not keep_outputs(
        ["foreign"], workspaces, tmp_path / "no", tmp_path / "kept", owner=os.geteuid() + 1
    ).artifacts
    assert keep_outputs(["foreign"], workspaces, tmp_path / "no", tmp_path / "kept", owner=os.geteuid()).artifacts


def test_a_copied_output_keeps_its_holes(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    saved = tmp_path / "checkpoints"
    saved.mkdir()
    with open(saved / "sparse", "wb") as file:
        file.seek(64 * 1024**2)
        file.write(b"end")
        file.truncate(128 * 1024**2)
    (tmp_path / "work" / "checkpoints").symlink_to(saved)
    (artifact,) = keep_outputs(["checkpoints"], [(0, tmp_path / "work")], saved, tmp_path / "kept").artifacts
    copied = tmp_path / "kept" / "checkpoints" / "sparse"
    assert artifact.sha256 == hashlib.sha256((saved / "sparse").read_bytes()).hexdigest()
    assert copied.stat().st_size == 128 * 1024**2
    assert copied.stat().st_blocks < 1024**2 // 512


def test_a_task_cannot_put_a_link_in_the_place_of_its_workspace(local: LocalHarness, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    run = f"cd ..; mv work moved; ln -s {tmp_path} work; true"
    assert local.run(an_order(run=run, outputs=("secret",))).ending is Ending.EXITED
    assert local.engine.artifacts("att_1") == []
    assert (tmp_path / "secret").exists()


def test_names_of_outputs_that_are_not_utf8_are_left_out_and_that_is_said(local: LocalHarness) -> None:
    run = "mkdir out; echo a > out/fine; echo b > $'out/caf\\xe9'; echo c > $'out/new\\nline'"
    seen = local.run(an_order(run=run, outputs=("out",)))
    assert seen.ending is Ending.EXITED
    assert [artifact.path for artifact in local.engine.artifacts("att_1")] == ["out/fine", "out/new\nline"]
    assert "UTF-8" in seen.detail
