"""Everything of an organisation leaves as one package of open formats, while the factory runs. Read `members`."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from eisbach import __version__
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.events_exit import OrganisationExported
from eisbach.app.exit_catalogue import LEFT_OUT, TABLES_LEFT_OUT
from eisbach.app.exit_files import files_of
from eisbach.app.owned_log import OwnedLog, read_owned
from eisbach.app.package_format import (
    EVENTS,
    FORMAT,
    KEY,
    MANIFEST,
    README,
    SIGNATURE,
    TEXTS,
    LeftBehind,
    ListedFile,
    Manifest,
    TextLine,
    signed_text,
)
from eisbach.app.package_tables import Tables, derive, table_files, texts_of
from eisbach.app.state import FactoryState
from eisbach.core.log.bundle import bundle_header, proven_leaf
from eisbach.core.log.head import VerifierKey, sign_text
from eisbach.core.log.tree import inclusion_proof
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.packages import Member
from eisbach.ports.store import Text

if TYPE_CHECKING:
    from eisbach.app.application import Application

BY_LOG, BY_SIGNATURE = "log", "signature"
NOT_HERE = (
    LeftBehind("values of secrets", "they are never read back; set them again in the next factory"),
    LeftBehind("tokens", "who may enter is decided anew in the next factory"),
    LeftBehind("checkpoints of jobs", "they belong to work that has not ended"),
)


@dataclass(slots=True)
class Export:
    """One export: the organisation's part of the log under one signed head, and what was packed so far."""

    application: "Application"
    owned: OwnedLog
    size: int
    head: str
    texts: list[Text]
    tables: Tables
    exported_ms: int
    files: list[ListedFile] = field(default_factory=list)

    def members(self) -> Iterator[Member]:
        """Yield the files of the package: for people first, then what is proven, then data, the list and its signature."""
        key = str(VerifierKey(self.application.signer.name, self.application.signer.public_key))
        readme = resources.files("eisbach.app").joinpath("export_readme.md").read_bytes()
        yield self._listed(_whole(README, readme), BY_SIGNATURE)
        yield self._listed(_whole(KEY, f"{key}\n".encode()), BY_SIGNATURE)
        with ExitStack() as stack:
            spool = self.application.packages.spool
            yield self._listed(stack.enter_context(spool(EVENTS, self._event_lines(key))), BY_LOG)
        texts = b"".join(_line(TextLine(text.id, text.salt.hex(), text.content.decode())) for text in self.texts)
        yield self._listed(_whole(TEXTS, texts), BY_LOG)
        for name, content in table_files(self.tables).items():
            yield self._listed(_whole(name, content), BY_LOG)
        for member, is_proven in files_of(self.application, self.tables):
            yield self._listed(member, BY_LOG if is_proven else BY_SIGNATURE)
        manifest = msgspec.json.format(msgspec.json.encode(self._manifest(key)), indent=1) + b"\n"
        yield _whole(MANIFEST, manifest)
        signer = self.application.signer
        note = sign_text(signed_text(signer.name, manifest), VerifierKey(signer.name, signer.public_key), signer.sign)
        yield _whole(SIGNATURE, note.encode())

    def _event_lines(self, key: str) -> Iterator[bytes]:
        events = self.owned.finished()
        header = bundle_header(
            origin=self.application.signer.name, key=key, head=self.head, leaf_count=len(events), complete=False
        )
        yield _line(header)
        get_node = self.application.reader.tree_node
        for one in events:
            seq = one.sealed.seq
            yield _line(proven_leaf(seq, one.sealed.data, inclusion_proof(seq, self.size, get_node)))

    def _listed(self, member: Member, proven: str) -> Member:
        return Member(member.name, member.size, self._hashed(member, proven))

    def _hashed(self, member: Member, proven: str) -> Iterator[bytes]:
        digest = sha256()
        for piece in member.pieces:
            digest.update(piece)
            yield piece
        self.files.append(ListedFile(member.name, member.size, digest.hexdigest(), proven))

    def _manifest(self, key: str) -> Manifest:
        left_out = [LeftBehind(f"events {kind}", why) for kind, why in LEFT_OUT.items()]
        left_out += [LeftBehind(f"table {table}", why) for table, why in TABLES_LEFT_OUT.items()]
        return Manifest(
            format=FORMAT,
            organisation=self.owned.organisation,
            origin=self.application.signer.name,
            key=key,
            software=__version__,
            exported_ms=self.exported_ms,
            log_size=self.size,
            events=len(self.owned.finished()),
            unfinished=[LeftBehind(name, why) for name, why in sorted(self.owned.unfinished.items())],
            left_out=[*NOT_HERE, *left_out],
            files=self.files,
        )


def begin(application: "Application", actor: Actor, organisation: str) -> "Export | Refusal":
    """Note in the log that an organisation is exported, sign a head over it, and return what is to be packed.

    Everything in the package is as of that head, whatever happens meanwhile. Jobs that have not ended and uploads that
    are not whole stay behind, by name. Blocks while the log is read once.
    """
    answer = application.perform(_command(actor, organisation)).result()
    if isinstance(answer, Refusal):
        return answer
    signed = application.sign_head().result()
    newest = application.reader.head()
    if isinstance(signed, Refusal) or newest is None:
        return signed if isinstance(signed, Refusal) else _no_head()
    size, head = newest
    owned = read_owned(application.reader, organisation, size)
    if isinstance(owned, Refusal):
        return owned
    events = owned.finished()
    texts = texts_of((one.told for one in events), application.reader.text)
    words = {text.id: text.content.decode() for text in texts}
    tables = derive(((one.opened.seq, one.opened.at_ms, one.leaving) for one in events), words)
    return Export(application, owned, size, head, texts, tables, int(answer["at_ms"]))


def packed(export: Export) -> Iterable[bytes]:
    """Yield the bytes of the package."""
    return export.application.packages.pack(export.members())


def _command(actor: Actor, organisation: str) -> Command:
    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if organisation not in state.organisations:
            return Refusal(Reason.NOT_FOUND, f"There is no organisation {organisation!r}", "Look at `eisbach org list`")
        event = OrganisationExported(organisation=organisation, by=actor.token)
        return Decision(events=(event,), reply={"at_ms": context.now})

    return decide


def _whole(name: str, content: bytes) -> Member:
    return Member(name, len(content), (content,))


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _no_head() -> Refusal:
    return Refusal(Reason.STORE_UNAVAILABLE, "The log has no signed head", "Repeat it in a moment")
