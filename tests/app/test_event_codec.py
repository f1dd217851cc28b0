"""The canonical bytes of events: their exact form, their hash, and what is refused."""

import json
from hashlib import sha256

import pytest

from eisbach.app import events as e
from eisbach.app.event_codec import UndecodableEvent, decode, open_event, seal
from eisbach.app.merge_rows import merge_rows
from eisbach.app.projections import Insert, Update, rows_of
from eisbach.ports.store import Batch

FUNDED = e.JobFunded(job="job_1", period="2025-07", transfers=(("a/available", "job_1/reserved", 5, "reserve"),))


def test_bytes_are_the_documented_ones():
    sealed = seal(7, 1_700_000_000_000, FUNDED, b"\x01\x02")
    assert sealed.data == (
        b'{"at":1700000000000,"body":{"job":"job_1","period":"2025-07",'
        b'"transfers":[["a/available","job_1/reserved",5,"reserve"]]},'
        b'"kind":"job.funded","salt":"0102","seq":7,"v":1}'
    )
    assert sealed.leaf == sha256(b"\x00" + sealed.data).digest()


def test_any_json_library_writes_the_same_bytes():
    body = e.SiteDeclared(site="münchen", country="DE", operator='Grün & "Co"', operator_country="DE")
    data = seal(0, 1, body, bytes(16)).data
    assert json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == data


def test_what_is_sealed_is_read_back():
    opened = open_event(seal(7, 8, FUNDED, b"salt").data)
    assert (opened.seq, opened.at_ms, opened.kind, opened.version, opened.salt) == (7, 8, "job.funded", 1, b"salt")
    assert opened.body == decode(seal(7, 8, FUNDED, b"salt")) == FUNDED


def test_events_of_logs_from_before_halls_and_parents_are_read():
    old = b'{"at":1,"body":%b,"kind":"%b","salt":"00","seq":1,"v":1}'
    site = b'{"country":"DE","operator":"O","operator_country":"AT","simulated":false,"site":"s"}'
    node = b'{"cpu_milli":1,"drained":false,"flavour":"cpu","gpus":0,"memory_mib":1,"node":"n","pool":"p"}'
    (row,) = rows_of(1, 1, open_event(old % (site, b"site.declared")).body, {})
    assert row.row["parent_country"] == "AT"
    (changed,) = rows_of(1, 1, open_event(old % (node, b"node.changed")).body, {})
    assert "site" not in changed.changes, "such a node stayed at its site"
    assert changed.changes["hall"] == ""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "truncated"),
        (b"\xff\x00", "malformed"),
        (b"[]", "Expected `object`"),
        (b'{"at":1,"body":{},"kind":"job.funded","salt":"00","seq":1,"v":1}', "missing required field"),
        (b'{"at":1,"body":{},"kind":"no.such","salt":"00","seq":1,"v":1}', "no.such"),
        (
            b'{"at":1,"body":{"job":"j","period":"p","transfers":[]},"kind":"job.funded","salt":"xyz","seq":1,"v":1}',
            "hex",
        ),
        (b'{"at":1,"body":{},"extra":1,"kind":"job.funded","salt":"00","seq":1,"v":1}', "extra"),
    ],
)
def test_bytes_that_are_no_event_are_refused(data, says):
    with pytest.raises(UndecodableEvent, match=says):
        open_event(data)


def test_a_row_is_written_once_a_batch():
    batch = Batch()
    merge_rows(batch, [Insert("jobs", {"job": "j1", "state": "waiting", "reason": "A"})])
    merge_rows(batch, [Update("jobs", "j1", {"state": "starting"}), Update("jobs", "j0", {"state": "running"})])
    merge_rows(batch, [Update("jobs", "j0", {"reason": "B"})])
    assert batch.inserts == {"jobs": {"j1": {"job": "j1", "state": "starting", "reason": "A"}}}
    assert batch.updates == {"jobs": {"j0": {"state": "running", "reason": "B"}}}
