"""An engine that is not always there, and a further site, for stories at random."""

from eisbach.app.site_facts import SiteFacts
from eisbach.engines.simulated import SimulatedEngine
from eisbach.ports.engine import StartOrder
from eisbach.twin.frail_engine import FrailEngine

FURTHER = SiteFacts(site="there", country="AT", operator="Test", operator_country="AT", nodes=(), is_simulated=True)


class UnreliableEngine(FrailEngine):
    """The explorer's engine, but that it refuses no attempt for good."""

    def start(self, order: StartOrder) -> None:
        """Begin an attempt, unless the engine cannot be reached."""
        self._or_no_answer()
        SimulatedEngine.start(self, order)
