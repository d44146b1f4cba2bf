"""The file that gathers small blobs while a delivery arrives."""

import tracemalloc
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.inbound.small import SmallBlobs

BLOBS = [(sha256(blob), blob) for blob in (b"one", b"", b"three" * 1000)]


def filled(path: Path) -> bytes:
    """Fill *path* with the blobs; return its bytes."""
    gathered = SmallBlobs(path)
    for name, raw in BLOBS:
        gathered.add(name, raw)
        gathered.add(name, raw)
    gathered.sync()
    gathered.close()
    return path.read_bytes()


def test_what_was_gathered_is_there_again_once_each(tmp_path: Path) -> None:
    """A killed import goes on with the small files it had."""
    filled(tmp_path / "small")
    again = SmallBlobs(tmp_path / "small")
    assert (list(again.entries()), again.names) == (BLOBS, {one for one, _ in BLOBS})
    again.close()


@pytest.mark.parametrize("left", [0, 1, 35, 36, 38, 39, 74, 75, 111, 5000, 5110])
def test_a_torn_tail_is_cut_off_and_the_rest_stays(tmp_path: Path, left: int) -> None:
    """A power cut leaves any number of the last bytes behind."""
    path = tmp_path / "small"
    whole = filled(path)
    path.write_bytes(whole[:left])
    ends = [0, 39, 75, len(whole)]
    count = sum(end <= left for end in ends) - 1
    torn = SmallBlobs(path)
    assert list(torn.entries()) == BLOBS[:count]
    for name, raw in BLOBS:
        torn.add(name, raw)
    torn.sync()
    assert path.read_bytes() == whole
    assert list(torn.entries()) == BLOBS
    torn.close()


def test_a_spoilt_length_takes_no_memory(tmp_path: Path) -> None:
    """Zeros and noise behind a power cut may state a length of 4 GiB."""
    path = tmp_path / "small"
    whole = bytearray(filled(path))
    whole[39 + 32 : 39 + 36] = b"\xff" * 4
    path.write_bytes(whole + bytes(8 << 20))
    tracemalloc.start()
    torn = SmallBlobs(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(torn.entries()) == BLOBS[:1]
    torn.close()
    assert peak < 4 << 20
