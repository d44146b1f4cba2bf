"""Canonical ustar: made again and compared, never believed."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.format import framing

NAMES = st.text(
    st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=100
)


@given(NAMES, st.integers(0, 200))
def test_the_standard_reader_understands_a_header(name: str, size: int) -> None:
    """A person with only `tar` can list a volume."""
    data = (
        framing.header(name, size) + bytes(size + framing.padding(size)) + framing.END
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.size, member.mode) == (name, size, 0o644)
    assert framing.parse(data[:512], limit=200) == (name, size)


@given(NAMES, st.integers(0, 1 << 30), st.integers(0, 511), st.integers(1, 255))
def test_a_changed_header_never_parses_as_it_was(
    name: str, size: int, at: int, flip: int
) -> None:
    """Any one byte changed is refused, or is the canonical header of something else."""
    data = bytearray(framing.header(name, size))
    data[at] ^= flip
    try:
        found = framing.parse(bytes(data), limit=1 << 31)
    except FormatError:
        return
    assert framing.header(*found) == bytes(data)
    assert found != (name, size)


@pytest.mark.parametrize(
    "size", [b"-0000000001", b" 0000000001", b"0_000000001", b"99999999999"]
)
def test_odd_spellings_of_a_size_are_refused(size: bytes) -> None:
    """Octal digits only; Python's int() reads more than tar writes."""
    data = bytearray(framing.header("a", 1))
    data[124:135] = size
    with pytest.raises(FormatError):
        framing.parse(bytes(data), limit=1 << 31)


def test_a_size_over_the_limit_is_refused() -> None:
    """The limit holds before a byte of the member is read."""
    with pytest.raises(FormatError):
        framing.parse(framing.header("a", 101), limit=100)
