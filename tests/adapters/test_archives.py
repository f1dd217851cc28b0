"""Uploaded archives: what leads out, explodes or is damaged is refused; what is kept is whole and found by its digest."""

import errno
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.adapters.archives import ArchiveFacts, ArchiveFolder, check_archive
from eisbach.core.vocabulary.reasons import Reason, Refusal

FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
Entry = tuple[str, bytes, str]


def tar_of(*entries: Entry, data: bytes = b"hello", **options: object) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, target in entries:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            member.size = len(data) if kind == FILE else 0
            tar.addfile(member, io.BytesIO(data) if kind == FILE else None)
    return buffer.getvalue()


def checked(data: bytes, tmp_path: Path, **bounds: int) -> Refusal | ArchiveFacts:
    path = tmp_path / "archive"
    path.write_bytes(data)
    return check_archive(path, **bounds)


def refused(data: bytes, tmp_path: Path, **bounds: int) -> Refusal:
    answer = checked(data, tmp_path, **bounds)
    assert isinstance(answer, Refusal), answer
    assert str(answer).isprintable()
    return answer


SOUND = (
    ("src", FOLDER, ""),
    ("src/train.py", FILE, ""),
    ("latest", LINK, "src/train.py"),
    ("src/up", LINK, "../latest"),
)
SOUND_FACTS = ArchiveFacts(entries=4, files=1, unpacked_bytes=5)


def test_an_ordinary_archive_is_accepted_plain_and_compressed(tmp_path: Path) -> None:
    assert checked(tar_of(*SOUND), tmp_path) == SOUND_FACTS
    assert checked(gzip.compress(tar_of(*SOUND)), tmp_path) == SOUND_FACTS


def test_names_that_tar_writes_are_accepted(tmp_path: Path) -> None:
    long_name = "/".join(["folder" * 10] * 20)
    data = tar_of(
        ("./", FOLDER, ""),
        ("./a", FILE, ""),
        ("b/c", FILE, ""),
        (long_name, FILE, ""),
        ("ü", FILE, ""),
        ("h", HARD, "a"),
    )
    assert isinstance(checked(data, tmp_path), ArchiveFacts)
    assert checked(tar_of(), tmp_path) == ArchiveFacts(entries=0, files=0, unpacked_bytes=0)


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        ([("../evil", FILE, "")], "leads out"),
        ([("a/../../evil", FILE, "")], "leads out"),
        ([("/etc/passwd", FILE, "")], "absolute"),
        ([("a", LINK, "/etc/passwd")], "leads out"),
        ([("a", LINK, "../x")], "leads out"),
        ([("d/a", LINK, "../../x")], "leads out"),
        ([("d/a", LINK, "x/../../..")], "leads out"),
        ([("p/q/deep", LINK, ".."), ("l", LINK, "p/q/deep/../..")], "leads out"),
        ([("a", LINK, ".."), ("a/x", FILE, "")], "leads out"),
        ([("a", LINK, "b"), ("a/x", FILE, "")], "behind a link"),
        ([("a/x", FILE, ""), ("a", LINK, "b")], "twice"),
        ([("a", FILE, ""), ("a/x", FILE, "")], "inside a file"),
        ([("a", FILE, ""), ("a", LINK, "b")], "twice"),
        ([("a", FILE, ""), ("./a", FILE, "")], "twice"),
        ([("h", HARD, "/etc/passwd")], "hard link"),
        ([("h", HARD, "../x")], "hard link"),
        ([("l", LINK, "x"), ("h", HARD, "l")], "hard link"),
        ([("h", HARD, "later"), ("later", FILE, "")], "hard link"),
        ([("null", tarfile.CHRTYPE, "")], "device"),
        ([("disk", tarfile.BLKTYPE, "")], "device"),
        ([("pipe", tarfile.FIFOTYPE, "")], "device"),
        ([("n" * 256, FILE, "")], "too long"),
        ([("d/" * 200 + "x", FILE, "")], "too deep"),
        ([("\udcff", FILE, "")], "UTF-8"),
        ([("", FILE, "")], "no name"),
        ([("a/.", FILE, "")], "no file can have"),
        ([("a", FILE, ""), ("h", HARD, "a/.")], "hard link"),
    ],
)
def test_what_leads_out_or_cannot_be_is_refused_by_name(entries: list[Entry], word: str, tmp_path: Path) -> None:
    refusal = refused(tar_of(*entries), tmp_path)
    assert refusal.reason is Reason.INVALID_ARCHIVE
    assert word in refusal.what


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    for data in (
        b"",
        b"hello",
        b"x" * 5000,
        b"\x1f\x8b",
        gzip.compress(b"hello"),
        b"PK\x03\x04" + b"\0" * 600,
        b"BZh91AY",
        os.urandom(4096),
    ):
        assert refused(data, tmp_path).reason is Reason.INVALID_ARCHIVE


def test_what_is_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    whole = tar_of(*SOUND)
    packed = gzip.compress(whole)
    for cut in (packed[:-9], packed[: len(packed) // 2], whole[:512], whole[:1500], whole[:2048], whole[:3000]):
        assert refused(cut, tmp_path).reason is Reason.INVALID_ARCHIVE
    assert "proper end" in refused(whole[:512] + b"\xff" * 512 + whole[1024:], tmp_path).what
    assert refused(packed[:-8] + b"\0" * 8, tmp_path).reason is Reason.INVALID_ARCHIVE, (
        "the checksum of gzip is checked"
    )
    hidden = whole[: 512 * 6] + tar_of(("../evil", FILE, ""))
    assert refused(hidden, tmp_path).reason is Reason.INVALID_ARCHIVE, "entries behind the end are not overlooked"


def test_an_archive_that_unpacks_to_too_much_is_refused_early(tmp_path: Path) -> None:
    header = tarfile.TarInfo("zeros")
    header.size = 10**12
    claim = header.tobuf() + bytes(1024)
    assert refused(claim, tmp_path).reason is Reason.TOO_LARGE
    bomb = gzip.compress(tar_of(("zeros", FILE, ""), data=bytes(40 * 1024 * 1024)))
    assert len(bomb) < 100_000
    assert refused(bomb, tmp_path, bytes_max=1024 * 1024).reason is Reason.TOO_LARGE
    padding = gzip.compress(tar_of(("a", FILE, "")) + bytes(40 * 1024 * 1024))
    assert refused(padding, tmp_path, bytes_max=1024 * 1024, entries_max=10).reason is Reason.TOO_LARGE
    assert refused(tar_of(*SOUND), tmp_path, entries_max=3).reason is Reason.TOO_LARGE


def test_headers_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 300 * 1024 * 1024
    bomb = long_name.tobuf(tarfile.GNU_FORMAT) + bytes(4 * 1024 * 1024)
    assert "describes an entry" in refused(gzip.compress(bomb), tmp_path).what
    extended = tarfile.TarInfo("pax")
    extended.type, extended.size = tarfile.XHDTYPE, 512
    body = b"20 comment=abcdefgh\n".ljust(512, b"\0")
    assert refused((extended.tobuf() + body) * 3000, tmp_path).reason is Reason.INVALID_ARCHIVE
    sparse = tarfile.TarInfo("sparse")
    sparse.type, sparse.size = tarfile.GNUTYPE_SPARSE, 0
    assert isinstance(checked(sparse.tobuf(tarfile.GNU_FORMAT) + bytes(1024), tmp_path), Refusal)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_archive_never_crashes_the_check(data: st.DataObject) -> None:
    whole = bytearray(tar_of(*SOUND))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    packed = bytearray(gzip.compress(bytes(whole), mtime=0))
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        for candidate in (bytes(whole), bytes(packed)):
            assert isinstance(checked(candidate, Path(folder)), Refusal | ArchiveFacts)


PARTS = st.sampled_from(["a", "b", "c", "..", ".", ""])
PATHS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
ENTRIES = st.lists(st.tuples(PATHS, st.sampled_from([FILE, FOLDER, LINK, HARD, LINK]), PATHS), min_size=1, max_size=6)


@settings(max_examples=300)
@given(ENTRIES)
def test_whatever_is_accepted_unpacks_inside_its_folder(entries: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        outer = Path(temporary).resolve()
        data = tar_of(*entries)
        if isinstance(checked(data, outer), Refusal):
            return
        inner = outer / "one" / "two" / "three"
        inner.mkdir(parents=True)
        with tarfile.open(outer / "archive") as tar:
            tar.extractall(inner, filter="fully_trusted")  # the check alone must be enough
        for folder, folders, files in os.walk(outer):
            for name in (*folders, *files):
                path = Path(folder, name)
                assert (
                    path == outer / "archive"
                    or path in (outer / "one", outer / "one" / "two")
                    or path.is_relative_to(inner)
                )
                if path.is_symlink() and not leads_in_circles(path):
                    assert Path(os.path.realpath(path)).is_relative_to(inner)


def leads_in_circles(path: Path) -> bool:
    try:
        os.path.realpath(path, strict=True)
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_an_upload_is_found_by_its_digest(tmp_path: Path) -> None:
    folder = ArchiveFolder(tmp_path / "archives")
    for _ in range(2):
        with folder.receive() as upload:
            assert upload.write(b"hel") is None
            assert upload.write(b"lo") is None
            assert upload.path.read_bytes() == b"hello"
            archive_id = upload.keep(expected=digest_of(b"hello"))
        assert archive_id == digest_of(b"hello")
    path = folder.path_of(digest_of(b"hello"))
    assert path is not None
    assert path.read_bytes() == b"hello"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len([path for path in (tmp_path / "archives").rglob("*") if path.is_file()]) == 1
    assert ArchiveFolder(tmp_path / "archives").path_of(digest_of(b"hello")) == path
    assert folder.delete(digest_of(b"hello"))
    assert not folder.delete(digest_of(b"hello"))
    assert folder.path_of(digest_of(b"hello")) is None


def test_an_upload_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    folder = ArchiveFolder(tmp_path)
    with folder.receive() as upload:
        upload.write(b"hel")
    with folder.receive() as upload:
        upload.write(b"hello")
        refusal = upload.keep(expected=digest_of(b"other"))
        assert isinstance(refusal, Refusal)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_upload_is_bounded_while_it_comes_in(tmp_path: Path) -> None:
    with ArchiveFolder(tmp_path).receive(bytes_max=10) as upload:
        assert upload.write(b"x" * 10) is None
        refusal = upload.write(b"x")
        assert refusal is not None
        assert refusal.reason is Reason.TOO_LARGE
        assert upload.path.stat().st_size == 10


def test_what_a_killed_server_left_is_discarded(tmp_path: Path) -> None:
    folder = ArchiveFolder(tmp_path)
    (tmp_path / "incoming" / "upload-x").write_bytes(b"half")
    assert folder.discard_unfinished() == 1
    assert folder.discard_unfinished() == 0


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:../../x", "sha256:" + "A" * 64, "md5:" + "0" * 64, "0" * 64])
def test_what_is_no_digest_is_never_a_path(text: str, tmp_path: Path) -> None:
    folder = ArchiveFolder(tmp_path)
    assert folder.path_of(text) is None
    assert not folder.delete(text)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ArchiveFolder(tmp_path)
    with folder.receive() as upload:
        full = io.FileIO("/dev/full", "wb")
        monkeypatch.setattr(upload, "_file", full)
        refusal = upload.write(b"x")
        full.close()
    assert refusal is not None
    assert refusal.reason is Reason.STORE_FULL
