"""The stand-alone verifier accepts good bundles and names what is wrong with bad ones."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from eisbach.adapters.signing import create_key_file
from eisbach.core.log.bundle import audit_bundle, bundle_header, consistency_links, plain_leaf, proven_leaf
from eisbach.core.log.head import Head, sign_head
from eisbach.core.log.leaf import leaf_hash
from eisbach.core.log.tree import Frontier, inclusion_proof

SCRIPT = Path(__file__).parents[2] / "scripts" / "verify_bundle.py"
ORIGIN = "log.example.eu/munich"
SIZE = 23
CODE_LINES_MAX = 75


class World:
    """A small log and its signed heads."""

    def __init__(self, folder):
        self.folder = folder
        self.signer = create_key_file(folder / "key", ORIGIN)
        self.data = [event(seq) for seq in range(SIZE)]
        self.nodes, self.roots, frontier = {}, [Frontier().root()], Frontier()
        for data in self.data:
            self.nodes.update({(level, index): node for level, index, node in frontier.append(leaf_hash(data))})
            self.roots.append(frontier.root())

    def get_node(self, level, index):
        return self.nodes[level, index]

    def head(self, size):
        return sign_head(Head(ORIGIN, size, self.roots[size]), self.signer.verifier_key, self.signer.sign)

    def header(self, count, sizes=(4, 7, 16, SIZE), complete=False):
        return bundle_header(
            origin=ORIGIN,
            key=str(self.signer.verifier_key),
            head=self.head(sizes[-1]),
            previous_heads=[self.head(size) for size in sizes[:-1]],
            consistency=consistency_links(sizes, self.get_node),
            leaf_count=count,
            complete=complete,
        )

    def partial(self, indexes=(0, 5, 22)):
        leaves = [proven_leaf(i, self.data[i], inclusion_proof(i, SIZE, self.get_node)) for i in indexes]
        return audit_bundle(self.header(len(indexes)), leaves)

    def complete(self, size=SIZE):
        leaves = [plain_leaf(i, data) for i, data in enumerate(self.data[:size])]
        return audit_bundle(self.header(size, sizes=(size,), complete=True), leaves)

    def verify(self, text, *arguments):
        path = self.folder / "bundle.json"
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        done = subprocess.run(
            [sys.executable, "-I", SCRIPT, path, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert not done.stderr
        return done.returncode, done.stdout.splitlines()

    def refuses(self, text, what):
        code, lines = self.verify(text, "--key", str(self.signer.verifier_key))
        assert code == 1
        assert lines[-1].startswith("FAILED: ")
        assert what in lines[-1]
        assert "VERIFIED" not in "".join(lines)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def event(seq):
    body = {"at": 1767225600000 + seq, "body": {"gpus": seq}, "kind": "job.submitted", "salt": "8f0c", "seq": seq, "v": 1}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def as_lines(bundle):
    header = {field: value for field, value in bundle.items() if field != "leaves"}
    return "".join(json.dumps(part) + "\n" for part in [header, *bundle["leaves"]])


def flipped(text):
    """The base64 text with one bit of its bytes changed."""
    blob = bytearray(base64.b64decode(text))
    blob[len(blob) // 2] ^= 1
    return base64.b64encode(blob).decode()


@pytest.mark.parametrize("write", [json.dumps, lambda b: json.dumps(b, indent=2), as_lines], ids=["one", "pretty", "lines"])
@pytest.mark.parametrize("kind", ["partial", "complete"])
def test_a_good_bundle_is_verified(world, kind, write):
    bundle = getattr(world, kind)()
    code, lines = world.verify(write(bundle), "--key", bundle["key"])
    assert lines[-1] == f"VERIFIED {len(bundle['leaves'])} leaves under head of size {SIZE}"
    assert code == 0
    assert all(line.startswith("ok  ") for line in lines[:-1])


def test_every_leaf_can_be_proven(world):
    code, lines = world.verify(world.partial(range(SIZE)))
    assert (code, lines[-1]) == (0, f"VERIFIED {SIZE} leaves under head of size {SIZE}")


@pytest.mark.parametrize("size", range(10))
def test_complete_bundles_of_any_size(world, size):
    code, lines = world.verify(world.complete(size))
    assert (code, lines[-1]) == (0, f"VERIFIED {size} leaves under head of size {size}")


@pytest.mark.parametrize("old", range(1, SIZE))
def test_any_two_heads_are_linked(world, old):
    bundle = audit_bundle(world.header(0, sizes=(old, SIZE)), [])
    code, lines = world.verify(bundle)
    assert (code, f"ok  from size {old} on, each of 1 earlier signed heads is extended by the next" in lines) == (0, True)


def test_without_a_key_it_warns(world):
    code, lines = world.verify(world.partial())
    assert code == 0
    assert any("key taken from the bundle itself: compare it with the operator's published key" in line for line in lines)


def test_a_witness_may_sign_too(world):
    bundle = world.partial()
    witness = create_key_file(world.folder / "witness", "witness.example")
    text = bundle["head"].rpartition("\n\n")[0] + "\n"
    blob = witness.verifier_key.key_id + witness.sign(text.encode())
    bundle["head"] += f"— witness.example {base64.b64encode(blob).decode()}\n"
    assert world.verify(bundle)[0] == 0


@pytest.mark.parametrize("kind", ["partial", "complete"])
def test_a_changed_leaf_is_found(world, kind):
    bundle = getattr(world, kind)()
    leaf = bundle["leaves"][1]
    forged = base64.b64decode(leaf["data"]).replace(b"job.submitted", b"job.cancelled")
    leaf["data"] = base64.b64encode(forged).decode()
    world.refuses(bundle, "not under the head" if kind == "partial" else "do not make the head's root")


def test_a_flipped_bit_in_a_proof_is_found(world):
    bundle = world.partial()
    bundle["leaves"][1]["proof"][2] = flipped(bundle["leaves"][1]["proof"][2])
    world.refuses(bundle, "leaf 5 is not under the head")


@pytest.mark.parametrize(("change", "what"), [(lambda p: p[:-1], "too short"), (lambda p: [*p, p[0]], "too long")])
def test_a_proof_of_the_wrong_length_is_found(world, change, what):
    bundle = world.partial()
    bundle["leaves"][1]["proof"] = change(bundle["leaves"][1]["proof"])
    world.refuses(bundle, what)


def test_a_flipped_bit_in_a_signature_is_found(world):
    bundle = world.partial()
    start, _, signature = bundle["head"].rpartition(" ")
    bundle["head"] = f"{start} {flipped(signature)}\n"
    world.refuses(bundle, "InvalidSignature")


@pytest.mark.parametrize("which", ["size", "root"])
def test_a_changed_head_is_found(world, which):
    bundle = world.partial()
    lines = bundle["head"].split("\n")
    lines[1:3] = ["24", lines[2]] if which == "size" else [lines[1], flipped(lines[2])]
    bundle["head"] = "\n".join(lines)
    world.refuses(bundle, "InvalidSignature")


def test_an_unsigned_head_is_found(world):
    bundle = world.partial()
    bundle["head"] = bundle["head"].rpartition("\n\n")[0] + "\n\n"
    world.refuses(bundle, "is not signed by")


def test_another_operators_key_is_found(world):
    bundle = world.partial()
    other = create_key_file(world.folder / "other", ORIGIN)
    code, lines = world.verify(bundle, "--key", str(other.verifier_key))
    assert (code, "is not signed by" in lines[-1]) == (1, True)
    name, key_id, blob = bundle["key"].split("+", 2)
    code, lines = world.verify(bundle, "--key", f"{name}+{key_id}+{flipped(blob)}")
    assert (code, lines[-1]) == (1, "FAILED: the key does not fit its id")


def test_another_log_is_found(world):
    bundle = world.partial()
    bundle["origin"] = "log.example.eu/berlin"
    world.refuses(bundle, "is no head of the log")


def test_a_rewritten_history_is_found(world):
    """An operator signs a head over other leaves than those that his earlier head covered."""
    bundle, frontier = world.partial(), Frontier()
    for seq in (1, 0, 2, 3):
        frontier.append(leaf_hash(world.data[seq]))
    forged = Head(ORIGIN, 4, frontier.root())
    bundle["previous_heads"][0] = sign_head(forged, world.signer.verifier_key, world.signer.sign)
    world.refuses(bundle, "the head of size 7 does not extend that of size 4")


def test_a_missing_or_changed_consistency_proof_is_found(world):
    bundle = world.partial()
    bundle["consistency"][1]["proof"][0] = flipped(bundle["consistency"][1]["proof"][0])
    world.refuses(bundle, "the head of size 16 does not extend that of size 7")
    bundle["consistency"].pop()
    world.refuses(bundle, "4 heads need 3 consistency proofs, not 2")


def test_two_heads_of_one_size_are_refused(world):
    bundle = world.partial()
    bundle["previous_heads"][1] = bundle["previous_heads"][0]
    world.refuses(bundle, "no consistency proof from size 4 to 4")


@pytest.mark.parametrize("kind", ["partial", "complete"])
def test_reordered_leaves_are_found(world, kind):
    bundle = getattr(world, kind)()
    bundle["leaves"].reverse()
    world.refuses(bundle, "is not at its place")


def test_leaves_that_swapped_their_indexes_are_found(world):
    bundle = world.complete()
    first, second = bundle["leaves"][:2]
    first["data"], second["data"] = second["data"], first["data"]
    world.refuses(bundle, "leaf 0 is not at its place or has another number")


def test_a_leaf_left_out_of_a_complete_bundle_is_found(world):
    bundle = world.complete()
    del bundle["leaves"][3]
    bundle["leaf_count"] -= 1
    world.refuses(bundle, "do not make the head's root")


def test_a_cut_file_is_found(world):
    whole = as_lines(world.complete())
    world.refuses(whole[:-40], "JSONDecodeError")
    world.refuses(whole[: whole[:-1].rindex("\n") + 1], "the bundle is cut: 22 leaves of 23")
    world.refuses(json.dumps(world.partial())[:-40], "JSONDecodeError")
    world.refuses("", "JSONDecodeError")


@pytest.mark.parametrize("text", ["[]", "7", "null", "{}", '{"format": "another/1"}', "\0", "{" * 100_000])
def test_anything_else_is_refused(world, text):
    world.refuses(text, "")


def test_the_script_is_short_and_stands_alone():
    lines = [line for line in SCRIPT.read_text().splitlines() if line.strip()]
    assert len(lines) <= CODE_LINES_MAX
    assert not any("eisbach" in line for line in lines if line.lstrip().startswith(("import", "from")))


def test_links_need_ascending_heads(world):
    with pytest.raises(ValueError, match="ascend"):
        consistency_links([4, 4], world.get_node)
    with pytest.raises(ValueError, match="no consistency proof from size 0"):
        consistency_links([0, 4], world.get_node)
