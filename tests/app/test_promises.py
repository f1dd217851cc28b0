"""Public promises: what was said stays said, what is so now is measured or is not, and simulated GPUs keep nothing."""

import pytest
from msgspec.structs import replace

from eisbach.adapters.clocks import ManualClock
from eisbach.adapters.promise_file import SHIPPED, read_promise_file
from eisbach.app import promise_register, report_promises
from eisbach.app.check_store import check_store
from eisbach.app.commands import Decision
from eisbach.app.events_energy import EnergyMetered
from eisbach.app.promise_measures import MEASURES, Asked, Measured, renewable_share
from eisbach.app.promise_register import PromiseFacts
from eisbach.app.promise_wordings import WordingFacts
from eisbach.app.report_promises import Verdict, figure, judge
from eisbach.app.site_facts import NodeFacts
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS
from eisbach.core.vocabulary.reasons import Reason
from tests.app.factory import a_job, a_site, new_factory
from tests.app.invariants import events_of


def a_wording(**more):
    said = {
        "metric": "gpus_commissioned", "title": "Ten GPUs", "title_de": "Zehn GPUs", "counted_from": "", "due": "",
        "quote": "at least ten", "language": "en", "date": "2025-06-13", "speaker": "Somebody", "source": "a page",
        "url": "https://example.org/", "evidence": "secondary", "comparison": "at-least", "value_milli": 10_000,
        "unit": "GPUs",
    } | more  # fmt: skip
    return WordingFacts(**said)


def a_promise(*wordings, promise="gpus"):
    return PromiseFacts(promise=promise, wordings=wordings or (a_wording(),))


def take(factory, *promises):
    return factory.perform(promise_register.command(promises))


def report(factory, promise="gpus"):
    return next(one for one in factory.ask(report_promises.question()) if one.promise == promise)


def kinds(factory):
    return [one.kind for one in events_of(factory) if one.kind.startswith("promise.")]


def gpu_node(name="g1", gpus=8):
    return NodeFacts(node=name, pool="g", flavour=f"h200.{gpus}", cpu_milli=8000, memory_mib=65_536, gpus=gpus)


def test_the_same_register_twice_is_recorded_once(factory):
    assert take(factory, a_promise())["changes"] == 1
    assert take(factory, a_promise())["changes"] == 0
    assert take(factory.restart(), a_promise())["changes"] == 0


def test_a_later_wording_is_measured_and_the_older_one_stays_visible(factory):
    later = a_wording(date="2026-02-04", comparison="around", quote="about ten")
    take(factory, a_promise())
    take(factory, a_promise(a_wording(), later))
    found = report(factory)
    assert found.wording == later
    assert [one.quote for one in found.history] == ["at least ten", "about ten"]
    assert kinds(factory) == ["promise.recorded", "promise.restated"]


def test_an_edited_figure_is_a_restatement_and_no_silent_change(factory):
    take(factory, a_promise())
    take(factory, a_promise(a_wording(value_milli=1000, quote="at least one")))
    found = report(factory)
    assert [one.value_milli for one in found.history] == [10_000, 1000]
    causes = [row["cause"] for row in factory.store.rows("promise_wordings", {"promise": "gpus"}).rows]
    assert causes == ["register-edited", ""], "newest first"


def test_a_wording_that_the_file_leaves_out_is_not_unsaid(factory):
    later = a_wording(date="2026-02-04", value_milli=20_000)
    take(factory, a_promise(a_wording(), later))
    take(factory, a_promise())
    assert report(factory).wording == later


def test_a_promise_that_the_file_leaves_out_stays_and_says_so(factory):
    take(factory, a_promise())
    take(factory)
    assert report(factory).is_dropped
    take(factory)
    assert kinds(factory) == ["promise.recorded", "promise.dropped"]
    take(factory, a_promise())
    assert not report(factory).is_dropped


def test_an_unknown_metric_is_refused_with_the_known_ones(factory):
    answer = take(factory, a_promise(a_wording(metric="happiness")))
    assert answer.reason is Reason.INVALID_ARGUMENT
    assert "happiness" in answer.what
    assert "gpus_commissioned" in answer.do
    assert kinds(factory) == []


def test_simulated_gpus_are_counted_apart_and_keep_no_promise(tmp_path):
    factory = new_factory(tmp_path, site=a_site(gpu_node(gpus=10)))
    take(factory, a_promise())
    found = report(factory)
    assert (found.measured.value_milli, found.measured.simulated_milli) == (0, 10_000)
    assert "simulated" in found.measured.says
    assert found.verdict is Verdict.NOT_KEPT


def test_real_gpus_keep_it_until_a_node_is_removed(tmp_path):
    site = a_site(gpu_node("g1", 6), gpu_node("g2", 6), simulated=False)
    factory = new_factory(tmp_path, site=site)
    take(factory, a_promise())
    assert report(factory).verdict is Verdict.KEPT
    fewer = factory.restart(site=replace(site, nodes=site.nodes[:1]))
    assert report(fewer).measured.value_milli == 6000
    assert report(fewer).verdict is Verdict.NOT_KEPT
    again = fewer.restart(site=site)
    assert report(again).measured.value_milli == 12_000


def test_a_node_to_come_counts_from_its_day_on(tmp_path):
    tomorrow = ManualClock().now() + DAY_MS
    site = a_site(gpu_node("g1", 6), replace(gpu_node("g2", 6), from_ms=tomorrow), simulated=False)
    factory = new_factory(tmp_path, site=site)
    take(factory, a_promise())
    assert report(factory).measured.value_milli == 6000
    factory.pass_time(DAY_MS + 1000)
    factory.run_rounds()
    assert report(factory).measured.value_milli == 12_000


def test_a_node_that_moves_to_another_site_takes_its_gpus_along(tmp_path):
    here = a_site(gpu_node("g1", 6), simulated=False)
    there = replace(a_site(gpu_node("g1", 6), gpu_node("g2", 4), simulated=False), site="there")
    factory = new_factory(tmp_path, site=here)
    take(factory, a_promise())
    moved = factory.restart(site=there)
    counted = moved.app.applier.state.promises.gpus_at
    assert {site: one.gpus for site, one in counted.items()} == {"here": 0, "there": 10}
    moved.submit(a_job("true", gpus=6, flavour="h200"))
    moved.pass_time(HOUR_MS)
    assert report(moved).measured.value_milli == 10_000


def test_utilisation_is_held_by_commissioned_gpu_time(tmp_path):
    factory = new_factory(tmp_path, site=a_site(gpu_node(gpus=4), simulated=False))
    take(factory, a_promise(a_wording(metric="gpu_utilisation", value_milli=333, unit="share")))
    assert report(factory).verdict is Verdict.CANNOT_BE_MEASURED, "no time has passed"
    factory.submit(a_job("sleep 3600", gpus=4, flavour="h200", limit_s=7200))
    factory.pass_time(HOUR_MS // 2)
    assert report(factory).measured.value_milli == 1000, "what runs counts as it runs"
    factory.pass_time(3 * HOUR_MS + HOUR_MS // 2)
    found = report(factory)
    assert found.measured.value_milli == 250
    assert found.verdict is Verdict.NOT_KEPT


def test_months_count_to_the_first_gpu_that_is_not_simulated(tmp_path):
    nine = a_wording(
        metric="months_to_operation", counted_from="2025-06-13", due="2026-03-31", comparison="up-to", value_milli=9000
    )
    factory = new_factory(tmp_path, site=a_site(gpu_node(gpus=4)))
    today = factory.clock.now()
    take(factory, a_promise(nine))
    assert report(factory).measured.may_grow
    assert report(factory).verdict is (Verdict.OPEN if today < 1_774_915_200_000 else Verdict.NOT_KEPT)


@pytest.mark.parametrize(
    ("comparison", "value", "now", "due", "verdict"),
    [
        ("at-least", 10, 10, "", Verdict.KEPT),
        ("at-least", 10, 9, "", Verdict.NOT_KEPT),
        ("at-least", 10, 9, "2026-12-31", Verdict.OPEN),
        ("at-least", 10, 9, "2026-01-31", Verdict.NOT_KEPT),
        ("around", 10_000, 9_500, "", Verdict.KEPT),
        ("around", 10_000, 10_500, "", Verdict.KEPT),
        ("around", 10_000, 9_499, "", Verdict.NOT_KEPT),
        ("up-to", 10_000, 1, "", Verdict.CANNOT_BE_MEASURED),
    ],
)
def test_verdicts(comparison, value, now, due, verdict):
    wording = a_wording(comparison=comparison, value_milli=value, due=due)
    assert judge(wording, Measured(value_milli=now, finding="f", says="s"), "2026-06-01")[0] is verdict


@pytest.mark.parametrize(
    ("months", "may_grow", "verdict"),
    [(8000, False, Verdict.KEPT), (9500, False, Verdict.NOT_KEPT), (8000, True, Verdict.OPEN), (9500, True, Verdict.NOT_KEPT)],
)
def test_months_that_still_pass_keep_nothing_yet(months, may_grow, verdict):
    wording = a_wording(metric="months_to_operation", comparison="up-to", value_milli=9000)
    assert judge(wording, Measured(value_milli=months, finding="f", says="s", may_grow=may_grow), "2026-06-01")[0] is verdict


def test_the_shipped_register_is_taken_and_every_promise_gets_a_verdict_with_its_reason(factory):
    shipped = read_promise_file(SHIPPED)
    take(factory, *shipped)
    reports = factory.ask(report_promises.question())
    assert [one.promise for one in reports] == [one.promise for one in shipped]
    assert all(one.measured.says and one.means and one.why for one in reports)
    exaflops = next(one for one in reports if one.promise == "exaflops")
    assert exaflops.verdict is Verdict.CANNOT_BE_MEASURED
    assert "50 TFLOPS" in exaflops.measured.says
    assert "FP64 (40) below and FP32 (80) above" in exaflops.measured.says
    assert check_store(factory.store) == []


def test_every_measure_says_what_it_measures():
    assert all(len(measure.__doc__) > 40 for measure in MEASURES.values())


def test_what_is_counted_survives_a_restart_and_follows_from_the_log(tmp_path):
    factory = new_factory(tmp_path, site=a_site(gpu_node(gpus=4), simulated=False))
    factory.submit(a_job("sleep 3600", gpus=1, flavour="h200", limit_s=7200))
    factory.pass_time(DAY_MS)
    before = factory.app.applier.state.promises
    again = factory.restart(crash=False)
    assert again.app.applier.state.promises == before
    assert before.gpus_at["here"].held_gpu_ms == HOUR_MS


def test_figures_are_exact():
    assert [figure(milli) for milli in (None, 0, 500, 10_000_000, 333, 1001)] == [None, "0", "0.5", "10000", "0.333", "1.001"]


@pytest.mark.parametrize("simulated", [False, True])
def test_renewable_power_is_what_the_meters_of_real_sites_say(tmp_path, simulated):
    """Simulated sites do not count, nor do intervals of which nobody says where their energy came from."""
    factory = new_factory(tmp_path, site=a_site(simulated=simulated))
    state = factory.app.applier.state
    asked = Asked(state=state, now=state.last_ms, value_milli=1000, counted_from="")
    assert renewable_share(asked).value_milli is None
    site = "here"
    at = state.energy.meters[site].metered_ms

    def meter(site, start, end, renewable_mj):
        body = EnergyMetered(
            site=site, from_ms=start, to_ms=end, label="modelled", it_mj=900, measured_mj=0, losses_mj=60, cooling_mj=40,
            has_plant=True, operator_idle_mj=900, operator_overhead_mj=100, renewable_mj=renewable_mj,
        )  # fmt: skip
        factory.perform(lambda state, context: Decision(events=(body,)))

    meter(site, at, at + 1000, 500)
    meter(site, at + 1000, at + 2000, 1000)
    meter(site, at + 2000, at + 3000, None)
    measured = renewable_share(asked)
    if simulated:
        assert measured.value_milli is None
    else:
        assert (measured.value_milli, measured.values["percent"], measured.values["sites"]) == (750, "75.0", site)
