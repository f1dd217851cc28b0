"""The keys that signed the heads of a home's log: its own, and those of the origins before each restore."""

from collections.abc import Callable
from pathlib import Path

from eisbach.adapters.private_files import write_private
from eisbach.adapters.signing import Ed25519Signer, load_key_file, verify_signature
from eisbach.core.log.head import (
    Head,
    VerifierKey,
    WrongSignature,
    open_head,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
)


def key_of(signer: Ed25519Signer) -> VerifierKey:
    """Return the public key that verifies what a signer signs."""
    return VerifierKey(signer.name, signer.public_key)


def read_keys(own: Path, earlier: Path) -> list[VerifierKey]:
    """Return the keys of a home's log; raise KeyFileError or MalformedHead. `earlier` has one on each line."""
    keys = [key_of(load_key_file(own))] if own.exists() else []
    lines = earlier.read_text().splitlines() if earlier.exists() else []
    return keys + [parse_verifier_key(line) for line in lines]


def remember_key(own: Path, earlier: Path) -> None:
    """Add a home's own key to the earlier ones: the log is going to be signed by another."""
    key = key_of(load_key_file(own))
    known = earlier.read_text() if earlier.exists() else ""
    write_private(earlier, f"{known}{key}\n")


def head_reader(keys: list[VerifierKey]) -> Callable[[str], Head]:
    """Return what opens a signed note by the key of its origin and raises WrongSignature for any other."""
    known = {key.name: key for key in keys}

    def read_head(note: str) -> Head:
        origin = parse_checkpoint(parse_note(note).text).origin
        if origin not in known:
            raise WrongSignature(f"the head is of {origin}, whose key is not in this home")
        return open_head(note, known[origin], verify_signature)

    return read_head
