"""An organisation comes from another factory, whole or not at all: its events become records of ours. Read `take_in`."""

from pathlib import Path
from typing import TYPE_CHECKING

from eisbach.app.as_told import as_told
from eisbach.app.check_log import commitments_of
from eisbach.app.check_place import against, refusal_of
from eisbach.app.commands import Actor, Answer, Command, Context, Decision
from eisbach.app.event_body import Body
from eisbach.app.events import OrganisationCreated
from eisbach.app.events_exit import OrganisationImported, RecordImported
from eisbach.app.exit_files import restore_files
from eisbach.app.fold import apply
from eisbach.app.owned_log import OwnedEvent
from eisbach.app.package_format import EVENTS
from eisbach.app.places import all_places, own_site, rules_of_project
from eisbach.app.read_package import CheckedPackage, key_of, read_package
from eisbach.app.state import FactoryState
from eisbach.core.jobs.placement import PlacementRule
from eisbach.core.policy.compile import compile_rules
from eisbach.core.policy.rules import Scope, ScopedRule
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.packages import NoPackage

if TYPE_CHECKING:
    from eisbach.app.application import Application


def take_in(application: "Application", actor: Actor, file: Path, *, trust: str, site: str | None = None) -> Answer:
    """Check a received package, put its files to their places, then record all of its events in one commit.

    `trust` is the verifier key that the operator has compared with what the first factory publishes, `site` where data
    sets are to lie (the factory's first site without it). The same package
    again changes nothing; a crash before the commit leaves files that the next try finds, and no organisation.
    """
    packages = application.packages
    try:
        package = packages.open(file)
        key = key_of(package)
        if trust != str(key):
            return _untrusted(trust, str(key))
        checked = read_package(package, key, packages.is_signed)
        came = _replayed(checked, actor)
        place = application.ask(lambda state, now: _conflict(state, checked) or _place(state, came, site)).result()
        if isinstance(place, Refusal):
            return place
        refusal = restore_files(application, checked.package, checked.tables, place)
        if refusal is not None:
            return refusal
    except NoPackage as error:
        return damaged(error)
    packages.keep(file, checked.digest)
    return application.perform(_command(actor, checked, place)).result()


def damaged(error: NoPackage) -> Refusal:
    """Return the refusal of a package, with the file that is at fault."""
    do = "Have it exported once more, and compare its SHA-256 with the one that the first factory told"
    return Refusal(Reason.INVALID_PACKAGE, f"{error.name}: {error.what}; nothing was imported", do, error.name)


def records_of(checked: CheckedPackage, actor: Actor, site: str) -> list[Body]:
    """Return the events that take a package in: who came from where, then each of its events as a record."""
    manifest = checked.manifest
    events: list[Body] = [
        OrganisationImported(
            organisation=manifest.organisation,
            origin=manifest.origin,
            key=manifest.key,
            head=checked.head,
            manifest=checked.digest,
            records=len(checked.events),
            site=site,
            by=actor.token,
        )
    ]
    events += [_record(manifest.organisation, manifest.origin, one, site) for one in checked.events]
    return [*events, *checked.extracts]


def _record(organisation: str, origin: str, one: OwnedEvent, site: str) -> RecordImported:
    told = one.told
    is_root = isinstance(told, OrganisationCreated) and told.organisation == organisation and told.parent is not None
    return RecordImported(
        organisation=organisation,
        origin=origin,
        origin_seq=one.sealed.seq,
        data=one.sealed.data.decode(),
        site=site,
        at_root=is_root,
        left_behind=one.left_behind,
    )


def _replayed(checked: CheckedPackage, actor: Actor) -> FactoryState:
    """Return a state of nothing but what comes; raise NoPackage where an event contradicts those before it."""
    state = FactoryState()
    for seq, body in enumerate(records_of(checked, actor, "")):
        try:
            apply(state, seq, 0, body)
        except (BrokenInvariant, KeyError, ValueError) as error:
            where = body.origin_seq if isinstance(body, RecordImported) else "-"
            raise NoPackage(EVENTS, f"event {where} does not follow from those before it ({error})") from error
    return state


def _place(state: FactoryState, came: FactoryState, site: str | None) -> str | Refusal:
    """Return the site where data sets will lie, empty where none come; refused where their rules forbid it."""
    chosen = site if site is not None else own_site(state)
    if chosen not in state.sites:
        return Refusal(Reason.NOT_FOUND, f"There is no site {chosen!r}", "Look at `eisbach offers`", "site")
    for one in came.data.sets.values():
        own = PlacementRule(countries=one.countries)
        rules = (*rules_of_project(came, one.project), ScopedRule(Scope.DATA_SET, one.data_set, own))
        findings = against(compile_rules(rules, all_places(state), state.policy.version), (chosen,))
        if findings:
            return refusal_of(came, "copy", (chosen,), findings, "site")
    return chosen if came.data.sets else ""


def _conflict(state: FactoryState, checked: CheckedPackage) -> Refusal | None:
    """Return the refusal where something of the organisation is here already, from elsewhere than this very package."""
    organisation = checked.manifest.organisation
    if _is_here(state, checked):
        return None
    here = [name for name in checked.tables["organisations"] if name in state.organisations]
    here += [name for name in checked.tables["projects"] if name in state.projects]
    if not here:
        return None
    came = "it was imported before, from another package" if organisation in state.exit.imported else "it is at home here"
    what = f"This factory has {here[0]} already: {came}; nothing was imported"
    return Refusal(Reason.ORGANISATION_EXISTS, what, "Import it into a factory that does not have it", "organisation")


def _is_here(state: FactoryState, checked: CheckedPackage) -> bool:
    """Return whether this very package was imported before."""
    return state.exit.imported.get(checked.manifest.organisation) == checked.digest


def _command(actor: Actor, checked: CheckedPackage, site: str) -> Command:
    organisation = checked.manifest.organisation
    reply = {
        "organisation": organisation,
        "origin": checked.manifest.origin,
        "records": len(checked.events),
        "manifest": checked.digest,
    }

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        refusal = _conflict(state, checked)
        if refusal is not None:
            return refusal
        if _is_here(state, checked):
            return Decision(reply={**reply, "is_new": False})
        events = records_of(checked, actor, site)
        known = {text_id for body in events for text_id, _ in commitments_of(as_told(0, body)[1])}
        texts = tuple(text for text in checked.texts if text.id in known)
        return Decision(events=tuple(events), texts=texts, reply={**reply, "is_new": True}, status=201)

    return decide


def _untrusted(trust: str, key: str) -> Refusal:
    what = f"The package is signed by {key}, and not by the key to be trusted" if trust else f"The package is signed by {key}"
    do = "Compare that key with the one that the first factory publishes (`eisbach audit verify` there), then give it as the key to trust"
    return Refusal(Reason.UNTRUSTED_ORIGIN, what, do, "trust", {"key": key})
