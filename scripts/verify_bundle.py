"""Check an audit bundle offline: verify_bundle.py BUNDLE.json [--key VERIFIER_KEY]. The format: docs/audit-bundle.md."""
import argparse
import hashlib
import json
from base64 import b64decode, b64encode

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    raise SystemExit("FAILED: signatures cannot be checked without: pip install cryptography") from None

def check(holds, what):
    if not holds:
        print(f"FAILED: {what}")
        raise SystemExit(1)

def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def open_head(note, origin, key):  # c2sp.org/signed-note, c2sp.org/tlog-checkpoint
    (name, key_id, blob), (text, _, tail) = key.split("+", 2), note.rpartition("\n\n")
    check(digest(f"{name}\n".encode(), b64decode(blob))[:4].hex() == key_id, "the key does not fit its id")
    signatures = [b64decode(line.split(" ")[2]) for line in tail.split("\n") if line.startswith(f"— {name} ")]
    signature = b"".join(s[4:] for s in signatures if s[:4].hex() == key_id) or check(False, f"a head is not signed by {key}")
    Ed25519PublicKey.from_public_bytes(b64decode(blob)[1:]).verify(signature, f"{text}\n".encode())
    of, size, root = text.split("\n")[:3]
    check(of == origin == name and str(int(size)) == size, f"{text!r} is no head of the log {origin}")
    return int(size), b64decode(root)

def climb(fn, sn, seed, proof):  # (old root, new root) by the loop in RFC 9162 sections 2.1.3.2 and 2.1.4.2
    fr = sr = seed
    for node in map(b64decode, proof):
        check(sn > 0, "a proof is too long")
        fr, sr = (digest(b"\1", node, fr), digest(b"\1", node, sr)) if fn & 1 or fn == sn else (fr, digest(b"\1", sr, node))
        levels = (fn & -fn).bit_length() if fn == sn else 1  # at the right edge, levels without a sibling are skipped
        fn, sn = fn >> levels, sn >> levels
    return fr, sr if sn == 0 else check(False, "a proof is too short")

def check_history(links, heads):
    check(len(links) == len(heads) - 1, f"{len(heads)} heads need {len(heads) - 1} consistency proofs, not {len(links)}")
    for link, (old, root1), (new, root2) in zip(links, heads, heads[1:], strict=False):
        check((link["from"], link["to"]) == (old, new) and 0 < old < new, f"no consistency proof from size {old} to {new}")
        shift = (old & -old).bit_length() - 1  # the old tree's last perfect subtree; alone, it is the whole old tree
        path = link["proof"] if old != 1 << shift else [b64encode(root1), *link["proof"]]
        reached = climb((old - 1) >> shift, (new - 1) >> shift, b64decode(path[0]), path[1:])
        check(reached == (root1, root2), f"the head of size {new} does not extend that of size {old}")
    print(f"ok  from size {heads[0][0]} on, each of {len(links)} earlier signed heads is extended by the next")

def check_leaves(bundle, leaves, size, root):
    count, last, complete, peaks = 0, -1, bundle["complete"], []  # peaks: roots of the perfect subtrees so far
    for count, leaf in enumerate(leaves, 1):
        data = b64decode(leaf["data"])
        in_order = last < (last := leaf["index"]) < size
        check(in_order and json.loads(data)["seq"] == last, f"leaf {last} is not at its place or has another number")
        peaks.append(digest(b"\0", data))
        for _ in range((count & -count).bit_length() - 1 if complete else 0):
            peaks[-2:] = [digest(b"\1", *peaks[-2:])]
        check(complete or climb(last, size - 1, peaks.pop(), leaf["proof"])[1] == root, f"leaf {last} is not under the head")
    check(count == bundle["leaf_count"], f"the bundle is cut: {count} leaves of {bundle['leaf_count']}")
    while len(peaks) > 1:
        peaks[-2:] = [digest(b"\1", *peaks[-2:])]
    check(not complete or (count, (peaks or [digest()])[0]) == (size, root), "the leaves do not make the head's root")
    print(f"ok  {count} leaves, each at its number, {'make the root' if complete else 'are under the root'}")
    return f"{count} leaves under head of size {size}"

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("bundle")
parser.add_argument("--key", help="the operator's published key, name+id+base64")
arguments = parser.parse_args()
try:
    with open(arguments.bundle, encoding="utf-8") as file:
        bundle = json.loads(line if (line := file.readline()).rstrip().endswith("}") else line + file.read())
        check(bundle["format"] == "eisbach-audit-bundle/1", f"unknown format {bundle['format']}")
        key = arguments.key or bundle["key"]
        heads = [open_head(note, bundle["origin"], key) for note in [*bundle["previous_heads"], bundle["head"]]]
        print(f"ok  the head of size {heads[-1][0]} with root {heads[-1][1].hex()} is signed")
        check_history(bundle["consistency"], heads)
        verdict = check_leaves(bundle, bundle.get("leaves") or map(json.loads, file), *heads[-1])
except Exception as error:  # noqa: BLE001  a bundle may be broken in any way
    check(False, f"{type(error).__name__} {error}".strip())
warning = f"WARNING: key taken from the bundle itself: compare it with the operator's published key: {key}"
print("ok  the heads are signed by the key that you gave" if arguments.key else warning)
print(f"VERIFIED {verdict}")
