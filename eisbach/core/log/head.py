"""Heads of the log as text: checkpoints and signed notes after C2SP (c2sp.org/tlog-checkpoint, c2sp.org/signed-note)."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from eisbach.core.log.leaf import HASH_BYTES
from eisbach.core.log.tree import SIZE_MAX

ED25519 = b"\x01"  # the signature type of c2sp.org/signed-note
KEY_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURES_MAX = 100  # as in Go's golang.org/x/mod/sumdb/note
MARK = "\u2014 "  # em dash and space, before each signature

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes, bytes], bool]
"""Takes public key, message, signature."""


class MalformedHead(ValueError):
    """A text is not a checkpoint, a signed note or a verifier key; the message says why."""


class WrongSignature(ValueError):
    """A note is not signed by the expected key."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a log says it holds: `size` leaves under `root` (32 bytes), at the log named `origin`."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key's name, its 4-byte id and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A signed text, with its final newline, and its signatures in their order."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 public key (32 bytes) and the name it signs under."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4-byte key id: the start of SHA-256(name || 0x0A || 0x01 || public key)."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The form to publish: name+hex(key id)+base64(0x01 || public key)."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(ED25519 + self.public_key).decode()}"


def parse_verifier_key(text: str) -> VerifierKey:
    """The key behind `name+hex(key id)+base64(0x01 || public key)`. Raises MalformedHead."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    blob = _decode(encoded, "a verifier key")
    _require(is_key_name(name), f"{name!r} is no key name")
    _require(blob[:1] == ED25519 and len(blob) == 1 + KEY_BYTES, "a verifier key holds one Ed25519 public key")
    key = VerifierKey(name, blob[1:])
    _require(key.key_id.hex() == key_id, f"key id {key_id} does not fit the key, which has {key.key_id.hex()}")
    return key


def is_key_name(name: str) -> bool:
    """Whether a key may have this name: not empty, no white space, no plus sign (c2sp.org/signed-note)."""
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name) and _is_utf8(name)


def format_checkpoint(head: Head) -> str:
    """The checkpoint's text: origin, decimal size, base64 root and any extensions, a line each. Raises MalformedHead."""
    text = "\n".join([head.origin, str(head.size), b64encode(head.root).decode(), *head.extensions, ""])
    _require(parse_checkpoint(text) == head, "a part of the head does not fit on its line")
    return text


def parse_checkpoint(text: str) -> Head:
    """The head that a checkpoint's text states. Raises MalformedHead for anything but the one way to write it."""
    _require(_is_note_text(text), "a checkpoint ends with a newline and has no control characters")
    lines = text.split("\n")[:-1]
    _require(len(lines) >= 3 and all(lines), "a checkpoint has at least three lines and none is empty")
    origin, size, root = lines[:3]
    _require(size.isascii() and size.isdigit() and len(size) <= len(str(SIZE_MAX)), f"{size[:40]!r} is no tree size")
    _require(str(int(size)) == size and int(size) <= SIZE_MAX, f"{size!r} is no tree size")
    digest = _decode(root, "the root")
    _require(len(digest) == HASH_BYTES, f"a root has {HASH_BYTES} bytes, not {len(digest)}")
    return Head(origin, int(size), digest, tuple(lines[3:]))


def format_note(note: SignedNote) -> str:
    """The note: its text, an empty line, a line for each signature. Raises MalformedHead."""
    lines = [f"{MARK}{s.name} {b64encode(s.key_id + s.signature).decode()}\n" for s in note.signatures]
    text = f"{note.text}\n{''.join(lines)}"
    _require(parse_note(text) == note, "a part of the note does not fit on its line")
    return text


def parse_note(text: str) -> SignedNote:
    """The text and the signatures of a note; says nothing about their truth. Raises MalformedHead."""
    body, gap, tail = text.rpartition("\n\n")
    _require(bool(gap) and tail.endswith("\n"), "a note is a text, an empty line and signatures, with a final newline")
    _require(_is_note_text(text), "a note has no control characters")
    lines = tail.split("\n")[:-1]
    _require(len(lines) <= SIGNATURES_MAX, f"a note has at most {SIGNATURES_MAX} signatures")
    return SignedNote(body + "\n", tuple(_parse_signature(line) for line in lines))


def sign_head(head: Head, key: VerifierKey, sign: Sign) -> str:
    """The signed note over a head. `sign` returns the Ed25519 signature of its argument by that key."""
    return sign_text(format_checkpoint(head), key, sign)


def sign_text(text: str, key: VerifierKey, sign: Sign) -> str:
    """The signed note over any text that ends with a newline and is no checkpoint of this log unless it is meant as one."""
    return format_note(SignedNote(text, (NoteSignature(key.name, key.key_id, sign(text.encode())),)))


def open_head(note: str, key: VerifierKey, verify: Verify) -> Head:
    """The head in a note that the key signed; signatures of other keys (witnesses) are passed over.

    Raises MalformedHead when the text is no signed checkpoint, WrongSignature when the key did not sign it.
    """
    head = parse_checkpoint(parse_note(note).text)
    open_text(note, key, verify)
    return head


def open_text(note: str, key: VerifierKey, verify: Verify) -> str:
    """The text in a note that the key signed. Raises MalformedHead or WrongSignature."""
    signed = parse_note(note)
    own = [s.signature for s in signed.signatures if (s.name, s.key_id) == (key.name, key.key_id)]
    if not own:
        raise WrongSignature(f"the head is not signed by {key}")
    if not all(verify(key.public_key, signed.text.encode(), signature) for signature in own):
        raise WrongSignature(f"the signature of {key} does not fit the head")
    return signed.text


def _parse_signature(line: str) -> NoteSignature:
    _require(line.startswith(MARK), "a signature's line begins with an em dash and a space")
    name, _, encoded = line.removeprefix(MARK).partition(" ")
    _require(is_key_name(name), f"{name!r} is no key name")
    blob = _decode(encoded, "a signature")
    _require(len(blob) > KEY_ID_BYTES, "a signature's line holds a key id and a signature")
    return NoteSignature(name, blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:])


def _is_note_text(text: str) -> bool:
    return text.endswith("\n") and not any(c < " " and c != "\n" for c in text) and _is_utf8(text)


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _decode(text: str, what: str) -> bytes:
    """The bytes behind base64, refusing every spelling but the canonical one."""
    try:
        blob = b64decode(text, validate=True)
    except ValueError as error:
        raise MalformedHead(f"{what} is not base64") from error
    _require(b64encode(blob).decode() == text, f"{what} is not canonical base64")
    return blob


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise MalformedHead(otherwise)
