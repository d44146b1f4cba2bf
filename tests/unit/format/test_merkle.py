"""The tree of the log, against the definition it was taken from."""

import hashlib

import pytest

from airlift.format import merkle
from airlift.format.merkle import Range, extends, includes, leaf_hash, node_hash

SIZES = 40
ENTRIES = [b"event %d" % n for n in range(SIZES)]


def by_definition(entries: list[bytes]) -> bytes:
    """Return the root as RFC 6962 section 2.1 defines it, word by word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = by_definition(entries[:split]), by_definition(entries[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


ROOTS = [by_definition(ENTRIES[:size]) for size in range(SIZES + 1)]


@pytest.fixture(name="nodes", scope="module")
def _nodes() -> dict[tuple[int, int], bytes]:
    edge = Range()
    found: dict[tuple[int, int], bytes] = {}
    for entry in ENTRIES:
        found |= {
            (one.level, one.index): one.hash for one in edge.append(leaf_hash(entry))
        }
    return found


def reader(nodes: dict[tuple[int, int], bytes]) -> merkle.ReadNode:
    """Return what reads *nodes*."""
    return lambda level, index: nodes[level, index]


def test_roots_are_those_of_the_definition(nodes: dict[tuple[int, int], bytes]) -> None:
    """A third party computes them from the RFC, not from this code."""
    read = reader(nodes)
    assert [merkle.root(size, read) for size in range(SIZES + 1)] == ROOTS
    assert ROOTS[0] == merkle.EMPTY


def test_the_rfcs_own_example_has_its_root() -> None:
    """The first leaf of every implementation: the empty entry."""
    found = leaf_hash(b"").hex()
    assert found == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_every_event_of_every_size_is_proved_and_nothing_else(
    nodes: dict[tuple[int, int], bytes],
) -> None:
    """A proof is worth what it does not prove: another place, size, event or root."""
    read = reader(nodes)
    for size in range(1, SIZES + 1):
        for index in range(size):
            proof = merkle.inclusion(index, size, read)
            leaf = leaf_hash(ENTRIES[index])
            assert includes(ROOTS[size], size, leaf, index, proof)
            assert not includes(ROOTS[size], size, leaf_hash(b"another"), index, proof)
            assert not includes(ROOTS[size - 1], size, leaf, index, proof)
            assert not includes(ROOTS[size], size, leaf, size, proof)
            assert not includes(ROOTS[size], size, leaf, index, (*proof, bytes(32)))
            assert not proof or not includes(ROOTS[size], size, leaf, index, proof[:-1])


def test_every_log_is_proved_to_go_on_from_every_earlier_one(
    nodes: dict[tuple[int, int], bytes],
) -> None:
    """It is how a rewritten log is told from one that grew."""
    read = reader(nodes)
    for new in range(1, SIZES + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency(old, new, read)
            before, after = (old, ROOTS[old]), (new, ROOTS[new])
            assert extends(before, after, proof)
            assert not extends((old, bytes(32)), after, proof)
            assert not extends(before, (new, bytes(32)), proof)
            assert not extends(before, after, (*proof, bytes(32)))
            assert not proof or not extends(before, after, proof[1:])
            assert new == old or not extends(after, before, proof)


def test_nothing_is_proved_of_an_empty_log() -> None:
    """Any log goes on from it: a witness who took that for a proof has seen nothing."""
    assert not extends((0, merkle.EMPTY), (3, ROOTS[3]), ())
    assert not extends((0, merkle.EMPTY), (0, merkle.EMPTY), ())
    assert not includes(merkle.EMPTY, 0, leaf_hash(b""), 0, ())


def test_hashes_of_another_length_prove_nothing(
    nodes: dict[tuple[int, int], bytes],
) -> None:
    """Two hashes could else be read as one node in two ways."""
    proof = merkle.inclusion(0, 3, reader(nodes))
    leaf = leaf_hash(ENTRIES[0])
    joined = (proof[0] + proof[1],)
    assert includes(ROOTS[3], 3, leaf, 0, proof)
    assert not includes(ROOTS[3], 3, leaf, 0, joined)
    assert not includes(ROOTS[3], 3, leaf, 0, proof + (bytes(32),) * 70)


def test_a_node_is_no_leaf() -> None:
    """Else an entry could be made that has the hash of a whole subtree."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
