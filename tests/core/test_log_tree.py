"""The tree against the recursive definitions of RFC 9162, written down naively."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisbach.core.log.leaf import EMPTY_ROOT, leaf_hash, node_hash
from eisbach.core.log.tree import (
    SIZE_MAX,
    Frontier,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)

SIZES = st.integers(1, 200)
LEAVES = [leaf_hash(b"leaf %d" % i) for i in range(200)]
ABSURD = (-1, -(2**64), 2**63, 2**64 - 1, 2**4096)


def naive_root(leaves):
    """MTH of section 2.1.1."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = naive_split(len(leaves))
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(m, leaves):
    """PATH of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = naive_split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m, leaves, whole):
    """SUBPROOF of section 2.1.4.1; PROOF(m, D) is SUBPROOF(m, D, true)."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = naive_split(len(leaves))
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), naive_root(leaves[:k])]


def naive_split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


@pytest.fixture(scope="module")
def tree():
    """Every node that appending LEAVES completed, as a store would keep them, and the roots on the way."""
    frontier, nodes, roots = Frontier(), {}, [EMPTY_ROOT]
    for leaf in LEAVES:
        for level, index, node in frontier.append(leaf):
            assert (level, index) not in nodes
            nodes[level, index] = node
        roots.append(frontier.root())
    return nodes, roots


def test_the_empty_tree_has_the_root_of_the_rfc():
    assert Frontier().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_roots_are_those_of_the_definition(tree):
    assert tree[1] == [naive_root(LEAVES[:size]) for size in range(len(LEAVES) + 1)]


@given(sizes=st.lists(st.integers(0, 70), max_size=6))
def test_leaves_added_many_at_a_time_make_the_same_frontier(tree, sizes):
    frontier, one_by_one, size = Frontier(), Frontier(), 0
    for more in sizes:
        leaves = LEAVES[size : size + more]
        frontier.extend(leaves)
        for leaf in leaves:
            one_by_one.append(leaf)
        size += len(leaves)
        assert (frontier.size, frontier.nodes, frontier.root()) == (size, one_by_one.nodes, tree[1][size])


def test_what_is_no_hash_is_not_added_among_many():
    frontier = Frontier()
    frontier.extend(LEAVES[:3])
    before = frontier.copy()
    with pytest.raises(ValueError, match="32 bytes"):
        frontier.extend([LEAVES[3], b"short"])
    assert (frontier.size, frontier.nodes) == (before.size, before.nodes)


def test_every_complete_node_is_reported_once_with_its_hash(tree):
    nodes, _ = tree
    expected = {
        (level, index): naive_root(LEAVES[index << level : (index + 1) << level])
        for level in range(8)
        for index in range(len(LEAVES) >> level)
    }
    assert nodes == expected


@given(size=SIZES, data=st.data())
def test_inclusion_proofs_are_those_of_the_definition(tree, size, data):
    nodes, roots = tree
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, complete_within(nodes, size))
    assert proof == naive_path(index, LEAVES[:size])
    assert verify_inclusion(index, size, LEAVES[index], proof, roots[size])


@given(size2=SIZES, data=st.data())
def test_consistency_proofs_are_those_of_the_definition(tree, size2, data):
    nodes, roots = tree
    size1 = data.draw(st.integers(1, size2))
    proof = consistency_proof(size1, size2, complete_within(nodes, size2))
    assert proof == naive_subproof(size1, LEAVES[:size2], True)
    assert verify_consistency(size1, size2, roots[size1], roots[size2], proof)


@given(size=st.integers(2, 200), data=st.data())
def test_a_changed_inclusion_proof_is_refused(tree, size, data):
    nodes, roots = tree
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, lambda level, i: nodes[level, i])
    for wrong in damaged(proof, data):
        assert not verify_inclusion(index, size, LEAVES[index], wrong, roots[size])
    assert not verify_inclusion((index + 1) % size, size, LEAVES[index], proof, roots[size])
    assert not verify_inclusion(index, size, LEAVES[index - 1], proof, roots[size])
    assert not verify_inclusion(index, size, LEAVES[index], proof, roots[size - 1])


@given(size2=st.integers(2, 200), data=st.data())
def test_a_changed_consistency_proof_is_refused(tree, size2, data):
    nodes, roots = tree
    size1 = data.draw(st.integers(1, size2 - 1))
    proof = consistency_proof(size1, size2, lambda level, i: nodes[level, i])
    for wrong in damaged(proof, data):
        assert not verify_consistency(size1, size2, roots[size1], roots[size2], wrong)
    assert not verify_consistency(size1, size2, roots[size2], roots[size1], proof)
    assert not verify_consistency(size1, size2, roots[size1 - 1], roots[size2], proof)


def test_a_rewritten_history_has_no_consistency_proof(tree):
    nodes, roots = tree
    other = Frontier()
    for leaf in [LEAVES[1], LEAVES[0], *LEAVES[2:10]]:
        other.append(leaf)
    proof = consistency_proof(10, 200, lambda level, i: nodes[level, i])
    assert verify_consistency(10, 200, roots[10], roots[200], proof)
    assert not verify_consistency(10, 200, other.root(), roots[200], proof)


def test_absurd_input_is_refused(tree):
    _, roots = tree
    leaf, root = LEAVES[0], roots[200]
    for number in (*ABSURD, 0):
        assert not verify_inclusion(0, number, leaf, [], root)
        assert not verify_consistency(1, number, leaf, root, [root] * 3)
        assert not verify_consistency(number, 200, leaf, root, [root] * 3)
        assert not verify_consistency(number, number, root, root, [])
    for number in ABSURD:
        assert not verify_inclusion(number, 200, leaf, [root] * 8, root)
    for no_hash in (b"", b"short", root + b"\0", root.hex(), None, 7):
        assert not verify_inclusion(0, 1, no_hash, [], no_hash)
        assert not verify_inclusion(0, 2, leaf, [no_hash], root)
        assert not verify_consistency(1, 2, no_hash, root, [leaf])
        assert not verify_consistency(1, 2, leaf, root, [no_hash])
    assert not verify_inclusion(0, SIZE_MAX, leaf, [root] * 100_000, root)
    assert not verify_consistency(1, SIZE_MAX, leaf, root, [root] * 100_000)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 5), (5, 5)])
def test_no_inclusion_proof_without_such_a_leaf(index, size):
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, lambda level, i: LEAVES[0])


@pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 5), (-1, 5), (6, 5)])
def test_no_consistency_proof_from_nothing_or_backwards(size1, size2):
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(size1, size2, lambda level, i: LEAVES[0])


@given(size=st.integers(0, 199))
def test_a_stored_frontier_continues_the_tree(tree, size):
    _, roots = tree
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    restored = Frontier(frontier.size, frontier.nodes)
    tried = restored.copy()
    assert tried.append(LEAVES[size])[0] == (0, size, LEAVES[size])
    assert tried.root() == roots[size + 1]
    assert (restored.size, restored.root()) == (size, roots[size])


@pytest.mark.parametrize(
    ("size", "nodes"), [(-1, []), (2**63, [LEAVES[0]]), (1, []), (2, LEAVES[:2]), (3, LEAVES[:1]), (1, [b"short"])]
)
def test_a_frontier_that_cannot_be_is_refused(size, nodes):
    with pytest.raises(ValueError, match=r"frontier|between"):
        Frontier(size, nodes)


def test_a_leaf_of_the_wrong_length_changes_nothing():
    frontier = Frontier()
    with pytest.raises(ValueError, match="32 bytes"):
        frontier.append(b"raw data")
    assert frontier.size == 0


def complete_within(nodes, size):
    """Returns nodes of the tree of `size` leaves, and fails for one that this tree has not completed."""

    def get_node(level, index):
        assert (index + 1) << level <= size
        return nodes[level, index]

    return get_node


def damaged(proof, data):
    """The proof with one bit flipped, one hash less, more, twice, and in the wrong order."""
    place = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = bytearray(proof[place])
    flipped[bit >> 3] ^= 1 << (bit & 7)
    yield [*proof[:place], bytes(flipped), *proof[place + 1 :]]
    yield [*proof[:place], *proof[place + 1 :]]
    yield [*proof[:place], proof[place], *proof[place:]]
    yield [*proof, EMPTY_ROOT]
    yield []
    if len(proof) > 1:
        yield proof[::-1]
