"""Idempotency keys: the same request twice is one; another request under the same key is refused."""


import pytest
from msgspec.structs import replace

from eisbach.app import issue_token, submit_job
from eisbach.app.commands import SYSTEM, IdempotencyKey
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import a_job
from tests.app.invariants import check_all

KEY = IdempotencyKey(scope="prj/jobs", key="k1", body_digest="d1")


def submitted(factory):
    return factory.app.applier.state.totals.get("submitted", 0)


def submit(factory, key, **more):
    return factory.perform(submit_job.command(SYSTEM, project=factory.project, spec=a_job(**more)), key)


def same(first, second):
    return second == {**first, "idempotent_replay": True}


def test_the_same_key_gets_the_same_answer(factory):
    first = submit(factory, KEY)
    assert same(first, submit(factory, KEY))
    factory.pass_time(3600_000)
    assert same(first, submit(factory, KEY)), "also when the job has long ended"
    assert submitted(factory) == 1
    reply = factory.store.reply(KEY.scope, KEY.key)
    assert (reply.status, reply.body_digest) == (202, "d1")


def test_the_same_key_with_another_body_is_refused(factory):
    submit(factory, KEY)
    answer = submit(factory, replace(KEY, body_digest="d2"))
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.IDEMPOTENCY_CONFLICT
    assert "'k1'" in answer.what
    assert submitted(factory) == 1


@pytest.mark.parametrize("other", [replace(KEY, key="k2"), replace(KEY, scope="prj2/jobs"), None])
def test_another_key_or_scope_is_another_request(factory, other):
    submit(factory, KEY)
    submit(factory, other)
    assert submitted(factory) == 2


def test_a_repetition_within_one_batch(factory):
    command = submit_job.command(SYSTEM, project=factory.project, spec=a_job())
    keys = (KEY, KEY, replace(KEY, body_digest="d2"))
    asked = [factory.app.perform(command, key) for key in keys]
    factory.settle()
    first, second, third = (one.result(timeout=0) for one in asked)
    assert same(first, second)
    assert third.reason is Reason.IDEMPOTENCY_CONFLICT
    assert submitted(factory) == 1


@pytest.mark.parametrize("crash", [True, False])
def test_a_repetition_after_a_restart(factory, crash):
    first = submit(factory, KEY)
    again = factory.restart(crash=crash)
    assert same(first, submit(again, KEY))
    assert submitted(again) == 1
    check_all(again)


def test_a_refusal_is_not_kept(factory):
    """Who mends his request may send it under the same key."""
    assert isinstance(submit(factory, KEY, cpus=99), Refusal)
    assert submit(factory, replace(KEY, body_digest="d2"))["job"]


def test_a_secret_is_not_told_twice(factory):
    command = issue_token.command(SYSTEM, role="operator")
    first = factory.perform(command, KEY)
    second = factory.perform(command, KEY)
    assert first["secret"].startswith("eis_")
    assert "secret" not in second
    assert second["token"] == first["token"]
    assert first["secret"].encode() not in factory.store.reply(KEY.scope, KEY.key).content
