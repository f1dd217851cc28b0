"""Whatever is changed in a package is found and named: by outsiders without the key, and by an origin that cheats."""

import io
import json
import subprocess
import sys
import tarfile
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from eisbach.app.package_format import signed_text
from eisbach.core.log.head import VerifierKey, sign_text
from eisbach.core.vocabulary.quantities import HOUR_MS
from eisbach.core.vocabulary.reasons import Reason
from tests.app.factory import a_job, new_factory
from tests.app.leaving import exported, imported, key_of, organisation_of

SCRIPT = Path(__file__).parents[2] / "scripts" / "verify_export.py"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    factory = new_factory(tmp_path_factory.mktemp("first"), seed=1)
    factory.submit(a_job("sleep 100", cpus=2))
    factory.pass_time(HOUR_MS)
    factory.submit(a_job("sleep 20", name="second"))
    factory.pass_time(HOUR_MS)
    return factory


@pytest.fixture(scope="module")
def package(first, tmp_path_factory):
    return exported(first, organisation_of(first), tmp_path_factory.mktemp("package") / "package.tar")


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    return new_factory(tmp_path_factory.mktemp("second"), seed=500)


def files_of(package):
    with tarfile.open(package) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def written(files, place):
    with tarfile.open(place, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return place


def relisted(files):
    """Make the list of files fit the files again, as anybody can."""
    manifest = json.loads(files["manifest.json"])
    known = {one["path"]: one for one in manifest["files"]}
    manifest["files"] = [
        {"path": name, "size": len(content), "sha256": sha256(content).hexdigest(), "proven": known.get(name, {"proven": "log"})["proven"]}
        for name, content in files.items()
        if not name.startswith("manifest.")
    ]
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def resigned(files, factory):
    """Sign the list once more, as only the origin can."""
    files = relisted(files)
    signer = factory.app.signer
    text = signed_text(signer.name, files["manifest.json"])
    note = sign_text(text, VerifierKey(signer.name, signer.public_key), signer.sign)
    return {**files, "manifest.sig": note.encode()}


def with_flipped_bit(content):
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def refused(first, second, file, name):
    size = second.store.log_size()
    answer = imported(second, file, key_of(first))
    assert getattr(answer, "reason", answer) is Reason.INVALID_PACKAGE, answer
    assert answer.where == name
    assert name in answer.what
    assert second.store.log_size() == size
    return answer.what


NAMES = (
    "README.md", "events.jsonl", "texts.jsonl", "tables/balances.csv", "tables/jobs.csv", "tables/transfers.csv",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_one_bit_in_any_file_is_found_and_named(first, second, package, tmp_path, name):
    files = files_of(package)
    files[name] = with_flipped_bit(files[name])
    assert "not those that the list names" in refused(first, second, written(files, tmp_path / "p.tar"), name)


@pytest.mark.parametrize("name", NAMES)
def test_a_list_that_was_made_to_fit_is_not_the_one_that_was_signed(first, second, package, tmp_path, name):
    files = files_of(package)
    files[name] = with_flipped_bit(files[name])
    refused(first, second, written(relisted(files), tmp_path / "p.tar"), "manifest.json")


def test_a_signature_of_somebody_else_is_none(first, second, package, tmp_path):
    files = resigned(files_of(package), second)
    refused(first, second, written(files, tmp_path / "p.tar"), "manifest.sig")


def missing_event(lines):
    return [*lines[:3], *lines[4:]]


def changed_event(lines):
    leaf = json.loads(lines[2])
    data = b64decode(leaf["data"]).replace(b'"at":', b'"at":1')
    return [*lines[:2], json.dumps({**leaf, "data": b64encode(data).decode()}).encode(), *lines[3:]]


def event_of_another_place(lines):
    leaf = json.loads(lines[2])
    return [*lines[:2], json.dumps({**leaf, "index": leaf["index"] + 1}).encode(), *lines[3:]]


def doubled_event(lines):
    return [*lines[:3], lines[2], *lines[3:]]


def swapped_events(lines):
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def no_event(lines):
    return lines[:1]


@pytest.mark.parametrize(
    "cheat", [missing_event, changed_event, event_of_another_place, doubled_event, swapped_events, no_event]
)
def test_an_origin_that_cheats_with_events_is_found(first, second, package, tmp_path, cheat):
    files = files_of(package)
    files["events.jsonl"] = b"\n".join(cheat(files["events.jsonl"].split(b"\n")[:-1])) + b"\n"
    refused(first, second, written(resigned(files, first), tmp_path / "p.tar"), "events.jsonl")


def test_events_of_somebody_else_are_found_even_under_the_head(first, second, package, tmp_path):
    """A leaf about the factory, with its true proof, in the place of one of the organisation's."""
    from eisbach.core.log.bundle import proven_leaf
    from eisbach.core.log.tree import inclusion_proof

    files = files_of(package)
    size = json.loads(files["manifest.json"])["log_size"]
    foreign = next(one for one in first.store.events(limit=1000) if one.kind == "node.declared")
    leaf = proven_leaf(foreign.seq, foreign.data, inclusion_proof(foreign.seq, size, first.store.tree_node))
    lines = files["events.jsonl"].split(b"\n")
    files["events.jsonl"] = b"\n".join([lines[0], json.dumps(leaf).encode(), *lines[2:]])
    what = refused(first, second, written(resigned(files, first), tmp_path / "p.tar"), "events.jsonl")
    assert "node.declared" in what


def test_a_wrong_balance_is_found_whoever_signed_it(first, second, package, tmp_path):
    files = files_of(package)
    files["tables/balances.csv"] = files["tables/balances.csv"].replace(b"/available,", b"/available,9")
    what = refused(first, second, written(resigned(files, first), tmp_path / "p.tar"), "tables/balances.csv")
    assert "does not follow from the events" in what


def test_a_changed_task_is_not_the_one_that_was_committed_to(first, second, package, tmp_path):
    files = files_of(package)
    files["texts.jsonl"] = files["texts.jsonl"].replace(b"sleep 100", b"sleep 101")
    refused(first, second, written(resigned(files, first), tmp_path / "p.tar"), "texts.jsonl")


def test_a_file_more_and_a_file_less_are_found(first, second, package, tmp_path):
    files = files_of(package)
    refused(first, second, written({**files, "more.txt": b"x"}, tmp_path / "p.tar"), "more.txt")
    less = {name: content for name, content in files.items() if name != "tables/jobs.csv"}
    refused(first, second, written(less, tmp_path / "q.tar"), "tables/jobs.csv")
    unlisted = {name: content for name, content in files.items() if name != "manifest.json"}
    refused(first, second, written(unlisted, tmp_path / "r.tar"), "manifest.json")


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "tables/../../outside", "a//b", "./a", "a\\b"])
def test_paths_that_lead_out_are_refused_by_name(first, second, package, tmp_path, path):
    files = {**files_of(package), path: b"x"}
    refused(first, second, written(files, tmp_path / "p.tar"), path)


def test_links_devices_and_doubles_are_refused(first, second, package, tmp_path):
    for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "device")):
        place = written(files_of(package), tmp_path / f"{name}.tar")
        with tarfile.open(place, "a") as tar:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "README.md"
            tar.addfile(info)
        assert "no plain file" in refused(first, second, place, name)
    place = written(files_of(package), tmp_path / "double.tar")
    with tarfile.open(place, "a") as tar:
        tar.addfile(tarfile.TarInfo("README.md"))
    assert "twice" in refused(first, second, place, "README.md")


def test_compressed_cut_and_senseless_files_are_no_packages(first, second, package, tmp_path):
    packed = tmp_path / "bomb.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 10**7
        tar.addfile(info, io.BytesIO(b"\0" * 10**7))
    cut = tmp_path / "cut.tar"
    cut.write_bytes(package.read_bytes()[:-9000])
    empty, text = tmp_path / "empty.tar", tmp_path / "text.tar"
    empty.write_bytes(b"")
    text.write_bytes(b"I am no package. " * 1000)
    for file in (packed, cut, empty, text):
        answer = imported(second, file, key_of(first))
        assert answer.reason is Reason.INVALID_PACKAGE, file


def test_a_size_that_is_not_there_is_refused(first, second, package, tmp_path):
    place = tmp_path / "huge.tar"
    info = tarfile.TarInfo("huge")
    info.size = 10**15
    place.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"x" * 100)
    refused(first, second, place, "huge")


def script(*arguments):
    ran = subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stdout


def test_the_script_without_our_code_agrees(first, package, tmp_path):
    code, out = script(package, "--key", key_of(first))
    assert code == 0, out
    assert "VERIFIED" in out
    files = files_of(package)
    wrong = dict(files)
    wrong["tables/balances.csv"] = files["tables/balances.csv"].replace(b"/available,", b"/available,9")
    events = dict(files)
    events["events.jsonl"] = b"\n".join(missing_event(files["events.jsonl"].split(b"\n")))
    cheats = {
        "tables/balances.csv": [wrong, resigned(wrong, first)],
        "events": [resigned(events, first)],
        "manifest.json": [relisted(wrong)],
        "texts.jsonl": [resigned({**files, "texts.jsonl": files["texts.jsonl"].replace(b"sleep 100", b"sleep 101")}, first)],
    }
    for named, cases in cheats.items():
        for number, case in enumerate(cases):
            code, out = script(written(case, tmp_path / f"{number}.tar"), "--key", key_of(first))
            assert code == 1
            assert named in out.splitlines()[-1], out


def test_without_a_key_the_script_warns(package):
    code, out = script(package)
    assert code == 0
    assert "WARNING: key taken from the package itself" in out
