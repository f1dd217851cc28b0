"""What the API makes of requests: problems in one shape, idempotency, pages, limits, broken bodies, money and instants."""

import re

import pytest
from starlette.testclient import TestClient

from eisbach.api.errors import STATUS
from eisbach.core.vocabulary.reasons import Reason
from eisbach.ports.engine import EngineUnavailable
from eisbach.ports.store import LeadershipLost, StoreFull, StoreUnavailable
from tests.faces.problems import TASK, assert_problem, jobs_of


def test_every_reason_has_a_status():
    assert all(400 <= STATUS.get(reason, 422) < 600 for reason in Reason)


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/v1/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/projects/", 404, "NOT_FOUND"),
        ("GET", "/docs", 404, "NOT_FOUND"),
        ("GET", "/openapi.json", 404, "NOT_FOUND"),
        ("PUT", "/v1/projects", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/me", 401, "UNAUTHENTICATED"),
    ],
)
def test_what_is_not_there_is_a_problem_too(shared_world, method, path, status, reason):
    answer = shared_world.call(method, path)
    assert_problem(answer, status, reason)
    assert (status == 405) == ("allow" in answer.headers)


def test_answers_carry_versions_and_a_request_id(shared_world):
    first, second = (shared_world.call("GET", "/v1/me", shared_world.operator) for _ in range(2))
    assert first.headers["eisbach-version"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    chosen = shared_world.call("GET", "/v1/nothing", headers={"X-Request-Id": "my-own_1"})
    assert chosen.headers["x-request-id"] == "my-own_1"
    hostile = shared_world.call("GET", "/v1/nothing", headers={"X-Request-Id": "a b<c>"})
    assert hostile.headers["x-request-id"] != "a b<c>"




def test_a_job_over_budget_is_refused_with_the_numbers(shared_world):
    body = {"task": {"run": "true", "time_limit": "30d", "num_nodes": 40, "resources": {"cpus": 1}}}
    problem = assert_problem(
        shared_world.call("POST", jobs_of(shared_world.ours), shared_world.ours.tokens["member"], json=body),
        409,
        "OVER_BUDGET",
    )
    assert problem["errors"][0]["values"]["budget_micro_eur"] == 100_000_000














def test_a_repeated_key_gets_the_first_answer(world):
    token, headers = world.ours.tokens["member"], {"Idempotency-Key": "once"}
    first = world.call("POST", jobs_of(world.ours), token, json=TASK, headers=headers)
    again = world.call("POST", jobs_of(world.ours), token, json=TASK, headers=headers)
    assert (first.status_code, first.content) == (again.status_code, again.content) == (202, first.content)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = {"task": {**TASK["task"], "name": "other"}}
    conflict = world.call("POST", jobs_of(world.ours), token, json=other, headers=headers)
    assert_problem(conflict, 409, "IDEMPOTENCY_CONFLICT")
    fresh = world.call("POST", jobs_of(world.ours), token, json=TASK, headers={"Idempotency-Key": "twice"})
    assert fresh.json()["job"] != first.json()["job"]


def test_a_key_belongs_to_its_project_and_route(world):
    headers = {"Idempotency-Key": "shared"}
    answers = [
        world.call("POST", jobs_of(tenant), tenant.tokens["member"], json=TASK, headers=headers)
        for tenant in (world.ours, world.theirs)
    ]
    assert answers[0].json()["job"] != answers[1].json()["job"]
    cancelled = world.call(
        "POST", f"/v1/jobs/{answers[0].json()['job']}/cancel", world.ours.tokens["member"], headers=headers
    )
    assert cancelled.status_code == 202
    for name, admin in (("A", world.ours.tokens["admin"]), ("B", world.theirs.tokens["admin"])):
        tenant = world.ours if name == "A" else world.theirs
        body = {"name": "same", "parent": tenant.organisation}
        if name == "B":
            body["name"] = "same too"
        answer = world.call("POST", "/v1/organisations", admin, json=body, headers=headers)
        assert answer.status_code == 201
        assert "idempotency-replayed" not in answer.headers


def test_a_replayed_token_comes_without_its_secret(world):
    body, headers = {"role": "viewer", "project": world.ours.project}, {"Idempotency-Key": "token"}
    first = world.call("POST", "/v1/tokens", world.operator, json=body, headers=headers)
    again = world.call("POST", "/v1/tokens", world.operator, json=body, headers=headers)
    assert again.status_code == first.status_code == 201
    without = {key: value for key, value in first.json().items() if key != "secret"}
    assert first.json()["secret"].startswith("eis_")
    assert again.json() == without




@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
def test_a_key_that_is_none_is_refused(shared_world, key):
    headers = {"Idempotency-Key": key.encode("latin-1")}
    path, token = jobs_of(shared_world.ours), shared_world.ours.tokens["member"]
    assert shared_world.call("POST", path, token, json=TASK, headers=headers).status_code == 422


def test_pages_lead_through_all_jobs_once(world):
    token = world.ours.tokens["member"]
    made = [world.submit(world.ours, name=f"job-{number}") for number in range(7)]
    seen, cursor = [], None
    for _ in range(20):
        page = world.made("GET", jobs_of(world.ours), token, params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        assert len(page["items"]) <= 2
        seen += [job["job"] for job in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert set(made) < set(seen)
    assert len(seen) == len(set(seen)) == 9
    named = world.made("GET", jobs_of(world.ours), token, params={"name": "job-3"})["items"]
    assert [job["job"] for job in named] == [made[3]]
    ended = world.made("GET", jobs_of(world.ours), token, params={"state": "ended"})["items"]
    assert [job["job"] for job in ended] == [world.ours.ended_job]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=1e2", "state=lost", "cursor=", "cursor=%00", "cursor=ä", "name=%00"]
)
def test_a_query_that_makes_no_sense_is_a_problem(shared_world, query):
    answer = shared_world.call("GET", f"{jobs_of(shared_world.ours)}?{query}", shared_world.ours.tokens["member"])
    assert_problem(answer, 422, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/fragmentation?level=x", "'level' is not known here"),
        ("/v1/nodes?hall=zz", "'hall' is not known here"),
        ("/v1/projects/PROJECT/bookings?after=%00", r"'after' is not known here"),
        ("/v1/projects/PROJECT/bookings?%00=1", r"'\x00' is not known here"),
        ("/v1/calendar?from=2026-12-01T00:00:00Z", "'from' is not known here"),
        ("/v1/prices?limit=5", "'limit' is not known here"),
        ("/v1/sites?cursor=x", "'cursor' is not known here"),
        ("/v1/me?limit=17", "'limit' is not known here"),
    ],
)
def test_what_no_query_knows_is_refused_by_name(shared_world, path, said):
    answer = shared_world.call("GET", path.replace("PROJECT", shared_world.ours.project), shared_world.operator)
    assert_problem(answer, 422, "UNKNOWN_KEY")
    assert said in answer.json()["detail"]
    assert ("told at once and not in pages" in str(answer.json())) is ("limit" in path or "cursor" in path)
    foreign = shared_world.call("GET", path.replace("PROJECT", shared_world.ours.project))
    assert foreign.status_code == 401  # who may not ask learns nothing


@pytest.mark.parametrize("query", ["from_at=0001-01-01T00:00:00%2B14:00", "until_at=1999-12-31T00:00:00Z", "from_at=2026-12-01", "from_at=soon"])
def test_a_calendar_of_no_instant_is_a_problem(shared_world, query):
    answer = shared_world.call("GET", f"/v1/calendar?{query}", shared_world.ours.tokens["member"])
    assert_problem(answer, 422, "INVALID_ARGUMENT")


@pytest.mark.parametrize("name", ["%00", "..", "%2e%2e", "a%2Fb", "x" * 5_000, "%F0%9F%98%80", "job_'; DROP TABLE jobs--"])
def test_an_odd_id_is_absent(shared_world, name):
    assert shared_world.call("GET", f"/v1/jobs/{name}", shared_world.operator).status_code == 404


def test_money_and_instants_are_exact(shared_world):
    job = shared_world.made("GET", f"/v1/jobs/{shared_world.ours.ended_job}", shared_world.operator)
    assert (job["charged_micro_eur"], job["charged_eur"]) == (750, "0.00075")
    assert job["charged_ms"] == 60_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["ended_at"])
    assert job["task"]["run"] == "true"
    cost = shared_world.made("GET", f"/v1/jobs/{shared_world.ours.ended_job}/cost", shared_world.operator)
    assert cost["attempts"][0]["held_ms"] == cost["attempts"][0]["charged_ms"] == 60_000
    assert cost["charged_eur"] == "0.00075"
    assert sum(one["amount_micro_eur"] for one in cost["transfers"] if one["kind"] == "settle") == 750


def test_a_project_tells_its_account(shared_world):
    project = shared_world.made("GET", f"/v1/projects/{shared_world.ours.project}", shared_world.operator)
    parts = [project[f"{name}_micro_eur"] for name in ("reserved", "charged", "available")]
    assert sum(parts) == project["budget_micro_eur"] == 100_000_000
    cost = shared_world.made("GET", f"/v1/projects/{shared_world.ours.project}/cost", shared_world.operator)
    assert [job["job"] for job in cost["jobs"]] == [shared_world.ours.ended_job]
    assert cost["charged_micro_eur"] == 750
    none = shared_world.call("GET", f"/v1/projects/{shared_world.ours.project}/cost?period=2026-13", shared_world.operator)
    assert_problem(none, 422, "INVALID_ARGUMENT")


def test_a_plan_tells_price_ceiling_and_place_and_keeps_nothing(shared_world):
    before = shared_world.application.reader.log_size()
    path = f"/v1/projects/{shared_world.ours.project}/plans"
    plan = shared_world.made("POST", path, shared_world.ours.tokens["member"], json=TASK)
    assert plan["price_per_hour_eur"] == "0.045"
    assert plan["ceiling_micro_eur"] == 45_000 * (300_000 + 30_000) // 3_600_000
    assert (plan["site"], plan["country"], plan["detail"]) == ("here", "DE", "now")
    assert shared_world.application.reader.log_size() == before


def test_offers_say_what_there_is_and_what_it_costs(shared_world):
    (offer,) = shared_world.made("GET", "/v1/offers", shared_world.ours.tokens["viewer"])["items"]
    assert (offer["flavour"], offer["core_hour_eur"], offer["memory_gib_hour_eur"]) == ("cpu", "0.04", "0.005")


def test_why_has_words_for_each_state(world):
    ours = world.ours
    ended = world.made("GET", f"/v1/jobs/{ours.ended_job}/why", ours.tokens["viewer"])
    assert (ended["state"], ended["reason"]) == ("ended", "SUCCEEDED")
    assert ended["detail"].startswith("Succeeded at ")
    running = world.made("GET", f"/v1/jobs/{ours.running_job}/why", ours.tokens["viewer"])
    assert running["state"] == "running"
    large = world.submit(ours, name="large", resources={"cpus": 64, "memory": "1"})
    waiting = world.made("GET", f"/v1/jobs/{large}/why", ours.tokens["viewer"])
    assert (waiting["state"], waiting["reason"]) == ("waiting", "CAPACITY_BUSY")
    assert "64 cores" in waiting["detail"]


def test_secrets_are_named_and_never_told(world):
    path, token = f"/v1/projects/{world.ours.project}/secrets", world.ours.tokens["member"]
    world.made("PUT", f"{path}/TOKEN_2", token, json={"value": "hunter2"})
    listed = world.call("GET", path, token)
    assert [one["name"] for one in listed.json()["items"]] == ["API_KEY", "TOKEN_2"]
    assert "hunter2" not in listed.text
    world.made("DELETE", f"{path}/TOKEN_2", token)
    assert world.call("DELETE", f"{path}/TOKEN_2", token).status_code == 404
    for name in ("1A", "A-B", "A%00", "x" * 200):
        assert world.call("PUT", f"{path}/{name}", token, json={"value": "v"}).status_code == 422
        assert world.call("DELETE", f"{path}/{name}", token).status_code == 404
    for hidden in ("%2e%2e", ".API_KEY.draft"):
        assert world.call("DELETE", f"{path}/{hidden}", token).status_code == 404, "what is no name is not looked for"
    assert world.call("PUT", f"{path}/A", token, json={"value": "a\0b"}).status_code == 422


def test_a_cancelled_job_is_not_cancelled_twice(world):
    large = world.submit(world.ours, name="large", resources={"cpus": 64, "memory": "1"})
    token = world.ours.tokens["member"]
    assert world.made("POST", f"/v1/jobs/{large}/cancel", token)["state"] == "ended"
    assert_problem(world.call("POST", f"/v1/jobs/{large}/cancel", token), 409, "ALREADY_ENDED")


def test_a_drained_node_takes_nothing_and_what_runs_there_is_asked_to_go(world):
    drained = world.made("POST", "/v1/nodes/node-a/drain", world.operator)
    assert drained["drained"] is True
    running = world.made("GET", f"/v1/jobs/{world.ours.running_job}", world.operator)
    assert (running["state"], running["reason"]) == ("stopping", "NODE_DRAINED")
    assert world.made("GET", "/v1/nodes", world.operator)["items"][0]["drained"] is True
    job = world.submit(world.ours, name="later")
    why = world.made("GET", f"/v1/jobs/{job}/why", world.operator)
    assert why["reason"] == "NODES_UNAVAILABLE"
    assert world.made("POST", "/v1/nodes/node-a/resume", world.operator)["drained"] is False


def test_artifacts_come_whole_with_their_digest(shared_world):
    ours, token = shared_world.ours, shared_world.ours.tokens["member"]
    items = shared_world.made("GET", f"/v1/jobs/{ours.ended_job}/artifacts", token)["items"]
    assert [item["path"] for item in items] == ["0/model/a b.txt", "0/model/weights.bin"]
    for item in items:
        answer = shared_world.call(
            "GET", f"/v1/jobs/{ours.ended_job}/artifacts/{item['attempt']}/{item['path']}", token
        )
        assert answer.status_code == 200
        assert len(answer.content) == item["size"] == int(answer.headers["content-length"])
        assert answer.headers["eisbach-sha256"] == item["sha256"]
        assert answer.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(
    "path", ["0/model/none", "..%2f..%2fetc/passwd", "/etc/passwd", "0/model/%2e%2e/model/weights.bin", "%00", "0/model/"]
)
def test_only_what_is_listed_can_be_downloaded(shared_world, path):
    ours = shared_world.ours
    answer = shared_world.call(
        "GET", f"/v1/jobs/{ours.ended_job}/artifacts/{ours.attempt}/{path}", ours.tokens["member"]
    )
    assert answer.status_code == 404


def test_proofs_and_the_log_can_be_taken_away(shared_world):
    bundle = shared_world.made("GET", f"/v1/jobs/{shared_world.ours.ended_job}/proof", shared_world.ours.tokens["viewer"])
    assert bundle["format"] == "eisbach-audit-bundle/1"
    assert bundle["leaf_count"] == len(bundle["leaves"])
    head = shared_world.made("GET", "/v1/audit/head", shared_world.tokens["auditor"])
    export = shared_world.call("GET", "/v1/audit/export", shared_world.tokens["auditor"])
    lines = export.text.splitlines()
    assert len(lines) == head["size"] + 1


def test_metrics_are_prometheus_text(shared_world):
    answer = shared_world.call("GET", "/metrics", shared_world.tokens["auditor"])
    assert answer.headers["content-type"].startswith("text/plain")
    assert re.search(r"^eisbach_log_events \d", answer.text, re.MULTILINE)
    assert 'eisbach_jobs{state="running"} 2.0' in answer.text


def test_an_unforeseen_error_tells_nothing_and_is_a_problem(world, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(world.application.reader, "rows", broken)
    world.client = TestClient(world.client.app, raise_server_exceptions=False)
    answer = world.call("GET", jobs_of(world.ours), world.operator)
    assert_problem(answer, 500, "INTERNAL_ERROR")
    assert "hunter2" not in answer.text
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (StoreFull("full"), 507, "STORE_FULL"),
        (StoreUnavailable("gone"), 503, "STORE_UNAVAILABLE"),
        (LeadershipLost("other"), 503, "NOT_LEADER"),
        (EngineUnavailable("gone"), 503, "NODES_UNAVAILABLE"),
    ],
)
def test_what_the_ports_cannot_do_now_says_so(world, monkeypatch, error, status, reason):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr(world.application.reader, "rows", failing)
    problem = assert_problem(world.call("GET", jobs_of(world.ours), world.operator), status, reason)
    assert problem["retryable"]


def test_what_tenants_wrote_and_line_breaks_stay_out_of_the_logs(world, caplog):
    ours, token = world.ours, world.ours.tokens["member"]
    with caplog.at_level("INFO", "eisbach"):
        world.call("GET", f"/v1/jobs/{ours.ended_job}/artifacts/{ours.attempt}/0/model/weights.bin", token)
        world.call("PUT", f"/v1/projects/{ours.project}/secrets/CODE_NAME", token, json={"value": "v"})
        world.call("GET", "/v1/x%0A2026-01-01 INFO forged", token)
    said = [record.getMessage() for record in caplog.records if record.name == "eisbach.access"]
    assert said == [
        f"GET /v1/jobs/{ours.ended_job}/artifacts/{ours.attempt}/{{path}} 200",
        f"PUT /v1/projects/{ours.project}/secrets/{{name}} 200",
        "GET /v1/x%0A2026-01-01%20INFO%20forged 404",
    ]


def test_a_refusal_is_told_in_the_language_that_was_asked_for(shared_world):
    path = f"/v1/projects/{shared_world.ours.project}/plans"
    body = {"task": {"run": "true", "time_limit": "30d", "resources": {"cpus": 64}}}
    asked = {"json": body, "headers": {"Accept-Language": "de-DE, en;q=0.5"}}
    answer = shared_world.call("POST", path, shared_world.ours.tokens["member"], **asked)
    told = answer.json()
    assert answer.headers["content-language"] == "de"
    assert told["title"] == "Über dem Budget des Monats"
    assert "das Budget des Projekts beträgt 100,00 EUR im Monat" in told["detail"]
    assert "the project's budget is 100.00 EUR a month" in told["source"]
    assert told["errors"][0]["detail"] == told["detail"]
    english = shared_world.call("POST", path, shared_world.ours.tokens["member"], json=body)
    assert english.headers["content-language"] == "en"
    assert english.json()["detail"] == told["source"]
    assert "source" not in english.json()
