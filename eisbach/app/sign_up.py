"""A firm signs itself up: its organisation, its first project and its administrator's session, in one decision."""

from eisbach.app.commands import Actor, Command, Context, Decision, Role
from eisbach.app.create_organisation import SEGMENTS
from eisbach.app.events import OrganisationCreated, ProjectCreated, TokenIssued
from eisbach.app.issue_token import SECRET_PREFIX, digest_of
from eisbach.app.names import check_name
from eisbach.app.set_budget import check_budget
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.vocabulary.reasons import Reason, Refusal


def command(
    actor: Actor, *, organisation: str, segment: str, project: str, budget_micro_eur: int, lifetime_ms: int
) -> Command:
    """Return the command that creates all three or nothing; the secret of the session is in the answer, this once."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        refusal = _check(state, organisation, segment, project, budget_micro_eur)
        if refusal is not None:
            return refusal
        ids, now = context.ids, context.now
        owner, work, token = ids.new("org", now), ids.new("prj", now), ids.new("tok", now)
        owner_name, owner_text = commit_to(ids, f"{owner}/name", organisation)
        work_name, work_text = commit_to(ids, f"{work}/name", project)
        label, label_text = commit_to(ids, f"{token}/label", "portal")
        secret = SECRET_PREFIX + ids.secret()
        events = (
            OrganisationCreated(organisation=owner, parent=None, name=owner_name, segment=segment, by=actor.token),
            ProjectCreated(project=work, organisation=owner, name=work_name, budget=budget_micro_eur, by=actor.token),
            TokenIssued(
                token=token,
                role=Role.ADMIN.value,
                organisation=owner,
                project=None,
                digest=digest_of(secret),
                expires_ms=now + lifetime_ms,
                label=label,
                by=actor.token,
            ),
        )
        reply = {"organisation": owner, "project": work, "token": token, "expires_ms": now + lifetime_ms}
        texts = (owner_text, work_text, label_text)
        return Decision(events=events, texts=texts, reply=reply, secret_reply={"secret": secret}, status=201)

    return decide


def _check(state: FactoryState, organisation: str, segment: str, project: str, budget: int) -> Refusal | None:
    """Return why this cannot be signed up, with the form's own names of the fields."""
    for name, what in ((organisation, "organisation"), (project, "project")):
        problem = check_name(name, what)
        if problem is not None:
            return Refusal(problem.reason, problem.what, problem.do, what, problem.values)
    if segment not in SEGMENTS:
        return Refusal(
            Reason.INVALID_ARGUMENT, f"There is no segment {segment!r}", f"Use one of {', '.join(SEGMENTS)}", "segment"
        )
    if any(one.name == organisation and one.parent is None for one in state.organisations.values()):
        what = f"There is an organisation named {organisation!r} already"
        return Refusal(Reason.NAME_TAKEN, what, "Choose another name", "organisation", {"name": organisation})
    return check_budget(budget)
