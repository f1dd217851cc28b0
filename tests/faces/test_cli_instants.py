"""Instants on the command line are read as they are shown: in local time, unless they say their offset."""

import time

import pytest

from eisbach.cli import figures
from eisbach.cli.errors import CliError
from eisbach.cli.instants import instant_ms, instant_text


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_what_was_shown_may_be_typed_again():
    """A quote took it for UTC, a maintenance window for local time, and both showed local time."""
    said = instant_text("2026-07-01T08:00", "--from")
    assert said == "2026-07-01T06:00:00+00:00"
    assert figures.minute(said) == "2026-07-01 08:00 +02:00"
    assert instant_text("2026-07-01T08:00+05:00", "--from") == "2026-07-01T03:00:00+00:00"
    assert instant_ms("2026-01-01", "--by") == 1_767_222_000_000
    assert instant_text(None, "--from") is None


@pytest.mark.parametrize("text", ["2h", "in 2h", " in  2h "])
def test_a_duration_counts_from_now(text):
    assert abs(instant_ms(text, "--from") - (time.time() + 7200) * 1000) < 60_000


@pytest.mark.parametrize("text", ["soon", "", "7", "in 7", "in", "in 2026-12-01", "2026-13-01", "9999999d", "0001-01-01T00:00"])
def test_what_is_no_instant_is_refused_in_words(text):
    for read in (instant_ms, instant_text):
        with pytest.raises(CliError, match="--from"):
            read(text, "--from")
