"""What a plant's CSV may look like: read as it was meant, or refused with the line, the value and what to do."""

import codecs
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

TEMPLATE = Path(str(files("eisbach") / "templates" / "predictive_maintenance"))
HOUR_MS = 3_600_000


class Csv:
    """A CSV in a test's folder, and what the template reads in it."""

    def __init__(self, folder, programs):
        self.path, self.programs = folder / "plant.csv", programs

    def write(self, text, encoding="utf-8"):
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return self

    def readings(self, zone="Europe/Berlin", limits=None, **wishes):
        found = self.programs.readings
        return found.Readings(self.path, ZoneInfo(zone), self.programs.dialect.Wishes(**wishes), found.Limits(**limits or {}))

    def read(self, **options):
        with self.readings(**options) as readings:
            return readings, list(readings)

    def values(self, **options):
        return [(at_ms, value) for at_ms, value, _ in self.read(**options)[1]]

    def series(self, **options):
        with self.readings(**options) as readings:
            series = self.programs.series.Series(readings)
            return series, list(series)

    def refusal(self, **options):
        with pytest.raises(self.programs.unreadable.Unreadable) as refused:
            self.series(**options)
        return str(refused.value)


@pytest.fixture
def table(tmp_path, programs):
    return Csv(tmp_path, programs)


def at(text):
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def hourly(count, start="2022-03-01T00:00:00+00:00", line="{at},{value}\n", header="time,flow\n", value=lambda n: 100 + n % 7):
    first = datetime.fromisoformat(start)
    return header + "".join(line.format(at=(first + timedelta(hours=n)).isoformat(), value=value(n)) for n in range(count))


# ---- separators and numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ("Zeit;Fluss\n01.03.2022 10:00;100,59\n01.03.2022 11:00;1.100,5\n", 1100.5),
        ("Zeit\tFluss\n01.03.2022 10:00\t100,59\n01.03.2022 11:00\t1100,5\n", 1100.5),
        ('time,flow\n2022-03-01 10:00,"100,59"\n2022-03-01 11:00,"1100,5"\n', 1100.5),
        ('time,flow\n2022-03-01 10:00,100.59\n2022-03-01 11:00,"1,100.5"\n', 1100.5),
        ("time;flow\n2022-03-01 10:00;100.59\n2022-03-01 11:00;1'100.5\n", 1100.5),
        ("time;flow\n2022-03-01 10:00;100.59\n2022-03-01 11:00;1.1005e3\n", 1100.5),
        ("time,flow\n2022-03-01 10:00,100.590\n2022-03-01 11:00,999.250\n", 999.25),
        ("time;flow\n2022-03-01 10:00;0.125\n2022-03-01 11:00;1.250\n", 1.25),
        ("time;flow\n2022-03-01 10:00;1.234.567\n2022-03-01 11:00;2,5\n", 2.5),
    ],
)
def test_separators_and_decimal_marks_are_found(table, lines, value):
    read = table.write(lines).values(limits={"maximum": 1e9})
    assert [at_ms for at_ms, _ in read] == [at("2022-03-01T10:00+01:00"), at("2022-03-01T11:00+01:00")]
    assert read[1][1] == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,flow\n2022-03-01 10:00,100,59\n2022-03-01 11:00,100,61\n", "line 2: the header has 2 columns and the lines below have 3: decimal commas"),
        ("time;flow\n2022-03-01 10:00;1.234\n2022-03-01 11:00;1.250\n", "'1.234' may be a thousand or a number with three decimals"),
        ("time;flow\n2022-03-01 10:00;1,5\n2022-03-01 11:00;1.5\n", "decimal marks are mixed: '1.5' and '1,5'"),
        ("time;flow\n" + "2022-03-01 10:00;1\n2022-03-01 11:00,2\n" * 5, "separators are mixed"),
        ("time,flow\n" + "2022-03-01 10:00,1\n2022-03-01 11:00,1,2\n" * 5, "split at each comma, lines differ in their number of columns (50% agree)"),
        ("time flow\n2022-03-01T10:00 1\n", "line 2: the line has one column only"),
        ("a;b\n1;2\n3;4\n", "no column with date and time was found"),
        ("time;flow\n2022-03-01 10:00;many\n2022-03-01 11:00;few\n", "no column with numbers was found"),
        ("time;flow;level\n2022-03-01 10:00;1;2\n2022-03-01 11:00;1;2\n", "several columns hold numbers: 'flow', 'level'. Say which one to watch"),
    ],
)
def test_what_could_mean_two_things_is_refused(table, text, said):
    assert said in table.write(text).refusal()


def test_a_wish_decides_what_the_file_does_not(table):
    table.write("time;flow\n2022-03-01 10:00;1.234\n2022-03-01 11:00;1.250\n")
    assert [value for _, value in table.values(decimal=".")] == [1.234, 1.25]
    table.write("time;flow;level\n2022-03-01 10:00;1;2\n2022-03-01 11:00;1;3\n")
    assert [value for _, value in table.values(value_column="level")] == [2, 3]
    assert "there is no column 'depth'. There are: 'time', 'flow', 'level'" in table.refusal(value_column="depth")


def test_a_lone_point_among_decimal_commas_is_left_out_and_never_a_thousand(table):
    lines = "".join(f"2022-03-01 {hour:02}:00;{100 + hour},5\n" for hour in range(10))
    readings, found = table.write("time;flow\n" + lines + "2022-03-01 10:00;101.250\n").read(decimal=",")
    assert max(value for _, value, _ in found) == 109.5
    assert readings.repairs.document() == [{"kind": "bad_number", "count": 1, "examples": [{"line": 12, "value": "101.250"}]}]


# ---- cells -------------------------------------------------------------------------------------------------------


def test_unusable_cells_are_counted_with_their_lines(table):
    text = hourly(200).splitlines(keepends=True)
    text[5] = "2022-03-01T04:00:00+00:00,broken\n"
    text[6] = "2022-03-01T05:00:00+00:00,1e300\n"
    text[7] = "yesterday,100\n"
    text[8] = "2022-03-01T07:00:00+00:00,100,7\n"
    text[9] = "2022-03-01T08:00:00+00:00,\n"
    text[10] = "2022-03-01T09:00:00+00:00,-3\n"
    text[11] = "2022-03-01T10:00:00+00:00,inf\n"
    readings, found = table.write("".join(text)).read()
    assert sum(value is not None for _, value, _ in found) == 193
    first = {one["kind"]: (one["count"], one["examples"][0]["line"], one["examples"][0]["value"]) for one in readings.repairs.document()}
    assert first == {
        "bad_number": (2, 6, "broken"),
        "implausible": (2, 7, "1e300"),
        "bad_instant": (1, 8, "yesterday"),
        "bad_row": (1, 9, "2022-03-01T07:00:00+00:00,100,7"),
        "missing_value": (1, 10, ""),
    }


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{at},100 l/s\n", "line 102: this is no number; 21 of the first"),
        ("{at},-5\n", "line 102: this value is outside what is plausible"),
        ("soon,100\n", "line 102: this is no date and time"),
    ],
)
def test_too_many_unusable_lines_mean_that_the_file_was_misunderstood(table, bad, said):
    refused = table.write(hourly(100) + hourly(60, "2022-03-06T00:00:00+00:00", line=bad, header="")).refusal()
    assert said.partition(";")[0] in refused
    assert "of the first 160 lines cannot be used" in refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n \n\n", "the file is empty"),
        (b"time,flow\n", "no column with date and time was found"),
        (b"time,flow\n2022-03-01 10:00,1\n", "the file has 1 usable measurements"),
        (b"PK\x03\x04rest", "is a zip archive or an Excel workbook (.xlsx), not a CSV. Export"),
        (b"\x1f\x8b\x08", "is a gzip file"),
        (b"time,flow\n\0\0\0", "is a binary file"),
        (b"time,flow\n" + b"x" * 70_000, "line 2: the line is longer than 65536 bytes"),
        (b'time,flow\n2022-03-01 10:00,1\n2022-03-01 11:00,"2\n' + b"2022-03-01 12:00,3\n" * 20_000, "a quotation mark that opens and never closes"),
    ],
)
def test_files_that_are_no_table_are_refused(table, content, said):
    assert said in table.write(content).refusal()


def test_a_missing_file_is_refused(table):
    assert "cannot be read: No such file" in table.refusal()


# ---- encodings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "repair"),
    [
        (codecs.BOM_UTF8 + "Zeit;Zufluß\n".encode(), None),
        ("Zeit;Zufluß\n".encode("cp1252"), "windows_1252"),
        (codecs.BOM_UTF16_LE + "Zeit;Zufluß\n".encode("utf-16-le"), "utf_16"),
    ],
)
def test_encodings_of_spreadsheets_are_read(table, content, repair):
    body = "01.03.2022 10:00;1,5\r\n01.03.2022 11:00;2,5\r\n"
    readings, found = table.write(content + body.encode("utf-16-le" if repair == "utf_16" else "ascii")).read()
    assert [value for _, value, _ in found] == [1.5, 2.5]
    assert readings.dialect.value_name == "Zufluß"
    assert [one["kind"] for one in readings.repairs.document()] == ([repair] if repair else [])


def test_a_wrong_byte_far_down_is_told_with_its_line(table):
    text = hourly(4000).encode() + b"2022-10-01T00:00:00+00:00,1\xff\n"
    assert "line 4002: the bytes are not utf-8 (\"b'\\\\xff\\\\n'\"). Say --encoding windows-1252" in table.write(text).refusal()
    assert "there is no encoding 'utf-9'" in table.refusal(encoding="utf-9")


# ---- instants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["2022-03-04T10:00:00Z", "2022-03-04T11:00:00Z"], "2022-03-04T10:00:00+00:00"),
        (["2022-03-04T10:00:00.250+0100", "2022-03-04T11:00:00.250+0100"], "2022-03-04T10:00:00.250+01:00"),
        (["2022/3/4 9:00", "2022/3/4 10:00"], "2022-03-04T09:00:00+01:00"),
        (["4.3.2022 9:00", "4.3.2022 10:00"], "2022-03-04T09:00:00+01:00"),
        (["04.03.22 09:00", "04.03.22 10:00"], "2022-03-04T09:00:00+01:00"),
        (["13/03/2022 09:00", "14/03/2022 09:00"], "2022-03-13T09:00:00+01:00"),
        (["03/13/2022 09:00", "03/14/2022 09:00"], "2022-03-13T09:00:00+01:00"),
        (["03/04/2022 11:00 PM", "03/05/2022 11:00 PM", "03/06/2022 11:00 PM"], "2022-03-04T23:00:00+01:00"),
        (["01/03/2022 09:00", "02/03/2022 09:00", "03/03/2022 09:00", "04/03/2022 09:00"], "2022-03-01T09:00:00+01:00"),
        (["1646384400", "1646388000"], "2022-03-04T09:00:00+00:00"),
        (["1646384400000", "1646388000000"], "2022-03-04T09:00:00+00:00"),
        (["03.03.2022 24:00", "04.03.2022 01:00"], "2022-03-04T00:00:00+01:00"),
    ],
)
def test_ways_to_write_instants(table, texts, first):
    lines = "".join(f"{text};{100 + number},5\n" for number, text in enumerate(texts))
    assert table.write("Zeit;Wert\n" + lines).values()[0][0] == at(first)


def test_date_and_time_may_stand_apart(table):
    table.write("Datum;Uhrzeit;Wert\n04.03.2022;09:00;1,5\n04.03.2022;09:15;2,5\n")
    assert table.values() == [(at("2022-03-04T09:00+01:00"), 1.5), (at("2022-03-04T09:15+01:00"), 2.5)]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["03/04/2022 09:00", "03/04/2022 10:00"], "'03/04/2022 09:00' may have the day or the month first. Say --dates"),
        (["13/04/2022 09:00", "04/14/2022 09:00"], "dates are mixed: '13/04/2022 09:00' has the day first and '04/14/2022 09:00' the month"),
    ],
)
def test_dates_that_may_mean_two_days_are_refused(table, texts, said):
    lines = "".join(f"{text};1\n" for text in texts)
    assert said.replace(". Say", ", and no line tells which. Say") in table.write("time;flow\n" + lines).refusal()


def test_a_wish_decides_about_the_day(table):
    table.write("time;flow\n03/04/2022 09:00;1\n03/04/2022 10:00;2\n")
    assert table.values(dates="day-first")[0][0] == at("2022-04-03T09:00+02:00")
    assert table.values(dates="month-first")[0][0] == at("2022-03-04T09:00+01:00")


def test_the_doubled_hour_of_autumn_is_told_apart_by_order(table):
    walls = ["01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]
    table.write("time;flow\n" + "".join(f"30.10.2022 {wall};{number}\n" for number, wall in enumerate(walls)))
    series, points = table.series()
    assert [point.at_ms - points[0].at_ms for point in points] == [number * HOUR_MS // 2 for number in range(8)]
    assert [point.value for point in points] == list(range(8))
    assert series.repairs.counts["doubled_hour"] == 4


def test_the_hour_left_out_in_spring_is_no_gap(table):
    walls = ["00:00", "01:00", "03:00", "04:00", "05:00"]
    table.write("time;flow\n" + "".join(f"27.03.2022 {wall};100,5\n" for wall in walls))
    series, points = table.series()
    assert len(points) == 5
    assert not series.repairs.counts


def test_a_time_that_does_not_exist_is_refused_with_what_it_may_mean(table):
    table.write("time;flow\n" + "".join(f"27.03.2022 {hour:02}:00;100,5\n" for hour in range(6)))
    assert "line 4: this time does not exist in Europe/Berlin" in table.refusal()
    assert "Etc/GMT-1" in table.refusal()
    assert [at_ms - at("2022-03-26T23:00+00:00") for at_ms, _ in table.values(zone="Etc/GMT-1")] == [n * HOUR_MS for n in range(6)]


def test_newest_first_is_refused(table):
    lines = hourly(100).splitlines(keepends=True)
    assert "this instant is older than the line before it" in table.write("".join([lines[0], *reversed(lines[1:])])).refusal()


# ---- series ------------------------------------------------------------------------------------------------------


def test_short_gaps_are_filled_and_long_ones_split_the_series(table, programs):
    lines = hourly(48, value=lambda n: n).splitlines(keepends=True)
    kept = [line for number, line in enumerate(lines) if number not in {5, 6, *range(20, 30)}]
    series, points = table.write("".join(kept)).series()
    kinds = programs.series.Kind
    assert [point.value for point in points if point.kind is kinds.FILLED] == [4, 5]
    assert sum(point.kind is kinds.GAP for point in points) == 1
    assert series.observed == 36
    assert series.repairs.counts == {"short_gap": 1, "steps_filled": 2, "long_gap": 1, "steps_in_long_gaps": 10}


def test_repeated_and_contradicting_lines_are_counted(table):
    lines = hourly(30).splitlines(keepends=True)
    lines.insert(4, lines[3])
    lines.insert(10, lines[9].replace(",", ",9"))
    lines.insert(20, lines[2])
    series, points = table.write("".join(lines)).series()
    assert len(points) == 30
    assert series.repairs.counts == {"duplicate": 1, "contradiction": 1, "out_of_order": 1}


def test_uneven_and_fine_readings_are_averaged_into_even_steps(table):
    first = datetime(2022, 3, 1, tzinfo=UTC)
    lines = [f"{(first + timedelta(seconds=10 * n)).isoformat()},{n % 6}\n" for n in range(360)]
    series, points = table.write("time,flow\n" + "".join(lines)).series()
    assert series.step_ms == 60_000
    assert series.repairs.counts["averaged"] == 360 - len(points)
    assert {point.value for point in points[1:-1]} == {2.5}


def test_titles_above_the_table_and_a_missing_header_are_noted(table):
    series, _ = table.write("Station 7\nMesswerte in l/s\n" + "".join(f"01.03.2022 {hour:02}:00;1,5\n" for hour in range(9))).series()
    assert series.repairs.counts == {"title_lines": 2, "no_header": 1}


# ---- size --------------------------------------------------------------------------------------------------------

READ_ALL = """
import resource, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from dialect import Wishes
from readings import Limits, Readings
from series import Series
free = int(sys.argv[2])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + free, used + free))
readings = Readings(Path(sys.argv[1]), ZoneInfo("Europe/Berlin"), Wishes(), Limits())
print(sum(1 for _ in Series(readings)), readings.size)
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    """A pipe gives 40 MB that no disk holds, to a reader that may take 12 MB more than it needs to start."""
    pipe, hours = tmp_path / "plant.csv", 1000
    os.mkfifo(pipe)
    block = "".join(f"{{hour}}:{minute:02};100,5{'0' * 680}\n" for minute in range(60))

    def feed():
        with pipe.open("w") as sink:
            sink.write("Zeit;Durchfluss\n")
            first = datetime(2022, 1, 1)  # noqa: DTZ001
            for hour in range(hours):
                sink.write(block.replace("{hour}", (first + timedelta(hours=hour)).strftime("%d.%m.%Y %H")))

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    ran = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(pipe), str(12_000_000)],
        env={**os.environ, "PYTHONPATH": str(TEMPLATE), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    points, size = map(int, ran.stdout.split())
    assert size > 40_000_000
    assert points == 60_000
