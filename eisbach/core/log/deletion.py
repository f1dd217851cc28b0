"""The certificate of a deletion: a text that follows from leaves of the log, byte for byte, so that anybody can make it again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eisbach.core.vocabulary.interval import month_start, year_and_month
from eisbach.core.vocabulary.quantities import DAY_MS

FORMAT = "eisbach-deletion-certificate/1"
ANNOUNCED, CREATED, DELETED = "data_set.announced", "data_set.created", "data_set.deleted"
SITE_KINDS = ("site.declared", "site.changed")
Event = Mapping[str, Any]
"""An event as its leaf says it: `at`, `body`, `kind`, `seq`."""

REMAINS = (
    "remains in the log: hashes, sizes, places, instants, and salted commitments to the erased texts; no byte of the data",
    "remains in backups: those of the factory's database made before the deletion hold the erased texts until the operator"
    " deletes them; bytes of data sets are in no backup",
    "remains elsewhere: what jobs made of the data (outputs, checkpoints) for its own time of keeping, and what was downloaded",
)


class NotDeleted(ValueError):
    """The events do not tell of a whole data set that was deleted; the message says what is missing."""


def certificate_text(origin: str, events: Sequence[Event]) -> str:
    """Return the certificate that events about one data set, and about the sites that held it, give; raise NotDeleted."""
    announced, created, deleted = (_one(events, kind) for kind in (ANNOUNCED, CREATED, DELETED))
    gone, made = deleted["body"], created["body"]
    if not announced["body"]["data_set"] == made["data_set"] == gone["data_set"]:
        raise NotDeleted("the events are about several data sets")
    lines = [
        FORMAT,
        f"log: {origin}",
        f"data set: {gone['data_set']} of project {gone['project']}",
        f"sha-256: {gone['sha256']}",
        f"content hash: {gone['manifest']}",
        f"bytes: {gone['size']} in {made['chunks']} chunks",
        f"uploaded: {instant_words(created['at'])} (log position {created['seq']})",
        f"asked: {instant_words(gone['asked_ms'])} by {gone['by']} ({gone['cause']})",
        f"deleted: {instant_words(deleted['at'])} (log position {deleted['seq']})",
        *(_place_line(removed, events) for removed in gone["removed"]),
        "erased: the name and the licence of the data set",
        *REMAINS,
    ]
    return "".join(f"{line}\n" for line in lines)


def instant_words(at_ms: int) -> str:
    """Return an instant as RFC 3339 in UTC with milliseconds."""
    year, month = year_and_month(at_ms)
    day, rest = divmod(at_ms - month_start(year, month), DAY_MS)
    seconds, milliseconds = divmod(rest, 1000)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{year:04d}-{month:02d}-{day + 1:02d}T{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}Z"


def _place_line(removed: Sequence[Any], events: Iterable[Event]) -> str:
    site, chunks, shared = removed
    facts = [one["body"] for one in events if one["kind"] in SITE_KINDS and one["body"]["site"] == site]
    if not facts:
        raise NotDeleted(f"nothing says where the site {site} is")
    label = ", a simulated site" if facts[-1].get("simulated") else ""
    kept = f"; {shared} of them other data sets of the organisation hold as well, and these stay" if shared else ""
    return f"place: {site} in {facts[-1]['country']}{label}: {chunks} chunks{kept}"


def _one(events: Iterable[Event], kind: str) -> Event:
    found = [one for one in events if one["kind"] == kind]
    if len(found) != 1:
        raise NotDeleted(f"there are {len(found)} events of the kind {kind}, and there must be one")
    return found[0]
