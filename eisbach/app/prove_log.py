"""Proofs from the log: a job's events under a signed head, the whole log, the newest head."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from eisbach.core.log.bundle import audit_bundle, bundle_header, consistency_links, plain_leaf, proven_leaf
from eisbach.core.log.event import SealedEvent
from eisbach.core.log.head import VerifierKey
from eisbach.core.log.tree import inclusion_proof
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.store import Reader

if TYPE_CHECKING:
    from eisbach.app.application import Application

PREVIOUS_HEADS_MAX = 10
PAGE = 2_000


def head(application: "Application") -> dict[str, Any] | Refusal:
    """Return the newest signed head and the key that verifies it; a fresh one is signed where the log has grown."""
    newest = _fresh_head(application)
    if newest is None:
        return _no_head()
    return {"size": newest[0], "head": newest[1], "key": _key(application), "origin": application.signer.name}


def job_bundle(application: "Application", job: str) -> dict[str, Any] | Refusal:
    """Return an audit bundle with every event about a job, each with its inclusion proof under one signed head."""
    events = application.reader.events_of(job, limit=10_000)
    if not events:
        return Refusal(Reason.NOT_FOUND, f"The log has no events about {job!r}", "Look at `eisbach ps`")
    return bundle_of(application, events)


def events_about(reader: Reader, subject: str) -> Iterator[SealedEvent]:
    """Yield every event about one subject, ascending."""
    after = -1
    while page := reader.events_of(subject, after_seq=after, limit=PAGE):
        yield from page
        after = page[-1].seq


def bundle_of(application: "Application", events: Iterable[SealedEvent]) -> dict[str, Any] | Refusal:
    """Return an audit bundle with these events, each with its inclusion proof under the newest signed head."""
    newest = _fresh_head(application)
    if newest is None:
        return _no_head()
    size, note = newest
    node = application.reader.tree_node
    leaves = [
        proven_leaf(one.seq, one.data, inclusion_proof(one.seq, size, node)) for one in events if one.seq < size
    ]
    return audit_bundle(_header(application, size, note, len(leaves), complete=False), leaves)


def export_lines(application: "Application") -> Iterator[bytes]:
    """Yield the whole log as JSON lines: a header, then every leaf in order, up to the newest signed head."""
    newest = _fresh_head(application)
    if newest is None:
        return
    size, note = newest
    yield msgspec.json.encode(_header(application, size, note, size, complete=True)) + b"\n"
    after = -1
    while after < size - 1:
        page = application.reader.events(after_seq=after, limit=PAGE)
        for sealed in page:
            if sealed.seq >= size:
                return
            yield msgspec.json.encode(plain_leaf(sealed.seq, sealed.data)) + b"\n"
        after = page[-1].seq


def _header(application: "Application", size: int, note: str, leaves: int, *, complete: bool) -> dict[str, Any]:
    own = f"{application.signer.name}\n"  # heads from before a restore are another origin's, signed by another key
    known = application.reader.heads(limit=PREVIOUS_HEADS_MAX)
    heads = [one for one in known if 0 < one[0] < size and one[1].startswith(own)]
    sizes = [one[0] for one in heads] + [size]
    return bundle_header(
        origin=application.signer.name,
        key=_key(application),
        head=note,
        previous_heads=[one[1] for one in heads],
        consistency=consistency_links(sizes, application.reader.tree_node),
        leaf_count=leaves,
        complete=complete,
    )


def _fresh_head(application: "Application") -> tuple[int, str] | None:
    application.sign_head().result()
    return application.reader.head()


def _key(application: "Application") -> str:
    return str(VerifierKey(application.signer.name, application.signer.public_key))


def _no_head() -> Refusal:
    return Refusal(Reason.NOT_FOUND, "The log is empty and has no signed head yet", "Use the factory first")
