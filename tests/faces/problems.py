"""What a refused call of the HTTP API has to look like."""


TASK = {"task": {"run": "true", "time_limit": "5m"}}


PROBLEM_FIELDS = {"type", "title", "status", "detail", "instance", "reason", "retryable", "errors"}


def jobs_of(tenant):
    return f"/v1/projects/{tenant.project}/jobs"


def assert_problem(answer, status, reason):
    """The answer is a problem document with this status and reason."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == PROBLEM_FIELDS
    assert problem["status"] == status
    assert problem["reason"] == reason
    assert problem["type"] == f"urn:eisbach:reason:{reason}"
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    for error in problem["errors"]:
        assert {"reason", "field", "detail"} <= set(error)
    return problem


def filled(value, ids):
    if isinstance(value, str):
        for kind, found in ids.items():
            value = value.replace(f"{{{kind}}}", found)
        return value
    return {key: filled(part, ids) for key, part in value.items()} if isinstance(value, dict) else value
