"""What a plant sends: values read and refused one by one, their order, percentiles, addresses of brokers."""

import json

import pytest

NOW_MS = 1_700_000_000_000
GOOD = '{"at": "2023-11-01T10:00:00+01:00", "value": 97.5, "seq": 3, "sent": 1698829200123, "source": "simulated"}'


def with_(**changes):
    return json.dumps(json.loads(GOOD) | changes)


def test_a_value_is_read_with_what_the_plant_says_of_it(programs):
    value = programs.messages.read_value(GOOD.encode(), programs.readings.Limits(), NOW_MS)
    assert (value.at_ms, value.value, value.seq, value.sent_ms, value.is_simulated) == (1_698_829_200_000, 97.5, 3, 1_698_829_200_123, True)
    bare = programs.messages.read_value(b'{"at": 1698829200000, "value": 7}', programs.readings.Limits(), NOW_MS)
    assert (bare.sent_ms, bare.seq, bare.is_simulated) == (bare.at_ms, None, False)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("", "not_json"),
        ("97.5,", "not_json"),
        ("\xff\xfe", "not_json"),
        ('{"at": ', "not_json"),
        ("[" * 4000, "not_json"),
        ("97.5", "not_an_object"),
        ("[97.5]", "not_an_object"),
        ("null", "not_an_object"),
        (with_(at=None), "no_instant"),
        ('{"value": 5}', "no_instant"),
        (with_(at="yesterday"), "bad_instant"),
        (with_(at="2023-11-01T10:00:00"), "bad_instant"),
        (with_(at=True), "bad_instant"),
        (with_(at=-5), "bad_instant"),
        (with_(at=1e300), "bad_instant"),
        (with_(at=[1]), "bad_instant"),
        (with_(at="9999-12-31T23:59:59-23:00"), "in_the_future"),
        (with_(at=NOW_MS + 3_600_000), "in_the_future"),
        (with_(sent="soon"), "bad_instant"),
        (with_(value=None), "no_value"),
        ('{"at": 1698829200000}', "no_value"),
        (with_(value="97.5"), "not_a_number"),
        (with_(value=True), "not_a_number"),
        (with_(value=[97.5]), "not_a_number"),
        ('{"at": 1698829200000, "value": NaN}', "not_a_number"),
        ('{"at": 1698829200000, "value": -Infinity}', "not_a_number"),
        ('{"at": 1698829200000, "value": 1e400}', "not_a_number"),
        (with_(value=-5), "implausible"),
        (with_(value=1e300), "implausible"),
        ('{"at": 1698829200000, "value": 1' + "0" * 2000 + "}", "implausible"),
        ('{"at": 1698829200000, "value": 5, "more": "' + "x" * 10_000 + '"}', "too_large"),
    ],
)
def test_each_absurd_payload_has_its_reason(programs, payload, reason):
    with pytest.raises(programs.messages.Rejected) as rejected:
        programs.messages.read_value(payload.encode("latin-1"), programs.readings.Limits(), NOW_MS)
    assert rejected.value.reason == reason


def test_order_and_repetition(programs):
    watch = programs.watch.new_watch("level", programs.detect.zone_of("Europe/Berlin"), 3_600_000, programs.readings.Limits(), "job_1", 2)

    def take(hour, value):
        return watch.take(json.dumps({"at": 1_698_829_200_000 + hour * 3_600_000, "value": value}).encode(), NOW_MS)

    assert take(0, 100) == take(1, 100) == []
    assert take(1, 100) == []
    assert [answer.document["reason"] for answer in (*take(1, 99), *take(-1, 100))] == ["contradiction", "out_of_order"]
    assert watch.counts.document() == {
        "received": 5, "judged": 0, "warming": 2, "repeated": 1, "alarms": 0, "cleared": 0, "answered": 0, "simulated": 0,
        "rejected": {"contradiction": 1, "out_of_order": 1},
    }  # fmt: skip


def test_percentiles_are_values_that_were_seen(programs):
    latency = programs.latency.Latency()
    for number in range(1, 201):
        latency.add(float(number))
    assert latency.document() == {"count": 200, "p50_ms": 100.0, "p99_ms": 198.0, "max_ms": 200.0}
    assert programs.latency.Latency().document()["p50_ms"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("127.0.0.1:1883", "is no address of a broker"),
        ("http://127.0.0.1", "is no address of a broker"),
        ("mqtt://", "is no address of a broker"),
        ("mqtt://host:70000", "has no valid port"),
        ("mqtt://me:secret@host", "a password stands in the broker's address"),
    ],
)
def test_addresses_that_are_none(programs, text, said):
    with pytest.raises(programs.unreadable.Unreadable) as refused:
        programs.connection.Address.read(text)
    assert said in str(refused.value)
    assert "me:secret" not in str(refused.value)


def test_addresses(programs):
    read = programs.connection.Address.read
    assert (read("mqtt://host").port, read("mqtts://me@host").port, read("mqtt://h:7").port) == (1883, 8883, 7)
    assert (read("mqtts://me@host").user, read("mqtts://me@host").is_encrypted) == ("me", True)
