"""Whether a package is what its origin signed, and whether its figures follow from its events. Read `read_package`."""

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

import msgspec

from eisbach.app.check_log import commitments_of
from eisbach.app.event_codec import UndecodableEvent, open_event
from eisbach.app.events_exit import ExtractImported
from eisbach.app.exit_files import check_files
from eisbach.app.extracts import read_extracts
from eisbach.app.owned_log import RECORDS_MAX, OwnedEvent, OwnedLog
from eisbach.app.package_format import (
    EVENTS,
    FORMAT,
    KEY,
    MANIFEST,
    MANIFEST_BYTES_MAX,
    SIGNATURE,
    TEXTS,
    EventLine,
    EventsHeader,
    ListedFile,
    Manifest,
    TextLine,
    lines_of,
    read_small,
    signed_text,
)
from eisbach.app.package_tables import Tables, derive, table_files
from eisbach.core.log.event import SealedEvent
from eisbach.core.log.head import (
    Head,
    MalformedHead,
    VerifierKey,
    Verify,
    WrongSignature,
    open_head,
    open_text,
    parse_verifier_key,
)
from eisbach.core.log.leaf import leaf_hash
from eisbach.core.log.tree import verify_inclusion
from eisbach.ports.packages import NoPackage, Package
from eisbach.ports.store import Text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CheckedPackage:
    """A package in which everything holds: who signed it, its events in order, its texts, and the tables that follow."""

    package: Package
    manifest: Manifest
    digest: str
    key: VerifierKey
    head: str
    events: list[OwnedEvent]
    texts: list[Text]
    tables: Tables
    extracts: list[ExtractImported]


def key_of(package: Package) -> VerifierKey:
    """Return the key that a package says it is signed by; raise NoPackage. Nothing is checked by it yet."""
    try:
        return parse_verifier_key(read_small(package, KEY).decode().rstrip("\n"))
    except (MalformedHead, UnicodeError) as error:
        raise NoPackage(KEY, str(error)) from error


def read_package(package: Package, key: VerifierKey, verify: Verify) -> CheckedPackage:
    """Return what a package holds once all of it is checked under this key; raise NoPackage with the file at fault.

    The signature under the list of files, each file against the list, the head, each event's proof and that it is the
    organisation's, each text against its commitment, the tables and balances against the events, files against events.
    """
    manifest, digest = _manifest(package, key, verify)
    digests = _check_list(package, manifest)
    head, owned = _events(package, manifest, key, verify)
    texts = _texts(package, owned)
    words = {text.id: text.content.decode() for text in texts}
    events = owned.finished()
    tables = derive(((one.opened.seq, one.opened.at_ms, one.leaving) for one in events), words)
    _check_tables(package, tables)
    check_files(package, digests, tables)
    extracts = read_extracts(package, manifest.organisation, manifest.origin, tables)
    return CheckedPackage(package, manifest, digest, key, head, events, texts, tables, extracts)


def _manifest(package: Package, key: VerifierKey, verify: Verify) -> tuple[Manifest, str]:
    content = read_small(package, MANIFEST, MANIFEST_BYTES_MAX)
    note = read_small(package, SIGNATURE)
    manifest = _decoded(MANIFEST, content, Manifest)
    if manifest.format != FORMAT:
        raise NoPackage(MANIFEST, f"its format is {manifest.format!r}, this program reads {FORMAT!r}")
    if (manifest.key, manifest.origin) != (str(key), key.name):
        raise NoPackage(MANIFEST, "it names another key than origin/key.txt")
    try:
        text = open_text(note.decode(), key, verify)
    except (MalformedHead, WrongSignature, UnicodeError) as error:
        raise NoPackage(SIGNATURE, str(error)) from error
    if text != signed_text(manifest.origin, content):
        raise NoPackage(MANIFEST, "it is not the list that the origin signed")
    return manifest, sha256(content).hexdigest()


def _check_list(package: Package, manifest: Manifest) -> dict[str, str]:
    """Compare every file with the list; return path -> SHA-256."""
    listed: dict[str, ListedFile] = {file.path: file for file in manifest.files}
    names = {*package.names} - {MANIFEST, SIGNATURE}
    for name in sorted(names ^ listed.keys()):
        raise NoPackage(name, "it is not on the list" if name in names else "it is missing")
    for name, file in listed.items():
        digest = sha256()
        for piece in package.read(name):
            digest.update(piece)
        if package.size(name) != file.size or digest.hexdigest() != file.sha256:
            raise NoPackage(name, "its bytes are not those that the list names")
    return {name: file.sha256 for name, file in listed.items()}


def _events(package: Package, manifest: Manifest, key: VerifierKey, verify: Verify) -> tuple[str, OwnedLog]:
    lines = lines_of(package, EVENTS)
    header = _decoded(EVENTS, next(lines, b""), EventsHeader)
    try:
        head = open_head(header.head, key, verify)
    except (MalformedHead, WrongSignature) as error:
        raise NoPackage(EVENTS, str(error)) from error
    if (head.origin, head.size) != (manifest.origin, manifest.log_size):
        raise NoPackage(EVENTS, f"its head is of {head.origin} with {head.size} events, the list says otherwise")
    if not header.leaf_count == manifest.events <= RECORDS_MAX:
        raise NoPackage(EVENTS, f"it says {header.leaf_count} events, the list says {manifest.events} (at most {RECORDS_MAX})")
    owned = OwnedLog(manifest.organisation)
    last = -1
    for line in lines:
        event = _decoded(EVENTS, line, EventLine)
        if event.index <= last:
            raise NoPackage(EVENTS, f"event {event.index} comes after event {last}")
        last = event.index
        _take(owned, event, head)
    if len(owned.events) != manifest.events:
        raise NoPackage(EVENTS, f"{len(owned.events)} events are there, {manifest.events} were exported")
    if owned.unfinished:
        raise NoPackage(EVENTS, f"{min(owned.unfinished)} has no end in it")
    if manifest.organisation not in owned.ids:
        raise NoPackage(EVENTS, "the organisation's own beginning is not in it")
    return header.head, owned


def _take(owned: OwnedLog, event: EventLine, head: Head) -> None:
    where = f"event {event.index}"
    try:
        data = b64decode(event.data, validate=True)
        proof = [b64decode(node, validate=True) for node in event.proof]
        opened = open_event(data)
        data.decode()
    except (ValueError, UndecodableEvent) as error:
        raise NoPackage(EVENTS, f"{where} cannot be read: {error}") from error
    leaf = leaf_hash(data)
    if opened.seq != event.index or not verify_inclusion(event.index, head.size, leaf, proof, head.root):
        raise NoPackage(EVENTS, f"{where} is not in the log under the signed head")
    if not owned.take(SealedEvent(opened.seq, opened.at_ms, opened.kind, opened.version, data, leaf), opened):
        raise NoPackage(EVENTS, f"{where} ({opened.kind}) is not an event of {owned.organisation} that leaves with it")


def _texts(package: Package, owned: OwnedLog) -> list[Text]:
    expected: dict[str, str | None] = {}
    for one in owned.events:
        expected.update(commitments_of(one.told))
    texts: list[Text] = []
    for line in lines_of(package, TEXTS):
        said = _decoded(TEXTS, line, TextLine)
        try:
            text = Text(said.id, bytes.fromhex(said.salt), said.text.encode())
        except ValueError as error:
            raise NoPackage(TEXTS, f"{said.id} cannot be read: {error}") from error
        if said.id not in expected:
            raise NoPackage(TEXTS, f"no event commits to {said.id}")
        commitment = expected.pop(said.id)
        if commitment is not None and sha256(text.salt + text.content).hexdigest() != commitment:
            raise NoPackage(TEXTS, f"{said.id} is not the text that its event commits to")
        texts.append(text)
    return texts


def _check_tables(package: Package, tables: Tables) -> None:
    for name, content in table_files(tables).items():
        if b"".join(package.read(name)) != content:
            raise NoPackage(name, "it does not follow from the events")


def _decoded(name: str, content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise NoPackage(name, f"it cannot be read: {error}") from error
