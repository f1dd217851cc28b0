"""Bodies of calls: task files, JSON that is none, keys that nobody knows, sizes, archives."""

import json
import re

import pytest

from tests.faces.factory_world import tar_of
from tests.faces.problems import TASK, assert_problem, jobs_of


def test_a_task_file_gets_all_its_problems_at_once(shared_world):
    body = {"task": {"run": "", "num_nodes": 0, "imag": "x", "time_limit": "999d"}}
    answer = shared_world.call("POST", jobs_of(shared_world.ours), shared_world.ours.tokens["member"], json=body)
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert {error["field"] for error in errors} >= {"run", "num_nodes", "time_limit"}
    assert "LIMIT_ABOVE_MAXIMUM" in {error["reason"] for error in errors}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"task": NaN}', 400),
        (b'{"task": {"num_nodes": 1e999}}', 400),
        (b'{"task": {"run": "\\ud800"}}', 400),
        (b"[" * 100_000, 400),
        (b'{"task": ' + b'{"a":' * 2_000 + b"1" + b"}" * 2_000 + b"}", 400),
        (b'{"task": {"run": "x", "num_nodes": ' + b"9" * 5_000 + b"}}", 400),
        (b'{"task": {"run": "x", "num_nodes": ' + b"9" * 40 + b"}}", 422),
        (b'{"task": {"run": "x", "envs": {"A": "\\u0000"}}}', 422),
        (b'"task"', 422),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"task": null}', 422),
        (b'{"task": [1]}', 422),
        (b'{"task": {"run": "true"}, "more": 1}', 422),
    ],
)
def test_a_broken_submission_is_a_problem(shared_world, body, status):
    headers = {"Content-Type": "application/json"}
    for route in ("jobs", "plans"):
        path = f"/v1/projects/{shared_world.ours.project}/{route}"
        answer = shared_world.call("POST", path, shared_world.ours.tokens["member"], content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nothing", 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b'{"name": "x"}', 422),
        (b'{"name": "x", "organisation": 1, "budget_micro_eur": 1}', 422),
        (b'{"name": "", "organisation": "ORG", "budget_micro_eur": 1}', 422),
        (b'{"name": "a\\u0000b", "organisation": "ORG", "budget_micro_eur": 1}', 422),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": -1}', 422),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": 1.5}', 422),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": "1"}', 422),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": true}', 422),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": 1e30}', 422),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": ' + b"9" * 30 + b"}", 422),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": NaN}', 400),
        (b'{"name": "x", "organisation": "ORG", "budget_micro_eur": 1, "colour": "red"}', 422),
    ],
)
def test_a_broken_body_is_a_problem(shared_world, body, status):
    content = body.replace(b"ORG", shared_world.ours.organisation.encode())
    headers = {"Content-Type": "application/json"}
    answer = shared_world.call("POST", "/v1/projects", shared_world.operator, content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_key_is_named(shared_world):
    body = {"name": "x", "organisation": shared_world.ours.organisation, "budget_micro_eur": 1, "colour": "red"}
    problem = assert_problem(
        shared_world.call("POST", "/v1/projects", shared_world.operator, json=body), 422, "UNKNOWN_KEY"
    )
    assert problem["errors"][0]["field"] == "colour"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_a_body_that_is_not_sent_as_json_is_refused(shared_world, kind):
    for path in (jobs_of(shared_world.ours), "/v1/projects"):
        body = {**TASK, "organisation": shared_world.ours.organisation}
        answer = shared_world.call(
            "POST", path, shared_world.operator, content=json.dumps(body), headers={"Content-Type": kind}
        )
        assert answer.status_code == 415


def test_a_body_over_the_limit_is_refused(shared_world):
    body = json.dumps({"task": {"run": "x" * (1024 * 1024)}})
    headers = {"Content-Type": "application/json"}
    token = shared_world.ours.tokens["member"]
    assert_problem(
        shared_world.call("POST", jobs_of(shared_world.ours), token, content=body, headers=headers), 413, "TOO_LARGE"
    )

    def pieces():
        for _ in range(40):
            yield b" " * 65_536

    unannounced = shared_world.call("POST", jobs_of(shared_world.ours), token, content=pieces(), headers=headers)
    assert_problem(unannounced, 413, "TOO_LARGE")


def test_an_archive_is_checked_and_kept_once(world):
    path, token = f"/v1/projects/{world.ours.project}/archives", world.ours.tokens["member"]
    refused = world.call("POST", path, token, content=b"bad archive")
    assert_problem(refused, 422, "INVALID_ARCHIVE")
    packed = tar_of("x" * 3_000_000)
    first = world.made("POST", path, token, content=packed)
    assert first["size"] == len(packed)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", first["archive"])
    events = world.application.reader.log_size()
    assert world.made("POST", path, token, content=packed)["archive"] == first["archive"]
    assert world.application.reader.log_size() == events
    announced = {"Content-Length": str(10**12)}
    assert_problem(world.call("POST", path, token, content=b"x", headers=announced), 413, "TOO_LARGE")


def test_a_task_refers_to_what_its_project_has(world):
    for route, status in (("jobs", 202), ("plans", 200)):
        path, token = f"/v1/projects/{world.ours.project}/{route}", world.ours.tokens["member"]
        own = {"run": "true", "time_limit": "5m", "workdir": world.ours.archive, "secrets": ["API_KEY"]}
        assert world.call("POST", path, token, json={"task": own}).status_code == status
        foreign = {**own, "workdir": world.theirs.archive, "secrets": ["OTHER"]}
        refused = world.call("POST", path, token, json={"task": foreign})
        assert refused.status_code == 422
        assert {(e["reason"], e["field"]) for e in refused.json()["errors"]} == {
            ("NOT_FOUND", "workdir"),
            ("MISSING_SECRET", "secrets"),
        }
        absent = {**own, "workdir": "sha256:" + "0" * 64}
        texts = [
            world.call("POST", path, token, json={"task": task}).text.replace(task["workdir"], "*")
            for task in ({**own, "workdir": world.theirs.archive}, absent)
        ]
        assert texts[0] == texts[1]
