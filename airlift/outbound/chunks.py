"""Chunks: files of unknown make cut where their content says (docs/format.md, 5).

What is put in or taken out moves the bytes behind it, and cuts that follow content
move with them: the chunks behind are found again. A cut is made where the product of
eight bytes and a constant is small, at least 64 KiB and at most 1 MiB after the last:
on average 190 KiB.

numpy does eight alignments in turn, at 0.9 GB a CPU second; a hash of a wider window
costs more and finds the same cuts in weights, archives and images. A row of zeros is
a cut at every byte, so that there the least length decides.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

LEAST: Final = 64 << 10
MOST: Final = 1 << 20
"""Bytes of a chunk, but of the last, which may be shorter."""

_WORD: Final = 8
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd
_BELOW: Final = np.uint64(1 << (64 - 17))  # one place in 128 Ki


def chunks(windows: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the ``(start, stop)`` of the chunks of *windows* joined."""
    start, position, pending = 0, 0, b""
    for window in windows:
        data = pending + window
        base = position - len(pending)
        position += len(window)
        for place in _places(data, base):
            for stop in _stops(start, place):
                yield start, stop
                start = stop
        # The last seven bytes begin words that end in the next window.
        pending = data[-(_WORD - 1) :]
    while position - start > MOST:
        yield start, start + MOST
        start += MOST
    if position > start:
        yield start, position


def _stops(start: int, place: int) -> Iterator[int]:
    """Yield where the chunk that began at *start* ends, given the next *place*."""
    while place - start > MOST:
        start += MOST
        yield start
    if place - start >= LEAST:
        yield place


def _places(data: bytes, base: int) -> Iterator[int]:
    """Yield where a cut may be, rising: the bytes before ``base`` have been seen."""
    found = []
    for lead in range(_WORD):
        count = (len(data) - lead) // _WORD
        if count <= 0:
            continue
        words = np.frombuffer(data, "<u8", count=count, offset=lead)
        hits = np.flatnonzero(words * _FACTOR < _BELOW)
        found.append(hits * _WORD + lead)
    if found:
        merged = np.sort(np.concatenate(found))
        yield from (int(one) + base for one in merged)
