"""The portal's pages without a browser: entering, forms, languages, and what goes wrong."""

import re

import pytest

from eisbach.app import issue_token
from eisbach.app.commands import SYSTEM, Role
from eisbach.app.entry_codes import LIFETIME_MS
from eisbach.portal.forms import Form, Refused, euro_of
from eisbach.portal.session import inside_path
from tests.faces.portal_world import HOST, browser, form_of, link

EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
FIRM = {"organisation": "Pumpen Huber GmbH", "segment": "mittelstand", "project": "Wartung", "budget": "250"}


def named(world, name):
    return world.application.reader.rows("jobs", {"project": world.ours.project, "name": name}).rows


def signed_up(world, language="en", **fields):
    seen = browser(world, language=language)
    page = seen.get(link(world, None))
    answer = seen.send(page, "/sign-up", **{**FIRM, **fields})
    return seen, page, answer


def test_a_firm_signs_itself_up_and_is_its_administrator(world):
    seen, _, answer = signed_up(world)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    home = seen.get("/")
    assert "Pumpen Huber GmbH" in home.text
    assert "250.00 EUR" in home.text
    who = world.application.actor_of(seen.client.cookies["eisbach_session"])
    assert who.role is Role.ADMIN


def test_a_session_over_https_never_leaves_on_another_way(world):
    seen = browser(world)
    page = seen.get(link(world, None))
    fields = {**form_of(page.text, "/sign-up"), **FIRM}
    answer = seen.post("/sign-up", fields, origin=HOST.replace("http:", "https:"))
    assert "Secure" in answer.headers["set-cookie"]


def test_a_sign_up_sent_twice_makes_one_organisation_and_the_same_session(world):
    seen, page, first = signed_up(world)
    again = seen.send(page, "/sign-up", **FIRM)
    assert again.status_code == 303
    assert again.headers["set-cookie"] == first.headers["set-cookie"]
    rows = world.application.reader.rows("organisations", {"name": FIRM["organisation"]}).rows
    assert len(rows) == 1


def test_a_link_works_once(world):
    path = link(world, Role.OPERATOR)
    first, second = browser(world), browser(world)
    pages = [one.get(path) for one in (first, second)]
    assert first.send(pages[0], "/enter").status_code == 303
    refused = second.send(pages[1], "/enter")
    assert refused.status_code == 401
    assert "used already" in refused.text
    assert second.get(path).status_code == 401


def test_looking_at_a_link_does_not_use_it_up(world):
    path = link(world, Role.OPERATOR)
    for _ in range(3):
        assert browser(world).get(path).status_code == 200


def test_a_link_ends_with_the_token_of_whoever_handed_it_out(world):
    """A dismissed administrator's links would have opened sessions for another half an hour."""
    issued = world.application.perform(
        issue_token.command(SYSTEM, role="admin", organisation=world.ours.organisation, label="dismissed")
    ).result()
    actor = world.application.actor_of(issued["secret"])
    code, _ = world.application.entry_codes.offer(actor, role=Role.ADMIN, organisation=world.ours.organisation)
    world.application.perform(issue_token.revoke(SYSTEM, token=actor.token)).result()
    seen = browser(world)
    assert seen.send(seen.get(f"/enter?code={code}"), "/enter").status_code == 401


def test_a_link_expires(world):
    path = link(world, Role.OPERATOR)
    world.clock.advance(LIFETIME_MS)
    assert browser(world).get(path).status_code == 401


def test_an_administrator_enters_only_its_own_organisation(world):
    seen = browser(world)
    seen.send(seen.get(link(world, Role.ADMIN, world.ours)), "/enter")
    assert seen.get(f"/jobs/{world.ours.ended_job}").status_code == 200
    assert seen.get(f"/jobs/{world.theirs.ended_job}").status_code == 404


def test_a_refused_sign_up_keeps_what_was_typed_and_says_what_is_wrong(world):
    seen, page, first = signed_up(world, budget="many", organisation=EVIL)
    assert first.status_code == 422
    assert form_of(first.text, "/sign-up")["organisation"] == EVIL
    assert 'aria-invalid="true"' in first.text
    assert 'id="e-budget"' in first.text
    assert "<script>alert" not in first.text
    assert seen.send(page, "/sign-up", **FIRM).status_code == 303


def test_a_name_that_is_taken_is_refused_in_german_with_the_name(world):
    signed_up(world)
    _, _, answer = signed_up(world, language="de-DE,de;q=0.9,en;q=0.5")
    assert answer.status_code == 422
    assert "Der Name Pumpen Huber GmbH ist schon vergeben" in answer.text
    assert "Wählen Sie einen anderen Namen" in answer.text


def test_signing_out_revokes_the_session(world):
    seen, _, _ = signed_up(world)
    secret = seen.client.cookies["eisbach_session"]
    assert seen.send(seen.get("/"), "/leave").status_code == 303
    assert world.application.actor_of(secret) is None
    assert seen.get("/").status_code == 401


def test_an_expired_session_says_so_and_leads_back(world):
    seen, _, _ = signed_up(world)
    form = seen.get("/templates/train-language-model")
    world.clock.advance(9 * 3_600_000)
    sent = seen.send(form, "/templates/train-language-model/plan")
    assert sent.status_code == 401
    assert "nothing was changed" in sent.text
    opened = seen.get("/jobs")
    assert opened.status_code == 401
    assert "Nothing of your work is lost" in opened.text
    organisation = world.application.reader.rows("organisations", {"name": FIRM["organisation"]}).rows[0]["organisation"]
    world.ours.organisation = organisation
    answer = seen.send(seen.get(link(world, Role.ADMIN, world.ours)), "/enter")
    assert answer.headers["location"] == "/portal/jobs"


def test_the_language_is_the_browsers_until_it_is_switched(world):
    seen = browser(world, language="de")
    page = seen.get("/enter")
    assert '<html lang="de"' in page.text
    assert "Anmelden" in page.text
    answer = seen.post("/settings", {"language": "en", "back": "/portal/enter"})
    assert answer.headers["location"] == "/portal/enter"
    assert "Sign in" in seen.get("/enter").text
    assert browser(world, language="fr").get("/enter").text.count('lang="en"') >= 1


@pytest.mark.parametrize("path", ["https://evil.test/", "//evil.test/", "/portal//evil.test", "/portal/../x", "/v1/me", "", "/portal/\r\nx"])
def test_nobody_is_led_out_of_the_portal(path):
    assert inside_path(path) == "/portal/"


def test_a_template_is_planned_started_and_its_job_watched(world):
    seen = browser(world, world.ours.tokens["member"])
    form = seen.get("/templates/train-language-model")
    plan = seen.send(form, "/templates/train-language-model/plan", name="first", time_limit="10m")
    assert plan.status_code == 200
    assert "Costs at most" in plan.text
    assert not named(world, "first")
    started = seen.send(plan, "/templates/train-language-model/start")
    assert started.status_code == 303
    page = seen.get(started.headers["location"].removeprefix("/portal"))
    assert "first" in page.text
    assert "accepted" in page.text
    assert "accepted" not in seen.get("/jobs").text


def test_a_start_sent_twice_starts_one_job(world):
    seen, other_tab = (browser(world, world.ours.tokens["member"]) for _ in range(2))
    plan = seen.send(seen.get("/templates/train-language-model"), "/templates/train-language-model/plan")
    answers = [one.send(plan, "/templates/train-language-model/start") for one in (seen, other_tab, seen)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(named(world, "train-language-model")) == 1


def test_a_form_sent_again_with_other_content_is_refused(world):
    seen = browser(world, world.ours.tokens["member"])
    plan = seen.send(seen.get("/templates/train-language-model"), "/templates/train-language-model/plan")
    seen.send(plan, "/templates/train-language-model/start")
    changed = seen.send(plan, "/templates/train-language-model/start", time_limit="11m")
    assert changed.status_code == 422
    assert "IDEMPOTENCY_CONFLICT" in changed.text
    assert len(named(world, "train-language-model")) == 1


def test_a_wrong_option_is_told_beside_its_field(world):
    seen = browser(world, world.ours.tokens["member"])
    form = seen.get("/templates/train-language-model")
    answer = seen.send(form, "/templates/train-language-model/plan", time_limit="soon")
    assert answer.status_code == 422
    assert 'id="e-time_limit"' in answer.text
    assert form_of(answer.text, "/templates/train-language-model/plan")["time_limit"] == "soon"


def test_a_wrong_option_is_told_in_german_with_its_value(world):
    seen = browser(world, world.ours.tokens["member"], language="de")
    form = seen.get("/templates/train-language-model")
    answer = seen.send(form, "/templates/train-language-model/plan", time_limit="bald")
    assert "`time_limit` ist &#39;bald&#39;, muss aber sein: eine Dauer wie 30m" in answer.text


def test_a_job_says_in_german_why_it_is_where_it_is_and_what_it_cost_so_far(world):
    seen = browser(world, world.ours.tokens["viewer"], language="de")
    running = world.submit(world.ours, name="mine")
    world.engine.run(world.engine.attempt_of(running), world.clock.now())
    world.settle()
    world.clock.advance(36_000)
    text = seen.get(f"/jobs/{running}").text
    assert "läuft seit 36 s auf node-a" in text
    assert "0,00045 EUR" in text  # a core at 0.04 and a GiB at 0.005 an hour
    job = world.submit(world.ours, name="large", resources={"cpus": 64, "memory": 1})
    text = seen.get(f"/jobs/{job}").text
    assert "Er braucht 1 x (64 Kerne, 1 GiB)" in text
    assert "jetzt sind 6" in text


def test_what_tenants_write_is_inert_everywhere(world):
    evil = EVIL[:60]
    job = world.submit(world.ours, name=evil, run=f"echo '{EVIL}'")
    attempt = world.engine.attempt_of(job)
    world.engine.run(attempt, world.clock.now())
    world.engine.say(attempt, EVIL, "</span></pre><script>alert(2)</script>")
    world.settle()
    seen = browser(world, world.ours.tokens["admin"])
    for path in ("/", "/jobs", f"/jobs/{job}"):
        text = seen.get(path).text
        assert not re.search(r"<script(?! type=\"module\" src=\"/portal/static/)[^>]*>", text), path
        assert "<img" not in text
        assert "49" not in re.findall(r"\{\{|49\b", text.split("<main")[1].split("EUR")[0]) or "{{" in text
    assert "alert(&#39;x&#39;)" in seen.get(f"/jobs/{job}").text


def test_a_jobs_files_are_downloads(world):
    seen = browser(world, world.ours.tokens["member"])
    page = seen.get(f"/jobs/{world.ours.ended_job}")
    (path,) = re.findall(r'href="/portal(/jobs/[^"]*a%20b.txt)"', page.text)
    answer = seen.get(path)
    assert answer.content == b"hello"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert seen.get(f"/jobs/{world.ours.ended_job}/files/{world.ours.attempt}/../../etc/passwd").status_code == 404


def test_the_log_of_an_ended_job_streams_to_its_end(world):
    seen = browser(world, world.ours.tokens["viewer"])
    text = seen.get(f"/jobs/{world.ours.ended_job}/live").text
    assert [line for line in text.splitlines() if line.startswith("event:")] == ["event: line"] * 3 + ["event: status", "event: end"]
    assert seen.get(f"/jobs/{world.ours.ended_job}/live?from=nonsense").status_code == 422


def test_a_job_is_cancelled(world):
    seen = browser(world, world.ours.tokens["member"])
    page = seen.get(f"/jobs/{world.ours.running_job}")
    answer = seen.send(page, f"/jobs/{world.ours.running_job}/cancel")
    assert answer.status_code == 303
    assert "stopping" in seen.get(f"/jobs/{world.ours.running_job}").text


def test_the_calculator_gives_the_ceiling_before_anything_starts(world):
    seen = browser(world, world.ours.tokens["viewer"], language="de")
    text = seen.get("/offers?cpus=2&memory=4&nodes=1&time_limit=10h").text
    assert "höchstens 1,000834 EUR" in text or re.search(r"höchstens [\d,]+ EUR", text)
    assert seen.get("/offers?cpus=x").status_code == 422


def test_an_operator_sees_the_whole_factory(world):
    text = browser(world, world.operator).get("/").text
    for word in ("Sold", "Allocated", "Busy", "measured", "Germany", "Nobody GmbH"):
        assert word in text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=1&" * 300, b"x=" + b"y" * 300_000])
def test_a_form_that_cannot_be_read_is_refused(world, body):
    seen = browser(world, world.operator)
    headers = {"origin": HOST, "content-type": "application/x-www-form-urlencoded"}
    answer = seen.client.post("/portal/leave", content=body, headers=headers)
    assert answer.status_code in (413, 422)


@pytest.mark.parametrize(
    ("language", "text", "euro"),
    [
        ("de", "1.250,50", 1250.5),
        ("de", "1250,5", 1250.5),
        ("de", "99.50", 99.5),
        ("de", "1.250", 1250),
        ("de", "250 EUR", 250),
        ("en", "1,250.50", 1250.5),
        ("en", "99,50", 99.5),
        ("en", "0", 0),
    ],
)
def test_amounts_are_read_as_people_write_them(language, text, euro):
    assert euro_of(Form({"budget": text}), "budget", language) == round(euro * 1_000_000)


@pytest.mark.parametrize("text", ["", "ten", "1.2.3", "1,2,3", "-5 000", "1e9", "1_000", "٣", "1e9x", "12.50.00", "NaN", "Infinity"])
def test_amounts_that_are_none_are_refused(text):
    with pytest.raises(Refused):
        euro_of(Form({"budget": text}), "budget", "de")


def test_the_limit_of_a_project_is_changed_by_its_administrator(world):
    seen = browser(world, world.ours.tokens["admin"], language="de")
    page, action = seen.get(f"/projects/{world.ours.project}"), f"/projects/{world.ours.project}/budget"
    assert form_of(page.text, action)["budget"] == "100,00"
    assert seen.send(page, action, budget="250,5").status_code == 303
    assert "von 250,50 EUR im Monat" in seen.get(f"/projects/{world.ours.project}").text
    refused = seen.send(page, action, budget="viel", form_id="another-form-of-this-test")
    assert refused.status_code == 422
    assert 'id="e-budget"' in refused.text


def test_a_template_reads_a_data_set_of_its_project_and_no_other(world):
    seen = browser(world, world.ours.tokens["member"])
    path = "/templates/predictive-maintenance"
    form = seen.get(f"{path}?data_set={world.ours.data_set}")
    assert form_of(form.text, f"{path}/plan")["data_set"] == world.ours.data_set
    assert world.theirs.data_set not in form.text
    plan = seen.send(form, f"{path}/plan")
    assert plan.status_code == 200, plan.text
    assert seen.send(plan, f"{path}/start").status_code == 303
    foreign = seen.send(form, f"{path}/plan", data_set=world.theirs.data_set)
    assert foreign.status_code == 404 or foreign.status_code == 422
    assert "NOT_FOUND" in foreign.text


def test_the_report_is_wanted_in_the_language_of_the_page(world):
    german = browser(world, world.ours.tokens["member"], language="de").get("/templates/predictive-maintenance")
    assert form_of(german.text, "/templates/predictive-maintenance/plan")["env_LANGUAGE"] == "de"
