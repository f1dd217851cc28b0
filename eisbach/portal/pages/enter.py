"""Entering and leaving: one-time links, the sign-up of a firm, language and theme."""

from collections.abc import Callable

from starlette.responses import Response

from eisbach.app import issue_token, sign_up
from eisbach.app.commands import Answer
from eisbach.app.entry_codes import Entry
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.portal.access import OWN, page, public_page
from eisbach.portal.call import Call
from eisbach.portal.forms import Refused, euro_of
from eisbach.portal.session import (
    BACK_COOKIE,
    LANGUAGE_COOKIE,
    LIFETIME_MS,
    PATH,
    SESSION_COOKIE,
    THEME_COOKIE,
    THEMES,
    YEAR_S,
    inside_path,
    open_session,
    set_cookie,
)
from eisbach.ports.translator import N_

SEGMENT_LABELS = {
    "mittelstand": N_("Mittelstand (small and medium-sized firm)"),
    "enterprise": N_("Large enterprise"),
    "start-up": N_("Start-up"),
    "research": N_("Research"),
    "public": N_("Public body"),
}
ROLE_LABELS = {
    "operator": N_("operator of the whole factory"),
    "auditor": N_("auditor: reads everything, changes nothing"),
    "admin": N_("administrator of an organisation"),
    "member": N_("member of a project"),
    "viewer": N_("viewer of a project"),
}
BUDGET_SUGGESTED = "100"
FORM_LOST = Refusal(
    Reason.INVALID_ARGUMENT, "The form is incomplete; nothing was changed", "Open the link again and send the form from there"
)


@public_page("GET", "/enter")
def show_entrance(call: Call) -> Response:
    """Show what a link opens; looking does not use it up, so that previews of links do no harm."""
    code = call.query("code")
    if not code:
        return call.render("enter/code.html")
    entry = call.application.entry_codes.look(code)
    if entry is None or entry.is_used:
        if call.session.secret and call.application.actor_of(call.session.secret) is not None:
            return call.redirect("/")
        return call.render("enter/code.html", status=401, refusals=[_gone()])
    return _entrance(call, entry, code)


@public_page("POST", "/enter")
def enter(call: Call) -> Response:
    """Open a session with a one-time code."""

    def open_token(entry: Entry) -> Answer:
        assert entry.role is not None
        command = issue_token.command(
            entry.by,
            role=entry.role.value,
            organisation=entry.organisation if entry.project is None else None,
            project=entry.project,
            label="portal",
            lifetime_ms=LIFETIME_MS,
        )
        return call.application.perform(command).result()

    entry = call.application.entry_codes.look(call.form.text("code"))
    if entry is not None and entry.role is None:
        return _entrance(call, entry, call.form.text("code"))
    return _enter(call, open_token, "entered")


@public_page("POST", "/sign-up")
def sign_firm_up(call: Call) -> Response:
    """Create an organisation with its first project; the session is its administrator's."""
    form, code = call.form, call.form.text("code")
    entry = call.application.entry_codes.look(code)
    if entry is None or entry.role is not None:
        return call.render("enter/code.html", status=401, refusals=[_gone()])
    try:
        budget = euro_of(form, "budget", call.speech.language)
    except Refused as refused:
        return _entrance(call, entry, code, refused)

    def create(entry: Entry) -> Answer:
        command = sign_up.command(
            entry.by,
            organisation=form.text("organisation"),
            segment=form.text("segment"),
            project=form.text("project"),
            budget_micro_eur=budget,
            lifetime_ms=LIFETIME_MS,
        )
        return call.application.perform(command).result()

    try:
        return _enter(call, create, "signed-up")
    except Refused as refused:
        return _entrance(call, entry, code, refused)


@page("POST", "/leave", "me:read", OWN)
def leave(call: Call) -> Response:
    """End the session: its token is revoked."""
    call.application.perform(issue_token.revoke(call.who, token=call.who.token)).result()
    response = call.redirect("/enter", "left")
    set_cookie(call.request, response, SESSION_COOKIE, "", 0)
    return response


@public_page("POST", "/settings")
def change_settings(call: Call) -> Response:
    """Keep the language or the theme, and go back to where the switch was."""
    response = call.redirect(inside_path(call.form.text("back")).removeprefix(PATH))
    if call.form.text("language") in call.application.translator.languages:
        set_cookie(call.request, response, LANGUAGE_COOKIE, call.form.text("language"), YEAR_S)
    if call.form.text("theme") in THEMES:
        set_cookie(call.request, response, THEME_COOKIE, call.form.text("theme"), YEAR_S)
    return response


def _enter(call: Call, make: Callable[[Entry], Answer], notice: str) -> Response:
    if not call.form.id:
        raise Refused(FORM_LOST)

    def make_for_issuer(entry: Entry) -> Answer:
        return make(entry) if call.application.still_holds(entry.by) else _gone()

    answer = call.application.entry_codes.use(call.form.text("code"), call.form.id, make_for_issuer)
    if isinstance(answer, Refusal):
        raise Refused(answer)
    response = call.redirect(inside_path(call.request.cookies.get(BACK_COOKIE, "")).removeprefix(PATH), notice)
    open_session(call.request, response, str(answer["secret"]))
    set_cookie(call.request, response, BACK_COOKIE, "", 0)
    return response


def _entrance(call: Call, entry: Entry, code: str, refused: Refused | None = None) -> Response:
    refusals = refused.refusals if refused is not None else ()
    status = 422 if refused is not None else 200
    shown = {"code": code, "form_id": call.new_form_id(), "expires_ms": entry.expires_ms}
    if entry.role is not None:
        label = ROLE_LABELS[entry.role.value]
        return call.render("enter/confirm.html", status=status, refusals=refusals, role_label=label, **shown)
    typed = {name: call.form.text(name) for name in ("organisation", "segment", "project", "budget")}
    segments = {key: call.speech.text(label) for key, label in SEGMENT_LABELS.items()}
    typed["segment"] = typed["segment"] or "mittelstand"
    typed["budget"] = typed["budget"] or BUDGET_SUGGESTED
    return call.render(
        "enter/sign_up.html", status=status, refusals=refusals, typed=typed, segment_options=segments, **shown
    )


def _gone() -> Refusal:
    return Refusal(
        Reason.UNAUTHENTICATED,
        "This link is unknown, was used already or has expired",
        "Get another one with `eisbach portal`",
    )


PAGES = (show_entrance, enter, sign_firm_up, leave, change_settings)
