"""A simulated plant: sends real measurements again over MQTT, faster than they were taken, and may have a fault put into them.

Everything it sends carries `"source": "simulated"`, and its topic begins with `simulated/`: the values were measured once, the plant
was not there. It listens for the alarms and tells how long the way to the job and back took, on one clock.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from connection import Address, make_client, require_paho
from dialect import Wishes
from latency import Latency
from messages import SIMULATED
from readings import Limits, Readings
from series import iso
from sources import WATER_FLOW, find_source
from unreadable import Unreadable

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

QOS = 1
HOUR_MS = 3_600_000
FAULTS = {"drop": lambda value, hours: value * 0.8, "surge": lambda value, hours: value * 1.2, "creep": lambda value, hours: value * (1 - 0.01 * hours)}
NONSENSE = (
    '{"at": "2022-03-20T11:00:00+01:00", "value": NaN}',
    '{"at": "2022-03-20T11:00:00+01:00", "value": "much"}',
    '{"at": "2022-03-20T11:00:00+01:00", "value": -5}',
    '{"at": "2022-03-20T11:00:00+01:00", "value": 1e300}',
    '{"at": "2999-01-01T00:00:00Z", "value": 100}',
    '{"value": 100}',
    '["at", "value"]',
    '{"at": "2022-03-20T1',
)
LABEL = "simulated plant"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--broker", default="mqtt://127.0.0.1:1883", help="mqtt://[USER@]HOST[:PORT]; the password is read from MQTT_PASSWORD")
    add("--topic", default="simulated/pipeline-1", help="has to begin with simulated/")
    add("--data", default=WATER_FLOW, help="water-flow, or a CSV")
    add("--timezone", default="Europe/Berlin", help="of instants without offset in the CSV")
    add("--values-per-second", type=float, default=20.0)
    add("--values", type=int, help="stop after so many values; default: all")
    add("--fault", choices=tuple(FAULTS), help="drop: a fifth less; surge: a fifth more; creep: a hundredth less each hour")
    add("--fault-at", type=int, default=60, help="put it in from this value on")
    add("--fault-values", type=int, default=12, help="and for so many values")
    add("--nonsense-every", type=int, help="also send something absurd after every so many values")
    add("--patience", type=float, default=60.0, help="seconds to wait for the broker and the job")
    add("--linger", type=float, default=1.0, help="at the end, wait until nothing came back for so many seconds")
    add("--figures", type=Path, help="write what was seen as JSON")
    return parser.parse_args()


class Plant:
    def __init__(self, arguments: argparse.Namespace) -> None:
        if not arguments.topic.startswith(f"{SIMULATED}/"):
            raise Unreadable(f"the topic {arguments.topic!r} does not say that this plant is simulated", f"Begin it with {SIMULATED}/")
        self.arguments = arguments
        self.address = Address.read(arguments.broker)
        self.client: Client = make_client(self.address, f"{SIMULATED}-plant-{time.time_ns()}", False, 0.2)
        self.client.on_connect, self.client.on_message = self._on_connect, self._on_message
        self.watched = threading.Event()
        self.sent, self.faulty, self.nonsense, self.rejected = 0, 0, 0, 0
        self.alarms: list[dict[str, Any]] = []
        self.loop, self.verdict_loop = Latency(), Latency()
        self.heard = 0.0
        """When the last message came."""
        self._left: dict[int, float] = {}

    def _on_connect(self, client: "Client", _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe([(f"{self.arguments.topic}/{kind}", QOS) for kind in ("status", "alarms", "verdicts", "rejected")])

    def _on_message(self, _client: "Client", _data: Any, message: "MQTTMessage") -> None:
        self.heard = time.perf_counter()
        kind, document = message.topic.rpartition("/")[2], json.loads(message.payload)
        if kind == "status":
            (self.watched.set if document["status"] == "watching" else self.watched.clear)()
            return
        if kind == "rejected":
            self.rejected += 1
            return
        left = self._left.get(document["seq"])
        took = None if left is None else (time.perf_counter() - left) * 1000
        if kind == "verdicts":
            self._left.pop(document["seq"], None)
            if took is not None:
                self.verdict_loop.add(took)
            return
        if took is not None:
            self.loop.add(took)
        self.alarms.append(document)
        back = "" if took is None else f", {took:.1f} ms after the value left"
        print(f"{LABEL}: alarm {document['alarm']} came back for {document['at']}{back}", flush=True)

    def run(self) -> None:
        self.client.connect_async(self.address.host, self.address.port)
        self.client.loop_start()
        try:
            if not self.watched.wait(self.arguments.patience):
                raise Unreadable(f"no job watches {self.arguments.topic} at {self.address}", "Start stream.py with the same --broker and --topic first")
            self._send_all()
            self.heard = time.perf_counter()
            while time.perf_counter() - self.heard < self.arguments.linger:
                time.sleep(0.02)
        finally:
            self.client.disconnect()
            self.client.loop_stop()

    def _send_all(self) -> None:
        arguments = self.arguments
        every = 1 / arguments.values_per_second
        due = time.perf_counter()
        for seq, (at_ms, value) in enumerate(self._measured(), 1):
            if arguments.values and seq > arguments.values:
                break
            due += every
            time.sleep(max(0.0, due - time.perf_counter()))
            self._send(seq, at_ms, self._with_fault(seq, value))
            if arguments.nonsense_every and seq % arguments.nonsense_every == 0:
                self.client.publish(self._values, NONSENSE[self.nonsense % len(NONSENSE)], QOS)
                self.nonsense += 1

    @property
    def _values(self) -> str:
        return f"{self.arguments.topic}/values"

    def _measured(self) -> Iterator[tuple[int, float]]:
        source = find_source(self.arguments.data, None)
        with Readings(source.path, ZoneInfo(self.arguments.timezone), Wishes(), Limits()) as readings:
            for at_ms, value, _ in readings:
                if value is not None:
                    yield at_ms, value

    def _with_fault(self, seq: int, value: float) -> float:
        into = seq - self.arguments.fault_at
        if not self.arguments.fault or not 0 <= into < self.arguments.fault_values:
            return value
        if into == 0:
            print(f"{LABEL}: fault {self.arguments.fault} begins with value {seq}", flush=True)
        self.faulty += 1
        return round(FAULTS[self.arguments.fault](value, into), 4)

    def _send(self, seq: int, at_ms: int, value: float) -> None:
        document = {"seq": seq, "at": iso(at_ms), "value": value, "unit": "l/s", "source": SIMULATED}
        self._left[seq] = time.perf_counter()
        self.client.publish(self._values, json.dumps(document | {"sent": time.time_ns() / 1e6}), QOS)
        self.sent += 1

    def figures(self) -> dict[str, Any]:
        return {
            "label": SIMULATED, "sent": self.sent, "faulty": self.faulty, "nonsense": self.nonsense, "rejected": self.rejected,
            "alarms": self.alarms, "value_to_alarm_and_back": self.loop.document(), "value_to_verdict_and_back": self.verdict_loop.document(),
        }  # fmt: skip


def main() -> int:
    require_paho()
    arguments = parse_arguments()
    try:
        plant = Plant(arguments)
        plant.run()
    except Unreadable as error:
        print(f"Unusable: {error}", file=sys.stderr)
        return 2
    if arguments.figures:
        arguments.figures.write_text(json.dumps(plant.figures(), indent=1) + "\n", encoding="utf-8")
    print(
        f"{LABEL}: sent={plant.sent} faulty={plant.faulty} nonsense={plant.nonsense} rejected={plant.rejected} alarms_back={len(plant.alarms)}; "
        f"value to alarm and back {plant.loop.line()}; value to verdict and back {plant.verdict_loop.line()}",
        flush=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
