"""Streams over a real connection: lines as they come, resuming, the ends, and that nobody polls hard."""

import http.client
import json
import threading
import time
from contextlib import contextmanager

import pytest

from eisbach.api import access, streams
from eisbach.api.serving import ApiServer, bind
from eisbach.api.streams import EventStream
from eisbach.core.vocabulary.quantities import MINUTE_MS
from eisbach.ports.engine import Ending


@contextmanager
def served(world):
    """Serve the world's API on a port of its own and yield it."""
    ready = threading.Event()
    bound = bind("127.0.0.1", 0)
    server = ApiServer(world.client.app, lambda host, port: ready.set(), world.client.app.state.host.close_streams)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    assert ready.wait(10)
    try:
        yield bound.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
        assert not thread.is_alive()


class Stream:
    """One connection that reads server-sent events."""

    def __init__(self, port, path, token, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {token}", **headers})
        self.answer = self.connection.getresponse()

    def next(self):
        """Return the next event as a dictionary, None at the end; comments are skipped."""
        event = {}
        for raw in self.answer:
            line = raw.decode().rstrip("\n")
            if not line:
                if event:
                    return event
                continue
            if line.startswith(":"):
                continue
            field, _, value = line.partition(": ")
            event[field] = json.loads(value) if field == "data" else value
        return None

    def rest(self):
        """Return all events up to the end."""
        found = []
        while (event := self.next()) is not None:
            found.append(event)
        return found

    def close(self):
        """Leave."""
        self.answer.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def start_job(world, name="live"):
    job = world.submit(world.ours, name=name, retry=1)
    attempt = world.engine.attempt_of(job)
    since = world.clock.now()
    world.engine.run(attempt, since)
    world.settle()
    return job, attempt, since


def lines_of(events):
    return [event["data"]["text"] for event in events if event["event"] == "line"]


def test_lines_come_as_they_are_written_until_the_end(world):
    job, attempt, since = start_job(world)
    with served(world) as (port, _), Stream(port, f"/v1/jobs/{job}/logs/stream", world.ours.tokens["viewer"]) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        world.engine.say(attempt, "first", "schön\nzwei")
        first, second = stream.next(), stream.next()
        assert (first["event"], first["id"], first["data"]["text"]) == ("line", "1:1", "first")
        assert second["data"]["text"] == "schön\nzwei"
        world.engine.say(attempt, "last")
        world.engine.end(attempt, since, MINUTE_MS)
        rest = stream.rest()
        assert lines_of(rest) == ["last"]
        assert rest[-1]["event"] == "end"
        assert rest[-1]["data"]["outcome"] == "succeeded"


def test_a_stream_goes_on_with_the_next_attempt(world):
    job, attempt, since = start_job(world)
    with served(world) as (port, _), Stream(port, f"/v1/jobs/{job}/logs/stream", world.ours.tokens["viewer"]) as stream:
        world.engine.say(attempt, "before")
        assert stream.next()["data"]["number"] == 1
        world.engine.end(attempt, since, MINUTE_MS, Ending.LOST)
        world.settle()
        second = world.engine.attempt_of(job)
        while second == attempt:
            time.sleep(0.01)
            second = world.engine.attempt_of(job)
        world.engine.run(second, world.clock.now())
        world.engine.say(second, "after")
        event = stream.next()
        assert (event["id"], event["data"]["number"], event["data"]["text"]) == ("2:1", 2, "after")


@pytest.mark.parametrize(("place", "texts"), [("", ["one", "two", "three"]), ("1:2", ["three"]), ("1:3", []), ("7:0", [])])
def test_a_stream_resumes_behind_the_last_event_seen(shared_world, place, texts):
    path = f"/v1/jobs/{shared_world.ours.ended_job}/logs/stream"
    token = shared_world.ours.tokens["viewer"]
    for more in ({"headers": {"Last-Event-ID": place}}, {"params": {"cursor": place}}):
        text = shared_world.call("GET", path, token, **more).text
        shown = [json.loads(line[6:])["text"] for line in text.splitlines() if line.startswith('data: {"attempt"')]
        assert shown == texts
        assert "event: end" in text


def test_events_of_a_job_resume_too(shared_world):
    path, token = f"/v1/jobs/{shared_world.ours.ended_job}/events", shared_world.ours.tokens["viewer"]

    def events(place):
        text = shared_world.call("GET", path, token, headers={"Last-Event-ID": place}).text
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith('data: {"seq"')]

    found = events("")
    assert found[0]["kind"] == "job.submitted"
    assert found[-1]["kind"] == "attempt.ended"
    assert events(str(found[1]["seq"])) == found[2:]
    assert "salt" not in found[0]


@pytest.mark.parametrize("place", ["x", "1:", "-1:0", "1:2:3", "9" * 40, "1:" + "9" * 30])
def test_a_place_that_was_never_given_is_refused(shared_world, place):
    for route in ("logs/stream", "logs", "events"):
        path = f"/v1/jobs/{shared_world.ours.ended_job}/{route}?cursor={place}"
        assert shared_world.call("GET", path, shared_world.ours.tokens["viewer"]).status_code == 422


def test_pages_of_lines_lead_to_the_end_and_back_later(world):
    job, attempt, _ = start_job(world)
    token, path = world.ours.tokens["viewer"], f"/v1/jobs/{job}/logs"
    world.engine.say(attempt, "a", "b", "c")
    first = world.made("GET", path, token, params={"limit": 2})
    assert [line["text"] for line in first["items"]] == ["a", "b"]
    second = world.made("GET", path, token, params={"cursor": first["next_cursor"]})
    assert [line["text"] for line in second["items"]] == ["c"]
    last = world.made("GET", path, token, params={"cursor": second["next_cursor"]})
    assert (last["items"], last["next_cursor"]) == ([], None)
    world.engine.say(attempt, "d")
    later = world.made("GET", path, token, params={"cursor": last["place"]})
    assert [line["text"] for line in later["items"]] == ["d"]


def test_a_closing_server_says_so_and_stops_in_time(world):
    job, _, _ = start_job(world)
    with served(world) as (port, server), Stream(port, f"/v1/jobs/{job}/logs/stream", world.ours.tokens["viewer"]) as stream:
        begun = time.monotonic()
        server.should_exit = True
        assert stream.next()["event"] == "closing"
        assert stream.next() is None
    assert time.monotonic() - begun < 10


def test_a_client_that_leaves_is_noticed(world):
    job, _, _ = start_job(world)
    host = world.client.app.state.host
    with served(world) as (port, _), Stream(port, f"/v1/jobs/{job}/events", world.ours.tokens["viewer"]) as stream:
        assert len(host.streams) == 1
        stream.close()
        deadline = time.monotonic() + 10
        while host.streams and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not host.streams


def test_only_so_many_streams_are_open(world, monkeypatch):
    monkeypatch.setattr(streams, "STREAMS_MAX", 1)
    job, _, _ = start_job(world)
    with (
        served(world) as (port, _),
        Stream(port, f"/v1/jobs/{job}/events", world.ours.tokens["viewer"]),
        Stream(port, f"/v1/jobs/{job}/events", world.ours.tokens["viewer"]) as second,
    ):
        assert second.answer.status == 503
        assert second.answer.headers["retry-after"]


def test_a_revoked_token_ends_its_streams(world, monkeypatch):
    monkeypatch.setattr(streams, "KEEP_ALIVE_S", 0.2)
    job, _, _ = start_job(world)
    with served(world) as (port, _), Stream(port, f"/v1/jobs/{job}/logs/stream", world.ours.tokens["viewer"]) as stream:
        world.made("DELETE", f"/v1/tokens/{world.ours.token_ids['viewer']}", world.operator)
        assert stream.rest() == []


class Clocked:
    """A follower that never has anything, and counts how often it was asked."""

    def __init__(self):
        self.reads = 0

    def read(self):
        self.reads += 1
        return b"", False


def test_an_idle_stream_asks_less_and_less(world, monkeypatch):
    """The pauses grow to the longest one: the sum of what a quiet minute costs is bounded without a clock."""
    pauses = []

    async def no_pause(self, seconds):
        pauses.append(seconds)
        if sum(pauses) > 60:
            self._closing.set()

    monkeypatch.setattr(EventStream, "_pause", no_pause)
    follower = Clocked()
    monkeypatch.setattr("eisbach.api.routes.output.EventFollower", lambda *_: follower)
    job, _, _ = start_job(world)
    text = world.call("GET", f"/v1/jobs/{job}/events", world.ours.tokens["viewer"]).text
    assert text.endswith("event: closing\ndata: {}\n\n")
    assert follower.reads < 70
    assert min(pauses) == streams.PAUSE_S_MIN
    assert max(pauses) == streams.PAUSE_S_MAX


def test_access_has_no_default():
    """`allow` cannot be called without an action."""
    with pytest.raises(TypeError):
        access.allow()
