"""What signs the heads of the log."""

from typing import Protocol


class Signer(Protocol):
    """Holds one Ed25519 key. `name` is the key's name in signed notes, `public_key` its 32 raw bytes."""

    @property
    def name(self) -> str: ...

    @property
    def public_key(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of the message (RFC 8032)."""
        ...
