"""Checkpoints, signed notes and verifier keys as C2SP writes them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.log.head import (
    Head,
    MalformedHead,
    NoteSignature,
    SignedNote,
    VerifierKey,
    WrongSignature,
    format_checkpoint,
    format_note,
    open_head,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    sign_head,
)
from eisbach.core.log.leaf import EMPTY_ROOT
from eisbach.core.log.tree import SIZE_MAX

ROOT = base64.b64encode(EMPTY_ROOT).decode()
GOOD = f"log.example.eu\n5\n{ROOT}\n"
KEY = VerifierKey("log.example.eu", bytes(range(32)))
SIGNED = "Text\n\n— a.example AAAAAAE=\n"

# The example of Go's golang.org/x/mod/sumdb/note, which C2SP's signed notes come from.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

one_line = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1)


def sized(size):
    return GOOD.replace("\n5\n", f"\n{size}\n")


def sign(message):
    return b"signature of " + message


def verify(public_key, message, signature):
    return public_key == KEY.public_key and signature == sign(message)


@given(origin=one_line, size=st.integers(0, SIZE_MAX), root=st.binary(min_size=32, max_size=32), more=st.lists(one_line))
def test_a_checkpoint_reads_back(origin, size, root, more):
    head = Head(origin, size, root, tuple(more))
    assert parse_checkpoint(format_checkpoint(head)) == head


def test_a_checkpoint_has_a_line_each():
    assert format_checkpoint(Head("log.example.eu", 5, EMPTY_ROOT)) == GOOD


def test_the_largest_size_is_read():
    assert parse_checkpoint(sized(SIZE_MAX)).size == SIZE_MAX


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", GOOD[:-1], GOOD + "\n", "\n" + GOOD, sized("05"), sized("-5"),
        sized("+5"), sized(" 5"), sized("٥"), sized(""),
        sized("5_0"), sized(str(SIZE_MAX + 1)), sized("9" * 10_000),
        GOOD.replace("\n", "\r\n"), GOOD.replace("log", "\tlog"), GOOD.replace("log", "\ud800"),
        GOOD.replace(ROOT, ROOT[:-1]), GOOD.replace(ROOT, ROOT + " "), GOOD.replace(ROOT, ROOT[:-4] + "!!!!"),
        GOOD.replace(ROOT, ROOT[:-2] + "V="), GOOD.replace(ROOT, base64.b64encode(b"short").decode()),
        f"log.example.eu\n5\n{ROOT}\n\nafter an empty line\n",
    ],
)  # fmt: skip
def test_anything_but_the_one_spelling_is_refused(text):
    with pytest.raises(MalformedHead):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "head",
    [Head("", 1, EMPTY_ROOT), Head("a\nb", 1, EMPTY_ROOT), Head("a", -1, EMPTY_ROOT), Head("a", 1, b""),
     Head("a", SIZE_MAX + 1, EMPTY_ROOT), Head("a", 1, EMPTY_ROOT, ("",))],
)  # fmt: skip
def test_a_head_that_cannot_be_read_back_is_not_written(head):
    with pytest.raises(MalformedHead):
        format_checkpoint(head)


def test_the_note_of_the_go_package_is_read():
    note = parse_note(GO_NOTE)
    key = parse_verifier_key(GO_KEY)
    assert note.text == GO_TEXT
    assert [(s.name, s.key_id, len(s.signature)) for s in note.signatures] == [("PeterNeumann", key.key_id, 64)]
    assert format_note(note) == GO_NOTE
    assert str(key) == GO_KEY


@given(text=st.lists(one_line, min_size=1), signature=st.binary(min_size=1), key_id=st.binary(min_size=4, max_size=4))
def test_a_note_reads_back(text, signature, key_id):
    note = SignedNote("\n".join([*text, ""]), (NoteSignature("a.example", key_id, signature),) * 2)
    assert parse_note(format_note(note)) == note


def test_only_the_last_empty_line_ends_the_text():
    note = SignedNote("one\n\ntwo\n", (NoteSignature("a.example", b"\0" * 4, b"s"),))
    assert parse_note(format_note(note)).text == "one\n\ntwo\n"


@pytest.mark.parametrize(
    "text",
    [
        "", "\n\n", "Text\n", "Text\n\n", SIGNED[:-1], SIGNED + "\n", SIGNED.replace("—", "-"), SIGNED.replace("— ", "—"),
        SIGNED.replace("a.example ", ""), SIGNED.replace("a.example", "a+b"), SIGNED.replace("a.example", "a\u00a0b"),
        SIGNED.replace("AAAAAAE=", "AAAAAA=="), SIGNED.replace("AAAAAAE=", "AAAAAAE"), SIGNED.replace("AAAAAAE=", "AAAAAAF="),
        SIGNED.replace("Text", "Te\0xt"), SIGNED + "no signature\n", "Text\n\n" + "— a.example AAAAAAE=\n" * 101,
    ],
)  # fmt: skip
def test_a_malformed_note_is_refused(text):
    with pytest.raises(MalformedHead):
        parse_note(text)


@pytest.mark.parametrize(
    "text",
    ["", "name", "name+00000000", GO_KEY.replace("c7", "c8"), GO_KEY.replace("c74f20a3", "C74F20A3"), GO_KEY[:-1],
     GO_KEY.replace("+AR", "+AB"), GO_KEY.replace("Peter", "Peter "), "+c74f20a3+" + GO_KEY.split("+", 2)[2]],
)  # fmt: skip
def test_a_malformed_verifier_key_is_refused(text):
    with pytest.raises(MalformedHead):
        parse_verifier_key(text)


def test_a_signed_head_opens_with_its_key_only():
    head = Head("log.example.eu", 5, EMPTY_ROOT)
    note = sign_head(head, KEY, sign)
    assert open_head(note, KEY, verify) == head
    with pytest.raises(WrongSignature, match="not signed by"):
        open_head(note, VerifierKey("log.example.eu", bytes(32)), verify)
    with pytest.raises(WrongSignature, match="not signed by"):
        open_head(note, VerifierKey("other.example.eu", KEY.public_key), verify)
    with pytest.raises(WrongSignature, match="does not fit"):
        open_head(note.replace("\n5\n", "\n6\n"), KEY, verify)


def test_one_bad_signature_of_the_key_spoils_the_note():
    note = parse_note(sign_head(Head("log.example.eu", 5, EMPTY_ROOT), KEY, sign))
    both = SignedNote(note.text, (*note.signatures, NoteSignature(KEY.name, KEY.key_id, b"forged")))
    with pytest.raises(WrongSignature):
        open_head(format_note(both), KEY, verify)
