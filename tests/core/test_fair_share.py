"""Fair shares: who is furthest below his share goes first, at each level of the tree; usage fades by its half-life."""

import heapq
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.scheduling.fair_share import WEIGHT_MAX, FairShare, Standing
from eisbach.core.vocabulary.invariant import BrokenInvariant
from eisbach.core.vocabulary.quantities import HOUR_MS

GPU = 1000
DAY_MS = 24 * HOUR_MS


def a_tree() -> FairShare:
    shares = FairShare()
    for name, parent in (
        ("research", ""),
        ("enterprise", ""),
        ("uni", "research"),
        ("institute", "uni"),
        ("lab", "institute"),
        ("robots", "uni"),
        ("maker", "enterprise"),
        ("plant", "maker"),
    ):
        shares.add(name, parent)
    return shares


def test_another_half_life_holds_from_the_last_charge_on_and_changes_nothing_of_what_was() -> None:
    shares = a_tree()
    shares.charge("lab", 1000 * GPU * HOUR_MS, 0)
    shares.charge("plant", 100 * GPU * HOUR_MS, 7 * DAY_MS)
    before = {name: shares.usage(name, 7 * DAY_MS) for name in ("lab", "research", "plant", "enterprise")}
    assert before["lab"] == before["research"] == 500 * GPU * HOUR_MS
    ppm, rank = shares.used_ppm("lab"), shares.rank("lab")
    shares.set_half_life(24)
    assert shares.rank("lab") != rank, "what is sorted by is written anew"
    assert {name: shares.usage(name, 7 * DAY_MS) for name in before} == before
    assert shares.used_ppm("lab") == ppm
    assert shares.usage("lab", 8 * DAY_MS) == 250 * GPU * HOUR_MS
    shares.charge("lab", 250 * GPU * HOUR_MS, 9 * DAY_MS)
    assert shares.usage("lab", 9 * DAY_MS) == 375 * GPU * HOUR_MS
    again = a_tree()
    again.set_half_life(24)
    again.restore(shares.saved())
    assert [again.rank(leaf) for leaf in ("lab", "plant")] == [shares.rank(leaf) for leaf in ("lab", "plant")]
    with pytest.raises(BrokenInvariant):
        shares.set_half_life(0)


def test_who_had_less_for_its_weight_goes_first() -> None:
    shares = a_tree()
    shares.set_weight("research", 300)
    shares.charge("lab", 200 * GPU * HOUR_MS, DAY_MS)
    shares.charge("plant", 100 * GPU * HOUR_MS, DAY_MS)
    assert sorted(("lab", "plant"), key=shares.rank) == ["lab", "plant"]
    shares.charge("lab", 101 * GPU * HOUR_MS, DAY_MS)
    assert sorted(("lab", "plant"), key=shares.rank) == ["plant", "lab"]


def test_a_level_is_decided_before_the_one_below() -> None:
    shares = a_tree()
    shares.charge("robots", GPU * HOUR_MS, DAY_MS)
    shares.charge("plant", 2 * GPU * HOUR_MS, DAY_MS)
    assert sorted(("plant", "robots", "lab"), key=shares.rank) == ["lab", "robots", "plant"]


def test_usage_halves_with_each_half_life() -> None:
    shares = a_tree()
    shares.charge("plant", 64 * GPU * HOUR_MS, 0)
    week = 7 * DAY_MS
    assert [shares.usage("enterprise", weeks * week) // (GPU * HOUR_MS) for weeks in range(4)] == [64, 32, 16, 8]
    shares.charge("lab", 20 * GPU * HOUR_MS, 2 * week)
    assert sorted(("lab", "plant"), key=shares.rank) == ["plant", "lab"]  # 64 a fortnight ago are 16 now


def test_what_holds_gpus_counts_before_it_is_charged() -> None:
    shares = a_tree()
    shares.hold("lab", 8 * GPU)
    assert sorted(("lab", "plant"), key=shares.rank) == ["plant", "lab"]
    shares.hold("lab", -8 * GPU)
    assert set(shares.rank("lab")[1::2]) == {0}


def test_a_weight_of_nothing_comes_last() -> None:
    shares = a_tree()
    shares.set_weight("enterprise", 0)
    shares.charge("lab", 1000 * GPU * HOUR_MS, DAY_MS)
    assert sorted(("lab", "plant"), key=shares.rank) == ["lab", "plant"]


def test_standing_follows_agreement_and_quota() -> None:
    shares = a_tree()
    shares.set_agreed("uni", 16 * GPU)
    shares.set_quota("lab", 8 * GPU)
    assert shares.standing("lab", 8 * GPU) is Standing.WITHIN_AGREEMENT
    assert shares.standing("lab", 9 * GPU) is Standing.ABOVE_QUOTA
    shares.hold("robots", 12 * GPU)
    assert shares.standing("lab", 8 * GPU) is Standing.ORDINARY
    shares.hold("lab", 10 * GPU)
    assert shares.above_quota() == {"lab": 2 * GPU}
    shares.hold("robots", 64 * GPU, is_spot=True)
    assert shares.firm("robots") == 12 * GPU
    shares.hold("lab", -2 * GPU)
    assert not shares.is_any_above


@pytest.mark.parametrize(
    "wrong",
    [
        lambda shares: shares.set_weight("lab", -1),
        lambda shares: shares.set_weight("lab", WEIGHT_MAX + 1),
        lambda shares: shares.set_quota("lab", -1),
        lambda shares: shares.set_agreed("lab", -1),
        lambda shares: shares.add("research", "lab"),  # a cycle would need a branch to stand in the tree twice
        lambda shares: shares.add(""),
    ],
)
def test_wrong_facts_break(wrong: object) -> None:
    with pytest.raises(BrokenInvariant):
        wrong(a_tree())  # type: ignore[operator]


CHARGES = st.lists(
    st.tuples(st.sampled_from(("lab", "robots", "plant")), st.integers(0, 10**15), st.integers(0, 400 * 24)),
    max_size=30,
)


@given(CHARGES)
def test_a_saved_tree_is_the_same_tree(charges: list[tuple[str, int, int]]) -> None:
    shares, again = a_tree(), a_tree()
    for leaf, amount, hour in sorted(charges, key=lambda one: one[2]):
        shares.charge(leaf, amount, hour * HOUR_MS)
    again.restore(shares.saved())
    assert again.saved() == shares.saved()
    for leaf in ("lab", "robots", "plant"):
        assert again.rank(leaf) == shares.rank(leaf)
        shares.charge(leaf, 7, 10_000 * HOUR_MS)
        again.charge(leaf, 7, 10_000 * HOUR_MS)
        assert again.rank(leaf) == shares.rank(leaf)


@given(CHARGES, st.randoms(use_true_random=False))
def test_the_order_of_charges_within_an_hour_changes_nothing(
    charges: list[tuple[str, int, int]], chance: object
) -> None:
    one, other = a_tree(), a_tree()
    for leaf, amount, _ in charges:
        one.charge(leaf, amount, 5 * HOUR_MS)
    chance.shuffle(charges)  # type: ignore[attr-defined]
    for leaf, amount, _ in charges:
        other.charge(leaf, amount, 5 * HOUR_MS)
    assert one.saved() == other.saved()


def test_thirty_days_of_unlike_work_follow_the_shares() -> None:
    """Three segments always have more to do than fits; one has gangs of a day, one small jobs, one something between."""
    shares = FairShare()
    work = {"research": (64, 24 * 60), "enterprise": (1, 25), "public": (8, 5 * 60)}  # GPUs, minutes
    weights = {"research": 50, "enterprise": 30, "public": 20}
    for name, weight in weights.items():
        shares.add(name)
        shares.set_weight(name, weight)
    free, used = 512, dict.fromkeys(work, 0)
    events: list[tuple[int, int, str, int]] = []  # minute, number, leaf, minutes to charge
    number = count()
    minute = 0
    while minute < 30 * 24 * 60:
        while (leaf := min(work, key=shares.rank)) and work[leaf][0] <= free:
            gpus, minutes = work[leaf]
            free -= gpus
            shares.hold(leaf, gpus * GPU)
            heapq.heappush(events, (minute + min(60, minutes), next(number), leaf, minutes))
        minute, _, leaf, left = heapq.heappop(events)
        gpus, since = work[leaf][0], min(60, left)
        shares.charge(leaf, gpus * GPU * since * 60_000, minute * 60_000)
        used[leaf] += gpus * since
        if left > since:
            heapq.heappush(events, (minute + min(60, left - since), next(number), leaf, left - since))
        else:
            free += gpus
            shares.hold(leaf, -gpus * GPU)
    total = sum(used.values())
    assert all(abs(used[name] / total * 100 - weights[name]) <= 2 for name in work), used


acts = st.lists(
    st.tuples(
        st.sampled_from(["hold", "charge", "weight", "quota", "agreed"]),
        st.sampled_from(["lab", "robots", "plant"]),
        st.integers(1, 50),
        st.integers(0, 3000),
    ),
    max_size=20,
)


@given(acts)
def test_a_rank_is_the_same_whether_somebody_asked_before_or_not(todo: list[tuple[str, str, int, int]]) -> None:
    asked, unasked = a_tree(), a_tree()
    for kind, leaf, amount, hour in todo:
        for shares in (asked, unasked):
            match kind:
                case "hold":
                    shares.hold(leaf, amount * GPU)
                case "charge":
                    shares.charge(leaf, amount * GPU * HOUR_MS, hour * HOUR_MS)
                case "weight":
                    shares.set_weight("research", amount)
                case "quota":
                    shares.set_quota(leaf, amount * GPU)
                case _:
                    shares.set_agreed(leaf, amount * GPU)
        for one in ("lab", "robots", "plant"):
            asked.rank(one)
    assert [asked.rank(one) for one in ("lab", "robots", "plant")] == [unasked.rank(one) for one in ("lab", "robots", "plant")]


acts = st.one_of(
    st.tuples(st.just("hold"), st.sampled_from(["lab", "robots", "plant"]), st.integers(-3, 3), st.booleans()),
    st.tuples(st.just("charge"), st.sampled_from(["lab", "robots", "plant"]), st.integers(0, 9), st.integers(0, 60)),
    st.tuples(st.just("quota"), st.sampled_from(["research", "uni", "plant"]), st.sampled_from([None, 0, 2 * GPU])),
    st.tuples(st.just("half-life"), st.sampled_from([12, 24, 168])),
)


@given(st.lists(acts, max_size=30))
def test_who_is_asked_after_each_step_and_who_is_asked_once_say_the_same(drawn) -> None:
    """What is held and used is summed up when somebody asks: asking changes nothing."""
    asked, quiet, hours = a_tree(), a_tree(), 0
    for act in drawn:
        if act[0] == "charge":
            hours += act[3]
        for shares in (asked, quiet):
            match act:
                case "hold", leaf, gpus, is_spot:
                    shares.hold(leaf, gpus * GPU, is_spot=is_spot)
                case "charge", leaf, used, _:
                    shares.charge(leaf, used * GPU * HOUR_MS, hours * HOUR_MS)
                case "quota", name, gpu_milli:
                    shares.set_quota(name, gpu_milli)
                case "half-life", half_life:
                    shares.set_half_life(half_life)
        everything(asked, hours)
    assert everything(quiet, hours) == everything(asked, hours)
    assert quiet.saved() == asked.saved()


def everything(shares: FairShare, hours: int):
    """All that anybody may ask of the tree."""
    names = ["research", "enterprise", "uni", "institute", "lab", "robots", "maker", "plant"]
    return (
        [(shares.held(name), shares.firm(name), shares.usage(name, hours * HOUR_MS), shares.used_ppm(name)) for name in names],
        [(shares.rank(leaf), shares.standing(leaf, GPU)) for leaf in ("lab", "robots", "plant")],
        sorted(shares.above_quota().items()),
        shares.is_any_above,
    )
