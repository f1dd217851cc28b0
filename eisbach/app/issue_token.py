"""Tokens: issued once with their secret, kept as a hash, expiring, revocable."""

from hashlib import sha256

from eisbach.app.commands import SYSTEM, Actor, Command, Context, Decision, Role
from eisbach.app.events import TokenIssued, TokenRevoked
from eisbach.app.names import check_name
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.vocabulary.quantities import DAY_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

LIFETIME_MS = 90 * DAY_MS
LIFETIME_MAX_MS = 366 * DAY_MS
SECRET_PREFIX = "eis_"


def digest_of(secret: str) -> str:
    """Return what is stored of a secret: its SHA-256 in hex (256 random bits cannot be guessed back)."""
    return sha256(secret.encode()).hexdigest()


def command(
    actor: Actor,
    *,
    role: str,
    organisation: str | None = None,
    project: str | None = None,
    label: str = "",
    lifetime_ms: int = LIFETIME_MS,
    secret: str | None = None,
) -> Command:
    """Return the command that issues a token; its secret is in the answer, this once and nowhere else.

    `secret` is given only at the first start, when it has been written to the operator's file already.
    """

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        problem = _check(state, role, organisation, project, lifetime_ms)
        if problem is None and label:
            problem = check_name(label, "token")
        if problem is not None:
            return problem
        owner = state.projects[project].organisation if project else organisation
        value = secret if secret is not None else SECRET_PREFIX + context.ids.secret()
        if digest_of(value) in state.token_of_digest:
            return Decision(reply={"token": state.token_of_digest[digest_of(value)]})
        token = context.ids.new("tok", context.now)
        commitment, text = commit_to(context.ids, f"{token}/label", label)
        event = TokenIssued(
            token=token,
            role=role,
            organisation=owner,
            project=project,
            digest=digest_of(value),
            expires_ms=context.now + lifetime_ms,
            label=commitment,
            by=actor.token,
        )
        reply = {
            "token": token,
            "role": role,
            "organisation": owner,
            "project": project,
            "label": label,
            "created_ms": context.now,
            "expires_ms": context.now + lifetime_ms,
            "revoked_ms": None,
        }
        return Decision(events=(event,), texts=(text,), reply=reply, secret_reply={"secret": value}, status=201)

    return decide


def revoke(actor: Actor, *, token: str) -> Command:
    """Return the command that revokes a token; revoking it again changes nothing."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        known = state.tokens.get(token)
        if known is None:
            return Refusal(Reason.NOT_FOUND, f"There is no token {token!r}", "Look at `eisbach token list`")
        reply = {"token": token, "revoked": True}
        if known.is_revoked:
            return Decision(reply=reply)
        return Decision(events=(TokenRevoked(token=token, by=actor.token),), reply=reply)

    return decide


def actor_of(state: FactoryState, secret: str, now: int) -> Actor | None:
    """Return who holds this secret, or None where it is unknown, expired or revoked."""
    token = state.tokens.get(state.token_of_digest.get(digest_of(secret), ""))
    if token is None or token.is_revoked or token.expires_ms <= now:
        return None
    actor: Actor | None = state.actors.get(token.token)
    if actor is None:
        role = Role(token.role)
        actor = Actor(token=token.token, role=role, organisation=token.organisation, project=token.project)
        state.actors[token.token] = actor
    return actor


def still_holds(state: FactoryState, actor: Actor, now: int) -> bool:
    """Return whether an actor's token is still valid; the factory's own word always is."""
    token = state.tokens.get(actor.token)
    return actor == SYSTEM or (token is not None and not token.is_revoked and token.expires_ms > now)


def _check(
    state: FactoryState, role: str, organisation: str | None, project: str | None, lifetime_ms: int
) -> Refusal | None:
    roles = {one.value for one in Role}
    if role not in roles:
        return Refusal(
            Reason.INVALID_ARGUMENT, f"There is no role {role!r}", f"Use one of {', '.join(sorted(roles))}", "role"
        )
    if project is not None and project not in state.projects:
        return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`", "project")
    if organisation is not None and organisation not in state.organisations:
        return Refusal(
            Reason.NOT_FOUND, f"There is no organisation {organisation!r}", "Look at `eisbach org list`", "organisation"
        )
    if project is not None and organisation not in (None, state.projects[project].organisation):
        return Refusal(
            Reason.INVALID_ARGUMENT,
            f"The project {project!r} does not belong to the organisation {organisation!r}",
            "Leave the organisation out: it follows from the project",
            "organisation",
        )
    if role in (Role.MEMBER.value, Role.VIEWER.value) and project is None:
        return Refusal(Reason.INVALID_ARGUMENT, f"A {role} belongs to a project", "Name the project", "project")
    if role == Role.ADMIN.value and (organisation is None or project is not None):
        return Refusal(
            Reason.INVALID_ARGUMENT, "An admin belongs to an organisation", "Name the organisation alone", "organisation"
        )
    if role in (Role.OPERATOR.value, Role.AUDITOR.value) and (organisation or project):
        return Refusal(
            Reason.INVALID_ARGUMENT, f"An {role} belongs to the whole factory", "Name no organisation or project", "role"
        )
    if not MINUTE_MS <= lifetime_ms <= LIFETIME_MAX_MS:
        return Refusal(
            Reason.INVALID_ARGUMENT,
            f"A lifetime of {lifetime_ms} ms is not possible",
            "Tokens live between a minute and 366 days",
            "lifetime",
        )
    return None
