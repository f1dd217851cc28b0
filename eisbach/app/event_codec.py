"""The canonical bytes of an event: how a body becomes a leaf of the log, and how it is read back.

The bytes are one JSON object without spaces, keys in ascending order at every depth, text as UTF-8:
`{"at":<UTC ms>,"body":{...},"kind":"...","salt":"<hex>","seq":<n>,"v":<version>}`. The salt keeps a leaf's hash from
being guessed. Whatever is hashed is exactly these bytes; nothing is encoded a second time to check it.
"""

from binascii import hexlify
from collections.abc import Callable
from functools import cache

import msgspec

from eisbach.app.events import KIND_OF, KINDS, SCHEMA_VERSION, Body
from eisbach.core.log.event import SealedEvent
from eisbach.core.log.leaf import leaf_hash


class UndecodableEvent(ValueError):
    """An event's bytes do not hold what an event must hold; the message says what is wrong."""


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: int
    body: msgspec.Raw
    kind: str
    salt: str
    seq: int
    v: int


class OpenedEvent(msgspec.Struct, frozen=True):
    """What the bytes of an event say: place, instant, kind, version, salt and body."""

    seq: int
    at_ms: int
    kind: str
    version: int
    salt: bytes
    body: Body


_encode = msgspec.json.Encoder(order="sorted").encode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_TEMPLATES = {
    body: f'{{"at":%d,"body":%b,"kind":"{kind}","salt":"%b","seq":%d,"v":{SCHEMA_VERSION}}}'.encode()
    for body, kind in KIND_OF.items()
}


def seal(seq: int, at_ms: int, body: Body, salt: bytes) -> SealedEvent:
    """Return the event with its canonical bytes and the hash of its leaf. `salt` is fresh random bytes, 16 or more."""
    data = canonical(seq, at_ms, body, salt)
    return SealedEvent(seq, at_ms, KIND_OF[type(body)], SCHEMA_VERSION, data, leaf_hash(data))


def canonical(seq: int, at_ms: int, body: Body, salt: bytes) -> bytes:
    """Return the canonical bytes of an event."""
    return _TEMPLATES[type(body)] % (at_ms, _encode(body), hexlify(salt), seq)


def decode(sealed: SealedEvent) -> Body:
    """Return the body of a stored event. Raise UndecodableEvent where its bytes hold none."""
    return open_event(sealed.data).body


def open_event(data: bytes) -> OpenedEvent:
    """Return everything that an event's bytes say. Raise UndecodableEvent where they are no event of a known kind."""
    try:
        envelope = _decode_envelope(data)
        kind = KINDS.get(envelope.kind)
        if kind is None:
            raise UndecodableEvent(f"the kind {envelope.kind!r} is unknown")
        body = _decoder_of(kind)(envelope.body)
        salt = bytes.fromhex(envelope.salt)
    except UndecodableEvent:
        raise
    except ValueError as error:  # msgspec's errors are ValueErrors, and so are those of bytes.fromhex
        raise UndecodableEvent(str(error)) from error
    return OpenedEvent(envelope.seq, envelope.at, envelope.kind, envelope.v, salt, body)


@cache
def _decoder_of(kind: type[Body]) -> Callable[[msgspec.Raw], Body]:
    """Return what reads the bodies of a kind, made when the first one is met: whoever only writes needs none."""
    return msgspec.json.Decoder(kind).decode
