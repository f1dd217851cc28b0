"""The register of promises as a file: read strictly, refused with what is wrong in it."""

import pytest

from eisbach.adapters.home_files import HomeFileError
from eisbach.adapters.promise_file import SHIPPED, read_promise_file

GOOD = """
[[promise]]
id = "gpus"
metric = "gpus_commissioned"
title = "Ten GPUs"
title_de = "Zehn GPUs"

[[promise.wording]]
date = "2025-06-13"
speaker = "Somebody"
quote = "ten GPUs"
language = "en"
source = "a page"
url = "https://example.org/"
evidence = "secondary"
comparison = "at-least"
value = "10.5"
unit = "GPUs"
"""


def read(tmp_path, text):
    file = tmp_path / "promises.toml"
    file.write_text(text)
    return read_promise_file(file)


def test_a_promise_is_read_in_thousandths(tmp_path):
    (promise,) = read(tmp_path, GOOD)
    assert promise.wordings[0].value_milli == 10_500


def test_without_a_file_the_shipped_register_counts(tmp_path):
    assert read_promise_file(tmp_path / "promises.toml") == read_promise_file(SHIPPED)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id = "gpus"', 'id = "../etc"', "letters, digits"),
        ('date = "2025-06-13"', 'date = "13.6.2025"', "must be a date"),
        ('value = "10.5"', "value = 10.5", "in quotes"),
        ('value = "10.5"', 'value = "10.0001"', "three digits"),
        ('value = "10.5"', 'value = "NaN"', "must be a number"),
        ('value = "10.5"', 'value = "-1"', "must be a number"),
        ('comparison = "at-least"', 'comparison = "roughly"', "at-least, around, up-to"),
        ('evidence = "secondary"', 'evidence = "sure"', "primary, secondary, unverified"),
        ('url = "https://example.org/"', 'url = ""', "unverified"),
        ('url = "https://example.org/"', 'url = "javascript:alert(1)"', "https://"),
        ('quote = "ten GPUs"', 'qoute = "ten GPUs"', "'qoute' is not known"),
        ('quote = "ten GPUs"', 'quote = "ten\\u202eGPUs"', "printable"),
        ("[[promise.wording]]", "[[promise.words]]", "not known"),
        ('metric = "gpus_commissioned"', 'metric = "months_to_operation"', "counted_from is missing"),
    ],
)
def test_a_wrong_register_is_refused_with_its_place(tmp_path, old, new, says):
    with pytest.raises(HomeFileError, match=says):
        read(tmp_path, GOOD.replace(old, new))


def test_two_promises_of_one_id_are_refused(tmp_path):
    with pytest.raises(HomeFileError, match="two promises"):
        read(tmp_path, GOOD + GOOD)
