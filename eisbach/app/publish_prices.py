"""What the operator's price list says becomes versions of the price book: published, never changed, withdrawn only before they begin."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from eisbach.app.events import Body, TariffPublished, TariffWithdrawn
from eisbach.app.site_facts import TariffFacts
from eisbach.app.state import FactoryState
from eisbach.core.billing.booking_rules import DEFAULT_RULES, BookingRules
from eisbach.core.billing.tariff import Tariff


def price_changes(
    state: FactoryState, written: Sequence[TariffFacts], now: int, is_used: Callable[[str], bool]
) -> list[Body]:
    """Return the events that make the price book what the list says; none once it is.

    A version in force that changed becomes a new version from now on: what was quoted must stay distinguishable from
    what is. A version that has not begun and changed, or is gone, is withdrawn. `is_used` says whether a name was
    published before.
    """
    events: list[Body] = []
    begun = [one for one in written if (one.valid_from_ms or 0) <= now and not _has_ended(one, now)]
    current = max(begun, key=lambda one: one.valid_from_ms or 0, default=None)
    in_force = state.prices.at(now)
    if current is not None and (in_force is None or not _is_same(in_force, current)):
        events.append(_published(state, current, now, is_used, 0))
    coming = state.prices.coming(now)
    for facts in (one for one in written if (one.valid_from_ms or 0) > now):
        known = next((one for one in coming if one.valid_from_ms == facts.valid_from_ms and _is_same(one, facts)), None)
        if known is None:
            events.append(_published(state, facts, int(facts.valid_from_ms or now), is_used, len(events)))
        else:
            coming.remove(known)
    return [*(TariffWithdrawn(version=one.version) for one in coming), *events]


def _published(
    state: FactoryState, facts: TariffFacts, from_ms: int, is_used: Callable[[str], bool], count: int
) -> TariffPublished:
    version = f"{facts.version}+{state.next_seq + count}" if is_used(facts.version) else facts.version
    return TariffPublished(
        version=version,
        label=facts.label,
        valid_from_ms=from_ms,
        valid_until_ms=facts.valid_until_ms,
        core_hour=facts.core_hour,
        memory_gib_hour=facts.memory_gib_hour,
        gpu_hour=facts.gpu_hour,
        spot_permille=facts.spot_permille,
        booking_rules=_said(facts.booking),
    )


def _has_ended(facts: TariffFacts, now: int) -> bool:
    return facts.valid_until_ms is not None and facts.valid_until_ms <= now


def _is_same(published: Tariff, facts: TariffFacts) -> bool:
    """Return whether a published version is this one, as the list names it or told apart by a number, at these prices."""
    name, _, number = published.version.rpartition("+")
    is_version = published.version == facts.version or (name == facts.version and number.isdigit())
    return is_version and _prices(published) == _prices(facts)


def _said(rules: BookingRules) -> dict[str, int]:
    """Return the rules that are not the program's defaults."""
    defaults = asdict(DEFAULT_RULES)
    return {name: value for name, value in asdict(rules).items() if value != defaults[name]}


def _prices(tariff: Tariff | TariffFacts) -> tuple[str, int, int, dict[str, int], int, int | None, BookingRules]:
    return (
        tariff.label,
        tariff.core_hour,
        tariff.memory_gib_hour,
        dict(tariff.gpu_hour),
        tariff.spot_permille,
        tariff.valid_until_ms,
        tariff.booking,
    )
