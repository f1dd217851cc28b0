"""Check a package of an organisation offline: verify_export.py PACKAGE.tar [--key VERIFIER_KEY]. The format: docs/export.md."""
import argparse
import csv
import hashlib
import io
import json
import tarfile
from base64 import b64decode

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

def open_note(note, key, where):  # c2sp.org/signed-note
    (name, key_id, blob), (text, _, tail) = key.split("+", 2), note.rpartition("\n\n")
    check(digest(f"{name}\n".encode(), b64decode(blob))[:4].hex() == key_id, "the key does not fit its id")
    signatures = [b64decode(line.split(" ")[2]) for line in tail.split("\n") if line.startswith(f"— {name} ")]
    signature = b"".join(s[4:] for s in signatures if s[:4].hex() == key_id) or check(False, f"{where} is not signed by {key}")
    Ed25519PublicKey.from_public_bytes(b64decode(blob)[1:]).verify(signature, f"{text}\n".encode())
    return text.split("\n")

def root_above(index, last, node, proof):  # RFC 9162 section 2.1.3.2
    for sibling in map(b64decode, proof):
        check(last > 0, "a proof is too long")
        node = digest(b"\1", sibling, node) if index & 1 or index == last else digest(b"\1", node, sibling)
        levels = (index & -index).bit_length() if index == last else 1
        index, last = index >> levels, last >> levels
    return node if last == 0 else check(False, "a proof is too short")

def check_files(tar, manifest):
    members = {member.name: member for member in tar.getmembers()}
    listed = {file["path"]: file for file in manifest["files"]} | {"manifest.json": None, "manifest.sig": None}
    check(len(members) == len(tar.getmembers()), "a file is there twice")
    for name in members.keys() ^ listed.keys():
        check(False, f"{name} {'is not on the list' if name in members else 'is missing'}")
    for name, file in listed.items():
        check(members[name].isreg() and not name.startswith("/") and ".." not in name.split("/"), f"{name} is no plain file inside")
        sha256 = hashlib.file_digest(tar.extractfile(members[name]), "sha256").hexdigest() if file else None
        check(not file or (members[name].size, sha256) == (file["size"], file["sha256"]), f"{name} is not what the list names")
    print(f"ok  {len(listed) - 2} files, each with the SHA-256 on the list")

def told(event):  # a record of an import tells of an event of an earlier factory
    return told(json.loads(event["body"]["data"])) if event["kind"] == "record.imported" else event

def check_events(lines, manifest, key):
    header = json.loads(lines.readline())
    origin, size, root = open_note(header["head"], key, "the head")[:3]
    check((origin, int(size)) == (manifest["origin"], manifest["log_size"]), "the head is another log's or of another size")
    commitments, balances, last, count = set(), {}, -1, 0
    for line in lines:
        leaf, count = json.loads(line), count + 1
        data, index = b64decode(leaf["data"]), leaf["index"]
        check(last < index and json.loads(data)["seq"] == index, f"event {index} is not at its place")
        last = index
        check(root_above(index, int(size) - 1, digest(b"\0", data), leaf["proof"]) == b64decode(root), f"event {index} is not under the head")
        body = told(json.loads(data))["body"]
        commitments |= {value for value in body.values() if isinstance(value, str)}
        for debit, credit, amount, _ in body.get("transfers", ()):
            balances[debit] = balances.get(debit, 0) - amount
            balances[credit] = balances.get(credit, 0) + amount
    check(count == header["leaf_count"] == manifest["events"], f"{count} events are there, {manifest['events']} were exported")
    print(f"ok  {count} events, each in the log of {origin} under its signed head of size {size}")
    return commitments, balances

def check_figures(tar, commitments, balances):
    texts = [json.loads(line) for line in tar.extractfile("texts.jsonl")]
    fits = [digest(bytes.fromhex(t["salt"]), t["text"].encode()).hex() in commitments for t in texts]
    named = [t["id"].startswith("job_") and t["id"].endswith("/name") for t in texts]  # stands in the task, which is committed to
    loose = [t["id"] for t, is_fit, is_name in zip(texts, fits, named, strict=True) if not is_fit and not is_name]
    check(not loose, f"texts.jsonl: {loose} are not the texts that events commit to")
    print(f"ok  {sum(fits)} texts are those that events commit to")
    rows = csv.DictReader(io.TextIOWrapper(tar.extractfile("tables/balances.csv"), "utf-8", newline=""))
    said = {row["account"]: int(row["balance_micro_eur"]) for row in rows}
    check(said == balances, "tables/balances.csv does not follow from the transfers in the events")
    check(sum(said.values()) == 0, "the balances do not sum to zero")
    print(f"ok  {len(said)} balances follow from the transfers and sum to zero")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("package")
parser.add_argument("--key", help="the operator's published key, name+id+base64")
arguments = parser.parse_args()
try:
    with tarfile.open(arguments.package, "r:") as tar:
        content = tar.extractfile("manifest.json").read()
        manifest = json.loads(content)
        check(manifest["format"] == "eisbach-export/1", f"unknown format {manifest['format']}")
        key = arguments.key or manifest["key"]
        signed = open_note(tar.extractfile("manifest.sig").read().decode(), key, "manifest.json")
        check(signed == [manifest["format"], manifest["origin"], hashlib.sha256(content).hexdigest()], "manifest.json is not what was signed")
        print("ok  the list of files is signed")
        check_files(tar, manifest)
        check_figures(tar, *check_events(tar.extractfile("events.jsonl"), manifest, key))
except Exception as error:  # noqa: BLE001  a package may be broken in any way
    check(False, f"{type(error).__name__} {error}".strip())
warning = f"WARNING: key taken from the package itself: compare it with the operator's published key: {key}"
print("ok  signed by the key that you gave" if arguments.key else warning)
print(f"VERIFIED {manifest['organisation']} of {manifest['origin']}: {manifest['events']} events, {len(manifest['files'])} files")
