"""Public promises as the API and the command line show them."""

from tests.faces.cli_tools import listening, run_cli


def test_everybody_with_a_token_sees_every_promise_with_its_verdict(shared_world):
    items = shared_world.made("GET", "/v1/promises", shared_world.ours.tokens["viewer"])["items"]
    assert {one["promise"] for one in items} >= {"gpus-at-least", "gpus-around", "gpus-up-to", "exaflops", "renewable"}
    exaflops = next(one for one in items if one["promise"] == "exaflops")
    assert exaflops["promised"]["value"] == "0.5"
    assert (exaflops["now"]["value"], exaflops["verdict"], exaflops["why"]) == (None, "cannot-be-measured", "no-precision")


def test_one_promise_comes_with_every_wording(shared_world):
    promise = shared_world.made("GET", "/v1/promises/gpus-around", shared_world.ours.tokens["viewer"])
    assert [one["date"] for one in promise["history"]] == ["2025-11-04", "2026-02-04"]
    assert {one["evidence"] for one in promise["history"]} == {"secondary"}


def test_a_promise_that_nobody_made_is_absent(shared_world):
    answer = shared_world.call("GET", "/v1/promises/flying-cars", shared_world.ours.tokens["viewer"])
    assert answer.status_code == 404


def test_the_command_line_shows_history_and_what_was_read_of_it(shared_world, monkeypatch):
    with listening(shared_world, monkeypatch, shared_world.operator):
        ran = run_cli("promises", "months-to-operation")
    assert "unverified" in ran.out
    assert "months have passed" in ran.out or "commissioned here on" in ran.out
