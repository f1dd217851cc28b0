"""Check the log of any store from its bytes: places, hashes, the tree, the heads, the texts, the ledger."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from eisbach.app import events as e
from eisbach.app import events_billing, events_data, events_health
from eisbach.app.as_told import as_told
from eisbach.app.event_codec import OpenedEvent, UndecodableEvent, open_event
from eisbach.app.projections import TEXT_COLUMNS, subjects_of
from eisbach.core.ledger.account import may_be_negative
from eisbach.core.log.event import SealedEvent
from eisbach.core.log.head import Head, MalformedHead, WrongSignature, parse_checkpoint, parse_note
from eisbach.core.log.leaf import HASH_BYTES, leaf_hash
from eisbach.core.log.tree import Frontier
from eisbach.ports.store import Reader, StoreDamaged, Text

PAGE = 1000
HEADS_MAX = 100_000

ReadHead = Callable[[str], Head]
"""Returns the head in a signed note; raises MalformedHead or WrongSignature."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not follow from the log: `where` (table and key), and `what` in words."""

    where: str
    what: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """An event that could be read, and the texts it commits to, as far as they are not erased."""

    opened: OpenedEvent
    texts: Mapping[str, str]


@dataclass(slots=True)
class Findings:
    """What was found, in its order; `is_full` when it is no use to look further."""

    most: int
    found: list[Finding] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Return whether nothing more is taken."""
        return len(self.found) >= self.most

    def add(self, where: str, what: str) -> None:
        """Note a finding, unless there are many already."""
        if not self.is_full:
            self.found.append(Finding(where, what))


def unverified_head(note: str) -> Head:
    """Return the head in a note without looking at its signatures."""
    return parse_checkpoint(parse_note(note).text)


def check_log(store: Reader, findings: Findings, read_head: ReadHead) -> Iterator[CheckedEvent]:
    """Yield every readable event in order and note what is wrong; one damage is meant to give one finding."""
    tree = _TreeCheck(store, findings, read_head)
    ledger = _LedgerCheck(findings)
    at_ms = 0
    for page in _pages(store):
        tree.expect_nodes(page[0].seq, page[-1].seq)
        subjects: dict[str, list[int]] = {}
        for sealed in page:
            if findings.is_full:
                return
            tree.append(sealed)
            opened = _opened(sealed, findings)
            if opened is None:
                continue
            if opened.at_ms < at_ms:
                findings.add(f"events {sealed.seq}", f"the clock ran backwards: {opened.at_ms} after {at_ms}")
            at_ms = opened.at_ms
            ledger.post(opened)
            for subject in subjects_of(opened.body):
                subjects.setdefault(subject, []).append(sealed.seq)
            yield CheckedEvent(opened, _texts_of(store, opened, findings))
        _check_subjects(store, findings, page, subjects)
    tree.end()


def _pages(store: Reader) -> Iterator[list[SealedEvent]]:
    after = -1
    while page := list(store.events(after_seq=after, limit=PAGE)):
        yield page
        after = page[-1].seq


def _opened(sealed: SealedEvent, findings: Findings) -> OpenedEvent | None:
    where = f"events {sealed.seq}"
    if not isinstance(sealed.data, bytes):
        findings.add(where, "its bytes are no bytes")
        return None
    try:
        opened = open_event(sealed.data)
    except UndecodableEvent as error:
        findings.add(where, f"its bytes are no event: {error}")
        return None
    columns = (sealed.seq, sealed.at_ms, sealed.kind, sealed.version)
    says = (opened.seq, opened.at_ms, opened.kind, opened.version)
    if columns != says:
        findings.add(where, f"its bytes say (seq, at, kind, v) {says}, its columns {columns}")
    return opened


def _check_subjects(store: Reader, findings: Findings, page: list[SealedEvent], expected: dict[str, list[int]]) -> None:
    """Compare the index of the log with a page of it."""
    first, last = page[0].seq, page[-1].seq
    for subject, seqs in expected.items():
        found = store.events_of(subject, after_seq=first - 1, limit=len(seqs) + 1)
        indexed = {event.seq for event in found if event.seq <= last}
        for seq in sorted(indexed.symmetric_difference(seqs)):
            what = "the event is not about it" if seq in indexed else "the event is about it and not in its index"
            findings.add(f"subjects {subject}/{seq}", what)


class _TreeCheck:
    """Builds the tree again, leaf by leaf, and compares with the stored nodes and heads."""

    def __init__(self, store: Reader, findings: Findings, read_head: ReadHead) -> None:
        self._store, self._findings, self._read_head = store, findings, read_head
        self._frontier = Frontier()
        self._heads = dict(store.heads(limit=HEADS_MAX))
        self._stored: dict[int, dict[int, bytes]] = {}
        self._is_whole = True
        self._next = 0
        self._check_head()

    def expect_nodes(self, first: int, last: int) -> None:
        """Read the stored nodes that the leaves `first` to `last` complete."""
        self._stored = {}
        for level in range((last + 1).bit_length()):
            low, count = first >> level, ((last + 1) >> level) - (first >> level)
            if count > 0:
                self._stored[level] = dict(self._store.tree_nodes(level, first=low, limit=count))

    def append(self, sealed: SealedEvent) -> None:
        """Take the next event."""
        while self._next < sealed.seq:
            self._findings.add(f"events {self._next}", "the event is missing")
            self._grow(self._stored_node(0, self._next))
            if self._findings.is_full:
                return
        computed = leaf_hash(sealed.data) if isinstance(sealed.data, bytes) else b""
        if computed != sealed.leaf:
            self._findings.add(f"events {sealed.seq}", "its bytes do not have the hash in its column `leaf`")
        stored = self._stored.get(0, {}).get(sealed.seq)
        self._grow(stored if stored in (computed, sealed.leaf) else computed)

    def end(self) -> None:
        """Look for nodes and heads beyond the log."""
        size = self._next
        for level in range(size.bit_length() + 1):
            for index, _ in self._store.tree_nodes(level, first=size >> level, limit=1):
                self._findings.add(f"tree_nodes {level}/{index}", f"it is beyond the log of {size} events")
        for beyond in sorted(self._heads):
            self._findings.add(f"heads {beyond}", f"it covers more than the log of {size} events")

    def _grow(self, leaf: bytes | None) -> None:
        """Append a leaf; a tree without one of its leaves has no hashes any more, and only places are counted."""
        self._next += 1
        if leaf is None or len(leaf) != HASH_BYTES:
            self._is_whole = False
        if not self._is_whole or leaf is None:
            return
        for level, index, digest in self._frontier.append(leaf):
            stored = self._stored.get(level, {}).get(index) or self._stored_node(level, index)
            if stored != digest:
                what = "it is missing" if stored is None else "it is not the hash of what is below it"
                self._findings.add(f"tree_nodes {level}/{index}", what)
        self._check_head()

    def _stored_node(self, level: int, index: int) -> bytes | None:
        try:
            return self._store.tree_node(level, index)
        except StoreDamaged:
            return None

    def _check_head(self) -> None:
        size = self._next
        note = self._heads.pop(size, None)
        if note is None:
            return
        try:
            head = self._read_head(note)
        except (MalformedHead, WrongSignature) as error:
            self._findings.add(f"heads {size}", str(error))
            return
        if head.size != size:
            self._findings.add(f"heads {size}", f"its note says size {head.size}")
        elif head.root != self._frontier.root():
            self._findings.add(f"heads {size}", "its root is not that of the log")


class _LedgerCheck:
    """Posts every transfer of the log again; what is given leaves one account and reaches another."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._balances: dict[str, int] = {}

    def post(self, opened: OpenedEvent) -> None:
        """Post an event's transfers in their order."""
        for debit, credit, amount, _ in getattr(as_told(opened.at_ms, opened.body)[1], "transfers", ()):
            where = f"events {opened.seq}"
            if amount <= 0:
                self._findings.add(where, f"a transfer moves {amount}: only more than nothing can be moved")
            left = self._move(debit, -amount)
            if left < 0 and not may_be_negative(debit):
                self._findings.add(where, f"{debit} is overspent: its balance falls to {left}")
            self._move(credit, amount)

    def _move(self, name: str, amount: int) -> int:
        balance = self._balances.get(name, 0) + amount
        if balance:
            self._balances[name] = balance
        else:
            self._balances.pop(name, None)  # the accounts of past months do not pile up
        return balance


def _texts_of(store: Reader, opened: OpenedEvent, findings: Findings) -> Mapping[str, str]:
    """Return the texts behind an event's commitments, and note where a text is not the one committed to."""
    texts: dict[str, str] = {}
    for text_id, commitment in commitments_of(as_told(opened.at_ms, opened.body)[1]):
        text = store.text(text_id)
        if text is None:  # erased
            continue
        if not isinstance(text.content, bytes) or not isinstance(text.salt, bytes):
            findings.add(f"texts {text_id}", "its bytes are no bytes")
            continue
        if commitment is not None and _commitment_to(text) != commitment:
            findings.add(f"texts {text_id}", f"it is not the text that event {opened.seq} committed to")
        texts[text_id] = text.content.decode(errors="replace")
    return texts


def commitments_of(body: e.Body) -> list[tuple[str, str | None]]:
    """Return (text id, commitment); None where the name is in no body."""
    match body:
        case e.OrganisationCreated():
            return [(f"{body.organisation}/{TEXT_COLUMNS['organisations']}", body.name)]
        case e.ProjectCreated():
            return [(f"{body.project}/{TEXT_COLUMNS['projects']}", body.name)]
        case e.TokenIssued():
            return [(f"{body.token}/{TEXT_COLUMNS['tokens']}", body.label)]
        case e.JobSubmitted():
            return [(f"{body.job}/spec", body.spec), (f"{body.job}/{TEXT_COLUMNS['jobs']}", None)]
        case events_billing.BillingDetailsSet():
            return [(f"{body.billing}/{TEXT_COLUMNS['billing_details']}", body.details)]
        case events_billing.InvoiceIssued() | events_billing.InvoiceCredited():
            return [(f"{body.invoice}/names", body.names)]
        case events_data.DataSetAnnounced():
            name = (f"{body.data_set}/{TEXT_COLUMNS['data_sets']}", body.name)
            return [name, (f"{body.data_set}/licence", body.licence)] if body.licence else [name]
        case e.NodeDrained() | events_health.NodeMarked() if body.note:
            return [(f"{body.mark}/{TEXT_COLUMNS['node_history']}", body.note)]
        case events_health.ClosureAnnounced() if body.note:
            return [(f"{body.closure}/{TEXT_COLUMNS['closures']}", body.note)]
        case e.AttemptEnded() if body.detail:
            return [(f"{body.attempt}/{TEXT_COLUMNS['attempts']}", body.detail)]
    return []


def _commitment_to(text: Text) -> str:
    return sha256(text.salt + text.content).hexdigest()
