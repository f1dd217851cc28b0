"""The price book: which version holds when, what an edited list makes of it, and what each job is priced by."""

import pytest
from msgspec.structs import replace

from eisbach.adapters.home_files import HomeFileError
from eisbach.adapters.price_file import read_price_file, write_price_file
from eisbach.app import list_prices, submit_job
from eisbach.app.commands import SYSTEM
from eisbach.core.billing.booking_rules import BookingRules
from eisbach.core.billing.price_book import PriceBook
from eisbach.core.billing.tariff import Tariff
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal
from tests.app.factory import TARIFF, a_job, new_factory

ONE = """
[[version]]
version = "{name}"
label = "prices"
{validity}
core_hour = "{price}"
memory_gib_hour = "0.005"
spot_share = "0.4"
gpu_hour = {{ "*" = "2.00" }}
"""
DECEMBER_MS = 1_796_083_200_000


def a_list(*versions):
    return "".join(ONE.format(name=name, validity=validity, price=price) for name, validity, price in versions)


def held(factory):
    return {one["version"]: one["holds"] for one in factory.ask(list_prices.question())}


def test_a_list_of_one_version_is_valid_since_ever(tmp_path):
    write_price_file(tmp_path / "prices.toml")
    (only,) = read_price_file(tmp_path / "prices.toml")
    assert (only.version, only.valid_from_ms, only.valid_until_ms) == ("example-1", None, None)


def test_versions_follow_one_another(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(a_list(("b", "valid_from = 2026-12-01", "0.05"), ("a", "valid_until = 2026-12-01", "0.04")))
    first, second = read_price_file(path)
    assert [first.version, second.version] == ["a", "b"]
    assert (second.valid_from_ms, first.valid_until_ms) == (DECEMBER_MS, None), "an end that repeats a beginning says nothing"
    path.write_text(a_list(("a", "", "0.04"), ("b", "valid_from = 2026-12-01T00:00:00+01:00", "0.05")))
    assert read_price_file(path)[1].valid_from_ms == DECEMBER_MS - HOUR_MS


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([("a", "valid_until = 2026-12-02", "0.04"), ("b", "valid_from = 2026-12-01", "0.05")], "overlap"),
        ([("a", "valid_until = 2026-11-30", "0.04"), ("b", "valid_from = 2026-12-01", "0.05")], "gap"),
        ([("a", "valid_from = 2026-12-01", "0.04"), ("b", "valid_from = 2026-12-01", "0.05")], "same time"),
        ([("a", "", "0.04"), ("b", "", "0.05")], "same time"),
        ([("a", "", "0.04"), ("a", "valid_from = 2026-12-01", "0.05")], "two versions are named"),
        ([("a", "valid_from = 2026-12-01\nvalid_until = 2026-12-01", "0.04")], "ends before it begins"),
        ([("a", "valid_from = 2026-12-01T00:00:00", "0.04")], "valid_from"),
        ([("a", 'valid_from = "soon"', "0.04")], "valid_from"),
        ([("a", "vallid_from = 2026-12-01", "0.04")], "not known"),
        ([("a", "", "-1")], "below 0"),
    ],
)
def test_lists_that_are_refused(tmp_path, versions, words):
    path = tmp_path / "prices.toml"
    path.write_text(a_list(*versions))
    with pytest.raises(HomeFileError, match=words) as refused:
        read_price_file(path)
    assert str(path) in str(refused.value)


BOOKING = """
[booking]
quote_minutes = 30
lead_minutes = 0
holds_max = 5
cancel_share = 0.25
no_show_hours = 0
resale_share = 1
extension_share = 0.5
"""


def test_the_rules_of_bookings_are_read_and_what_is_left_out_is_the_default(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(a_list(("a", "", "0.04")).replace("[[version]]", "") + BOOKING)
    (only,) = read_price_file(path)
    assert only.booking == BookingRules(
        quote_ms=30 * MINUTE_MS, lead_ms=0, holds_max=5, cancel_permille=250, no_show_ms=0, resale_permille=1000, extension_permille=500
    )
    path.write_text(a_list(("a", "", "0.04")))
    assert read_price_file(path)[0].booking == BookingRules()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("quote_minutes = 0", "quote_minutes is 0, but must be a number from 1 to 1440"),
        ("quote_minutes = -5", "quote_minutes is -5"),
        ("cancel_share = 1.5", "cancel_share is 1.5, but must be a number from 0 to 1"),
        ("cancel_share = nan", "cancel_share is nan"),
        ("no_show_hours = inf", "no_show_hours is inf"),
        ('holds_max = "3"', "holds_max is '3'"),
        ("holds_max = true", "holds_max is True"),
        ("holds_max = 2.5", "holds_max is 2.5, but must be a whole number"),
        ("longest_days = 10_000", "longest_days is 10000"),
        ("extension_share = -1", "extension_share is -1"),
        ("resale_shares = 0.5", "'resale_shares' is not known"),
        ('booking = "cheap"', "not known"),
    ],
)
def test_rules_of_bookings_that_are_refused(tmp_path, line, words):
    path = tmp_path / "prices.toml"
    path.write_text(a_list(("a", "", "0.04")).replace("[[version]]", "") + f"[booking]\n{line}\n")
    with pytest.raises(HomeFileError) as refused:
        read_price_file(path)
    assert words in str(refused.value)
    assert "[booking]" in str(refused.value)
    assert str(path) in str(refused.value)


def a_tariff(version, from_ms, until_ms=None):
    return Tariff(
        version=version, label="", valid_from_ms=from_ms, valid_until_ms=until_ms, core_hour=1, memory_gib_hour=1, gpu_hour={}
    )


def test_the_newest_version_that_has_begun_and_not_ended_holds():
    book = PriceBook([a_tariff("a", 0), a_tariff("c", 20, 30), a_tariff("b", 10), a_tariff("b2", 10)])
    assert [one.version if (one := book.at(instant)) else None for instant in (-1, 0, 9, 10, 19, 20, 29, 30)] == [
        None, "a", "a", "b2", "b2", "c", "c", None,
    ]  # fmt: skip


def test_a_job_is_priced_by_the_version_of_its_submission(factory):
    later = replace(TARIFF, version="later", core_hour=72_000, valid_from_ms=factory.clock.now() + DAY_MS)
    factory = factory.restart(tariff=(TARIFF, later))
    assert held(factory) == {"later": "later", "test-1": "now"}
    before = factory.submit(a_job("sleep 200000", limit_s=3 * 86_400))
    factory.pass_time(DAY_MS)
    after = factory.submit(a_job("sleep 200000", limit_s=3 * 86_400))
    assert (factory.job(before)["tariff"], factory.job(after)["tariff"]) == ("test-1", "later")
    assert held(factory) == {"later": "now", "test-1": "before"}
    factory.pass_time(DAY_MS)
    factory.run_rounds()
    assert factory.job(after)["charged"] == 24 * (72_000 + 3_600)
    assert factory.job(before)["charged"] == 48 * (36_000 + 3_600), "the version it was submitted under, to its end"
    assert held(factory.restart(tariff=(TARIFF, later))) == {"later": "now", "test-1": "before"}, "nothing is published twice"


def test_what_has_not_begun_can_be_changed_and_taken_back(factory):
    later = replace(TARIFF, version="later", core_hour=72_000, valid_from_ms=factory.clock.now() + DAY_MS)
    factory = factory.restart(tariff=(TARIFF, later))
    factory = factory.restart(tariff=(TARIFF, replace(later, core_hour=50_000)))
    (coming,) = factory.app.applier.state.prices.coming(factory.clock.now())
    assert coming.core_hour == 50_000
    assert coming.version.startswith("later+"), "a name that was published never means two prices"
    assert held(factory.restart(tariff=(TARIFF,))) == {"test-1": "now"}


def test_after_the_last_version_nothing_is_sold(tmp_path):
    factory = new_factory(tmp_path)
    end = factory.clock.now() + DAY_MS
    factory = factory.restart(tariff=(replace(TARIFF, version="brief", valid_until_ms=end),))
    factory.pass_time(DAY_MS)
    answer = factory.perform(submit_job.command(SYSTEM, project=factory.project, spec=a_job()))
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.NO_PRICE
    assert held(factory) == {"brief": "before", "test-1": "before"}, "what was replaced does not come back"
    assert factory.ask(list_prices.version("absent")).reason is Reason.NOT_FOUND
