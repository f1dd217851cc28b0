"""What each role may do below and beside itself, and that no route is without an action that policies know."""

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRouter

from eisbach.adapters.cedar import read_policies
from eisbach.api import access
from eisbach.api.access import GuardedRoute
from eisbach.api.server import ROUTERS, check_routes
from tests.faces.problems import filled


def test_an_admin_rules_below_and_not_beside(world):
    admin, operator = world.ours.tokens["admin"], world.operator
    body = {"name": "Below", "parent": world.ours.organisation}
    below = world.made("POST", "/v1/organisations", admin, json=body)["organisation"]
    project = {"name": "p", "organisation": below, "budget_micro_eur": 1}
    made = world.made("POST", "/v1/projects", admin, json=project)["project"]
    world.made("POST", "/v1/organisations", operator, json={"name": "Beside"})
    seen = world.made("GET", "/v1/organisations", admin)["items"]
    assert {one["organisation"] for one in seen} == {below, world.ours.organisation}
    assert {one["project"] for one in world.made("GET", "/v1/projects", admin)["items"]} == {made, world.ours.project}
    mine = world.made("GET", "/v1/tokens", admin)["items"]
    assert {one["organisation"] for one in mine} == {world.ours.organisation}
    assert world.call("GET", f"/v1/organisations/{below}", world.theirs.tokens["admin"]).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"role": "operator"},
        {"role": "auditor"},
        {"role": "operator", "organisation": "{organisation}"},
        {"role": "auditor", "project": "{project}"},
    ],
)
def test_an_admin_cannot_hand_out_more_than_he_has(shared_world, body):
    ours = shared_world.ours
    filled_body = filled(body, {"organisation": ours.organisation, "project": ours.project})
    assert shared_world.call("POST", "/v1/tokens", ours.tokens["admin"], json=filled_body).status_code == 403


def test_a_member_sees_the_own_project_alone(shared_world):
    found = shared_world.made("GET", "/v1/projects", shared_world.ours.tokens["member"])["items"]
    assert [one["project"] for one in found] == [shared_world.ours.project]


def test_a_revoked_token_ends_at_once(world):
    admin, member = world.ours.tokens["admin"], world.ours.tokens["member"]
    assert world.call("GET", "/v1/me", member).status_code == 200
    world.made("DELETE", f"/v1/tokens/{world.ours.token_ids['member']}", admin)
    assert world.call("GET", "/v1/me", member).status_code == 401


def test_a_route_without_an_action_cannot_be_made():
    router = APIRouter(route_class=GuardedRoute)

    def nameless():
        """An endpoint that names no action."""

    with pytest.raises(TypeError, match="names no action"):
        router.get("/v1/nameless")(nameless)


def test_an_app_with_an_unguarded_route_is_refused():
    app = FastAPI(openapi_url=None)
    app.get("/v1/open")(lambda: None)
    with pytest.raises(TypeError, match="names no action"):
        check_routes(app.routes)


def test_every_action_is_known_to_the_policies():
    _, schema = read_policies()
    actions = {
        route.access.action for router in ROUTERS for route in router.routes if not route.access.is_public
    }
    assert actions
    assert not [action for action in actions if f'"{action}"' not in schema]


def test_what_hides_a_thing_is_an_action_too():
    """A refusal on an id asks whether the caller may see it; that action must exist for each kind with ids."""
    _, schema = read_policies()
    for kind in (access.ORGANISATION, access.PROJECT, access.JOB, access.TOKEN, access.NODE, access.INVOICE):
        assert f'"{kind.lower()}:read"' in schema
