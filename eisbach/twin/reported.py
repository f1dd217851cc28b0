"""Play a scenario and write down what its report shows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from eisbach.core.billing.tariff import ANY_GPU
from eisbach.core.vocabulary.money import EURO
from eisbach.twin import report_plots
from eisbach.twin.recorder import Recorder
from eisbach.twin.report import write_report
from eisbach.twin.report_promises import promises
from eisbach.twin.scenario import Scenario
from eisbach.twin.stranded import Stranded
from eisbach.twin.world import World


def play_reported(scenario: Scenario, folder: Path, *, look: Callable[[World], object] | None = None) -> tuple[dict[str, Any], Path]:
    """Play a scenario, write its report into a folder, and return the result's document and the page."""
    world = scenario.world()
    recorder, stranded = Recorder(world, days=scenario.days), Stranded(world)
    document = scenario.document(scenario.play(world, look=look, stranded=stranded))
    recorder.close(int(world.now))
    gpus = sum(node.gpus for site in world.sites for node in site.nodes)
    plots = [
        report_plots.utilisation(recorder, gpus),
        report_plots.waits(recorder),
        report_plots.calendar(recorder.entries()),
        promises(recorder.promises),
        report_plots.halls(recorder, world),
        report_plots.fragmentation(stranded.gpu_h, _prices(world)),
    ]
    return document, write_report(folder, document, plots)


def _prices(world: World) -> dict[str, float]:
    """Return flavour -> euro for an hour of one of its GPUs, as the price list says now."""
    tariff = world.state.prices.at(world.now)
    listed = tariff.gpu_hour if tariff is not None else {}
    flavours = {node.flavour for site in world.sites for node in site.nodes if node.gpus}
    return {one: listed.get(one.partition(".")[0], listed.get(ANY_GPU, 0)) / EURO for one in flavours}
