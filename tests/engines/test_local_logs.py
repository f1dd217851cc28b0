"""The log of an attempt of the local engine: bounded, exact, readable while it grows, whatever bytes come."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.engines.local.logbook import PART_BYTES_MAX, LogBook, StreamCapture
from eisbach.engines.local.logreader import NOTICE_STREAM, read_lines
from eisbach.ports.engine import Ending, LogLine
from tests.contracts.engine_contract import a_stop, an_order
from tests.engines.local_harness import LocalHarness, a_local_engine

MIB = 1024 * 1024


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalHarness]:
    with a_local_engine(tmp_path, log_bytes_max=MIB) as made:
        yield made


def read_all(folder: Path, lines_max: int = 1000) -> list[LogLine]:
    lines, offset = [], 0
    while True:
        page, following = read_lines(folder, offset, lines_max)
        lines += page
        if not page:
            return lines
        offset = following


def test_lines_have_rank_stream_and_time(local: LocalHarness) -> None:
    order = an_order(tasks=2, run='echo "out $RANK"; echo "err $RANK" >&2')
    seen = local.run(order)
    lines, _ = local.engine.read_log("att_1")
    assert {(line.rank, line.stream, line.text) for line in lines} == {
        (rank, stream, f"{short} {rank}") for rank in (0, 1) for stream, short in (("stdout", "out"), ("stderr", "err"))
    }
    assert seen.running_since_ms is not None
    assert seen.ended_at_ms is not None
    assert all(seen.running_since_ms <= line.at_ms <= seen.ended_at_ms + 1 for line in lines)
    assert seen.usage.log_bytes == 24


def test_a_log_is_followed_while_it_grows_also_without_an_agent(local: LocalHarness) -> None:
    local.engine.start(an_order(run="echo one; until [ -e checkpoints/go ]; do sleep 0.02; done; echo two; sleep 60"))
    assert local.engine.wait_log("att_1", 0, 10)
    first, offset = local.engine.read_log("att_1")
    assert [line.text for line in first] == ["one"]
    assert local.engine.read_log("att_1", offset) == ([], offset)
    local.kill_agent()
    (local.engine.scratch / "checkpoints" / "job_att_1" / "go").touch()
    assert local.engine.wait_log("att_1", offset, 10)
    assert [line.text for line in local.engine.read_log("att_1", offset)[0]] == ["two"]
    local.engine.stop(a_stop())
    assert local.wait_ended().ending is Ending.STOPPED


def test_a_log_pages_line_by_line(local: LocalHarness) -> None:
    local.run(an_order(run="seq 1 50"))
    offset, texts = 0, []
    for _ in range(50):
        (line,), offset = local.engine.read_log("att_1", offset, 1)
        texts.append(line.text)
        assert line.offset < offset
    assert texts == [str(number) for number in range(1, 51)]
    assert local.engine.read_log("att_1", offset, 1) == ([], offset)


def test_bytes_that_are_not_utf8_are_replaced(local: LocalHarness) -> None:
    local.run(an_order(run=r"printf 'caf\xe9 \xff\xfe\n\xc3\xa4 fine\nno end'"))
    assert local.log() == ["caf� ��", "ä fine", "no end"]


def test_a_line_of_100_mb_comes_in_parts_and_takes_no_memory(local: LocalHarness) -> None:
    run = "head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo after"
    seen = local.run(an_order(run=run))
    assert seen.ending is Ending.EXITED
    lines = read_all(local.home / "attempts" / "att_1" / "log")
    assert lines[-1].text == "after"
    assert all(len(line.text) <= PART_BYTES_MAX for line in lines)
    assert all(line.is_part for line in lines[:-2] if line.stream != NOTICE_STREAM)
    assert seen.usage.log_bytes == 100_000_007
    kept = sum(len(line.text) for line in lines if line.stream != NOTICE_STREAM)
    assert kept + seen.usage.log_dropped_bytes == 100_000_007 - 2  # two ends of line
    assert seen.usage.memory_peak_mib < 100


def test_a_long_log_keeps_beginning_and_end_and_says_what_is_missing(local: LocalHarness) -> None:
    seen = local.run(an_order(run="seq 1 400000"))
    folder = local.home / "attempts" / "att_1" / "log"
    assert sum(file.stat().st_size for file in folder.iterdir()) <= MIB + 2 * 128 * 1024
    lines = read_all(folder)
    notices = [index for index, line in enumerate(lines) if line.stream == NOTICE_STREAM]
    assert len(notices) == 1
    before, after = lines[: notices[0]], lines[notices[0] + 1 :]
    assert [line.text for line in before] == [str(n + 1) for n in range(len(before))]
    assert [line.text for line in after] == [str(400_001 - len(after) + n) for n in range(len(after))]
    assert "dropped" in lines[notices[0]].text
    assert seen.usage.log_dropped_bytes > MIB


def test_a_progress_bar_is_seen_while_it_grows(local: LocalHarness) -> None:
    run = r"printf 'load \xe2\x82'; until [ -e checkpoints/go ]; do sleep 0.02; done; printf '\xac 50%%\r'; echo; sleep 60"
    local.engine.start(an_order(run=run))
    assert local.engine.wait_log("att_1", 0, 10)
    (first,), offset = local.engine.read_log("att_1")
    assert (first.text, first.is_part) == ("load ", True)  # the euro sign is not cut in two
    (local.engine.scratch / "checkpoints" / "job_att_1" / "go").touch()
    assert local.engine.wait_log("att_1", offset, 10)
    (second,), _ = local.engine.read_log("att_1", offset)
    assert (second.text, second.is_part) == ("€ 50%\r", False)
    local.engine.stop(a_stop())
    assert local.wait_ended().usage.log_bytes == 14


def test_what_went_wrong_stands_in_the_log(local: LocalHarness, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"no archive")
    assert local.run(an_order("att_1", workdir=tmp_path / "bad")).ending is Ending.REFUSED
    local.run(an_order("att_2", run="echo fine", outputs=("modle",)))
    local.run(an_order("att_3", run="echo fine"))
    notices = [
        [line.text for line in local.engine.read_log(f"att_{number}")[0] if line.stream == NOTICE_STREAM]
        for number in (1, 2, 3)
    ]
    assert notices == [
        ["[eisbach: the workdir is not a tar archive that can be read to its end]"],
        ["[eisbach: every task exited with 0; 1 of 1 outputs held no file to keep]"],
        [],
    ]


@pytest.mark.prove
def test_a_gigabyte_of_log(local: LocalHarness) -> None:
    seen = local.run(an_order(run="yes | head -c 1000000000; echo the end"))
    assert seen.usage.log_bytes == 1_000_000_008
    assert read_all(local.home / "attempts" / "att_1" / "log")[-1].text == "the end"


def test_a_record_not_yet_whole_is_not_shown(tmp_path: Path) -> None:
    book = LogBook(tmp_path, MIB)
    StreamCapture(book, 0, "o").add(b"whole\n", 1)
    book.close()
    segment = next(tmp_path.iterdir())
    whole = segment.read_bytes()
    page, offset = read_lines(tmp_path, 0, 10)
    for cut in range(len(whole)):
        segment.write_bytes(whole + whole[:cut])
        assert read_lines(tmp_path, offset, 10) == ([], offset)
    segment.write_bytes(whole + whole)
    assert [line.text for line in read_lines(tmp_path, offset, 10)[0]] == ["whole"]
    assert len(page) == 1


def test_a_log_without_a_folder_is_empty(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none", 0, 10) == ([], 0)


chunks = st.lists(
    st.binary(max_size=200) | st.sampled_from([b"\n", b"x" * 40_000, "ä€😀".encode() * 3_000]), max_size=12
)


@given(chunks=chunks, flushes=st.sets(st.integers(0, 11)), lines_max=st.integers(1, 5))
def test_what_went_in_comes_out(
    chunks: list[bytes], flushes: set[int], lines_max: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    book = LogBook(folder, 64 * MIB)
    capture = StreamCapture(book, 0, "o")
    for number, chunk in enumerate(chunks):
        capture.add(chunk, number)
        if number in flushes:
            capture.flush(number)
    capture.end(len(chunks))
    book.close()
    text = ""
    for line in read_all(folder, lines_max):
        assert len(line.text.encode()) <= PART_BYTES_MAX * 3  # one bad byte becomes a sign of three
        text += line.text + ("" if line.is_part else "\n")
    written = b"".join(chunks)
    if written.isascii():
        assert text.removesuffix("\n") == written.decode().removesuffix("\n")
    try:
        expected = written.decode()
    except UnicodeDecodeError:
        return
    assert text.removesuffix("\n") == expected.removesuffix("\n")
