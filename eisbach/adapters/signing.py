"""Ed25519 signatures with cryptography, and the file that holds the signing key of the log."""

import os
import stat
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from eisbach.adapters.private_files import sync_folder
from eisbach.core.log.head import ED25519, KEY_BYTES, VerifierKey, is_key_name

HEADING = "PRIVATE+KEY"
FILE_BYTES_MAX = 4096


class KeyFileError(Exception):
    """The key file cannot be used; the message says why and what to do."""


class Ed25519Signer:
    """Signs with one private key in memory (implements ports.signer.Signer)."""

    __slots__ = ("_private", "_verifier")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        """Raises ValueError when a key may not have this name (c2sp.org/signed-note)."""
        if not is_key_name(name):
            raise ValueError(f"{name!r} is no key name: it must not be empty nor contain white space or +")
        self._private = private
        self._verifier = VerifierKey(name, private.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The key's name in signed notes."""
        return self._verifier.name

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self._verifier.public_key

    @property
    def verifier_key(self) -> VerifierKey:
        """What others need to check signatures; its str() is the form to publish."""
        return self._verifier

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of the message (RFC 8032)."""
        return self._private.sign(message)


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the Ed25519 signature fits message and key; False too when key or signature have a wrong length."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def create_key_file(path: Path, name: str) -> Ed25519Signer:
    """Make a key and its file, mode 0600, and return its signer.

    The file appears under its name only when it is whole and on disk, and never replaces another one: of two
    processes one gets KeyFileError and can load the other's key. The content is the form of Go's sumdb/note:
    PRIVATE+KEY+name+hex(key id)+base64(0x01 || seed); the key id shows damage.
    """
    signer = Ed25519Signer(name, Ed25519PrivateKey.generate())
    seed = signer._private.private_bytes_raw()
    text = f"{HEADING}+{name}+{signer.verifier_key.key_id.hex()}+{b64encode(ED25519 + seed).decode()}\n"
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # O_EXCL, mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike rename, refuses to replace a file
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists already: a signing key is never replaced") from error
    finally:
        os.unlink(draft)
    sync_folder(path.parent)
    return signer


def signer_from(name: str, seed: bytes) -> Ed25519Signer:
    """The signer whose private key are these 32 bytes: for worlds that are repeated, never for a factory."""
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


def load_key_file(path: Path) -> Ed25519Signer:
    """The signer behind a key file.

    Raises KeyFileError when the file is absent, damaged, or open to more than reading and writing by its owner.
    """
    text = _read_private(path)
    damaged = f"{path} is damaged: it does not hold a signing key. Restore it from the backup of this installation"
    name, _, rest = text.removeprefix(HEADING + "+").partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        blob = b64decode(encoded.removesuffix("\n"), validate=True)
        if blob[:1] != ED25519 or len(blob) != 1 + KEY_BYTES:
            raise KeyFileError(damaged)
        signer = Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(blob[1:]))
    except ValueError as error:
        raise KeyFileError(damaged) from error
    if not text.startswith(HEADING + "+") or signer.verifier_key.key_id.hex() != key_id:
        raise KeyFileError(damaged)
    return signer


def _read_private(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(f"cannot open the signing key {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"the signing key {path} is not a regular file")
        if mode & ~0o600:
            raise KeyFileError(f"the signing key {path} has mode {mode:04o}, wider than 0600. Run: chmod 600 {path}")
        return file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
