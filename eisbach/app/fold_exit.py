"""Folding events about exports and imports of organisations into the state."""

from collections.abc import Callable, Iterable
from typing import Any

from eisbach.app.event_body import Body, TransferTuple
from eisbach.app.events_exit import OrganisationImported
from eisbach.app.state import FactoryState


def _imported(state: FactoryState, seq: int, at_ms: int, body: OrganisationImported) -> None:
    state.exit.imported[body.organisation] = body.manifest


def charged_elsewhere(state: FactoryState, seq: int, transfers: Iterable[TransferTuple]) -> None:
    """Note that the charges of an imported record are the first factory's to bill: no invoice of ours reaches back to them."""
    for debit, credit, _, _ in transfers:
        for name in (debit, credit):
            project, _, rest = name.partition("/")
            period, _, what = rest.partition("/")
            if what == "charged":
                organisation = state.projects[project].organisation
                state.billing.billed_to.setdefault(organisation, {})[period] = seq


CHANGES: dict[type[Body], Callable[[FactoryState, int, int, Any], None]] = {OrganisationImported: _imported}
