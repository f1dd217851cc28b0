"""seller.toml: an example at first, read strictly, and wrong details refused with their name."""

import pytest

from eisbach.adapters.home_files import HomeFileError
from eisbach.adapters.home_office import open_office
from eisbach.adapters.seller_file import read_seller_file, write_seller_file
from eisbach.core.billing.parties import Treatment
from eisbach.core.billing.vat import Vat, VatRate, vat_of


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "seller.toml"
    write_seller_file(made)
    return made


def test_the_first_file_is_an_example_and_says_so(path):
    said = read_seller_file(path)
    assert said.seller.is_example
    assert said.seller.city == "München"
    assert said.seller.iban == "DE02120300000000202051", "without the spaces that people write"
    assert [(rate.country, rate.permille) for rate in said.rates] == [("DE", 190)]
    write_seller_file(path)
    assert read_seller_file(path) == said


@pytest.mark.parametrize(
    ("written", "instead", "words"),
    [
        ('vat_id = "DE123456788"', 'vat_id = "DE123456789"', "vat_id"),
        ('vat_id = "DE123456788"', 'vat_id = "ATU12345678"', "vat_id"),
        ("DE02 1203 0000 0000 2020 51", "DE02 1203 0000 0000 2020 52", "iban"),
        ('contact_phone = "+49 89 0000 000"', 'contact_phone = "call us"', "contact_phone"),
        ('contact_mail = "rechnung@factory.example"', 'contact_mail = "rechnung"', "contact_mail"),
        ('city = "München"', 'city = ""', "city"),
        ('country = "DE"\nvat_id', 'country = "XX"\nvat_id', "country"),
        ("payment_days = 14", "payment_days = 400", "payment_days"),
        ("payment_days = 14", 'payment_days = "14"', "payment_days"),
        ("example = true", 'example = "yes"', "example"),
        ("example = true", "exmaple = true", "not known"),
        ('percent = "19"', "percent = 19", "percent"),
        ("valid_from = 2021-01-01", 'valid_from = "2021"', "valid_from"),
        ('[[vat]]\ncountry = "DE"', '[[vat]]\ncountry = "FR"', "no \\[\\[vat\\]\\] for DE"),
        ("[seller]", "[sellers]", "not known"),
    ],
)
def test_what_cannot_be_so_is_named(path, written, instead, words):
    text = path.read_text()
    assert written in text
    path.write_text(text.replace(written, instead))
    with pytest.raises(HomeFileError, match=words) as refused:
        read_seller_file(path)
    assert str(path) in str(refused.value)


def test_the_rate_that_holds_on_the_day():
    rates = [VatRate(country="DE", permille=190, valid_from_ms=0), VatRate(country="DE", permille=210, valid_from_ms=100)]
    assert vat_of(Treatment.DOMESTIC, rates, "DE", 99) == Vat("S", 190)
    assert vat_of(Treatment.PUBLIC, rates, "DE", 100) == Vat("S", 210)
    assert vat_of(Treatment.DOMESTIC, rates, "FR", 100) is None
    assert vat_of(Treatment.REVERSE_CHARGE, [], "DE", 100).category == "AE"


def test_an_office_is_a_file_and_a_folder(tmp_path):
    office = open_office(tmp_path)
    assert (tmp_path / "seller.toml").stat().st_mode & 0o777 == 0o600
    assert office.documents.kept("2026-000001") is None
