"""Where the log is exported to and where backups are kept: allowed by everybody's rules, on record, or refused on record."""

from eisbach.app.check_place import against, refusal_of, refused, unknown_site
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_policy import TargetCleared, TargetUsed
from eisbach.app.places import compiled_for_all, own_site
from eisbach.app.state import FactoryState
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(actor: Actor, *, use: str, site: str | None = None) -> Command:
    """Return the command that asks whether a backup or the log may be kept at a site (None: the factory's own).

    It holds everybody's data, so the rules of all organisations and projects must allow the place. The factory's own site is
    never refused: everything is there already, and should rules forbid that, the auditor round says so. What is allowed
    is recorded before it happens: a place that is on record and was never used does no harm, the reverse would.
    """

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        place = site if site is not None else own_site(state)
        refusal = unknown_site(state, [place], "site")
        if refusal is not None:
            return refusal
        compiled = compiled_for_all(state)
        if not compiled.allows(place) and place != own_site(state):
            findings = against(compiled, [place])
            return refused(state, actor, refusal_of(state, use, [place], findings, "site"), findings)
        target = context.ids.new("tgt", context.now)
        event = TargetUsed(
            target=target,
            use=use,
            site=place,
            head_size=state.next_seq,
            policy_version=compiled.version,
            by=actor.token,
        )
        reply = {"target": target, "use": use, "site": place, "position": state.next_seq}
        return Decision(events=(event,), reply=reply, status=201)

    return decide


def clear(actor: Actor, *, use: str, site: str) -> Command:
    """Return the command that records somebody's word that nothing of this use is kept at a site any more."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if f"{use} {site}" not in state.policy.targets:
            what = f"No {use} was ever written to the site {site!r}, or it was cleared before"
            return Refusal(Reason.INVALID_ARGUMENT, what, "Look at `eisbach policy targets`", "site", {"use": use, "site": site})
        event = TargetCleared(target=context.ids.new("tgt", context.now), use=use, site=site, by=actor.token)
        return Decision(events=(event,), reply={"use": use, "site": site, "position": state.next_seq})

    return decide

