"""The plant on the line: values come in by MQTT, the running job answers with alarms, and the latency is shown."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from story.checks import StepFailed
from story.window.stage import Json, WindowStage

FOLDER = "plant"
TOPIC = "simulated/pipeline-1"
START_S = 20.0


def stream(stage: WindowStage) -> None:
    """Run the template a second time, on a stream that a simulated plant sends."""
    shell, check = stage.shell, stage.record.check
    shell.eisbach("init", "predictive-maintenance", FOLDER)
    port = _free_port()
    broker = f"mqtt://127.0.0.1:{port}"
    with _broker(stage, port):
        said = shell.eisbach(
            "run", f"{FOLDER}/stream.yaml", "--detach", "-y", "-p", stage.project, "--env", f"BROKER={broker}", "--env", f"TOPIC={TOPIC}"
        )
        stage.streaming_job = stage.job_id_in(said.output)
        stage.wait_for(stage.streaming_job, "running")
        seen = _send(stage, broker)
        shell.eisbach("cancel", stage.streaming_job)
        ended = stage.wait_for(stage.streaming_job, "ended")
    back = seen["value_to_alarm_and_back"]
    check("the plant says that it is simulated", seen["label"] == "simulated", f"{seen['sent']} values")
    check("alarms come back to the plant", bool(seen["alarms"]) and back["count"] > 0, f"p50 {back['p50_ms']:.0f} ms, largest {back['max_ms']:.0f} ms")
    check("absurd values are answered and stop nothing", 0 < seen["nonsense"] <= seen["rejected"], f"{seen['rejected']} rejected with a reason")
    check("the job ended when it was asked to", ended["outcome"] == "cancelled", str(ended["outcome"]))
    shell.eisbach("logs", stage.streaming_job)


def _send(stage: WindowStage, broker: str) -> Json:
    words = ["plant.py", "--broker", broker, "--topic", TOPIC, "--values-per-second", "60", "--values", "480"]
    words += ["--fault", "drop", "--fault-at", "300", "--fault-values", "24", "--nonsense-every", "60", "--figures", "seen.json"]
    folder = stage.shell.folder / FOLDER
    command = ["bash", "-c", 'cd "$0" && exec "$@"', str(folder), sys.executable, *words]
    stage.shell.run(command, "python " + " ".join(words))
    seen: Json = json.loads((folder / "seen.json").read_text())
    return seen


@contextmanager
def _broker(stage: WindowStage, port: int) -> Iterator[None]:
    """Have a small MQTT broker on this machine for as long as the stream lasts."""
    stage.shell.show_command(f"python broker.py --port {port} &")
    folder: Path = stage.shell.folder / FOLDER
    with open(stage.shell.folder / "broker.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "broker.py", "--port", str(port)],
            cwd=folder,
            env=stage.shell.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_port(process, port)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise StepFailed(f"the broker does not listen on port {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])

