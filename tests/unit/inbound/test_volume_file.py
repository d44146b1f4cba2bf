"""A volume in a file gives the bytes, and the faults, that a stream would give."""

import contextlib
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.format.packing import SLAB
from airlift.format.reading import Fault, VolumeError, VolumeStream
from airlift.inbound import media
from airlift.inbound.volume_file import ROOM, SMALL, VolumeFile
from airlift.store.bulk import Buffers, BulkFile

BODY = random.Random(4).randbytes(3 * SLAB // 2)
LENGTHS = st.one_of(
    st.integers(0, 2000),
    st.integers(SMALL - 1, SMALL + 1),
    st.integers(0, 600_000),
    st.just(SLAB),
)


@pytest.fixture(scope="module", name="path")
def _path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("volume") / "v"
    path.write_bytes(BODY)
    return path


def taken(source: VolumeStream, steps: list[tuple[bool, int]]) -> list[object]:
    """Return what *source* gives for each step, up to and with a fault."""
    found: list[object] = []
    for as_slab, size in steps:
        try:
            data = source.slab(size) if as_slab else source.take(size)
            found.append((bytes(data), source.offset, source.at_end()))
        except VolumeError as error:
            fault = error.fault
            return [*found, (fault.offset, fault.problem)]
    return found


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.tuples(st.booleans(), LENGTHS), max_size=12))
def test_a_file_gives_what_a_stream_gives(
    path: Path, steps: list[tuple[bool, int]]
) -> None:
    """Every byte in its place, and the same fault where the volume ends too soon."""
    with media.opened(path) as source:
        assert taken(source, steps) == taken(VolumeStream(io.BytesIO(BODY), "v"), steps)


def test_bytes_given_back_are_taken_again(path: Path) -> None:
    """The first header of a slab is looked at to see that it is none of a record."""
    with media.opened(path) as source:
        source.take(1000)
        source.push_back(source.take(512))
        assert (source.offset, source.take(4)) == (1000, BODY[1000:1004])


@contextlib.contextmanager
def failing(path: Path, buffers: Buffers) -> Iterator[VolumeFile]:
    """Give a volume whose slabs cannot be read: the kernel says EIO, as a disc does."""
    # Nothing lies at the first addresses of a process, so its memory has no such bytes.
    with io.FileIO(path) as file, BulkFile(Path("/proc/self/mem")) as bulk:
        yield VolumeFile(file, bulk, "v", buffers)


def test_a_slab_that_cannot_be_read_is_a_fault_and_reading_goes_on(path: Path) -> None:
    """A scratch costs the slabs it crosses, not the rest of the disc."""
    buffers = Buffers(ROOM)
    with failing(path, buffers) as source:
        source.take(700)
        with pytest.raises(VolumeError) as caught:
            source.slab(SMALL)
        problem = "cannot be read: Input/output error"
        assert caught.value.fault == Fault(volume="v", offset=700, problem=problem)
        assert source.resume(700 + SMALL)
        assert source.take(3) == BODY[700 + SMALL : 703 + SMALL]
    assert len(buffers._free) == 1


def test_a_medium_that_was_pulled_out_is_given_up(path: Path) -> None:
    """Every slab of it fails; the operator reads one page, not a hundred."""
    with failing(path, Buffers(ROOM)) as source:
        assert [source.resume(at) for at in range(65)] == [True] * 64 + [False]
        assert source.resume(len(BODY) + 1) is False


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    """A pipe left on a stick would hang the import for ever."""
    os.mkfifo(tmp_path / "v")
    problem = f"{tmp_path / 'v'}: is not a regular file"
    with pytest.raises(FormatError) as caught, media.opened(tmp_path / "v"):
        pass
    assert caught.value.problem == problem


def test_a_look_at_a_file_reads_a_page_of_it(tmp_path: Path) -> None:
    """A stick with ten thousand photographs is not read through to find a volume."""
    path = tmp_path / "photograph.jpg"
    path.write_bytes(BODY)
    with media.opened(path) as source:
        source.take(512)
        assert len(source._window) == 4096
