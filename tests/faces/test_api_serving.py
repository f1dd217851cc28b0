"""The server as a process: the port, the signal, the logs."""

import json
import logging
import signal
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
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/me?secret=1", headers={"Authorization": f"Bearer {token}"})
        assert json.load(urllib.request.urlopen(request, timeout=10))["role"] == "operator"
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert output == "stopped in order\n"
    assert process.returncode == 0
    (line,) = [json.loads(line) for line in errors.splitlines() if "/v1/me" in line]
    assert line["message"] == "GET /v1/me 200"
    assert line["request_id"]
    assert token not in errors


def test_a_json_line_holds_the_error():
    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "it %s", ("failed",), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["level"]) == ("it failed", "error")
    assert "ValueError: broken" in line["error"]
