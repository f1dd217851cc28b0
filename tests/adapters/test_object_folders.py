"""Data sets on disk: what is durable, what a kill between two steps leaves, what deletion takes and what it leaves."""

import hashlib
import os
import random
import signal

import pytest

from eisbach.adapters.object_folders import ObjectFolders
from eisbach.ports.objects import ObjectDamaged, Removed, Shelf, UploadBusy, manifest_of

CHUNK = 1000
HERE, THERE = Shelf("here", "org_1"), Shelf("there", "org_1")


@pytest.fixture
def objects(tmp_path):
    return ObjectFolders(tmp_path / "objects", CHUNK)


def bytes_of(size, seed=1):
    return random.Random(seed).randbytes(size)


def put(objects, data_set, content, shelf=HERE):
    with objects.append(shelf, data_set, len(content)) as incoming:
        incoming.write(content[incoming.offset :])
    return objects.seal(shelf, data_set, len(content))


def chunks_in(objects, shelf=HERE):
    return sorted(path.name for path in objects._folder(shelf).glob("chunks/*/*"))


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 7 * CHUNK + 3])
def test_what_goes_in_comes_out_with_its_hashes(objects, size):
    content = bytes_of(size)
    sealed = put(objects, "dset_1", content)
    digests = [hashlib.sha256(content[at : at + CHUNK]).hexdigest() for at in range(0, size, CHUNK)]
    assert (sealed.size, sealed.chunks) == (size, len(digests))
    assert sealed.sha256 == hashlib.sha256(content).hexdigest()
    assert sealed.manifest == manifest_of(size, digests)
    assert b"".join(objects.read(HERE, "dset_1", 0, size)) == content
    assert objects.verify(HERE, "dset_1", size) == sealed
    assert objects.offset(HERE, "dset_1", size) == size


@pytest.mark.parametrize("site", ["münchen", "..", "a" * 63])
def test_a_site_of_any_name_has_a_folder_of_its_own_inside(objects, tmp_path, site):
    shelf = Shelf(site, "org_1")
    put(objects, "dset_1", b"water", shelf)
    assert b"".join(objects.read(shelf, "dset_1", 0, 5)) == b"water"
    assert len(list((tmp_path / "objects").glob("*/org_1/sets/dset_1"))) == 1


def test_any_range_can_be_read(objects):
    content = bytes_of(4 * CHUNK + 7)
    put(objects, "dset_1", content)
    for start, end in [(0, 1), (999, 1001), (1000, 2000), (1500, 4007), (4006, 4007), (0, 4007)]:
        assert b"".join(objects.read(HERE, "dset_1", start, end)) == content[start:end]


def test_an_upload_in_any_pieces_goes_on_where_it_was(objects, tmp_path):
    content, chance = bytes_of(6 * CHUNK + 11), random.Random(5)
    while objects.offset(HERE, "dset_1", len(content)) < len(content):
        if chance.random() < 0.4:
            objects = ObjectFolders(tmp_path / "objects", CHUNK)  # as after a restart: nothing is known but the disk
        with objects.append(HERE, "dset_1", len(content)) as incoming:
            assert incoming.offset == objects.offset(HERE, "dset_1", len(content)) or incoming.offset > 0
            for _ in range(chance.randint(0, 3)):
                incoming.write(content[incoming.offset : incoming.offset + chance.randint(1, 900)])
    assert objects.seal(HERE, "dset_1", len(content)).sha256 == hashlib.sha256(content).hexdigest()
    assert not list(objects._folder(HERE).glob("incoming/*")), "nothing half-filled is left"


def test_a_kill_in_the_midst_of_a_write_takes_back_no_durable_byte(objects, tmp_path):
    """A child writes and is killed at a random system call; what it had told to be durable is still there."""
    content = bytes_of(40 * CHUNK)
    for number in range(12):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            fresh = ObjectFolders(tmp_path / "objects", CHUNK)
            for _ in range(3):
                with fresh.append(HERE, "dset_1", len(content)) as incoming:
                    incoming.write(content[incoming.offset : incoming.offset + 700])
                os.write(writer, b"%010d" % fresh.offset(HERE, "dset_1", len(content)))
            with fresh.append(HERE, "dset_1", len(content)) as incoming:
                incoming.write(content[incoming.offset : incoming.offset + 100 * number])
                os.kill(os.getpid(), signal.SIGKILL)
        os.close(writer)
        os.waitpid(child, 0)
        with open(reader, "rb") as said:
            told = int(said.read()[-10:])
        again = ObjectFolders(tmp_path / "objects", CHUNK)
        offset = again.offset(HERE, "dset_1", len(content))
        assert offset >= told
        assert offset > told + 100 * number - CHUNK, "no more than a chunk is sent twice"
    assert put(again, "dset_1", content).sha256 == hashlib.sha256(content).hexdigest()


def test_a_data_set_is_written_by_one_at_a_time(objects):
    with objects.append(HERE, "dset_1", 10), pytest.raises(UploadBusy), objects.append(HERE, "dset_1", 10):
        raise AssertionError("the second writer got in")
    with objects.append(HERE, "dset_1", 10), pytest.raises(UploadBusy):
        objects.remove(HERE, "dset_1")


def test_equal_chunks_of_an_organisation_lie_there_once_and_organisations_share_nothing(objects):
    content = bytes_of(3 * CHUNK)
    put(objects, "dset_1", content)
    put(objects, "dset_2", content + b"more")
    assert len(chunks_in(objects)) == 4
    other = Shelf("here", "org_2")
    put(objects, "dset_3", content, other)
    assert len(chunks_in(objects, other)) == 3
    assert objects.remove(HERE, "dset_1") == Removed(chunks=3, shared=3)
    assert objects.verify(HERE, "dset_2", 3 * CHUNK + 4).chunks == 4
    assert objects.remove(HERE, "dset_2") == Removed(chunks=4, shared=0)
    assert chunks_in(objects) == []
    assert objects.verify(other, "dset_3", 3 * CHUNK).chunks == 3


def test_a_chunk_that_comes_twice_in_one_data_set_is_not_shared_with_another(objects):
    put(objects, "dset_1", bytes(5 * CHUNK))
    assert len(chunks_in(objects)) == 1
    assert objects.remove(HERE, "dset_1") == Removed(chunks=5, shared=0)
    assert chunks_in(objects) == []


def test_more_equal_chunks_than_a_file_may_have_links(objects, monkeypatch):
    real = os.link

    def link(source, target):
        if os.stat(source).st_nlink >= 5:
            raise OSError(31, "Too many links")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    content = bytes(20 * CHUNK)
    assert put(objects, "dset_1", content).sha256 == hashlib.sha256(content).hexdigest()
    put(objects, "dset_2", content)
    assert objects.remove(HERE, "dset_1").chunks == 20
    assert objects.verify(HERE, "dset_2", len(content)).chunks == 20
    objects.remove(HERE, "dset_2")
    objects.sweep()
    assert chunks_in(objects) == []


def test_a_deletion_that_is_repeated_gives_the_same_answer(objects):
    put(objects, "dset_1", bytes_of(4 * CHUNK))
    first = objects.remove(HERE, "dset_1")
    assert objects.remove(HERE, "dset_1") == first == Removed(chunks=4, shared=0)
    objects.forget_removal(HERE, "dset_1")
    assert objects.remove(HERE, "dset_1") == Removed(0, 0)


def test_a_deletion_that_was_killed_half_way_is_finished_with_the_same_figures(objects, monkeypatch):
    put(objects, "dset_1", bytes_of(6 * CHUNK))
    real, left = type(objects._root).unlink, [3]

    def unlink(path, missing_ok=False):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(path, missing_ok)

    monkeypatch.setattr(type(objects._root), "unlink", unlink)
    with pytest.raises(KeyboardInterrupt):
        objects.remove(HERE, "dset_1")
    monkeypatch.undo()
    assert objects.folder_of(HERE, "dset_1") is None
    assert objects.remove(HERE, "dset_1") == Removed(chunks=6, shared=0)
    objects.sweep()
    assert chunks_in(objects) == []


def test_a_half_upload_leaves_nothing_once_it_is_removed(objects):
    with objects.append(HERE, "dset_1", 10 * CHUNK) as incoming:
        incoming.write(bytes_of(2 * CHUNK + 500))
    objects.remove(HERE, "dset_1")
    objects.forget_removal(HERE, "dset_1")
    assert not [path for path in objects._root.rglob("*") if path.is_file()]


def test_a_copy_has_the_same_hashes_and_goes_on_after_a_break(objects):
    content = bytes_of(5 * CHUNK + 5)
    sealed = put(objects, "dset_1", content)
    with objects.append(THERE, "dset_1", len(content)) as incoming:
        incoming.write(content[:2500])
    objects.copy(HERE, THERE, "dset_1", len(content))
    assert objects.verify(THERE, "dset_1", len(content)) == sealed


@pytest.mark.parametrize("harm", ["changed", "missing", "cut"])
def test_a_damaged_chunk_is_found_and_never_handed_out(objects, harm):
    content = bytes_of(3 * CHUNK)
    put(objects, "dset_1", content)
    part = sorted(objects.folder_of(HERE, "dset_1").iterdir())[1]
    if harm == "missing":
        part.unlink()
    else:
        part.write_bytes(bytes(CHUNK) if harm == "changed" else part.read_bytes()[:-1])
    with pytest.raises(ObjectDamaged):
        objects.verify(HERE, "dset_1", len(content))
    with pytest.raises(ObjectDamaged):
        list(objects.read(HERE, "dset_1", CHUNK, 2 * CHUNK if harm != "missing" else 3 * CHUNK))


def test_chunks_that_belong_to_nobody_are_swept(objects):
    put(objects, "dset_1", bytes_of(2 * CHUNK))
    stray = objects._folder(HERE) / "chunks" / "ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"left by a crash")
    assert objects.sweep() == 1
    assert len(chunks_in(objects)) == 2
