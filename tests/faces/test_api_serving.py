"""The server as a process: the port, the signal, the logs."""

import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from eisbach.api.serving import JsonLines, PortTaken, bind

PROGRAM = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.faces.factory_world import make_world
from eisbach.api.serving import bind, serve
with tempfile.TemporaryDirectory() as folder:
    world = make_world(Path(folder))
    serve(
        world.client.app, bind("127.0.0.1", 0), access_log=True, json_logs=True,
        on_ready=lambda host, port: print(port, world.operator, flush=True),
    )
    world.application.stop()
    print("stopped in order", flush=True)
"""


def test_a_taken_port_is_said_clearly():
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} of 127.0.0.1 is taken.*--port"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "256.1.1.1"])
def test_an_address_of_another_machine_is_said_clearly(host):
    with pytest.raises(PortTaken, match=r"no address of this machine"):
        bind(host, 0)


def test_a_server_stops_in_order_at_sigterm():
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        port, token = process.stdout.readline().split()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/organisations?limit=17", headers={"Authorization": f"Bearer {token}"})
        assert json.load(urllib.request.urlopen(request, timeout=10))["items"]
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert output == "stopped in order\n"
    assert process.returncode == 0
    (line,) = [json.loads(line) for line in errors.splitlines() if "/v1/organisations" in line]
    assert line["message"] == "GET /v1/organisations 200"
    assert line["request_id"]
    assert token not in errors
    assert "limit=17" not in errors  # queries may hold what is nobody's business


@pytest.fixture
def address():
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        port, _ = process.stdout.readline().split()
        yield "127.0.0.1", int(port)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def test_a_head_without_end_is_cut_off(address):
    with socket.create_connection(address, timeout=10) as connection:
        with contextlib.suppress(ConnectionError):  # it is closed while we write
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"a" * 1000) for n in range(2000)))
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(100)
    assert answer.startswith(b"HTTP/1.1 431 ") or not answer
    assert urllib.request.urlopen("http://{}:{}/healthz".format(*address), timeout=10).status == 200


def test_an_answer_is_given_before_the_body_is_over_and_the_next_request_is_taken(address):
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST /v1/organisations HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 401 ")
        connection.sendall(b"x" * 300_000 + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_json_line_holds_the_error():
    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "it %s", ("failed",), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["level"]) == ("it failed", "error")
    assert "ValueError: broken" in line["error"]
