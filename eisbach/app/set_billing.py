"""Whom an organisation's invoices go to: set by its admins, kept as a text that can be erased."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_billing import BillingDetailsSet
from eisbach.app.state import FactoryState
from eisbach.app.texts import commit_to
from eisbach.core.billing import identifiers
from eisbach.core.billing.parties import BUYER_FIELDS, Buyer, FieldProblem, problems_of_buyer
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Reader

NOBODY = Buyer(name="", street="", postcode="", city="", country="", electronic_address="")
"""The details of an organisation that has given none."""


def buyer_of(said: Mapping[str, str]) -> Buyer:
    """Return a buyer as somebody wrote it: no spaces at the ends, identifiers as machines write them."""
    clean = {field: str(said.get(field, getattr(NOBODY, field))).strip() for field in BUYER_FIELDS}
    for field in ("vat_id", "country"):
        clean[field] = identifiers.without_spaces(clean[field])
    if identifiers.is_leitweg_id(identifiers.without_spaces(clean["buyer_reference"])):
        clean["buyer_reference"] = identifiers.without_spaces(clean["buyer_reference"])
    return Buyer(**clean)


def problems(buyer: Buyer, seller_country: str) -> tuple[Refusal, ...]:
    """Return a refusal for each field that cannot be as it is; none where all may be kept."""
    return refusals(problems_of_buyer(buyer, seller_country))


def refusals(found: Sequence[FieldProblem]) -> tuple[Refusal, ...]:
    """Return problems of fields as refusals."""
    return tuple(
        Refusal(Reason.INVALID_ARGUMENT, one.what, one.do, one.field, dict([one.wrong]) if one.wrong[0] else {})
        for one in found
    )


def command(actor: Actor, *, organisation: str, buyer: Buyer, seller_country: str) -> Command:
    """Return the command that sets billing details; the same ones again change nothing. Issued invoices keep theirs."""
    content = msgspec.json.encode(buyer, order="deterministic").decode()

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        found = problems(buyer, seller_country)
        if found:
            return found[0]
        if organisation not in state.organisations:
            return Refusal(Reason.NOT_FOUND, f"There is no organisation {organisation!r}", "Look at `eisbach org list`")
        billing = context.ids.new("bil", context.now)
        commitment, text = commit_to(context.ids, f"{billing}/details", content)
        event = BillingDetailsSet(
            billing=billing,
            organisation=organisation,
            treatment=buyer.treatment,
            country=buyer.country,
            details=commitment,
            by=actor.token,
        )
        reply = {"organisation": organisation, **msgspec.to_builtins(buyer), "set_ms": context.now}
        return Decision(events=(event,), texts=(text,), reply=reply)

    return decide


def details_of(reader: Reader, billing: str | None) -> Buyer:
    """Return the billing details of this id; empty ones where there are none or they were erased."""
    text = reader.text(f"{billing}/details") if billing is not None else None
    return msgspec.json.decode(text.content, type=Buyer) if text is not None else NOBODY


def newest(reader: Reader, organisation: str) -> tuple[Buyer, dict[str, Any] | None]:
    """Return an organisation's billing details and the row that says who set them when (None: nobody did)."""
    rows = reader.rows("billing_details", {"organisation": organisation}, limit=1).rows
    if not rows:
        return NOBODY, None
    return details_of(reader, rows[0]["billing"]), dict(rows[0])
