"""Resumable uploads by tus 1.0.0: what the protocol asks for, and what goes wrong."""

import hashlib
import random
from base64 import b64encode

import pytest

from tests.faces.factory_world import CHUNK_BYTES

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
CONTENT = random.Random(4).randbytes(3 * CHUNK_BYTES + 1234)
SIZE = len(CONTENT)


def metadata(**told):
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in told.items())


def announced(world, size=SIZE, tenant=None, token=None, headers=None, **told):
    tenant = tenant or world.ours
    sent = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata(**{"filename": "flow.csv", **told}), **(headers or {})}
    return world.call("POST", f"/v1/projects/{tenant.project}/uploads", token or tenant.tokens["member"], headers=sent)


def begun(world, **more):
    answer = announced(world, **more)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def sent(world, where, offset, content, headers=None, token=None):
    token = token or world.ours.tokens["member"]
    return world.call("PATCH", where, token, content=content, headers={**PIECE, "Upload-Offset": str(offset), **(headers or {})})


def asked(world, where, token=None):
    return world.call("HEAD", where, token or world.ours.tokens["member"], headers=TUS)


def facts(world, where, token=None):
    return world.made("GET", where.replace("uploads", "data"), token or world.ours.tokens["member"])


def test_a_file_comes_in_pieces_and_becomes_a_data_set(world):
    answer = announced(world, licence="CC-BY-4.0", keep_days="30", countries="DE,AT", data_class="derived")
    assert answer.status_code == 201
    assert answer.headers["tus-resumable"] == "1.0.0"
    where = answer.headers["location"]
    assert facts(world, where)["stage"] == "uploading"
    offset = 0
    for size in (1, CHUNK_BYTES, 50, len(CONTENT)):
        piece = CONTENT[offset : offset + size]
        answer = sent(world, where, offset, piece)
        assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
        offset += len(piece)
        assert answer.headers["upload-offset"] == str(offset)
        assert asked(world, where).headers["upload-offset"] == str(offset)
    found = facts(world, where)
    assert found["stage"] == "ready"
    assert found["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (found["name"], found["licence"], found["size"], found["chunks"]) == ("flow.csv", "CC-BY-4.0", len(CONTENT), 4)
    assert (found["data_class"], found["countries"]) == ("derived", ["AT", "DE"])
    assert [(one["site"], one["country"], one["is_whole"]) for one in found["places"]] == [("here", "DE", True)]
    assert found["kept_until_at"] is not None


def test_a_download_is_the_file_and_any_range_of_it(world):
    where = begun(world)
    sent(world, where, 0, CONTENT)
    path, member = f"{where.replace('uploads', 'data')}/content", world.ours.tokens["member"]
    whole = world.call("GET", path, member)
    assert whole.content == CONTENT
    assert whole.headers["eisbach-sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert "flow.csv" in whole.headers["content-disposition"]
    for wanted, start, end in [("bytes=0-0", 0, 1), ("bytes=99999-100001", 99_999, 100_002), ("bytes=-7", len(CONTENT) - 7, len(CONTENT)), ("bytes=300000-", 300_000, len(CONTENT)), ("bytes=5-99999999", 5, len(CONTENT))]:
        part = world.call("GET", path, member, headers={"Range": wanted})
        assert part.status_code == 206
        assert part.content == CONTENT[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    beyond = world.call("GET", path, member, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_the_server_says_what_it_knows(shared_world):
    answer = shared_world.call("OPTIONS", f"/v1/projects/{shared_world.ours.project}/uploads", shared_world.ours.tokens["member"])
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,termination,checksum,expiration"
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256"
    assert int(answer.headers["tus-max-size"]) == 3_000_000


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", "x" * 5000])
def test_another_version_of_the_protocol_is_refused_with_ours(shared_world, version):
    headers = {"Upload-Length": "5", "Upload-Metadata": metadata(filename="a"), **({"Tus-Resumable": version} if version else {})}
    answer = shared_world.call("POST", f"/v1/projects/{shared_world.ours.project}/uploads", shared_world.ours.tokens["member"], headers=headers)
    assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")


@pytest.mark.parametrize("offset", [1, CHUNK_BYTES, len(CONTENT), len(CONTENT) + 1, 10**17])
def test_bytes_at_a_wrong_offset_are_not_taken(shared_world, offset):
    where = begun(shared_world)
    answer = sent(shared_world, where, offset, b"x")
    assert answer.status_code == 409
    problem = answer.json()
    assert (problem["reason"], problem["errors"][0]["values"]["offset"]) == ("WRONG_OFFSET", 0)
    assert asked(shared_world, where).headers["upload-offset"] == "0"


@pytest.mark.parametrize("text", ["-1", "1.5", "", "1e3", "0x10", " 1", "9" * 19, "9" * 5000, "eins"])
@pytest.mark.parametrize("header", ["Upload-Length", "Upload-Offset"])
def test_lengths_and_offsets_that_are_none(shared_world, header, text):
    if header == "Upload-Length":
        answer = announced(shared_world, headers={"Upload-Length": text})
    else:
        answer = sent(shared_world, begun(shared_world, size=10), 0, b"x", headers={"Upload-Offset": text})
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_ARGUMENT")
    assert len(answer.text) < 1000


def test_an_empty_file_is_no_data_set(shared_world):
    answer = announced(shared_world, size=0)
    assert answer.status_code == 422
    assert "0 bytes" in answer.json()["detail"]


def test_a_file_above_the_maximum(shared_world):
    answer = announced(shared_world, size=3_000_001)
    assert (answer.status_code, answer.json()["reason"]) == (413, "TOO_LARGE")
    assert answer.json()["errors"][0]["values"] == {"bytes": 3_000_001, "bytes_max": 3_000_000}


def test_a_quota_counts_uploads_from_their_beginning_and_gives_back_what_is_given_up(world):
    first = begun(world, size=3_000_000)
    answer = announced(world, size=999_992)
    assert (answer.status_code, answer.json()["reason"]) == (409, "OVER_QUOTA")
    assert answer.json()["errors"][0]["values"] == {"held_bytes": 3_000_009, "quota_bytes": 4_000_000, "needed_bytes": 999_992}
    assert announced(world, size=999_992, tenant=world.theirs).status_code == 201, "each project has its own"
    assert world.call("DELETE", first, world.ours.tokens["member"], headers=TUS).status_code == 204
    assert announced(world, size=999_992).status_code == 201
    listed = world.made("GET", f"/v1/projects/{world.ours.project}/data", world.ours.tokens["member"])
    assert (listed["held_bytes"], listed["quota_bytes"]) == (1_000_001, 4_000_000)


def test_more_bytes_than_announced_are_not_taken(world):
    where = begun(world, size=10)
    assert sent(world, where, 0, b"x" * 11).status_code == 413
    assert asked(world, where).headers["upload-offset"] == "0"
    assert sent(world, where, 0, b"x" * 10).status_code == 204


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_piece_with_its_checksum(world, algorithm):
    where = begun(world)
    first, second = CONTENT[: CHUNK_BYTES + 5], CONTENT[CHUNK_BYTES + 5 :]

    def checksum(piece):
        return {"Upload-Checksum": f"{algorithm} {b64encode(hashlib.new(algorithm, piece).digest()).decode()}"}

    assert sent(world, where, 0, first, checksum(first)).status_code == 204
    wrong = sent(world, where, len(first), second[:-1] + b"?", checksum(second))
    assert (wrong.status_code, wrong.json()["reason"]) == (460, "WRONG_CHECKSUM")
    assert wrong.headers["tus-resumable"] == "1.0.0"
    assert asked(world, where).headers["upload-offset"] == str(len(first)), "nothing of the damaged piece was kept"
    assert sent(world, where, len(first), second, checksum(second)).status_code == 204
    assert facts(world, where)["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("checksum", ["md5 AAAA", "sha1", "sha256 !!!", "sha1 " + "A" * 5000, ""])
def test_checksums_that_cannot_be_read(world, checksum):
    where = begun(world)
    assert sent(world, where, 0, b"abc", {"Upload-Checksum": checksum}).status_code in (400, 460)
    assert asked(world, where).headers["upload-offset"] == "0"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.csv", "c:\\x.csv", "..", ".", "x" * 300, "ü" * 150, "a\nb", "a\0b", " a", "", "<script>alert(1)</script>", "dset_01"])
def test_names_that_cannot_be_the_name_of_a_file(shared_world, name):
    answer = announced(shared_world, filename=name)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>.csv", "Zähler 1 – Süd.csv", "$(reboot); .csv", "-rf", "名前.csv"])
def test_names_that_look_strange_and_are_kept_as_they_are(world, name):
    where = begun(world, filename=name)
    assert facts(world, where)["name"] == name


@pytest.mark.parametrize("told", [{"data_class": "secret"}, {"data_class": "provider"}, {"keep_days": "0"}, {"keep_days": "99999"}, {"keep_days": "-3"}, {"keep_days": "a"}, {"countries": "Germany"}, {"countries": "de"}, {"licence": "x" * 201}])
def test_facts_that_are_none(shared_world, told):
    assert announced(shared_world, **told).status_code == 422


def test_a_site_that_is_not_there(shared_world):
    answer = announced(shared_world, site="nowhere")
    assert answer.status_code == 404


@pytest.mark.parametrize("header", ["filename", "filename ***", "filename /w==", "x" * 9000, "filename YQ==, ,,"])
def test_metadata_that_cannot_be_read(world, header):
    answer = announced(world, headers={"Upload-Metadata": header})
    assert answer.status_code in (201, 400, 422)
    assert answer.status_code == 201 or answer.json()["reason"] == "INVALID_ARGUMENT"


def test_bytes_sent_as_something_else_are_not_taken(world):
    where = begun(world)
    for kind in ("application/octet-stream", "text/plain", ""):
        assert sent(world, where, 0, b"abc", {"Content-Type": kind}).status_code == 415


def test_an_upload_of_somebody_else_is_as_absent_as_one_that_is_not_there(world):
    where = begun(world, tenant=world.theirs)
    for method, headers in (("HEAD", TUS), ("PATCH", {**PIECE, "Upload-Offset": "0"}), ("DELETE", TUS)):
        foreign = world.call(method, where, world.ours.tokens["member"], headers=headers)
        absent = world.call(method, "/v1/uploads/dset_00000000000000000000000000", world.ours.tokens["member"], headers=headers)
        assert foreign.status_code == absent.status_code == 404
    assert asked(world, where, world.theirs.tokens["member"]).status_code == 200


def test_two_clients_on_one_upload(world):
    """While one sends, the other is told so, and nothing of what it sends is mixed in."""
    where = begun(world)
    answers = []

    def pieces():
        yield CONTENT[:1000]
        answers.append(sent(world, where, 0, CONTENT[:50]))
        yield CONTENT[1000:2000]

    first = world.call("PATCH", where, world.ours.tokens["member"], content=pieces(), headers={**PIECE, "Upload-Offset": "0"})
    assert first.status_code == 204
    assert answers[0].status_code in (204, 409, 423)
    offset = int(asked(world, where).headers["upload-offset"])
    assert sent(world, where, offset, CONTENT[offset:]).status_code == 204
    assert facts(world, where)["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def test_an_upload_that_was_given_up_or_expired_is_gone(world):
    given_up, late = begun(world), begun(world)
    sent(world, given_up, 0, CONTENT[:5000])
    assert world.call("DELETE", given_up, world.ours.tokens["member"], headers=TUS).status_code == 204
    world.clock.advance(7 * 86_400_000)
    for where in (given_up, late):
        for answer in (asked(world, where), sent(world, where, 0, b"x")):
            assert answer.status_code == 410
    assert world.application.reader.text(f"{given_up.rpartition('/')[2]}/name") is None, "its name is erased"


def test_what_has_become_a_data_set_is_no_upload_any_more(world):
    where = begun(world, size=3)
    assert sent(world, where, 0, b"abc").status_code == 204
    assert sent(world, where, 3, b"").status_code == 204, "the end may be told twice"
    assert sent(world, where, 0, b"abc").status_code == 409
    assert world.call("DELETE", where, world.ours.tokens["member"], headers=TUS).status_code == 403
    assert asked(world, where).headers["upload-offset"] == "3"


def test_an_announcement_that_is_repeated_with_its_key_is_one_upload(world):
    answers = [announced(world, headers={"Idempotency-Key": "again"}) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert announced(world, size=4, headers={"Idempotency-Key": "again"}).status_code == 409


def test_a_deleted_data_set_tells_nobody_its_name(world):
    where = begun(world)
    sent(world, where, 0, CONTENT)
    path, member = where.replace("uploads", "data"), world.ours.tokens["member"]
    answer = world.call("DELETE", path, member)
    assert (answer.status_code, answer.json()["stage"]) == (202, "deleted")
    found = facts(world, where)
    assert (found["name"], found["sha256"]) == ("", hashlib.sha256(CONTENT).hexdigest())
    assert world.call("GET", f"{path}/content", member).status_code == 410
    assert world.call("DELETE", path, member).status_code == 410
    listed = world.made("GET", f"/v1/projects/{world.ours.project}/data", member)
    assert found["data_set"] not in {one["data_set"] for one in listed["items"]}
    everything = world.made("GET", f"/v1/projects/{world.ours.project}/data?all=true", member)["items"]
    assert found["data_set"] in {one["data_set"] for one in everything}


def test_a_damaged_data_set_is_found_and_not_sent(world):
    where = begun(world)
    sent(world, where, 0, CONTENT)
    path, member = where.replace("uploads", "data"), world.ours.tokens["member"]
    assert world.made("POST", f"{path}/check", member)["is_whole"]
    row = world.application.resource_of("Project", world.ours.project)
    objects = world.application.objects
    chunk = next(iter(sorted((objects._root / "here" / row.organisations[0] / "sets" / where.rpartition("/")[2]).iterdir())))
    chunk.write_bytes(b"rot")
    answer = world.call("GET", f"{path}/content", member)
    assert (answer.status_code, answer.json()["reason"]) == (500, "DATA_DAMAGED")
    assert not world.made("POST", f"{path}/check", member)["is_whole"]
