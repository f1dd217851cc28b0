"""Why a place is forbidden, in a person's language: whole sentences from the values of findings."""

from collections.abc import Mapping, Sequence

from eisbach.core.vocabulary.countries import GROUPS, UNKNOWN_COUNTRY, collapse
from eisbach.ports.translator import N_, Translator

Finding = Mapping[str, object]

_FACTS: Mapping[str, str] = {
    "country": N_("Country of the site {site}: {value}."),
    "operator_country": N_("Seat of the operator of {site}: {value}."),
    "parent_country": N_("Seat of the ultimate parent of the operator of {site}: {value}."),
    "site": N_("Site: {site}."),
}
_RULES: Mapping[str, str] = {
    "organisation": N_("The rule of the organisation {name} allows: {allowed}."),
    "project": N_("The rule of the project {name} allows: {allowed}."),
    "data_set": N_("The rule of the data set {name} allows: {allowed}."),
    "job": N_("The job's own rule allows: {allowed}."),
}
_POSITION = N_("The rule stands in the log at position {position}.")
_UNKNOWN = N_("unknown, nobody has named it")
_GROUP = N_("{name} ({count} countries as of {date})")
_FORBIDDEN: Mapping[str, str] = {
    "job": N_("The job may not be at {asked}."),
    "copy": N_("The copy may not be at {asked}."),
    "log": N_("The log may not be kept at {asked}."),
    "backup": N_("The backup may not be kept at {asked}."),
}
_NOWHERE = N_("The rules leave no site of this factory to it.")


def refusal_sentence(translator: Translator, language: str, values: Mapping[str, object]) -> str:
    """Return what was refused and every finding behind it, from the values of a refusal of a place."""
    asked = values.get("asked")
    what = _FORBIDDEN.get(str(values.get("what")), _NOWHERE)
    lead = translator.text(language, what if asked else _NOWHERE)
    sites = ", ".join(map(str, asked)) if isinstance(asked, Sequence) else ""
    findings = values.get("findings")
    told = [finding_sentence(translator, language, one) for one in findings] if isinstance(findings, Sequence) else []
    return " ".join([lead.format(asked=sites), *told])


def finding_sentence(translator: Translator, language: str, finding: Finding) -> str:
    """Return one finding as sentences: the fact, the rule, and where the rule stands in the log."""
    fact = str(finding["fact"])
    value = str(finding["value"])
    if fact != "site":
        value = translator.text(language, _UNKNOWN) if value == UNKNOWN_COUNTRY else translator.country(language, value)
    allowed = finding["allowed"]
    listed = [str(one) for one in allowed] if isinstance(allowed, Sequence) else []
    named = listed if fact == "site" else countries_in_words(translator, language, listed)
    name = finding.get("owner_name") or finding["name"]
    sentences = [
        translator.text(language, _FACTS[fact]).format(site=finding["site"], value=value),
        translator.text(language, _RULES[str(finding["scope"])]).format(name=name, allowed=", ".join(named)),
    ]
    if isinstance(finding["position"], int) and finding["position"] >= 0:
        sentences.append(translator.text(language, _POSITION).format(position=finding["position"]))
    return " ".join(sentences)


def countries_in_words(translator: Translator, language: str, codes: Sequence[str]) -> list[str]:
    """Return the names of countries, whole groups under their own name with size and date."""
    named: list[str] = []
    for code in collapse(codes):
        if code in GROUPS:
            count, date = len(GROUPS[code].members), GROUPS[code].valid_from
            named.append(translator.text(language, _GROUP).format(name=code, count=count, date=date))
        else:
            named.append(translator.country(language, code))
    return named
