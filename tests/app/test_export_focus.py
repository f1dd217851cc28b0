"""FOCUS 1.2: the mandatory columns, instants and amounts as the specification writes them, and the sum of the ledger."""

from decimal import Decimal

from eisbach.app.export_focus import COLUMNS, csv_lines, rows_of
from eisbach.core.ledger import account
from eisbach.core.vocabulary.interval import month_end
from eisbach.core.vocabulary.quantities import HOUR_MS
from tests.app.billing import month, organisation_of, work
from tests.app.factory import a_job, new_factory

MANDATORY = ["BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodStart", "ChargePeriodEnd", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "ServiceProviderName", "HostProviderName"]
CATEGORIES = {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}


def rows(factory, period=None):
    store = factory.store
    project, organisation = store.row("projects", factory.project), store.row("organisations", organisation_of(factory))
    return rows_of(store, project, organisation, period or month(factory), "Fabrik am Bach GmbH")


def test_each_row_has_every_column_as_the_specification_writes_it(factory):
    work(factory, 2, name="first")
    work(factory, 30, name="second", cpus=4)
    found = rows(factory)
    assert set(MANDATORY) <= set(COLUMNS)
    assert all(column in MANDATORY or column[0].isupper() or column.startswith("x_") for column in COLUMNS)
    assert len(set(COLUMNS)) == len(COLUMNS)
    for row in found:
        assert set(row) == set(COLUMNS)
        assert row["ChargeCategory"] in CATEGORIES
        assert row["BillingCurrency"] == "EUR"
        for column in ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"):
            assert row[column].endswith("T00:00:00Z")
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        for column in ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity", "ListUnitPrice"):
            Decimal(row[column])
    header, *lines = csv_lines(found)
    assert header == COLUMNS
    assert all(len(line) == len(COLUMNS) for line in lines)


def test_the_sum_is_the_ledgers_with_faults_of_ours_as_credits(tmp_path):
    factory = new_factory(tmp_path)
    job = factory.submit(a_job("sleep 18000", cpus=4, limit_s=20_000))
    factory.pass_time(HOUR_MS + 1000)
    factory.run_rounds()
    factory.engine.lose(factory.attempts(job)[0]["attempt"])
    factory.settle()
    factory.pass_time(6 * HOUR_MS)
    found = rows(factory)
    assert {row["ChargeCategory"] for row in found} == {"Usage", "Credit"}
    charged = factory.app.applier.state.ledger.balance(account.charged(factory.project, month(factory)))
    assert sum(Decimal(row["BilledCost"]) for row in found) == Decimal(charged) / 1_000_000
    assert all(row["x_PlaceLabel"] == "simulated" for row in found)


def test_what_was_settled_after_the_month_belongs_to_its_last_day(factory):
    before, end = month(factory), month_end(factory.clock.now())
    factory.pass_time(end - factory.clock.now() - HOUR_MS)
    factory.run_rounds()
    factory.submit(a_job("sleep 7200", limit_s=10_000))
    factory.pass_time(HOUR_MS + 60_000)
    factory.run_rounds()
    (row,) = rows(factory, before)
    assert row["ChargePeriodEnd"] == row["BillingPeriodEnd"]


def test_a_name_is_no_formula(factory):
    work(factory, 1, name="=1+1")
    (row,) = rows(factory)
    assert row["ResourceName"] == "'=1+1"
