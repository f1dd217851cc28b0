"""Watch a plant over MQTT: values in, verdicts and alarms out, until it is told to stop: the stream mode of predictive-maintenance.

Topics below the plant's own, as `simulated/pipeline-1`: `values` is read; `verdicts`, `alarms`, `rejected` and `status` are written.
Quality of service 1 both ways: a value is acknowledged when the broker has acknowledged its answers, so a crash repeats it rather than
loses it; repetitions are known by their instant, and answers that were still on their way are part of the saved state, so they are sent
again. Whatever a plant sends, the job goes on.
"""
# ruff: noqa: E402 - signal handlers come before the slow imports

import os
import signal
import sys

# First thing in the process: an unhandled signal in the time of the imports would end it.
SAVE_SIGNAL = "SIG" + os.environ.get("EISBACH_CHECKPOINT_SIGNAL", "SIGUSR1").upper().removeprefix("SIG")
asked = {"save": False, "stop": False}
if __name__ == "__main__":
    signal.signal(signal.Signals[SAVE_SIGNAL], lambda *_: asked.update(save=True))
    signal.signal(signal.SIGTERM, lambda *_: asked.update(stop=True))
    signal.signal(signal.SIGINT, lambda *_: asked.update(stop=True))

import argparse
import json
import math
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connection import Address, make_client, require_paho
from detect import UNUSABLE, digest_of, write_json, zone_of
from forecast import CANDIDATES
from latency import Latency
from readings import Limits
from unreadable import Unreadable
from watch import WARM_VALUES, Answer, Watch, new_watch, watch_with_model, write_whole

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo

STOPPED = 128 + signal.SIGTERM  # 143: what a shell reports for a process ended by SIGTERM
QOS = 1
REJECTIONS_PER_S = 20
"""So many are answered in a second; the rest are only counted, so that nonsense cannot drown the alarms."""
SAVE_EVERY_S, SAY_EVERY_S = 30.0, 10.0
GOODBYE_S = 5.0
KEEPALIVE_S = 20
POLL_S = 0.05


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--broker", default="mqtt://127.0.0.1:1883", help="mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS; the password is read from MQTT_PASSWORD")
    add("--ca-file", help="certificate of the authority that the broker's is signed by; default: the system's")
    add("--topic", default="simulated/pipeline-1", help="the plant's topic; values come on TOPIC/values")
    add("--model", type=Path, help="model.json of a batch job; without it the first values are taken as undisturbed")
    add("--method", choices=tuple(CANDIDATES), default="level", help="without a model")
    add("--warm-values", type=int, default=WARM_VALUES, help="without a model: so many values are learned before the first is judged")
    add("--interval-minutes", type=float, default=60.0, help="without a model: step of the plant's values")
    add("--timezone", default="Europe/Berlin")
    add("--minimum", type=float, default=0.0, help="smaller values are implausible")
    add("--maximum", type=float, default=1e6, help="larger values are implausible")
    add("--values", type=int, help="end after so many values")
    add("--seconds", type=float, help="end after so many seconds")
    add("--patience", type=float, default=60.0, help="seconds to wait for the broker at the start")
    add("--retry-from", type=float, default=1.0, help="seconds to wait before the first new connection; twice as long each time, up to 30")
    add("--outputs", type=Path, default=Path("outputs"))
    return parser.parse_args()


def wall_ms() -> float:
    return time.time_ns() / 1e6


@dataclass
class Taken:
    """A value of the plant that is not acknowledged yet: by which number on which connection, and how many of its answers are open."""

    mid: int
    qos: int
    connection: int
    open: int = 0


@dataclass(frozen=True)
class Sent:
    """An answer that the broker has not acknowledged yet."""

    answer: Answer
    received: float
    taken: Taken | None


class Station:
    """Joins the watch to the broker. Its callbacks run on the client's one thread; the main thread waits, saves and ends."""

    def __init__(self, watch: Watch, arguments: argparse.Namespace, saved: Path) -> None:
        self.watch, self.arguments, self.saved = watch, arguments, saved
        self.address = Address.read(arguments.broker)
        self.connections, self.refused_by_broker = 0, ""
        self.failure: BaseException | None = None
        self.connected, self.done = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        """Held while a value is judged, an answer is acknowledged or the state is saved."""
        self.to_acknowledged = Latency()
        self._outbox: dict[int, Sent] = {}
        self._second, self._rejections = 0, 0
        self.client: Client = make_client(self.address, client_name(arguments.topic), True, arguments.retry_from, arguments.ca_file)
        self.client.on_connect, self.client.on_message = self._on_connect, self._on_message
        self.client.on_subscribe = self._on_subscribe
        self.client.on_publish, self.client.on_disconnect = self._on_publish, self._on_disconnect
        self.client.will_set(self._topic("status"), json.dumps({"status": "lost", "job": watch.job}), QOS, retain=True)

    def _topic(self, kind: str) -> str:
        return f"{self.arguments.topic}/{kind}"

    # ---- on the client's thread ----------------------------------------------------------------------------------

    def _on_connect(self, client: "Client", _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refused_by_broker = str(reason)
            print(f"the broker {self.address} refuses: {reason}", flush=True)
            return
        self.connections += 1
        client.subscribe(self._topic("values"), QOS)

    def _on_subscribe(self, _client: "Client", _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        """From here on no value is missed."""
        if reasons[0].is_failure:
            self.refused_by_broker = f"it may not read {self._topic('values')}"
            return
        print(f"watching {self._topic('values')} at {self.address}, connection {self.connections}", flush=True)
        self._say_status("watching")
        self.connected.set()

    def _on_disconnect(self, _client: "Client", _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not asked["stop"] and not self.done.is_set():
            print(f"lost the broker: {reason}; connecting again", flush=True)

    def _on_message(self, _client: "Client", _data: Any, message: "MQTTMessage") -> None:
        received = time.perf_counter()
        if self.done.is_set():
            return  # not acknowledged: the broker keeps it for the next run
        try:
            self._answer(message.payload, received, Taken(message.mid, message.qos, self.connections))
        except BaseException as error:
            self.failure = error  # the client's thread ends with it: the main thread has to know
            self.done.set()
            raise
        if self.arguments.values and self.watch.counts.received >= self.arguments.values:
            self.done.set()

    def _answer(self, payload: bytes, received: float, taken: Taken) -> None:
        with self.lock:
            answers = self.watch.take(payload, round(wall_ms()))
            for answer in answers:
                self._publish(answer, received, taken)
            if any(answer.kind == "alarms" for answer in answers):
                self.save()  # with the alarm in the outbox: it outlives the process from here on
            if not taken.open:
                self.client.ack(taken.mid, taken.qos)

    def _publish(self, answer: Answer, received: float, taken: Taken) -> None:
        if answer.kind == "rejected" and not self._may_reject():
            return
        if answer.sent_ms is not None:
            latency = wall_ms() - answer.sent_ms
            if answer.kind == "verdicts":
                self.watch.to_verdict.add(latency)
            else:
                self.watch.to_alarm.add(latency)
                print(alarm_line(answer.document, latency), flush=True)
            answer = replace(answer, document=answer.document | {"latency_ms": round(latency, 3)})
        self.watch.counts.answered += 1
        self._send(answer, received, taken)

    def _send(self, answer: Answer, received: float, taken: Taken | None) -> None:
        sent = self.client.publish(self._topic(answer.kind), json.dumps(answer.document), QOS)
        self._outbox[sent.mid] = Sent(answer, received, taken)
        if taken is not None:
            taken.open += 1

    def _may_reject(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._rejections = second, 0
        self._rejections += 1
        return self._rejections <= REJECTIONS_PER_S

    def _on_publish(self, client: "Client", _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        with self.lock:
            sent = self._outbox.pop(mid, None)
            if sent is None:
                return
            self.to_acknowledged.add((time.perf_counter() - sent.received) * 1000)
            taken = sent.taken
            if taken is None:
                return
            taken.open -= 1
            if not taken.open and taken.connection == self.connections:  # after a new connection the broker sends the value again
                client.ack(taken.mid, taken.qos)

    # ---- on the main thread --------------------------------------------------------------------------------------

    def run(self) -> int:
        """Watches until it is told to stop; the exit code."""
        started = time.monotonic()
        ends = math.inf if self.arguments.seconds is None else started + self.arguments.seconds
        self.client.connect_async(self.address.host, self.address.port, KEEPALIVE_S)
        self.client.loop_start()
        try:
            self._wait_for_broker()
            said = kept = started
            while not (asked["stop"] or self.done.wait(POLL_S)) and (now := time.monotonic()) < ends:
                if asked["save"] or now - kept >= SAVE_EVERY_S:
                    kept = now
                    self._save_now()
                if now - said >= SAY_EVERY_S:
                    said = now
                    print(self.line(), flush=True)
        finally:
            self.done.set()
            self._leave()
        if self.failure is not None:
            raise self.failure
        with self.lock:
            self.save()
        return STOPPED if asked["stop"] else 0

    def _save_now(self) -> None:
        was_asked, asked["save"] = asked["save"], False
        with self.lock:
            self.save()
        if was_asked:
            print("checkpoint saved", flush=True)

    def _wait_for_broker(self) -> None:
        ends = time.monotonic() + self.arguments.patience
        while not self.connected.wait(0.05):
            if asked["stop"]:
                return
            if self.refused_by_broker:
                raise Unreadable(f"the broker {self.address} refuses this client: {self.refused_by_broker}", "Check the user in the address and the secret MQTT_PASSWORD")
            if time.monotonic() >= ends:
                raise Unreadable(f"no broker answers at {self.address} within {self.arguments.patience:g} s", "Start it, or name another one with --broker")

    def _say_status(self, status: str) -> "MQTTMessageInfo":
        return self.client.publish(self._topic("status"), json.dumps({"status": status, "job": self.watch.job}), QOS, retain=True)

    def _leave(self) -> None:
        """Gives what is on its way a moment to arrive, then goes; the broker keeps values only for one that was told to stop."""
        if self.client.is_connected():
            if not asked["stop"]:
                self.client.unsubscribe(self._topic("values"))
            said = self._say_status("ended")
            ends = time.monotonic() + GOODBYE_S
            # A socket closed with something unread in it is reset, and the broker then takes this for a crash.
            while (self._outbox or (said.rc == 0 and not said.is_published())) and time.monotonic() < ends:
                time.sleep(0.01)
        self.client.disconnect()
        self.client.loop_stop()

    def save(self) -> None:
        outbox = [[sent.answer.kind, sent.answer.document] for sent in self._outbox.values() if sent.answer.kind != "rejected"]
        write_whole(self.saved, json.dumps(self.watch.state() | {"outbox": outbox}) + "\n")

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on after a saved state; what was on its way then is sent again, by the same ids."""
        self.watch.restore(state)
        for kind, document in state["outbox"]:
            self._send(Answer(kind, document), time.perf_counter(), None)
        print(f"resumed after {self.watch.learned} learned values, {len(state['outbox'])} answers sent again", flush=True)

    def line(self) -> str:
        counts = self.watch.counts
        return (
            f"values={counts.received} judged={counts.judged} alarms={counts.alarms} rejected={sum(counts.rejected.values())} repeated={counts.repeated} "
            f"plant to verdict {self.watch.to_verdict.line()}"
        )

    def figures(self, seconds: float, files: dict[str, str]) -> dict[str, Any]:
        watch, counts = self.watch, self.watch.counts
        return {
            "format": "eisbach-predictive-maintenance-stream/1",
            "mode": "stream",
            "job": watch.job,
            "topic": self.arguments.topic,
            "label": "simulated" if counts.simulated else "as the plant says",
            "counts": counts.document(),
            "connections": self.connections,
            "seconds": round(seconds, 3),
            "latency": {
                "what": "plant_to_*: from the instant at which the plant sent a value to the publishing of the answer; it spans two clocks where the plant is another machine. "
                "received_to_acknowledged: from the arrival of a value to the broker's acknowledgement of the answer, on this machine's clock",
                "plant_to_verdict": watch.to_verdict.document(),
                "plant_to_alarm": watch.to_alarm.document(),
                "received_to_acknowledged": self.to_acknowledged.document(),
            },
            "alarms": [event.document() for event in watch.events.kept[:200]],
            "files": files,
        }


def alarm_line(document: dict[str, Any], latency: float) -> str:
    return (
        f"ALARM {document['alarm']} at {document['at']}: {document['value']:g}, expected {document['expected']:g} "
        f"({document['source']}), {latency:.1f} ms after it left the plant"
    )


def client_name(topic: str) -> str:
    """The same for each attempt of a job, so that the broker keeps for the next one what this one did not take."""
    return f"eisbach-{os.environ.get('EISBACH_JOB_ID', topic.replace('/', '-'))}"


def make_watch(arguments: argparse.Namespace) -> Watch:
    job, limits = os.environ.get("EISBACH_JOB_ID", "alone"), Limits(minimum=arguments.minimum, maximum=arguments.maximum)
    if arguments.model:
        return watch_with_model(arguments.model, limits, job)
    step_ms = round(arguments.interval_minutes * 60_000)
    return new_watch(arguments.method, zone_of(arguments.timezone), step_ms, limits, job, arguments.warm_values)


def write_outputs(station: Station, seconds: float) -> dict[str, Any]:
    outputs: Path = station.arguments.outputs
    outputs.mkdir(parents=True, exist_ok=True)
    (outputs / "alarms.csv").write_text(station.watch.alarms_csv(), encoding="utf-8")
    write_json(outputs / "model.json", {"format": "eisbach-predictive-maintenance/1", "data": station.arguments.topic, "detector": station.watch.detector.state()})
    files = {name: digest_of(outputs / name) for name in ("alarms.csv", "model.json")}
    (outputs / "model.json.sha256").write_text(f"{files['model.json']}  model.json\n", encoding="utf-8")
    figures = station.figures(seconds, files)
    write_json(outputs / "figures.json", figures)
    return figures


def main() -> int:
    require_paho()
    arguments = parse_arguments()
    saved = Path(os.environ.get("EISBACH_CHECKPOINT_DIR", "checkpoints")) / "watch.json"
    started = time.monotonic()
    try:
        station = Station(make_watch(arguments), arguments, saved)
        if saved.exists():
            station.restore(json.loads(saved.read_text(encoding="utf-8")))
        code = station.run()
    except Unreadable as error:
        print(f"Unusable: {error}", file=sys.stderr)
        return UNUSABLE
    figures = write_outputs(station, time.monotonic() - started)
    watch = station.watch
    print(f"rejected: {figures['counts']['rejected'] or 'none'}")
    print(f"received to acknowledged: {station.to_acknowledged.line()}")
    print(
        f"final ({figures['label']}): values={watch.counts.received} judged={watch.counts.judged} alarms={watch.counts.alarms} "
        f"rejected={sum(watch.counts.rejected.values())} repeated={watch.counts.repeated} connections={station.connections}; "
        f"plant to alarm {watch.to_alarm.line()}; plant to verdict {watch.to_verdict.line()}",
        flush=True,
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
