"""Traces as files: both formats, streamed in order, and every mistake told by file, line, column and value."""

import gzip

import pytest

from eisbach.core.jobs.request import CapacityClass
from eisbach.core.jobs.within import Level, Within
from eisbach.twin import distinct, trace_file
from eisbach.twin.distinct import Distinct
from eisbach.twin.trace_file import TraceError, read_trace
from eisbach.twin.trace_workload import TraceWorkload
from tests.twin.traces import TABLE, WEEK, a_site, written


@pytest.mark.parametrize("name", ["week.csv", "week.csv.gz", "week.data"])
def test_a_week_file_is_read_plain_or_packed(tmp_path, name):
    trace = read_trace(written(tmp_path, f"{WEEK}a,5,2,100,200\nb,3,1,0.5,\n", name))
    assert [(row.job, row.submit_ms, row.nodes, row.duration_ms, row.limit_ms) for row in trace] == [
        ("b", 3000, 1, 500, None),
        ("a", 5000, 2, 100_000, 200_000),
    ]
    assert trace.rows == 2


def test_a_job_table_may_lack_what_a_replay_does_not_need(tmp_path):
    trace = read_trace(written(tmp_path, "gpus,submit_s,job_id,duration_s\n0.5,1,a,10\n8,0,b,\n,0,c,5\n"))
    (row,) = trace
    assert (row.job, row.gpus_milli, row.user, row.limit_ms, trace.left_out) == ("a", 500, "", None, 2)


def test_windows_wrote_it(tmp_path):
    trace = read_trace(written(tmp_path, "\ufeff" + WEEK.strip() + "\r\na,5,2,100,200\r\n\r\n"))
    assert [row.job for row in trace] == ["a"]


WRONG = {
    "": "trace.csv: the file is empty. Its first line names the columns",
    WEEK: "trace.csv: it holds no job",
    "job_id,submit_s,nodes\na,1,1\n": "trace.csv:1: the column duration_s is missing",
    "job_id,submit_s,duration_s\na,1,1\n": "trace.csv:1: the column gpus is missing",
    "job_id;submit_s\n": "separated by commas",
    "job_id,submit_s,submit_s,duration_s,gpus\n": "trace.csv:1: two columns are named 'submit_s'",
    f"{WEEK}a,1,1,1,1\nb,2,1,1\n": "trace.csv:3: this row has 4 fields, the first line names 5",
    f"{WEEK},1,1,1,1\n": "trace.csv:2: job_id is '', which is no id",
    f"{WEEK}a,,1,1,1\n": "trace.csv:2: submit_s is '', which is empty",
    f"{WEEK}a,-1,1,1,1\n": "trace.csv:2: submit_s is '-1', which is negative",
    f"{WEEK}a,1,1,-5,1\n": "trace.csv:2: duration_s is '-5', which is negative",
    f"{WEEK}a,1,1,nan,1\n": "trace.csv:2: duration_s is 'nan', which is no finite number",
    f"{WEEK}a,inf,1,1,1\n": "trace.csv:2: submit_s is 'inf', which is no finite number",
    f"{WEEK}a,1e15,1,1,1\n": "trace.csv:2: submit_s is '1e15', which is absurdly large",
    f"{WEEK}a,1700000000000,1,1,1\n": "trace.csv:2: submit_s is '1700000000000', which is absurdly large",
    f"{WEEK}a,0,1,1,1\nb,1700000000,1,1,1\n": "trace.csv:3: submit_s is '1700000000', which lies more than 3,660 days behind the first submission (0)",
    f"{WEEK}a,1,1,316224001,1\n": "trace.csv:2: duration_s is '316224001', which is absurdly large",
    f"{WEEK}a,soon,1,1,1\n": "trace.csv:2: submit_s is 'soon', which is no number",
    f"{WEEK}a,1,0,1,1\n": "trace.csv:2: nodes is '0', which is no whole number of nodes",
    f"{WEEK}a,1,1.5,1,1\n": "trace.csv:2: nodes is '1.5', which is no whole number of nodes",
    f"{WEEK}a,1,1,1,0\n": "trace.csv:2: limit_s is '0', which is no limit",
    f"{WEEK}a,1,1,1,1\na,2,1,1,1\n": "trace.csv:3: job_id is 'a', which stands in an earlier row too",
    f"{WEEK}a,1,5,1,1\n": "trace.csv:2: nodes is 5, and the site has 4 nodes of b200.8 (32 GPUs)",
    f"{TABLE}a,,1,,1,33,,,\n": "trace.csv:2: gpus is 33, and the site has 4 nodes of b200.8 (32 GPUs)",
    f"{TABLE}a,,1,,1,-1,,,\n": "trace.csv:2: gpus is '-1', which is negative",
    f"{TABLE}a,,1,,,1,,,\n": "all of its 1 rows lack duration_s or gpus",
    f"{TABLE}a,,1,,1,1,,,class:gold\n": "trace.csv:2: kind holds 'class:gold', which is not known. Write class: and one of on-demand",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_told_where_it_stands(tmp_path, text):
    with pytest.raises(TraceError) as error:
        TraceWorkload(written(tmp_path, text), a_site())
    assert WRONG[text] in str(error.value)


def test_a_file_that_breaks_off_or_is_none(tmp_path):
    rows = "".join(f"{nth},{nth},1,{nth * 7919 % 1000},2000\n" for nth in range(5000))
    packed = gzip.compress((WEEK + rows).encode())
    for data, said in (
        (packed[: len(packed) // 2], "the gzip file breaks off"),
        (b"\x1f\x8bnonsense", "the gzip file breaks off behind this line or is damaged"),
        (WEEK.encode() + b"a,1,1,1,\xff\n", "text that is not UTF-8"),
    ):
        path = tmp_path / "broken.csv.gz"
        path.write_bytes(data)
        with pytest.raises(TraceError, match=said):
            read_trace(path)
    with pytest.raises(TraceError, match="cannot be read: No such file"):
        read_trace(tmp_path / "absent.csv")
    with pytest.raises(TraceError, match="cannot be read: Is a directory"):
        read_trace(tmp_path)


def test_long_files_are_streamed_and_may_be_out_of_order_only_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(trace_file, "LOOK_AHEAD", 4)
    monkeypatch.setattr(trace_file, "KEPT_MAX", 10)
    shuffled = [nth ^ 3 for nth in range(64)]
    path = written(tmp_path, WEEK + "".join(f"{at},{at},1,1,1\n" for at in shuffled))
    trace = read_trace(path)
    assert trace.kept is None
    assert [row.submit_ms for row in trace] == [row.submit_ms for row in trace] == [at * 1000 for at in range(64)]
    late = written(tmp_path, WEEK + "".join(f"{at},{at},1,1,1\n" for at in [*range(1, 30), 0]))
    with pytest.raises(TraceError, match=r":31: submit_s is '0', which stands more than 4 rows behind its place.*Sort the file"):
        read_trace(late)


def test_stamps_since_1970_are_played_from_the_day_of_the_first_row_on(tmp_path):
    rows = "b,1704184200,1,60,\na,1704153600.5,1,60,\n"  # 2024-01-02, 8:30 and 0:00
    workload = TraceWorkload(written(tmp_path, WEEK + rows), a_site())
    assert [(work.job, work.submit_ms) for work in workload] == [("a", 500), ("b", 30_600_000)]
    assert workload.last_submit_ms == 30_600_000
    assert workload.label == "trace.csv: 2 jobs; submit_s counted from 1704153600 on (2024-01-02, where it is seconds since 1970), the day of the first row"
    own = TraceWorkload(written(tmp_path, f"{WEEK}a,31622399,1,60,\n"), a_site())  # 366 days less a second: a beginning of its own
    assert ([work.submit_ms for work in own], own.label) == ([31_622_399_000], "trace.csv: 1 jobs")


@pytest.mark.parametrize("few", [10_000, 1_000])
def test_ids_are_told_apart_in_little_memory(monkeypatch, few):
    monkeypatch.setattr(distinct, "FEW", few)
    seen = Distinct()
    assert all(seen.add(f"job-{nth}") for nth in range(5000))
    assert not any(seen.add(f"job-{nth}") for nth in range(5000))
    assert len(seen) == 5000


def test_gpus_become_parts_of_a_node_or_whole_nodes(tmp_path):
    rows = "a,,0,,1,3,,,\nb,,0,,1,8,,,\nc,,0,,1,12,,,\nd,,0,,1,0,2.5,,\ne,,0,,1,1.5,,,\nf,,0,,1,.25,,,\n"
    asked = {work.job: (work.nodes, work.shape.gpus, work.shape.cpu_milli, work.shape.gpu_milli) for work in TraceWorkload(written(tmp_path, TABLE + rows), a_site())}
    assert asked == {
        "a": (1, 3, 36_000, 1000),
        "b": (1, 8, 96_000, 1000),
        "c": (2, 8, 96_000, 1000),
        "d": (1, 0, 2_500, 1000),
        "e": (1, 2, 24_000, 1000),
        "f": (1, 1, 3_000, 250),
    }


def test_users_become_customers_and_wishes_are_read(tmp_path):
    rows = "a,ann,0,,100,16,,,vc:7;class:spot;within:row\nb,,0,,100,1,,,\nc,ann,0,,100,16,,,require:rack\nd,\t,0,,100,16,,,\n"
    workload = TraceWorkload(written(tmp_path, TABLE + rows), a_site(), within=Within(Level.RACK))
    works = {work.job: work for work in workload}
    assert works["a"].capacity_class is CapacityClass.SPOT
    wishes = [works[job].within for job in "abcd"]
    assert wishes == [Within(Level.ROW), None, Within(Level.RACK, is_required=True), Within(Level.RACK)]
    assert {one.name for one in workload.customers} == {"ann", "nobody", works["d"].customer}
    assert works["d"].customer.startswith("user-")
    assert all(180_000 <= work.limit_ms < 360_000 for work in works.values())
