"""`placement` of a task file, and a rule as people write it: countries, groups, sites, dedicated nodes."""

from collections.abc import Mapping

from eisbach.core.jobs.findings import Findings, shown
from eisbach.core.jobs.placement import LIMITS, NO_RULE, Dedicated, PlacementRule
from eisbach.core.jobs.task_keys import PLACEMENT_KEYS, check_keys
from eisbach.core.vocabulary.countries import GROUPS, UNKNOWN_COUNTRY, expand, is_country_or_group

VALUES_MAX = 300
SITE_LENGTH_MAX = 63
_GROUPS = ", ".join(sorted(GROUPS))


def parse_placement(value: object, where: str, findings: Findings) -> PlacementRule:
    """Return the rule that a mapping asks for; groups of countries are expanded."""
    if value is None:
        return NO_RULE
    if not isinstance(value, Mapping):
        findings.wrong(where or "rule", value, "a mapping such as {countries: [DE, AT], operator_countries: [EU]}")
        return NO_RULE
    check_keys(value, where, PLACEMENT_KEYS, findings)
    said = {
        key: _limit(f"{where}.{key}" if where else key, key, value[key], findings)
        for key in LIMITS
        if value.get(key) is not None
    }
    dedicated = _dedicated(f"{where}.dedicated" if where else "dedicated", value.get("dedicated"), findings)
    rule = PlacementRule(**said, dedicated=dedicated)
    return NO_RULE if rule == NO_RULE else rule


def _limit(where: str, key: str, value: object, findings: Findings) -> tuple[str, ...]:
    said = [value] if isinstance(value, str | bool) else value
    if not isinstance(said, list | tuple) or len(said) > VALUES_MAX:
        example = "[munich]" if key == "sites" else "[DE, AT]"
        findings.wrong(where, value, f"a list such as {example}")
        return ()
    if not said:
        findings.invalid(where, f"`{where}` is empty, so it would allow nothing at all", "Leave it out to set no limit")
        return ()
    if key == "sites":
        return tuple(sorted({_site(where, one, findings) for one in said}))
    return expand(code for one in said if (code := _code(where, one, findings)))


def _code(where: str, value: object, findings: Findings) -> str:
    if value is False:
        findings.invalid(where, f"`{where}` holds a boolean where a country is needed", 'In YAML, Norway is "NO" in quotes')
        return ""
    code = value.strip().upper() if isinstance(value, str) else ""
    if code == UNKNOWN_COUNTRY:
        findings.invalid(
            where, f"`{where}` names ZZ, which stands for an unknown country", "Name countries: an unknown one is never allowed"
        )
        return ""
    if not is_country_or_group(code):
        near = {"UK": "GB", "EL": "GR", "EWR": "EEA"}.get(code)
        hint = f"Write {near}" if near else f"Write codes such as DE, or one of the groups {_GROUPS}"
        findings.invalid(where, f"`{where}` names {shown(value)}, which is no country of ISO 3166-1 and no group", hint)
        return ""
    return code


def _site(where: str, value: object, findings: Findings) -> str:
    if isinstance(value, str) and 0 < len(value) <= SITE_LENGTH_MAX and value.isprintable() and value == value.strip():
        return value
    findings.wrong(where, value, f"names of sites, 1 to {SITE_LENGTH_MAX} printable characters each")
    return ""


def _dedicated(where: str, value: object, findings: Findings) -> Dedicated:
    if value is None or value is False:
        return Dedicated.NO
    names = {one.value: one for one in Dedicated if one.value}
    found = names.get(value) if isinstance(value, str) else None
    if found is None:
        findings.wrong(where, value, "project or organisation: with whom else a node is never shared")
        return Dedicated.NO
    return found

