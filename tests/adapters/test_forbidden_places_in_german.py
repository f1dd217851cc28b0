"""Refusals of places in German: whole sentences from the values, nothing left in English."""

import pytest

from eisbach.adapters.catalogues import Catalogues
from eisbach.app.tell_refusal import tell
from eisbach.core.vocabulary.reasons import Reason, Refusal, logged_at

GERMAN = {
    "job": "Der Auftrag darf nicht am Standort ashburn laufen.",
    "copy": "Die Kopie darf nicht am Standort ashburn liegen.",
    "log": "Das Protokoll darf nicht am Standort ashburn aufbewahrt werden.",
    "backup": "Die Sicherung darf nicht am Standort ashburn aufbewahrt werden.",
}


def a_finding(**more):
    return {
        "site": "ashburn", "fact": "country", "value": "US", "allowed": ["AT", "DE"],
        "scope": "organisation", "name": "org_1", "owner_name": "Acme", "position": 29, **more,
    }  # fmt: skip


def in_german(*findings, what="job", asked=("ashburn",)):
    values = {"what": what, "asked": list(asked), "findings": list(findings), "policy_version": 29}
    refusal = logged_at(Refusal(Reason.RESIDENCY_FORBIDDEN, "In English", "Do something", "placement", values), 30)
    return tell(Catalogues(), "de", refusal)


@pytest.mark.parametrize("what", GERMAN)
def test_each_kind_of_refusal_is_a_whole_text(what):
    told = in_german(a_finding(), what=what)
    assert told.what == (
        f"{GERMAN[what]} Land des Standorts ashburn: Vereinigte Staaten. "
        "Die Regel der Organisation Acme erlaubt: Österreich, Deutschland. Die Regel steht im Protokoll an Position 29."
    )
    assert told.title == "Die Regeln verbieten diesen Ort"
    assert told.do.startswith("Wählen Sie einen Ort, den die Regeln erlauben")
    assert told.log_position == 30


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (a_finding(fact="operator_country"), "Sitz des Betreibers von ashburn: Vereinigte Staaten."),
        (a_finding(fact="parent_country"), "Sitz der Konzernspitze des Betreibers von ashburn: Vereinigte Staaten."),
        (a_finding(value="ZZ"), "Land des Standorts ashburn: unbekannt, niemand hat es genannt."),
        (a_finding(scope="project", owner_name="", name="prj_1"), "Die Regel des Projekts prj_1 erlaubt: Österreich, Deutschland."),
        (a_finding(scope="job", position=-1), "Die eigene Regel des Auftrags erlaubt: Österreich, Deutschland."),
        (a_finding(fact="site", value="ashburn", allowed=["munich"]), "Standort: ashburn. Die Regel der Organisation Acme erlaubt: munich."),
    ],
)
def test_each_fact_and_each_rule_has_its_sentence(finding, said):
    assert said in in_german(finding).what


def test_no_place_at_all_is_said_so():
    assert in_german(a_finding(), asked=()).what.startswith("Die Regeln lassen dafür keinen Standort dieser Fabrik übrig.")
