"""The portal's pages about places: rules set and shown, a refusal told in whole sentences, where a job was, with the proof."""

import json
import re

from eisbach.cli.residency_check import check_residency
from tests.faces.portal_world import browser


def rules_page(seen, owner):
    return seen.get(f"/organisations/{owner}/rules")


def set_rule(seen, owner, **fields):
    path = f"/organisations/{owner}/rules"
    return seen.send(seen.get(path), path, **fields)


def planned(seen, tenant, **fields):
    page = seen.get("/templates/train-language-model")
    return seen.send(page, "/templates/train-language-model/plan", project=tenant.project, **fields)


def test_a_rule_is_set_and_shown_with_the_sites_it_leaves(world):
    seen, owner = browser(world, world.ours.tokens["admin"]), world.ours.organisation
    assert "No rule: every site is allowed" in rules_page(seen, owner).text
    answer = set_rule(seen, owner, countries="eu, ch", dedicated="project")
    assert answer.status_code == 303
    page = seen.get(answer.headers["location"].removeprefix("/portal"))
    assert "The rule is set." in page.text
    assert "EU (27 countries as of 2020-02-01)" in page.text
    assert 'value="CH, EU"' in page.text, "and in the form as it was written"
    assert "shared with no other project" in page.text
    assert "allowed" in page.text
    removed = set_rule(seen, owner, countries="", dedicated="")
    assert removed.status_code == 303
    assert "No rule: every site is allowed" in rules_page(seen, owner).text


def test_a_rule_that_is_none_is_told_at_its_field(world):
    seen, owner = browser(world, world.ours.tokens["admin"]), world.ours.organisation
    answer = set_rule(seen, owner, countries="Germany")
    assert answer.status_code == 422
    assert "no country of ISO 3166-1" in answer.text
    assert 'value="Germany"' in answer.text


def test_a_member_sees_rules_and_cannot_set_them(world):
    seen = browser(world, world.ours.tokens["member"])
    page = seen.get(f"/projects/{world.ours.project}/rules")
    assert page.status_code == 200
    assert "<h2 id=\"own-title\">" not in page.text


def test_a_forbidden_place_is_refused_in_whole_sentences_and_with_its_position(world):
    admin = browser(world, world.ours.tokens["admin"])
    assert set_rule(admin, world.ours.organisation, countries="AT, FR").status_code == 303
    english = planned(admin, world.ours)
    assert english.status_code == 422
    assert "here stands in DE; the organisation" in english.text
    german = planned(browser(world, world.ours.tokens["admin"], language="de"), world.ours, site="here")
    assert german.status_code == 422
    told = german.text
    assert "Die Regeln verbieten diesen Ort" in told
    assert "Der Auftrag darf nicht am Standort here laufen. Land des Standorts here: Deutschland." in told
    assert re.search(r"Die Regel der Organisation [^<]+ erlaubt: Österreich, Frankreich\.", told)
    position = int(re.search(r'refusal-log">\D*(\d+)', told)[1])
    sealed = world.application.reader.events(after_seq=position - 1, limit=1)[0]
    assert sealed.kind == "placement.refused"


def test_where_a_job_was_and_the_proof_of_it(world):
    seen, job = browser(world, world.ours.tokens["member"], language="de"), world.ours.ended_job
    page = seen.get(f"/jobs/{job}/residency")
    assert "Keine Regel schränkt ein, wo er sein darf." in page.text
    assert "Deutschland" in page.text
    assert "keine Regel verletzt" in page.text
    sent = seen.send(page, f"/jobs/{job}/residency")
    assert sent.headers["content-disposition"] == f'attachment; filename="residency-{job}.json"'
    proven = check_residency(lambda: [sent.content], None)
    assert proven.statement["job"] == job
    assert json.loads(sent.content)["residency"] == proven.statement


def test_the_auditor_sees_what_the_round_found(world):
    page = browser(world, world.tokens["auditor"]).get("/violations")
    assert "Nothing was ever found where a rule forbids it." in page.text


def test_the_list_names_whose_rules_one_may_see(world):
    page = browser(world, world.ours.tokens["admin"]).get("/rules")
    assert f"/portal/organisations/{world.ours.organisation}/rules" in page.text
    assert world.theirs.organisation not in page.text
