"""The certificate of a data set's deletion: a signed text, and the events behind it with their proofs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from eisbach.app.events import KIND_OF, RecordImported
from eisbach.app.prove_log import bundle_of, events_about
from eisbach.app.state_data import Stage
from eisbach.core.log.deletion import SITE_KINDS, certificate_text
from eisbach.core.log.event import SealedEvent
from eisbach.core.log.head import VerifierKey, sign_text
from eisbach.core.vocabulary.reasons import Reason, Refusal

if TYPE_CHECKING:
    from eisbach.app.application import Application


def certificate(application: "Application", data_set: str) -> dict[str, Any] | Refusal:
    """Return an audit bundle with `certificate`, a signed note; refused while there is nothing to certify."""
    row = application.reader.row("data_sets", data_set)
    if row is None or row["stage"] != Stage.DELETED.value:
        stage = f"it is {row['stage']}" if row is not None else "there is none of this id"
        return Refusal(Reason.NOT_FOUND, f"The data set was not deleted: {stage}", "Delete it first (`eisbach data delete`)")
    own = list(events_about(application.reader, data_set))
    if any(one.kind == KIND_OF[RecordImported] for one in own):
        what = "The data set came from another factory: what this log says of it is not all that a certificate needs"
        return Refusal(Reason.NOT_SUPPORTED, what, "Export the organisation: its events leave with their proofs (`eisbach org export`)")
    sites = {site for site, _, _ in msgspec.json.decode(own[-1].data)["body"]["removed"]}
    events = sorted([*own, *_facts_of(application, sites, own[-1].seq)], key=lambda one: one.seq)
    bundle = bundle_of(application, events)
    if isinstance(bundle, Refusal):
        return bundle
    origin = application.signer.name
    text = certificate_text(origin, [msgspec.json.decode(one.data) for one in events])
    key = VerifierKey(origin, application.signer.public_key)
    return {**bundle, "certificate": sign_text(text, key, application.signer.sign)}


def _facts_of(application: "Application", sites: Iterable[str], before: int) -> list[SealedEvent]:
    """Return for each site the event that said last where it is."""
    found: list[SealedEvent] = []
    for site in sites:
        said = [one for one in events_about(application.reader, site) if one.kind in SITE_KINDS and one.seq < before]
        found += said[-1:]
    return found
