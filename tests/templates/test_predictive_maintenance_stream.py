"""The industrial template as a running job on MQTT: a real broker, a plant, nonsense, crashes on both sides."""

import json
import re
import signal
import socket
import subprocess
import sys

import pytest
import yaml

from tests.templates.broker_and_job import TEMPLATE, TOPIC, Broker, Hand, Program, mosquitto, wait_until

# ---- a broker and who talks to it --------------------------------------------------------------------------------


@pytest.fixture
def broker(tmp_path):
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed; pip install 'eisbach[industry]'")
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed; Debian, Ubuntu: apt install mosquitto")
    started = Broker(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def start(tmp_path):
    """Starts a program of the template and ends it with the test."""
    started = []

    def begin(name, *arguments, folder="job", **environment):
        program = Program(tmp_path / folder, name, *map(str, arguments), **environment)
        started.append(program)
        return program

    yield begin
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


@pytest.fixture
def hand(broker):
    made = Hand(broker)
    yield made
    made.client.disconnect()
    made.client.loop_stop()


@pytest.fixture
def watching(broker, hand, start):
    """A job that watches, with six values as its start."""

    def begin(*arguments, **environment):
        job = start("stream", "--broker", broker.url, "--topic", TOPIC, "--warm-values", 14, "--retry-from", 0.1, *arguments, EISBACH_JOB_ID="job_1", **environment)
        job.wait_for("watching simulated")
        return job

    return begin


CALM = [100, 101, 99, 100, 102, 98, 100, 101, 99, 100, 102, 98, 100, 101, 99, 100]
"""The first fourteen are learned, two are judged."""


def test_a_fault_comes_back_as_an_alarm_and_its_end_too(watching, hand):
    job = watching("--values", 22)
    hand.send_values(*CALM, 60, 61, 62, 100, 101, 99)
    assert job.wait() == 0, job.text
    raised, cleared = hand.await_answers("alarms", 2)
    assert (raised["alarm"], raised["value"], raised["seq"], raised["source"], raised["job"]) == ("raised", 60, 17, "simulated", "job_1")
    assert raised["low"] < 100 < raised["high"]
    assert raised["deviation_percent"] == pytest.approx(-40, abs=0.5)
    assert (cleared["alarm"], cleared["id"], cleared["value"]) == ("cleared", raised["id"], 101)
    assert 0 <= raised["latency_ms"] < 60_000
    assert len(hand.await_answers("verdicts", 8)) == 8
    figures = job.figures()
    assert figures["label"] == "simulated"
    assert (figures["counts"]["judged"], figures["counts"]["alarms"], figures["counts"]["cleared"]) == (8, 1, 1)
    latency = figures["latency"]
    assert (latency["plant_to_alarm"]["count"], latency["plant_to_verdict"]["count"]) == (2, 8)
    assert latency["received_to_acknowledged"]["count"] == 10
    assert 0 < latency["plant_to_verdict"]["p50_ms"] <= latency["plant_to_verdict"]["p99_ms"]
    assert re.search(r"^final \(simulated\): values=22 .* plant to alarm p50=[\d.]+ ms p99=[\d.]+ ms \(n=2\); plant to verdict p50=", job.text, re.MULTILINE)
    assert hand.await_answers("status", 2)[-1] == {"status": "ended", "job": "job_1"}


def test_nonsense_is_answered_with_its_reason_and_stops_nothing(watching, hand):
    job = watching()
    hand.send_values(*CALM)
    absurd = [
        b'{"at": "2023-01-05T10:00:00Z", "value": NaN}',
        b"off",
        b'{"at": "2023-01-05T10:00:00Z", "value": -4}',
        b'{"at": "2023-01-05T10:00:00Z", "value": 1e300}',
        b'{"at": "2999-01-01T00:00:00Z", "value": 100}',
        b'{"at": "2022-01-01T00:00:00Z", "value": 100}',
        b"x" * 1_000_000,
        b"",
    ]
    for payload in absurd:
        hand.send(payload)
    answers = hand.await_answers("rejected", len(absurd))
    expected = ["not_a_number", "not_json", "implausible", "implausible", "in_the_future", "out_of_order", "too_large", "not_json"]
    assert [answer["reason"] for answer in answers] == expected
    assert answers[6]["bytes"] == 1_000_000
    assert len(answers[6]["payload"]) <= 60
    hand.send_values(100, 60)
    assert hand.await_answers("alarms", 1)[0]["alarm"] == "raised"
    assert job.end() == 143
    assert job.figures()["counts"]["rejected"] == {"implausible": 2, "in_the_future": 1, "not_a_number": 1, "not_json": 2, "out_of_order": 1, "too_large": 1}


def test_a_flood_of_nonsense_is_counted_and_answered_in_part(watching, hand):
    job = watching("--values", 500)
    for _ in range(500):
        hand.client.publish(f"{TOPIC}/values", b"nonsense", 1)
    assert job.wait() == 0, job.text
    assert job.figures()["counts"]["rejected"] == {"not_json": 500}
    assert job.figures()["counts"]["answered"] < 500


def test_a_value_that_comes_twice_is_judged_once(watching, hand):
    job = watching("--values", 19)
    hand.send_values(*CALM, 60)
    hand.hour -= 1
    hand.send_values(60)
    hand.send_values(61)
    assert job.wait() == 0, job.text
    assert (job.figures()["counts"]["repeated"], job.figures()["counts"]["judged"]) == (1, 4)


def test_it_ends_when_told_and_writes_what_it_has(watching, hand):
    job = watching()
    hand.send_values(*CALM, 60)
    hand.await_answers("alarms", 1)
    assert job.end() == 143
    assert sorted(path.name for path in (job.folder / "outputs").iterdir()) == ["alarms.csv", "figures.json", "model.json", "model.json.sha256"]
    assert job.figures()["alarms"][0]["how"] == "open"


def test_it_ends_after_its_time(watching):
    job = watching("--seconds", "0.2")
    assert job.wait() == 0, job.text
    assert job.figures()["counts"]["received"] == 0
    assert "plant to alarm none" in job.text


def test_it_finds_the_broker_again(watching, broker, hand):
    job = watching()
    hand.send_values(*CALM)
    hand.await_answers("verdicts", 2)
    broker.stop()
    job.wait_for("lost the broker")
    broker.start()
    job.wait_for("connection 2")
    wait_until(hand.client.is_connected, "the hand's connection")
    hand.send_values(60)
    assert hand.await_answers("alarms", 1)[0]["value"] == 60
    assert job.end() == 143
    assert job.figures()["connections"] == 2


def test_a_killed_job_goes_on_and_loses_no_value(watching, hand, tmp_path):
    saved = {"EISBACH_CHECKPOINT_DIR": str(tmp_path / "saved")}
    first = watching(**saved)
    hand.send_values(*CALM, 60)
    raised = hand.await_answers("alarms", 1)[0]
    wait_until(lambda: (tmp_path / "saved" / "watch.json").exists(), "the checkpoint of an alarm")
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    hand.send_values(61, 62, 100, 100)  # while nobody watches: the broker keeps them
    second = watching(**saved)
    assert "resumed after 14 learned values" in second.text
    wait_until(lambda: any(answer["alarm"] == "cleared" for answer in hand.answers("alarms")), "the end of the alarm")
    assert {answer["id"] for answer in hand.answers("alarms")} == {raised["id"]}, "what was on when the job died is what ends"
    wait_until(lambda: len({answer["at"] for answer in hand.answers("verdicts")}) == 7, "a verdict for each value")
    assert second.end() == 143
    assert second.figures()["counts"]["alarms"] == 0


def test_it_saves_when_asked(watching, hand, tmp_path):
    job = watching(EISBACH_CHECKPOINT_DIR=str(tmp_path / "saved"))
    hand.send_values(*CALM)
    hand.await_answers("verdicts", 2)
    job.process.send_signal(signal.SIGUSR1)
    job.wait_for("checkpoint saved")
    assert json.loads((tmp_path / "saved" / "watch.json").read_text())["learned"] == 14
    assert job.process.poll() is None


def test_the_model_of_the_batch_judges_from_the_first_value(watching, hand, programs, tmp_path):
    detector = programs.detector.Detector("level", programs.forecast.Calendar(programs.detect.zone_of("Europe/Berlin")), 3_600_000, programs.detector.Band())
    for hour, value in enumerate(CALM):
        detector.warm(hour * 3_600_000, value)
    (tmp_path / "model.json").write_text(json.dumps({"detector": detector.state()}))
    job = watching("--model", tmp_path / "model.json", "--values", 1)
    hand.send_values(60)
    assert hand.await_answers("alarms", 1)[0]["alarm"] == "raised"
    assert job.wait() == 0, job.text


# ---- what cannot work --------------------------------------------------------------------------------------------


def test_no_broker_is_told_in_one_line(start):
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed; pip install 'eisbach[industry]'")
    job = start("stream", "--broker", "mqtt://127.0.0.1:9", "--patience", "0.3")
    assert job.wait() == 2
    assert job.text == "Unusable: no broker answers at 127.0.0.1:9 within 0.3 s. Start it, or name another one with --broker\n"


def test_a_model_that_is_none_is_refused(start, tmp_path):
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed; pip install 'eisbach[industry]'")
    (tmp_path / "model.json").write_text('{"detector": 7}')
    job = start("stream", "--model", tmp_path / "model.json")
    assert job.wait() == 2
    assert "holds no model of this template" in job.text


def test_a_plant_that_does_not_say_it_is_simulated_is_refused(start):
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed; pip install 'eisbach[industry]'")
    plant = start("plant", "--topic", "works/pump")
    assert plant.wait() == 2
    assert "the topic 'works/pump' does not say that this plant is simulated. Begin it with simulated/" in plant.text


@pytest.mark.parametrize("name", ["stream", "plant", "broker"])
def test_a_python_without_the_parts_is_told_in_one_line(tmp_path, name):
    ran = subprocess.run([sys.executable, "-S", "-E", TEMPLATE / f"{name}.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "pip install 'eisbach[industry]'" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


# ---- the whole way -----------------------------------------------------------------------------------------------


def a_day_of_the_plant(start, url, tmp_path):
    pytest.importorskip("river", reason="river is not installed; pip install 'eisbach[industry]' to run the industrial template")
    job = start("stream", "--broker", url, "--topic", "simulated/pipeline-1")
    job.wait_for("watching simulated")
    plant = start(
        "plant", "--broker", url, "--values", 150, "--values-per-second", 200, "--fault", "surge", "--fault-at", 60, "--fault-values", 8,
        "--nonsense-every", 50, "--figures", tmp_path / "plant.json", folder="plant",
    )  # fmt: skip
    assert plant.wait() == 0, plant.text
    assert job.end() == 143
    return job, plant, json.loads((tmp_path / "plant.json").read_text())


def test_from_the_plant_to_the_job_and_back(start, broker, tmp_path):
    job, plant, seen = a_day_of_the_plant(start, broker.url, tmp_path)
    assert (seen["label"], seen["sent"], seen["faulty"], seen["nonsense"], seen["rejected"]) == ("simulated", 150, 8, 3, 3)
    alarms = [(one["alarm"], one["seq"], one["source"]) for one in seen["alarms"]]
    assert alarms[:2] == [("raised", 60, "simulated"), ("cleared", 69, "simulated")]
    assert alarms[2][:2] == ("raised", 95), "the first documented segment, in the measurements themselves"
    assert seen["value_to_alarm_and_back"]["count"] == len(alarms)
    assert "simulated plant: alarm raised came back for" in plant.text
    assert job.figures()["counts"]["simulated"] == 150


def test_the_broker_for_demonstrations_carries_it_too(start, tmp_path):
    pytest.importorskip("amqtt", reason="amqtt is not installed; pip install 'eisbach[industry]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    demo = start("broker", "--port", port, folder="broker")
    demo.wait_for("broker for demonstrations listens")
    job, _, seen = a_day_of_the_plant(start, f"mqtt://127.0.0.1:{port}", tmp_path)
    assert [one["seq"] for one in seen["alarms"] if one["alarm"] == "raised"] == [60, 95]
    assert job.figures()["counts"]["received"] == 153
    assert demo.end() == 0, demo.text


def test_the_stream_task_hands_each_of_its_variables_to_the_program():
    task = yaml.safe_load((TEMPLATE / "stream.yaml").read_text())
    for name in task["envs"]:
        assert f'--{name.lower().replace("_", "-")} "${name}"' in task["run"]
    assert task["run"].startswith("exec "), "the shell must not stand between a signal and the program"
