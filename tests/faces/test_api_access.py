"""Every route of the app, one by one: nobody without a token, no stranger, no viewer beyond looking, and the right one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from eisbach.api.server import ROUTERS
from tests.faces.factory_world import PERIOD, PIECE, SITE, TUS, an_address, tar_of
from tests.faces.problems import filled

ABSENT = {
    "organisation": "org_00000000000000000000000000",
    "project": "prj_00000000000000000000000000",
    "token": "tok_00000000000000000000000000",
    "job": "job_00000000000000000000000000",
    "data_set": "dset_00000000000000000000000000",
    "node": "node-absent",
    "invoice": "2020-000001",
    "booking": "bkg_00000000000000000000000000",
}
TASK = {"task": {"run": "true", "time_limit": "5m"}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a route answers: `by` whom it works with `status`, what a viewer of the same project gets."""

    by: str = "member"
    status: int = 200
    viewer: int = 200
    json: object = None
    content: bytes | None = None
    where: str = "running_job"
    data: str = "data_set"
    headers: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "GET /metrics": Case(by="auditor", viewer=403),
    "GET /v1/version": Case(),
    "GET /v1/me": Case(),
    "GET /v1/factory": Case(by="auditor", viewer=403),
    "GET /v1/offers": Case(),
    "POST /v1/organisations": Case(by="operator", status=201, viewer=403, json={"name": "New one"}),
    "GET /v1/organisations": Case(by="admin", viewer=403),
    "GET /v1/organisations/{organisation}": Case(by="admin", viewer=403),
    "POST /v1/organisations/{organisation}/exports": Case(by="admin", viewer=403),
    "GET /v1/organisations/{organisation}/import": Case(by="admin", viewer=403),
    "POST /v1/imports": Case(by="operator", status=422, viewer=403, content=b"no package"),
    "GET /v1/promises": Case(),
    "GET /v1/promises/{promise}": Case(),
    "GET /v1/organisations/{organisation}/rules": Case(by="admin", viewer=403),
    "PUT /v1/organisations/{organisation}/rules": Case(by="admin", viewer=403, json={"countries": ["DE"]}),
    "GET /v1/projects/{project}/rules": Case(),
    "PUT /v1/projects/{project}/rules": Case(by="admin", viewer=403, json={"countries": ["EU"], "dedicated": "project"}),
    "GET /v1/jobs/{job}/residency": Case(),
    "POST /v1/jobs/{job}/residency-proof": Case(),
    "GET /v1/prices": Case(),
    "GET /v1/prices/{version}": Case(),
    "GET /v1/scheduler": Case(by="operator", viewer=403),
    "PUT /v1/scheduler": Case(by="operator", viewer=403, json={"policy": "easy"}),
    "GET /v1/shares": Case(),
    "GET /v1/fragmentation": Case(by="auditor", viewer=403),
    "GET /v1/fragmentation/stranded": Case(by="auditor", viewer=403),
    "PUT /v1/segments/{segment}/share": Case(by="operator", viewer=403, json={"weight": 300}),
    "PUT /v1/organisations/{organisation}/share": Case(by="operator", viewer=403, json={"weight": 300}),
    "PUT /v1/organisations/{organisation}/quota": Case(by="operator", viewer=403, json={"gpu_milli": 8000}),
    "PUT /v1/organisations/{organisation}/agreement": Case(by="operator", viewer=403, json={"gpu_milli": 8000, "price_permille": 900}),
    "PUT /v1/projects/{project}/share": Case(by="admin", viewer=403, json={"weight": 300}),
    "PUT /v1/projects/{project}/quota": Case(by="admin", viewer=403, json={"gpu_milli": None}),
    "POST /v1/projects/{project}/quotes": Case(
        status=201, viewer=403, json={"flavour": "cpu", "nodes": 1, "length_ms": 600_000}
    ),
    "POST /v1/projects/{project}/holds": Case(status=201, viewer=403, json={"option": "{option}"}),
    "DELETE /v1/projects/{project}/holds/{option}": Case(viewer=403),
    "POST /v1/projects/{project}/bookings": Case(status=201, viewer=403, json={"option": "{option}"}),
    "GET /v1/projects/{project}/bookings": Case(),
    "GET /v1/bookings/{booking}": Case(),
    "POST /v1/bookings/{booking}/cancel": Case(viewer=403),
    "POST /v1/bookings/{booking}/extensions": Case(status=201, viewer=403, json={"length_ms": 600_000}),
    "GET /v1/calendar": Case(),
    "GET /v1/violations": Case(by="auditor", viewer=403),
    "POST /v1/targets": Case(by="auditor", status=201, viewer=403, json={"use": "log"}),
    "GET /v1/targets": Case(by="auditor", viewer=403),
    "POST /v1/targets/clear": Case(by="operator", status=422, viewer=403, json={"use": "backup", "site": "here"}),
    "GET /v1/organisations/{organisation}/billing": Case(by="admin", viewer=403),
    "PUT /v1/organisations/{organisation}/billing": Case(by="admin", viewer=403, json=an_address("Other")),
    "GET /v1/organisations/{organisation}/invoices": Case(by="admin", viewer=403),
    "POST /v1/organisations/{organisation}/invoices": Case(by="operator", status=409, viewer=403, json={"period": PERIOD}),
    "GET /v1/invoices/{invoice}": Case(by="admin", viewer=404),
    "GET /v1/invoices/{invoice}.xml": Case(by="admin", viewer=404),
    "POST /v1/invoices/{invoice}/credit": Case(by="operator", status=409, viewer=404, json={"reason": "goodwill"}),
    "POST /v1/projects": Case(
        by="admin", status=201, viewer=403, json={"name": "new", "organisation": "{organisation}", "budget_micro_eur": 1}
    ),
    "GET /v1/projects": Case(),
    "GET /v1/projects/{project}": Case(),
    "PATCH /v1/projects/{project}": Case(by="admin", viewer=403, json={"budget_micro_eur": 90_000_000}),
    "POST /v1/tokens": Case(by="admin", status=201, viewer=403, json={"role": "viewer", "project": "{project}"}),
    "POST /v1/portal-links": Case(by="admin", status=201, viewer=403, json={"role": "viewer", "project": "{project}"}),
    "GET /v1/tokens": Case(by="admin", viewer=403),
    "DELETE /v1/tokens/{token}": Case(by="admin", viewer=404),
    "GET /v1/projects/{project}/secrets": Case(viewer=403),
    "PUT /v1/projects/{project}/secrets/{name}": Case(viewer=403, json={"value": "v"}),
    "DELETE /v1/projects/{project}/secrets/{name}": Case(viewer=403),
    "POST /v1/projects/{project}/archives": Case(status=201, viewer=403, content=tar_of("new")),
    "OPTIONS /v1/projects/{project}/uploads": Case(status=204, viewer=403),
    "POST /v1/projects/{project}/uploads": Case(
        status=201, viewer=403, headers={**TUS, "Upload-Length": "3", "Upload-Metadata": "filename YWJjLnR4dA=="}
    ),
    "HEAD /v1/uploads/{data_set}": Case(viewer=403, data="upload", headers=TUS),
    "PATCH /v1/uploads/{data_set}": Case(
        status=204, viewer=403, data="upload", content=b"abc", headers={**PIECE, "Upload-Offset": "0"}
    ),
    "DELETE /v1/uploads/{data_set}": Case(status=204, viewer=403, data="upload", headers=TUS),
    "GET /v1/projects/{project}/data": Case(),
    "GET /v1/data/{data_set}": Case(),
    "GET /v1/data/{data_set}/content": Case(viewer=403),
    "POST /v1/data/{data_set}/check": Case(viewer=403),
    "POST /v1/data/{data_set}/copies": Case(status=202, viewer=403, json={"site": "here"}),
    "GET /v1/data/{data_set}/certificate": Case(data="deleted_data_set"),
    "DELETE /v1/data/{data_set}": Case(status=202, viewer=403),
    "POST /v1/projects/{project}/plans": Case(viewer=403, json=TASK),
    "POST /v1/projects/{project}/jobs": Case(status=202, viewer=403, json=TASK),
    "GET /v1/projects/{project}/jobs": Case(),
    "GET /v1/jobs/{job}": Case(),
    "GET /v1/jobs/{job}/why": Case(),
    "GET /v1/jobs/{job}/attempts": Case(),
    "GET /v1/jobs/{job}/events": Case(where="ended_job"),
    "POST /v1/jobs/{job}/cancel": Case(status=202, viewer=403),
    "GET /v1/jobs/{job}/logs": Case(where="ended_job"),
    "GET /v1/jobs/{job}/logs/stream": Case(where="ended_job"),
    "GET /v1/jobs/{job}/artifacts": Case(where="ended_job", viewer=403),
    "GET /v1/jobs/{job}/artifacts/{attempt}/{path:path}": Case(where="ended_job", viewer=403),
    "GET /v1/jobs/{job}/cost": Case(where="ended_job"),
    "GET /v1/projects/{project}/cost": Case(),
    "GET /v1/projects/{project}/focus.csv": Case(),
    "GET /v1/jobs/{job}/proof": Case(where="ended_job"),
    "GET /v1/audit/head": Case(by="auditor", viewer=403),
    "GET /v1/audit/export": Case(by="auditor", viewer=403),
    "GET /v1/nodes": Case(by="auditor", viewer=403),
    "GET /v1/jobs/{job}/energy": Case(where="ended_job"),
    "GET /v1/projects/{project}/energy": Case(),
    "GET /v1/sites/{site}/energy": Case(),
    "POST /v1/sites/{site}/cap": Case(by="operator", viewer=403, json={"kw": None}),
    "GET /v1/sites": Case(),
    "GET /v1/sites/{site}": Case(),
    "GET /v1/sites/{site}/map": Case(by="auditor", viewer=403),
    "GET /v1/nodes/{node}": Case(by="auditor", viewer=404),
    "POST /v1/node-acts": Case(by="operator", viewer=403, json={"act": "cordon", "site": "here"}),
    "GET /v1/closures": Case(by="auditor", viewer=403),
    "POST /v1/closures": Case(by="operator", status=422, viewer=403, json={"from_ms": 1, "site": "here"}),
    "POST /v1/closures/{closure}/cancel": Case(by="operator", status=404, viewer=403),
    "POST /v1/nodes/{node}/drain": Case(by="operator", viewer=404),
    "POST /v1/nodes/{node}/resume": Case(by="operator", viewer=404),
}
PUBLIC = {"GET /healthz", "GET /v1/openapi.json"}
NAMED_IN_BODY = {"POST /v1/organisations": "parent", "POST /v1/projects": "organisation", "POST /v1/tokens": "project", "POST /v1/portal-links": "project"}

ROUTES = sorted(
    f"{method} {route.path}" for router in ROUTERS for route in router.routes for method in route.methods
)
GUARDED = [route for route in ROUTES if route not in PUBLIC]
WITH_IDS = [
    route for route in GUARDED if any(f"{{{kind}}}" in route for kind in ABSENT) or route in NAMED_IN_BODY
]


def ids_of(tenant, case):
    return {
        "organisation": tenant.organisation,
        "project": tenant.project,
        "token": tenant.token_ids["viewer"],
        "job": getattr(tenant, case.where),
        "data_set": getattr(tenant, case.data),
        "attempt": tenant.attempt,
        "node": tenant.node,
        "invoice": tenant.invoice,
        "booking": tenant.booking,
        "option": tenant.option,
        "version": "test-1",
        "site": SITE.site,
        "segment": "research",
        "promise": "exaflops",
        "name": tenant.secret,
        "path:path": "0/model/weights.bin",
    }


def asked(world, route, token, ids):
    """Send the route's request with these ids and this token."""
    method, path = route.split()
    case = CASES[route]
    more = {}
    if case.json is not None:
        more["json"] = filled(case.json, ids)
    if case.content is not None:
        more["content"] = case.content
    if case.headers:
        more["headers"] = case.headers
    return world.call(method, filled(path, ids), token, **more)


def reason_of(answer):
    """The reason of a refusal; the answer to HEAD has no body, so it must fit by its status."""
    if answer.request.method == "HEAD":
        return {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND"}[answer.status_code]
    return answer.json()["reason"]


@pytest.fixture(params=GUARDED)
def route(request):
    return request.param


def test_every_route_of_the_app_is_tried_here(shared_world):
    """A new route is not done before it stands in the matrix above."""
    served = {
        f"{method} {route.path}" for route in shared_world.client.app.routes for method in getattr(route, "methods", ())
    }
    assert served == set(ROUTES)
    assert set(GUARDED) == set(CASES)


@pytest.mark.parametrize("kind", ["no", "wrong", "expired", "revoked"])
def test_nobody_gets_in_without_a_valid_token(shared_world, route, kind):
    token = None if kind == "no" else shared_world.tokens[kind]
    answer = asked(shared_world, route, token, ids_of(shared_world.ours, CASES[route]))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert reason_of(answer) == "UNAUTHENTICATED"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic b3A6", "bearer\t", "Bearer " + "x" * 10_000, "Token {}"])
def test_only_a_bearer_token_counts(shared_world, header):
    text = header.format(shared_world.operator)
    assert shared_world.call("GET", "/v1/me", headers={"Authorization": text}).status_code == 401


def test_the_scheme_is_read_in_any_case(shared_world):
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {shared_world.operator}"}
        assert shared_world.call("GET", "/v1/me", headers=headers).status_code == 200


def strangers(route):
    """Roles of another tenant that could do this to something of their own."""
    by = CASES[route].by
    return {"member": ["admin", "member", "viewer"], "admin": ["admin", "member"], "operator": ["admin", "member"]}.get(
        by, ["admin", "member"]
    )


def neutral(answer, ids):
    """An answer without what names the request: its path and its number."""
    body = answer.text
    for value in sorted(ids.values(), key=len, reverse=True):
        body = body.replace(value, "*")
    headers = {name: text for name, text in answer.headers.items() if name not in ("x-request-id", "content-length")}
    return answer.status_code, body, headers


@pytest.mark.parametrize("route", WITH_IDS)
def test_a_foreign_id_and_an_absent_id_get_the_same_answer(shared_world, route):
    case = CASES[route]
    foreign = ids_of(shared_world.theirs, case)
    if route in NAMED_IN_BODY:
        field = NAMED_IN_BODY[route]
        kind = "organisation" if field == "parent" else field
        case_json = {**case.json, field: f"{{{kind}}}"}
    for role in strangers(route):
        token = shared_world.ours.tokens[role]
        answers = []
        for ids in (foreign, {**foreign, **ABSENT}):
            if route in NAMED_IN_BODY:
                method, path = route.split()
                answer = shared_world.call(method, path, token, json=filled(case_json, ids))
            else:
                answer = asked(shared_world, route, token, ids)
            assert answer.status_code == 404, f"{role}: {answer.text}"
            assert reason_of(answer) == "NOT_FOUND"
            answers.append(neutral(answer, ids))
        assert answers[0] == answers[1], role


@pytest.mark.parametrize("route", WITH_IDS)
def test_the_foreign_things_are_really_there(shared_world, route):
    """The test above would pass on things that do not exist; here their owner finds them."""
    case = CASES[route]
    if route.startswith("GET "):
        token = shared_world.theirs.tokens[case.by]
        assert asked(shared_world, route, token, ids_of(shared_world.theirs, case)).status_code == case.status


def test_an_attempt_of_another_job_is_absent_too(shared_world):
    ours, theirs = shared_world.ours, shared_world.theirs
    path = f"/v1/jobs/{ours.ended_job}/artifacts/{theirs.attempt}/0/model/weights.bin"
    assert shared_world.call("GET", path, ours.tokens["member"]).status_code == 404


@pytest.fixture
def fitting_world(request, route):
    """A world of its own for what changes something, a shared one for reads."""
    return request.getfixturevalue("shared_world" if route.startswith("GET ") else "world")


def test_a_viewer_looks_and_does_not_touch(shared_world, route):
    ours = shared_world.ours
    answer = asked(shared_world, route, ours.tokens["viewer"], ids_of(ours, CASES[route]))
    assert answer.status_code == CASES[route].viewer
    if answer.status_code == 403:
        assert reason_of(answer) == "FORBIDDEN"


def test_the_right_token_gets_in(fitting_world, route):
    case, ours = CASES[route], fitting_world.ours
    answer = asked(fitting_world, route, ours.tokens[case.by], ids_of(ours, case))
    assert answer.status_code == case.status, answer.text


@pytest.mark.parametrize("route", [route for route in GUARDED if CASES[route].by in ("member", "admin")])
def test_the_operator_gets_in_everywhere(fitting_world, route):
    case = CASES[route]
    answer = asked(fitting_world, route, fitting_world.operator, ids_of(fitting_world.ours, case))
    assert answer.status_code == case.status


STATED_BY_AUDITORS = {
    "POST /v1/targets": "that an auditor took the log to a place is put on record by himself",
    "POST /v1/jobs/{job}/residency-proof": "a proof is a statement in the log and changes nothing else",
}


def test_an_auditor_reads_everything_and_changes_nothing(shared_world, route):
    case = CASES[route]
    answer = asked(shared_world, route, shared_world.tokens["auditor"], ids_of(shared_world.ours, case))
    otherwise = 200 if route.startswith("GET ") else 403
    assert answer.status_code == (case.status if route in STATED_BY_AUDITORS else otherwise), answer.text


@pytest.mark.parametrize("route", sorted(PUBLIC))
def test_public_routes_answer_anybody(shared_world, route):
    assert shared_world.call(*route.split()).status_code == 200
