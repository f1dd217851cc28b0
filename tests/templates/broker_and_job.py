"""A broker, programs of the template and somebody who talks to them: what tests of the stream are played with."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

TEMPLATE = Path(str(files("eisbach") / "templates" / "predictive_maintenance"))


TOPIC = "simulated/pump"


PATIENCE_S = 60.0


def wait_until(is_so, what):
    """Wait until something is so; AssertionError where it never is."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        pause.wait(0.01)


class Broker:
    """Debian's mosquitto on a port of this machine; it can go away and come back at the same port."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser {account()}\n"
            f"persistence true\npersistence_location {folder}/\n"
        )
        self.start()

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen([mosquitto(), "-c", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            assert self.process.poll() is None, "mosquitto ended at its start"
            return False

        wait_until(answers, "mosquitto")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def account():
    """mosquitto gives up root for another user, who could not write into the test's folder."""
    return "root" if os.geteuid() == 0 else "mosquitto"


def mosquitto():
    return shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


class Program:
    """A program of the template in a folder of its own; its output is collected in a file, which is polled."""

    def __init__(self, folder, name, *arguments, **environment):
        folder.mkdir(exist_ok=True)
        self.folder, self.log = folder, folder / f"{name}-{len(list(folder.iterdir()))}.log"
        plain = {key: value for key, value in os.environ.items() if not key.startswith("EISBACH_")}
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, str(TEMPLATE / f"{name}.py"), *arguments],
                cwd=folder,
                env=plain | {"PYTHONDONTWRITEBYTECODE": "1"} | environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern, count=1):
        def is_there():
            if len(re.findall(pattern, self.text)) >= count:
                return True
            assert self.process.poll() is None, f"ended with {self.process.returncode} before {pattern!r}:\n{self.text}"
            return False

        wait_until(is_there, f"{pattern!r} in\n{self.text}")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def wait(self):
        return self.process.wait(PATIENCE_S)

    def figures(self):
        return json.loads((self.folder / "outputs" / "figures.json").read_text())


class Hand:
    """Sends payloads by hand and keeps what comes back; it reconnects by itself."""

    def __init__(self, broker):
        from paho.mqtt.client import CallbackAPIVersion, Client

        self.heard = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.reconnect_delay_set(0.1, 0.2)
        self.client.on_connect = lambda client, *_: client.subscribe(f"{TOPIC}/#", 1)
        self.client.on_message = lambda client, data, message: self.heard.append((message.topic.rpartition("/")[2], message.payload))
        self.client.connect_async("127.0.0.1", broker.port)
        self.client.loop_start()
        self.hour = 0
        self.first = datetime(2023, 1, 1, tzinfo=UTC)

    def send(self, payload):
        self.client.publish(f"{TOPIC}/values", payload, 1).wait_for_publish(PATIENCE_S)

    def send_values(self, *values):
        for value in values:
            at = self.first + timedelta(hours=self.hour)
            self.hour += 1
            self.send(json.dumps({"at": at.isoformat(), "value": value, "seq": self.hour, "source": "simulated", "sent": time.time_ns() / 1e6}))

    def answers(self, kind):
        return [json.loads(payload) for found, payload in list(self.heard) if found == kind]

    def await_answers(self, kind, count):
        wait_until(lambda: len(self.answers(kind)) >= count, f"{count} {kind}")
        return self.answers(kind)
