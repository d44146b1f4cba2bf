"""A Merkle tree over a log: roots, and proofs that something is in it or extends it.

RFC 6962 section 2.1, the same tree as RFC 9162 section 2.1: a leaf is the SHA-256 of a
zero byte and the entry, an inner node that of a one byte and its two children, so that
no entry can pass for a node. Whoever keeps the tree keeps the hash of every **full**
subtree, named by its level and its place on that level; these never change as the log
grows, and anything asked here is computed from a logarithm's worth of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32
EMPTY = sha256(b"").digest()
"""The root of a log without entries."""
DEPTH = 64
"""Most hashes of an inclusion proof; a consistency proof has at most one more."""

ReadNode = Callable[[int, int], bytes]
"""Gives the hash of the full subtree over leaves ``index << level`` to before
``(index + 1) << level``, asked with its level and its index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The hash of a full subtree.

    Attributes:
        level: 0 of a leaf; it covers ``1 << level`` leaves.
        index: Its place on its level, from 0.
        hash: 32 bytes.
    """

    level: int
    index: int
    hash: bytes


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of an entry as a leaf."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of the node above *left* and *right*."""
    return sha256(b"\1" + left + right).digest()


class Range:
    """The right edge of a tree: the full subtrees that it is made of, largest first.

    Appending takes one hash and, seen over many, one more.

    Args:
        peaks: Their hashes, one for each bit that is set in *size*.
        size: How many leaves there are.
    """

    def __init__(self, peaks: Sequence[bytes] = (), size: int = 0) -> None:
        assert len(peaks) == size.bit_count(), (len(peaks), size)
        self._peaks = list(peaks)
        self.size = size

    @classmethod
    def of(cls, size: int, read: ReadNode) -> "Range":
        """Return the edge of the tree of the first *size* leaves."""
        levels = [level for level in range(size.bit_length()) if size >> level & 1]
        peaks = [read(level, (size >> level) - 1) for level in reversed(levels)]
        return cls(peaks, size)

    def append(self, leaf: bytes) -> tuple[Node, ...]:
        """Add the hash of a leaf; return the nodes that are full now, lowest first."""
        level, index, found = 0, self.size, leaf
        made = [Node(level=level, index=index, hash=found)]
        while index & 1:
            found = node_hash(self._peaks.pop(), found)
            level, index = level + 1, index >> 1
            made.append(Node(level=level, index=index, hash=found))
        self._peaks.append(found)
        self.size += 1
        return tuple(made)

    def root(self) -> bytes:
        """Return the hash of the whole tree."""
        if not self._peaks:
            return EMPTY
        *rest, found = self._peaks
        for peak in reversed(rest):
            found = node_hash(peak, found)
        return found


def root(size: int, read: ReadNode) -> bytes:
    """Return the root of the first *size* leaves."""
    return Range.of(size, read).root()


def inclusion(index: int, size: int, read: ReadNode) -> tuple[bytes, ...]:
    """Return the proof that leaf *index* is in the tree of the first *size* leaves.

    Source: RFC 6962 section 2.1.1.
    """
    assert 0 <= index < size, (index, size)
    low, high, found = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            found.append(_subtree(middle, high, read))
            high = middle
        else:
            found.append(_subtree(low, middle, read))
            low = middle
    return tuple(reversed(found))


def consistency(old: int, new: int, read: ReadNode) -> tuple[bytes, ...]:
    """Return the proof that the tree of *new* leaves begins with that of *old*.

    Source: RFC 6962 section 2.1.2.
    """
    assert 0 < old <= new, (old, new)
    low, high, found = 0, new, []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            found.append(_subtree(middle, high, read))
            high = middle
        else:
            found.append(_subtree(low, middle, read))
            low = middle
    if low:
        found.append(_subtree(low, high, read))
    return tuple(reversed(found))


def includes(
    root: bytes, size: int, leaf: bytes, index: int, proof: Sequence[bytes]
) -> bool:
    """Say whether *proof* shows that leaf *index* of the tree with *root* is *leaf*.

    Args:
        root: Of the tree, believed.
        size: Its number of leaves, believed; a tree of none includes nothing.
        leaf: The leaf's hash, computed by whoever asks.
        index: From 0.
        proof: Hashes of 32 bytes.

    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(proof):
        return False
    place, last, found = index, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(one, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, one)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def extends(
    old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]
) -> bool:
    """Say whether *proof* shows that the tree *new* begins with all of the tree *old*.

    Args:
        old: Size and root that are believed; any tree extends one of size 0, and
            nothing can be proved of it, so that is refused.
        new: Size and root that somebody claims.
        proof: Hashes of 32 bytes.

    Source: RFC 9162 section 2.1.4.2.
    """
    (size, before), (grown, after) = old, new
    if size == grown:
        return size > 0 and not proof and before == after
    if not 0 < size < grown or not proof or not _are_hashes(proof):
        return False
    path = [before, *proof] if size & (size - 1) == 0 else list(proof)
    place, last = size - 1, grown - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    left = right = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            left, right = node_hash(one, left), node_hash(one, right)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            right = node_hash(right, one)
        place, last = place >> 1, last >> 1
    return last == 0 and left == before and right == after


def _are_hashes(proof: Sequence[bytes]) -> bool:
    sized = len(proof) <= DEPTH + 1
    return sized and all(len(one) == HASH_BYTES for one in proof)


def _split(count: int) -> int:
    """Return the largest power of two below *count*, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _subtree(low: int, high: int, read: ReadNode) -> bytes:
    """Return the hash of the subtree over leaves *low* to before *high*.

    It is one that the tree has, so *low* is a multiple of a power of two that is at
    least *high* - *low*: its full parts lie one beside the other.
    """
    peaks, at = [], low
    for level in reversed(range((high - low).bit_length())):
        if (high - low) >> level & 1:
            peaks.append(read(level, at >> level))
            at += 1 << level
    return Range(peaks, high - low).root()
