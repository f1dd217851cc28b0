"""Uploads to a real server that is killed with -9: nothing durable is lost, little is sent twice, and what a crash broke off is finished."""

import hashlib
import http.client
import io
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tusclient import client as tus
from tusclient.exceptions import TusCommunicationError

from eisbach.ports.objects import CHUNK_BYTES
from tests.faults.end_checks import check_home, verify_log
from tests.faults.harness import RealFactory, Unanswered, a_factory

SIZE = 3 * CHUNK_BYTES + 4_321_987
CONTENT = random.Random(21).randbytes(SIZE)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HEADERS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
DATA_POINTS = (
    "data.piece_durable",
    "data.sealed",
    "data.copied",
    "data.removed_at_a_site",
    "data.deletion_recorded",
)
FURTHER = '[[site]]\nname = "there"\ncountry = "AT"\noperator = "Test"\noperator_country = "AT"\nsimulated = true\n'
FURTHER_NODE = '[[node]]\nname = "there-1"\nsite = "there"\npool = "there"\nflavour = "cpu"\ncores = 4\nmemory_mib = 8192\ngpus = 0\n'


@pytest.fixture
def factory(zygote):
    with a_factory(zygote) as made:
        site = made.home / "site.toml"
        here = site.read_text().replace("[site]", "[[site]]").replace("[[node]]", '[[node]]\nsite = "here"')
        site.write_text(here + FURTHER + FURTHER_NODE)
        yield made


class Upload:
    """A client that counts what it sends."""

    def __init__(self, factory: RealFactory) -> None:
        self.factory, self.sent = factory, 0
        begun = tus_begin(factory)
        self.where, self.data_set = begun, begun.rpartition("/")[2]

    def offset(self) -> int:
        connection = self._connection()
        connection.request("HEAD", self.where, headers={**HEADERS, **self._token()})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return int(answer.headers["Upload-Offset"])

    def send(self, stop_after: int | None = None) -> None:
        """Send the rest; after some bytes of it kill the server."""
        offset = self.offset()
        connection = self._connection()
        headers = {**HEADERS, **self._token(), "Upload-Offset": str(offset), "Content-Length": str(SIZE - offset)}
        with suppress(OSError, http.client.HTTPException):
            connection.request("PATCH", self.where, self._pieces(offset, stop_after), headers)
            assert connection.getresponse().status == 204
        connection.close()

    def is_whole(self) -> bool:
        """Send what is missing; return whether nothing is."""
        if self.offset() < SIZE:
            self.send()
        return self.offset() == SIZE

    def facts(self) -> dict:
        return self.factory.made("GET", f"/v1/data/{self.data_set}")

    def _pieces(self, offset: int, stop_after: int | None):
        begun = offset
        while offset < SIZE:
            piece = CONTENT[offset : offset + 65_536]
            offset += len(piece)
            self.sent += len(piece)
            yield piece
            if stop_after is not None and offset - begun > stop_after:
                self.factory.kill()
                raise OSError("the server is gone")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.factory._port, timeout=30)

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.factory.token}"}


def tus_begin(factory: RealFactory) -> str:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(SIZE), "Upload-Metadata": "filename Zmxvdy5jc3Y=", "Authorization": f"Bearer {factory.token}"}
    path = f"/v1/projects/{factory.furnish()}/uploads"
    connection = http.client.HTTPConnection("127.0.0.1", factory._port, timeout=30)
    connection.request("POST", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 201
    return answer.headers["Location"]


def test_an_upload_killed_three_times_is_whole_and_little_was_sent_twice(factory):
    factory.start()
    upload = Upload(factory)
    for stop_after in (CHUNK_BYTES + 700_000, 3_000_000, CHUNK_BYTES):
        upload.send(stop_after)
        factory.start()
    upload.send()
    found = upload.facts()
    assert (found["stage"], found["sha256"]) == ("ready", DIGEST)
    assert upload.sent <= SIZE + 3 * (CHUNK_BYTES + 1_000_000), "at most a chunk, and what was in the pipes, for each kill"
    assert factory.made("POST", f"/v1/data/{upload.data_set}/check")["is_whole"]
    factory.stop()
    check_home(factory.home)
    assert not list(Path(factory.home).glob("objects/*/*/incoming/*")), "nothing half-filled is left"


@pytest.mark.parametrize("checksum", [False, True])
def test_an_existing_client_goes_on_after_kills(factory, checksum):
    """tuspy, as it is."""
    factory.start()
    url = f"http://127.0.0.1:{factory._port}/v1/projects/{factory.furnish()}/uploads"
    client = tus.TusClient(url, headers={"Authorization": f"Bearer {factory.token}"})
    options = {"chunk_size": 5_000_000, "upload_checksum": checksum, "metadata": {"filename": "flow.csv", "licence": "CC0-1.0"}}
    sender = client.uploader(file_stream=io.BytesIO(CONTENT), **options)
    place = ""
    for _ in range(3):
        sender.upload_chunk()
        place = "/v1/uploads/" + sender.url.rpartition("/")[2]
        factory.kill()
        with pytest.raises(TusCommunicationError):
            sender.upload_chunk()
        factory.start()
        client = tus.TusClient(url, headers={"Authorization": f"Bearer {factory.token}"})
        sender = client.uploader(file_stream=io.BytesIO(CONTENT), url=f"http://127.0.0.1:{factory._port}{place}", **options)
    assert sender.offset == 3 * 5_000_000, "what was acknowledged is there"
    sender.upload()
    found = factory.made("GET", place.replace("uploads", "data"))
    assert (found["stage"], found["sha256"], found["licence"]) == ("ready", DIGEST, "CC0-1.0")


@pytest.mark.parametrize("point", DATA_POINTS)
def test_a_kill_between_two_steps_is_healed_by_the_next_start(factory, point):
    how = {"crash_at": point}
    factory.start(**how)
    upload = Upload(factory)
    again(factory, upload.is_whole)
    again(factory, lambda: upload.facts()["stage"] == "ready")
    with suppress(Unanswered):
        factory.call("POST", f"/v1/data/{upload.data_set}/copies", {"site": "there"})
    again(factory, lambda: len([one for one in upload.facts()["places"] if one["is_whole"]]) == 2)
    with suppress(Unanswered):
        factory.call("DELETE", f"/v1/data/{upload.data_set}")
    again(factory, lambda: upload.facts()["stage"] == "deleted")
    proof = factory.made("GET", f"/v1/data/{upload.data_set}/certificate")["certificate"]
    assert "here in DE: 4 chunks" in proof
    assert "there in AT, a simulated site: 4 chunks" in proof
    verify_log(factory)
    factory.stop()
    check_home(factory.home)
    left = [path for path in Path(factory.home).glob("objects/*/*/[cs]*/*/*") if path.is_file()]
    assert not left


def again(factory, is_so, patience_s=30.0):
    """Wait until something is so; whenever the server was killed on the way, start it again."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if not factory.is_running:
            factory.start()
        with suppress(Unanswered, OSError, http.client.HTTPException):
            if is_so():
                return
        time.sleep(0.05)
    raise AssertionError("it never came to be")
