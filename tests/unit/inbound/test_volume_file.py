"""A volume in a file gives the bytes, and the faults, that a stream would give."""

import contextlib
import errno
import io
import os
import random
from collections.abc import Iterator
from functools import partial
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
from airlift.store.direct import PAGE

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
        # Page by page, until it is plain that the rest is not worth the time.
        problem = f"{SMALL} bytes cannot be read: Input/output error"
        fault = Fault(volume="v", offset=700, problem=problem, unread=True)
        assert caught.value.fault == fault
        assert source.take(3) == BODY[700:703]
    assert len(buffers._free) == 1


def test_a_medium_that_was_pulled_out_is_given_up_at_once(path: Path) -> None:
    """No page of it answers, wherever: nobody waits for it slab by slab."""
    with failing(path, Buffers(ROOM)) as source:
        assert not source.gone
        with pytest.raises(VolumeError):
            source.slab(SMALL)
        gone: bool = source.gone
        assert gone
        assert not source.resume(SMALL)


class Scratched(BulkFile):
    """A file of which a page in ten cannot be read, and no large piece."""

    reads = 0

    def read(self, buffer: memoryview, offset: int, length: int) -> memoryview:
        """Refuse, as a medium does whose every large piece has a bad sector."""
        raise OSError(errno.EIO, "Input/output error")

    def again(self, buffer: memoryview, offset: int, length: int) -> memoryview:
        """Refuse what touches every tenth page."""
        self.reads += 1
        if offset // PAGE % 10 == 5:
            raise OSError(errno.EIO, "Input/output error")
        return super().again(buffer, offset, length)


@contextlib.contextmanager
def scratched(path: Path) -> Iterator[tuple[VolumeFile, Scratched]]:
    """Give a volume with bad pages all over."""
    with io.FileIO(path) as file, Scratched(path) as bulk:
        yield VolumeFile(file, bulk, "v", Buffers(ROOM)), bulk


def test_bad_pages_are_counted_and_asked_for_no_more_than_needed(path: Path) -> None:
    """A dying disk takes seconds for each refusal, so none is asked for in vain."""
    with scratched(path) as (source, bulk):
        with pytest.raises(VolumeError) as caught:
            source.slab(SLAB)
        stop = (16 * 10 - 4) * PAGE
        rest = SLAB - stop
        assert caught.value.fault == Fault(
            volume="v",
            offset=5 * PAGE,
            problem=(
                f"{16 * PAGE + rest} bytes in 16 places up to byte {SLAB} cannot be "
                "read: Input/output error"
            ),
            unread=True,
        )
        # 156 pages, two tries more of the first bad one, and a look at eight places.
        assert bulk.reads <= 156 + 2 + 8
        assert not source.gone


def test_a_page_that_is_known_to_be_bad_is_not_read_again(path: Path) -> None:
    """A hundred small files in one bad page are a hundred faults and three reads."""
    with scratched(path) as (source, bulk):
        source.resume(5 * PAGE)
        source._fd = -1  # nothing can be read in a window
        for number in range(100):
            with pytest.raises(VolumeError):
                source.take(20)
            assert source.resume(5 * PAGE + 20 * (number + 1)) is (number < 64)
        assert bulk.reads <= 3 + 7 * 8


def test_what_is_wrong_is_read_again_only_while_that_helps(path: Path) -> None:
    """A copy of another stick is not read three times from end to end."""
    tries = []

    def never(data: object) -> bool:
        tries.append(data)
        return False

    with media.opened(path) as source:
        for at in range(0, 100 * PAGE, PAGE):
            assert source.again(at, 100, never) is None
        assert len(tries) == 8
        assert source.doubts == 0


def _is(expected: bytes, data: bytes | memoryview) -> bool:
    return bytes(data) == expected


def test_what_is_right_the_second_time_is_given_and_counted(path: Path) -> None:
    """Small as a copy, large as memory that is lent; from wherever it lies."""
    with media.opened(path) as source:
        for at, size in ((0, 5), (4090, 100), (777, SMALL), (SLAB // 3, SLAB)):
            expected = BODY[at : at + size]
            found = source.again(at, size, partial(_is, expected))
            assert found is not None
            assert bytes(found) == expected
        assert source.doubts == 4
        assert source.again(len(BODY) - 5, 10, lambda _: True) is None


def test_a_file_that_becomes_shorter_is_said_to(tmp_path: Path) -> None:
    """Somebody copies over it meanwhile; its size was asked for when it was opened."""
    path = tmp_path / "v"
    path.write_bytes(BODY)
    with media.opened(path) as source:
        os.truncate(path, PAGE + 10)
        assert source.take(PAGE) == BODY[:PAGE]
        with pytest.raises(VolumeError) as caught:
            source.take(100)
    problem = "100 bytes cannot be read: the file became shorter"
    fault = Fault(volume=str(path), offset=PAGE, problem=problem, unread=True)
    assert caught.value.fault == fault


def test_a_piece_that_is_passed_over_is_not_read(path: Path) -> None:
    """What belongs to a damaged head is of no use; its place is known."""
    with scratched(path) as (source, bulk):
        source.skip(SLAB)
        assert (source.offset, bulk.reads) == (SLAB, 0)
        with pytest.raises(VolumeError, match="ends 1 bytes too soon"):
            source.skip(len(BODY) - SLAB + 1)


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
        assert isinstance(source, VolumeFile)
        assert len(source._window) == 4096
