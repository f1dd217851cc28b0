"""The OpenAPI document and docs/routes.md are the app, and the app keeps to its own document."""

import json
import os
import re
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from eisbach.api.server import ROUTERS

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "openapi.json"
ROUTES_DOC = ROOT / "docs" / "routes.md"
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@schemathesis.serializer("application/offset+octet-stream")
def _as_it_is(context, value):
    """Bytes of an upload are sent as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


EXAMPLES = int(os.environ.get("EISBACH_API_EXAMPLES", "15"))


def test_the_openapi_document_is_the_golden_one(shared_world):
    document = shared_world.client.get("/v1/openapi.json").json()
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("EISBACH_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "read the difference; EISBACH_GOLDEN=write accepts it"


def test_every_route_is_documented(shared_world):
    document = shared_world.client.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    problem = {"$ref": "#/components/schemas/ProblemDetails"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["x-eisbach-action"], where
            is_public = operation["x-eisbach-action"] == "public"
            assert operation.get("security") == (None if is_public else [{"bearer": []}]), where
            assert ("401" in operation["responses"]) != is_public, where
            for status, response in operation["responses"].items():
                if int(status) >= 400 and "application/problem+json" in response["content"]:
                    assert response["content"]["application/problem+json"]["schema"] == problem, where


def test_the_routes_document_lists_every_route_with_its_action():
    rows = re.findall(r"^\| `(\w+) ([^`]+)` \| `?([a-z:]+)`? \|", ROUTES_DOC.read_text(encoding="utf-8"), re.MULTILINE)
    written = {f"{method} {path}": action for method, path, action in rows}
    served = {
        f"{method} {route.path.replace(':path', '')}": route.access.action
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    }
    assert written == served


@pytest.fixture(scope="module")
def schema(shared_world):
    return schemathesis.openapi.from_asgi("/v1/openapi.json", shared_world.client.app)


ROUTES = sorted(
    (method, route.path.replace(":path", "")) for router in ROUTERS for route in router.routes for method in route.methods
)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_app_keeps_to_its_document(shared_world, schema, method, path):
    """Whatever is sent, answers are documented ones and never a failure of the server."""
    ours = shared_world.ours
    named = {"project": ours.project, "job": ours.ended_job, "organisation": ours.organisation, "attempt": ours.attempt}

    @given(case=schema[path][method.lower()].as_strategy(), with_real_ids=st.booleans())
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    def keeps_to_it(case, with_real_ids):
        if with_real_ids:
            case.path_parameters = {**case.path_parameters, **{k: v for k, v in named.items() if k in case.path_parameters}}
        case.call_and_validate(headers={"Authorization": f"Bearer {shared_world.operator}"}, checks=CHECKS)

    keeps_to_it()
