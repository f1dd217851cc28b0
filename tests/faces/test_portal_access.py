"""Every page of the portal, one by one: nobody without a session, no stranger, and the right one."""

import re
from dataclasses import dataclass

import pytest

from eisbach.portal.guard import PageRoute
from eisbach.portal.server import create_portal
from tests.faces.factory_world import PERIOD
from tests.faces.portal_world import HOST, browser, form_of

ABSENT = "job_00000000000000000000000000"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a page answers its right caller (`by`), a stranger and a viewer. None: nothing of it belongs to anybody."""

    by: str = "member"
    status: int = 200
    stranger: int | None = 404
    viewer: int = 200
    path: str = ""


PUBLIC = {
    "GET /portal",
    "GET /portal/enter",
    "POST /portal/enter",
    "POST /portal/sign-up",
    "POST /portal/settings",
    "GET /portal/static/{name}",
}
CASES = {
    "GET /portal/": Case(stranger=None),
    "GET /portal/offers": Case(stranger=None),
    "GET /portal/sites": Case(stranger=None),
    "GET /portal/sites/{site}": Case(stranger=None, path="/portal/sites/here"),
    "GET /portal/sites/{site}/map": Case(by="auditor", stranger=None, viewer=403, path="/portal/sites/here/map"),
    "GET /portal/templates": Case(stranger=None),
    "GET /portal/templates/{template}": Case(stranger=None),
    "POST /portal/templates/{template}/plan": Case(viewer=403),
    "POST /portal/templates/{template}/start": Case(status=303, viewer=403),
    "GET /portal/jobs": Case(stranger=None),
    "GET /portal/jobs/{job}": Case(),
    "GET /portal/jobs/{job}/live": Case(path="/portal/jobs/{ended}/live"),
    "POST /portal/jobs/{job}/cancel": Case(status=303, viewer=403),
    "GET /portal/jobs/{job}/files/{attempt}/{path:path}": Case(
        path="/portal/jobs/{ended}/files/{attempt}/0/model/weights.bin", viewer=403
    ),
    "GET /portal/data": Case(stranger=None),
    "POST /portal/data/uploads": Case(viewer=403),
    "GET /portal/data/uploads/{data_set}": Case(path="/portal/data/uploads/{upload}", viewer=403),
    "PATCH /portal/data/uploads/{data_set}": Case(path="/portal/data/uploads/{upload}", viewer=403),
    "GET /portal/data/{data_set}": Case(),
    "GET /portal/data/{data_set}/content": Case(viewer=403),
    "GET /portal/data/{data_set}/certificate": Case(path="/portal/data/{deleted_data_set}/certificate"),
    "POST /portal/data/{data_set}/copies": Case(status=303, viewer=403),
    "POST /portal/data/{data_set}/delete": Case(status=303, viewer=403),
    "GET /portal/rules": Case(stranger=None),
    "GET /portal/organisations/{organisation}/rules": Case(by="admin", viewer=403),
    "POST /portal/organisations/{organisation}/rules": Case(by="admin", status=303, viewer=403),
    "GET /portal/projects/{project}/rules": Case(),
    "POST /portal/projects/{project}/rules": Case(by="admin", status=303, viewer=403),
    "GET /portal/violations": Case(by="auditor", stranger=None, viewer=403),
    "GET /portal/jobs/{job}/residency": Case(),
    "POST /portal/jobs/{job}/residency": Case(),
    "GET /portal/bill": Case(stranger=None),
    "GET /portal/bill/{organisation}": Case(by="admin", viewer=403),
    "POST /portal/bill/{organisation}/issue": Case(by="operator", status=422, viewer=403),
    "GET /portal/bill/{organisation}/address": Case(by="admin", viewer=403),
    "POST /portal/bill/{organisation}/address": Case(by="admin", status=303, viewer=403),
    "GET /portal/invoices/{invoice}": Case(by="admin", viewer=404),
    "GET /portal/invoices/{invoice}/file": Case(by="admin", viewer=404),
    "POST /portal/invoices/{invoice}/credit": Case(by="operator", status=422, viewer=404),
    "GET /portal/shares": Case(stranger=None),
    "GET /portal/fragmentation": Case(by="auditor", stranger=None, viewer=403),
    "GET /portal/calendar": Case(stranger=None),
    "POST /portal/calendar/quote": Case(status=422, viewer=403),
    "POST /portal/calendar/hold": Case(viewer=403),
    "POST /portal/calendar/book": Case(status=303, viewer=403),
    "GET /portal/bookings/{booking}": Case(),
    "POST /portal/bookings/{booking}/cancel": Case(status=303, viewer=403),
    "POST /portal/bookings/{booking}/extension": Case(viewer=403),
    "POST /portal/bookings/{booking}/extend": Case(status=422, viewer=403),
    "GET /portal/promises": Case(stranger=None),
    "GET /portal/promises/{promise}": Case(stranger=None, path="/portal/promises/exaflops"),
    "GET /portal/package": Case(by="admin", status=303, stranger=None, viewer=403),
    "GET /portal/organisations/{organisation}/package": Case(by="admin", viewer=403),
    "POST /portal/organisations/{organisation}/package": Case(by="admin", viewer=403),
    "GET /portal/projects/{project}": Case(),
    "POST /portal/projects/{project}/budget": Case(by="admin", status=303, viewer=403),
    "GET /portal/energy": Case(stranger=None),
    "GET /portal/sites/{site}/energy": Case(stranger=None),
    "POST /portal/sites/{site}/cap": Case(status=403, stranger=403, viewer=403),
    "POST /portal/leave": Case(status=303, stranger=None, viewer=303),
}
"""Each page that asks who is there; an area adds its own."""


def routes():
    return [route for route in create_portal_routes() if isinstance(route, PageRoute)]


def create_portal_routes():
    from eisbach.portal.server import AREAS

    return [PageRoute(endpoint) for area in AREAS for endpoint in area.PAGES]


def name_of(route):
    return f"{route.page.method} {route.path}"


GUARDED = sorted(name_of(route) for route in routes() if not route.page.is_public)


def path_of(name, tenant):
    template = CASES[name].path or name.split(" ")[1]
    values = {
        "organisation": tenant.organisation,
        "project": tenant.project,
        "job": tenant.running_job,
        "ended": tenant.ended_job,
        "attempt": tenant.attempt,
        "site": tenant.site,
        "template": "train-language-model",
        "invoice": tenant.invoice,
        "booking": tenant.booking,
        "data_set": tenant.data_set,
        "upload": tenant.upload,
        "deleted_data_set": tenant.deleted_data_set,
    }
    return re.sub(r"\{(\w+)(?::path)?\}", lambda match: values[match[1]], template).removeprefix("/portal")


def asked(seen, name, tenant):
    method, path = name.split(" ")[0], path_of(name, tenant)
    if method == "GET":
        return seen.client.get(f"/portal{path}", follow_redirects=False)
    if method == "PATCH":
        headers = {"origin": HOST, "eisbach-form": form_of_session(seen), "upload-offset": "0"}
        return seen.client.patch(f"/portal{path}", content=b"abc", headers=headers)
    fields = {"project": tenant.project, "form_id": "a-form-id-of-a-test", "csrf": form_of_session(seen)}
    fields |= {"treatment": "domestic", "language": "de", "month": PERIOD, "reason": "goodwill"}
    fields |= {"option": tenant.option, "length": "5m", "flavour": "cpu"}
    fields |= {"size": "3", "data_class": "customer", "site": "here", "budget": "500"}
    return seen.post(path, {"cpus": "1", "memory": "1", "nodes": "1", "time_limit": "5m", "name": "new", **fields})


def form_of_session(seen):
    page = seen.get("/offers")
    return form_of(page.text, "/leave").get("csrf", "") if page.status_code == 200 else ""


def test_every_page_is_listed_here():
    assert {name_of(route) for route in routes() if route.page.is_public} == PUBLIC
    assert set(GUARDED) == set(CASES)


def test_a_page_without_an_action_cannot_be_made():
    with pytest.raises(TypeError, match="names no action"):
        PageRoute(lambda call: None)


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("token", ["", "revoked", "expired", "wrong"])
def test_nobody_without_a_valid_session(shared_world, name, token):
    seen = browser(shared_world, shared_world.tokens.get(token, ""))
    answer = asked(seen, name, shared_world.ours)
    assert answer.status_code == 401
    said = answer.text.replace(path_of(name, shared_world.ours), "")  # the way back that was asked for
    assert shared_world.ours.project not in said


@pytest.mark.parametrize("name", [name for name in GUARDED if CASES[name].stranger is not None])
def test_a_stranger_is_told_that_there_is_nothing(shared_world, name):
    ours, theirs = shared_world.ours, shared_world.theirs
    for role in ("admin", "member", "viewer"):
        assert asked(browser(shared_world, theirs.tokens[role]), name, ours).status_code == CASES[name].stranger, role


def world_for(request, name, status):
    """A world of its own for a page that may change it: whoever only looks, or is refused, shares one."""
    changes = not name.startswith("GET") and status < 400
    return request.getfixturevalue("world" if changes else "shared_world")


@pytest.mark.parametrize("name", GUARDED)
def test_the_right_one_gets_in(request, name):
    world = world_for(request, name, CASES[name].status)
    answer = asked(browser(world, world.ours.tokens[CASES[name].by]), name, world.ours)
    assert answer.status_code == CASES[name].status, answer.text


@pytest.mark.parametrize("name", GUARDED)
def test_a_viewer_only_looks(request, name):
    world = world_for(request, name, CASES[name].viewer)
    answer = asked(browser(world, world.ours.tokens["viewer"]), name, world.ours)
    assert answer.status_code == CASES[name].viewer, answer.text


@pytest.mark.parametrize("name", [name for name in GUARDED if name.startswith("POST")])
@pytest.mark.parametrize("foreign", ["origin", "null", "malformed", "token", "no token"])
def test_another_site_cannot_send_our_forms(shared_world, name, foreign):
    seen = browser(shared_world, shared_world.ours.tokens["admin"])
    csrf = form_of_session(seen)
    fields = {"project": shared_world.ours.project, "form_id": "a-form-id-of-a-test"}
    if foreign in ("origin", "null", "malformed"):
        fields["csrf"] = csrf
    elif foreign == "token":
        fields["csrf"] = form_of_session(browser(shared_world, shared_world.theirs.tokens["admin"]))
    origin = {"origin": "https://evil.test", "null": "null", "malformed": "http://["}.get(foreign, HOST)
    answer = seen.post(path_of(name, shared_world.ours), fields, origin=origin)
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text


def test_every_answer_carries_a_strict_policy(shared_world):
    seen = browser(shared_world, shared_world.ours.tokens["member"])
    for path in ("/", "/jobs/nothing", "/static/portal.css", "/enter", "/nowhere"):
        headers = seen.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert create_portal(shared_world.application) is not None
