"""The key file is private, whole or refused, and never replaced."""

import os

import pytest

from eisbach.adapters.signing import KeyFileError, create_key_file, load_key_file, verify_signature
from eisbach.core.log.head import Head, open_head, parse_note, parse_verifier_key, sign_head
from eisbach.core.log.leaf import EMPTY_ROOT

NAME = "log.example.eu"

# Test 1 of RFC 8032 section 7.1: the signature of the empty message.
RFC_KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
RFC_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.key"


def test_the_vector_of_the_rfc():
    assert verify_signature(RFC_KEY, b"", RFC_SIGNATURE)
    assert not verify_signature(RFC_KEY, b"x", RFC_SIGNATURE)


def test_the_note_of_the_go_package_verifies():
    """The example in golang.org/x/mod/sumdb/note, which C2SP's signed notes come from."""
    key = parse_verifier_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = parse_note(
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    assert verify_signature(key.public_key, note.text.encode(), note.signatures[0].signature)


@pytest.mark.parametrize(("key", "signature"), [(b"", RFC_SIGNATURE), (RFC_KEY, b""), (RFC_KEY[1:], RFC_SIGNATURE)])
def test_wrong_lengths_do_not_verify(key, signature):
    assert not verify_signature(key, b"", signature)


def test_a_created_key_is_loaded_again(path):
    created, loaded = create_key_file(path, NAME), load_key_file(path)
    assert (loaded.name, loaded.public_key) == (created.name, created.public_key)
    note = sign_head(Head(NAME, 0, EMPTY_ROOT), created.verifier_key, created.sign)
    assert open_head(note, parse_verifier_key(str(loaded.verifier_key)), verify_signature).size == 0
    assert verify_signature(created.public_key, b"message", loaded.sign(b"message"))


def test_only_the_owner_may_read_it_and_nothing_else_is_left(path):
    create_key_file(path, NAME)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_a_key_is_never_replaced(path):
    first = create_key_file(path, NAME)
    with pytest.raises(KeyFileError, match="exists already"):
        create_key_file(path, NAME)
    assert load_key_file(path).public_key == first.public_key
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o700, 0o777])
def test_wider_permissions_are_refused(path, mode):
    create_key_file(path, NAME)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}, wider than 0600. Run: chmod 600 "):
        load_key_file(path)


def test_a_read_only_key_is_fine(path):
    create_key_file(path, NAME)
    path.chmod(0o400)
    assert load_key_file(path).name == NAME


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "", lambda text: "no key\n", lambda text: text[:-5], lambda text: text[: len(text) // 2],
        lambda text: text.replace("PRIVATE+KEY+", ""), lambda text: text.replace(NAME, "other.example.eu"),
        lambda text: text.replace(NAME, ""), lambda text: text + text, lambda text: "\0" * len(text),
        lambda text: text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:], lambda text: "\udcff" + text,
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_without_showing_it(path, damage):
    create_key_file(path, NAME)
    text = path.read_text()
    path.write_text(damage(text), errors="surrogateescape")
    with pytest.raises(KeyFileError, match="is damaged") as caught:
        load_key_file(path)
    assert text.split("+", 4)[4].strip() not in str(caught.value)


def test_what_is_no_file_is_refused(path):
    with pytest.raises(KeyFileError, match=r"cannot open .* No such file"):
        load_key_file(path)
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyFileError, match="not a regular file"):
        load_key_file(path)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b"])
def test_a_name_that_a_note_cannot_carry_is_refused(path, name):
    with pytest.raises(ValueError, match="no key name"):
        create_key_file(path, name)
    assert not path.exists()
