"""Wheels: read as the standard library reads them, refused where readers differ."""

import base64
import hashlib
import io
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from airlift.errors import FormatError
from airlift.payload import wheel, zip_directory

NAME = "tiny_pack-1.0-py3-none-any.whl"
INFO = "tiny_pack-1.0.dist-info"
METADATA = b"""\
Metadata-Version: 2.1
Name: Tiny.Pack
Version: 1.0
Requires-Python: >=3.9
Requires-Dist: other

Tiny, and its description: \xc3\xa9
"""
FILES = {
    "tiny_pack/__init__.py": b"ONE = 1\n" * 500,
    "tiny_pack/data.bin": random.Random(7).randbytes(70_000),
    "tiny_pack/empty": b"",
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def record(files: Mapping[str, bytes]) -> bytes:
    """Return the RECORD of *files*."""
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        lines.append(f"{name},sha256={digest.rstrip(b'=').decode()},{len(data)}")
    return "\n".join([*lines, f"{INFO}/RECORD,,"]).encode() + b"\n"


def pack(
    files: Mapping[str, bytes],
    *,
    recorded: bytes | None = None,
    method: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """Return a wheel of *files* as the standard library writes it."""
    out = io.BytesIO()
    listed = record(files) if recorded is None else recorded
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in [*files.items(), (f"{INFO}/RECORD", listed)]:
            archive.writestr(name, data)
    return out.getvalue()


class Unseekable(io.RawIOBase):
    """Where a build backend writes through a pipe: sizes come behind members."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        assert isinstance(data, bytes | bytearray | memoryview)
        self.data += data
        return len(data)


def check(data: bytes, filename: str = NAME) -> wheel.Wheel:
    """Check a wheel held in memory."""
    return wheel.check(zip_directory.over(data), len(data), filename=filename)


GOOD = pack(FILES)


def test_a_good_wheel_says_what_it_is() -> None:
    """The index pages on the isolated side are made from this."""
    assert check(GOOD) == wheel.Wheel(
        name=canonicalize_name("tiny-pack"),
        version=Version("1.0"),
        requires_python=">=3.9",
        metadata=METADATA,
        files=6,
        size=sum(map(len, FILES.values())) + len(record(FILES)),
    )


def test_metadata_is_what_the_standard_library_extracts() -> None:
    """Installers check its digest: one changed line end is a refused install."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        expected = archive.read(f"{INFO}/METADATA")
    read = zip_directory.over(GOOD)
    assert wheel.read_metadata(read, len(GOOD), filename=NAME) == expected


def test_metadata_is_read_without_the_rest() -> None:
    """A wheel of two gigabytes on an index must not be fetched for its metadata."""
    big = pack({"tiny_pack/big.bin": bytes(3_000_000), **FILES}, method=0)
    asked: list[int] = []

    def read(offset: int, length: int) -> bytes:
        asked.append(length)
        return big[offset : offset + length]

    assert wheel.read_metadata(read, len(big), filename=NAME) == METADATA
    assert sum(asked) < 3_000


def test_members_unpack_as_with_the_standard_library() -> None:
    """A reader of our own is right only where it agrees with the usual one."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        data = pack(FILES, method=method)
        read = zip_directory.over(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            expected = {name: archive.read(name) for name in archive.namelist()}
        assert {
            member.name: b"".join(
                zip_directory.unpack(read, len(data), member, name="w")
            )
            for member in zip_directory.members(read, len(data), name="w")
        } == expected


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(
    st.integers(0, 3 << 20),
    st.sampled_from([b"\0", b"ab", bytes(range(256))]),
    st.integers(1, 9),
)
def test_a_member_of_any_length_unpacks(length: int, unit: bytes, level: int) -> None:
    """Inflating in pieces has its own borders, where a last byte could be lost."""
    raw = (unit * (length // len(unit) + 1))[:length]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as made:
        made.writestr("a", raw)
    data = out.getvalue()
    read = zip_directory.over(data)
    (member,) = zip_directory.members(read, len(data), name="w")
    found = b"".join(zip_directory.unpack(read, len(data), member, name="w"))
    assert found == raw


def streamed(*, wide: bool) -> bytes:
    """Return the good wheel as written into a pipe, with 64-bit sizes if *wide*."""
    out = Unseekable()
    with zipfile.ZipFile(io.BufferedWriter(out), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*FILES.items(), (f"{INFO}/RECORD", record(FILES))]:
            with archive.open(name, "w", force_zip64=wide) as member:
                member.write(data)
    return bytes(out.data)


@pytest.mark.parametrize("wide", [False, True])
def test_a_streamed_wheel_is_good(wide: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """Some build backends write into pipes; their wheels are in daily use."""
    assert check(streamed(wide=wide)).metadata == METADATA


def test_a_wheel_with_a_large_directory_record_is_good() -> None:
    """Wheels beyond 4 GiB end in a second, 64-bit record."""
    end = struct.unpack("<4s4H2IH", GOOD[-22:])
    large = struct.pack(
        "<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, end[3], end[4], end[5], end[6]
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(GOOD) - 22, 1)
    full = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, end[3], 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0
    )
    data = GOOD[:-22] + large + locator + full
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    assert check(data).metadata == METADATA
    off = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, end[3], 0xFFFF, end[5], end[6] - 1, 0
    )
    with pytest.raises(FormatError) as caught:
        check(GOOD[:-22] + large + locator + off)
    assert str(caught.value) == f"{NAME} has two end records that disagree"


def at_local(data: bytes, name: str) -> int:
    """Return where the local header of *name* is."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.getinfo(name).header_offset


def at_central(data: bytes, name: str) -> int:
    """Return where the directory entry of *name* is."""
    return data.rindex(name.encode()) - 46


def patched(data: bytes, offset: int, new: bytes) -> bytes:
    """Return *data* with *new* written over it at *offset*."""
    return data[:offset] + new + data[offset + len(new) :]


def renamed(data: bytes, old: str, new: str) -> bytes:
    """Return *data* with a member renamed in both places."""
    assert len(old) == len(new)
    return data.replace(old.encode(), new.encode())


def doubled() -> bytes:
    """Return a wheel with one name twice, as the standard library writes it."""
    out = io.BytesIO(GOOD)
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("tiny_pack/__init__.py", b"import os\n")
    return out.getvalue()


def with_mode(mode: int) -> bytes:
    """Return a wheel with a member of Unix *mode*."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, b"/etc/passwd")
    return out.getvalue()


def with_comment() -> bytes:
    """Return a wheel with an archive comment, where anything could hide."""
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"hello"
    return out.getvalue()


def member(name: str, data: bytes = b"") -> bytes:
    """Return an archive of one member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def longer_inside() -> bytes:
    """Return a wheel whose member inflates to more than it states: a bomb."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*FILES.items(), (f"{INFO}/RECORD", record(FILES))]:
            archive.writestr(name, data if "__init__" not in name else bytes(40 << 20))
    data = out.getvalue()
    stated = struct.pack("<I", len(FILES["tiny_pack/__init__.py"]))
    name = "tiny_pack/__init__.py"
    data = patched(data, at_local(data, name) + 22, stated)
    return patched(data, at_central(data, name) + 24, stated)


def without(name: str) -> Mapping[str, bytes]:
    """Return the good files less one."""
    return {key: data for key, data in FILES.items() if key != name}


PY = "tiny_pack/__init__.py"
LOCAL, CENTRAL = at_local(GOOD, PY), at_central(GOOD, PY)
SECOND, BETWEEN = (
    at_local(GOOD, "tiny_pack/data.bin"),
    at_local(GOOD, f"{INFO}/METADATA"),
)

TWO_WAYS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no ZIP": (lambda: b"x" * 99, "does not end in a ZIP end record without comment"),
    "nothing": (lambda: b"", "points outside itself, to -22 + 22 bytes"),
    "bytes behind": (
        lambda: GOOD + b"\0",
        "does not end in a ZIP end record without comment",
    ),
    "a comment": (with_comment, "does not end in a ZIP end record without comment"),
    "bytes before": (
        lambda: b"#!/bin/sh\n" + GOOD,
        "has an end record that does not fit its directory",
    ),
    "cut at the front": (
        lambda: GOOD[1:],
        "has an end record that does not fit its directory",
    ),
    "a name twice": (doubled, "has `tiny_pack/__init__.py` twice"),
    "another name in front": (
        lambda: patched(GOOD, LOCAL + 30, b"Tiny_pack"),
        "describes `tiny_pack/__init__.py` in two ways that disagree",
    ),
    "another method in front": (
        lambda: patched(GOOD, LOCAL + 8, b"\0"),
        "describes `tiny_pack/__init__.py` in two ways that disagree",
    ),
    "another CRC in front": (
        lambda: patched(GOOD, LOCAL + 14, b"abcd"),
        "describes `tiny_pack/__init__.py` in two ways that disagree",
    ),
    "another size in front": (
        lambda: patched(GOOD, LOCAL + 22, b"\1\0\0\0"),
        "describes `tiny_pack/__init__.py` in two ways that disagree",
    ),
    "encrypted": (
        lambda: patched(GOOD, CENTRAL + 8, b"\1"),
        "has an encrypted member: `tiny_pack/__init__.py`",
    ),
    "an exotic method": (
        lambda: patched(GOOD, CENTRAL + 10, b"\x0c"),
        "has a member in a method readers differ on: `tiny_pack/__init__.py`",
    ),
    "a member that begins inside another": (
        lambda: patched(GOOD, CENTRAL + 42, struct.pack("<I", BETWEEN)),
        f"has {SECOND} bytes before its first member",
    ),
    "a symbolic link": (
        lambda: with_mode(0o120777),
        "has a member that is no plain file: `link`",
    ),
    "a name that climbs": (
        lambda: member("../../x"),
        "has a member with an unsafe name: `../../x`",
    ),
    "an absolute name": (
        lambda: member("/etc/x"),
        "has a member with an unsafe name: `/etc/x`",
    ),
    "a name with a drive": (
        lambda: member("C:/x"),
        "has a member with an unsafe name: `C:/x`",
    ),
    "a name with backslashes": (
        lambda: member("..\\x"),
        "has a member with an unsafe name: `..\\x`",
    ),
    "a name with a terminal escape": (
        lambda: member("\x1b[2Jx"),
        "has a member with an unsafe name: `\\x1b[2Jx`",
    ),
    "a name with an end in it": (
        lambda: renamed(member("a_b.py"), "a_b.py", "a\0b.py"),
        "has a member with an unsafe name: `a\\x00b.py`",
    ),
    "a file that is a folder too": (
        lambda: pack({"tiny_pack": b"", **FILES}),
        "has `tiny_pack` as file and as folder",
    ),
    "a folder with bytes": (
        lambda: member("folder/", b"hidden"),
        "has a size that cannot be for `folder/`",
    ),
    "more inside than stated": (
        longer_inside,
        "does not unpack to the size and CRC it states: `tiny_pack/__init__.py`",
    ),
}


@pytest.mark.parametrize("case", TWO_WAYS)
def test_an_archive_that_can_be_read_in_two_ways_is_refused(case: str) -> None:
    """A scanner must have seen the files that the installer installs."""
    make, problem = TWO_WAYS[case]
    with pytest.raises(FormatError) as caught:
        check(make())
    assert str(caught.value) == f"{NAME} {problem}"


INCOHERENT: dict[str, tuple[Callable[[], bytes], str]] = {
    "no RECORD": (
        lambda: renamed(GOOD, f"{INFO}/RECORD", f"{INFO}/RECORE"),
        f"has no `{INFO}/RECORD`",
    ),
    "a file that RECORD does not name": (
        lambda: pack(FILES, recorded=record(without(PY))),
        f"has a file that its RECORD does not name: `{PY}`",
    ),
    "a file that only RECORD names": (
        lambda: pack(FILES, recorded=record({**FILES, "gone.py": b""})),
        "has no file `gone.py`, which its RECORD names",
    ),
    "another file than RECORD states": (
        lambda: pack(FILES, recorded=record({**FILES, PY: b"import os\n"})),
        f"holds another `{PY}` than its RECORD states",
    ),
    "another size than RECORD states": (
        lambda: pack(FILES, recorded=record(FILES).replace(b",4000", b",4001")),
        f"holds another `{PY}` than its RECORD states",
    ),
    "a weak digest": (
        lambda: pack(FILES, recorded=record(FILES).replace(b"sha256=", b"md5=")),
        f"records no strong digest of `{PY}`",
    ),
    "a line of RECORD twice": (
        lambda: pack(FILES, recorded=record(FILES) + f"{INFO}/RECORD,,".encode()),
        f"has a wrong or repeated line in its RECORD: `{INFO}/RECORD,,`",
    ),
    "a RECORD that is no table": (
        lambda: pack(FILES, recorded=b'"open'),
        "has a RECORD that is not a table: unexpected end of data",
    ),
    "no METADATA": (
        lambda: pack(without(f"{INFO}/METADATA")),
        f"has no `{INFO}/METADATA`",
    ),
    "the metadata of another project": (
        lambda: pack({**FILES, f"{INFO}/METADATA": b"Name: evil\nVersion: 1.0\n\n"}),
        "has the metadata of another project: `evil 1.0`",
    ),
    "two names in its metadata": (
        lambda: pack({**FILES, f"{INFO}/METADATA": b"Name: evil\n" + METADATA}),
        "has the metadata of another project: `evil, Tiny.Pack 1.0`",
    ),
    "two folders of metadata": (
        lambda: pack({**FILES, "other-1.dist-info/METADATA": b""}),
        "has 2 `.dist-info` folders, expected 1",
    ),
    "another project's folder": (
        lambda: renamed(GOOD, "tiny_pack-1.0.dist", "evil_pack-1.0.dist"),
        "is named for another project than `evil_pack-1.0.dist-info`",
    ),
    "a later format": (
        lambda: pack({**FILES, f"{INFO}/WHEEL": b"Wheel-Version: 2.0\n"}),
        "is of wheel version `2.0`, expected 1",
    ),
    "a Python that is none": (
        lambda: pack({**FILES, f"{INFO}/METADATA": METADATA.replace(b">=3.9", b"3.9")}),
        "requires a Python that is none: `3.9`",
    ),
}


@pytest.mark.parametrize("case", INCOHERENT)
def test_a_wheel_that_contradicts_itself_is_refused(case: str) -> None:
    """What is approved by name must be what is installed."""
    make, problem = INCOHERENT[case]
    with pytest.raises(FormatError) as caught:
        check(make())
    assert str(caught.value) == f"{NAME} {problem}"


@pytest.mark.parametrize("filename", ["tiny.whl", "tiny_pack-1.0.tar.gz", "x"])
def test_a_file_that_is_not_named_as_a_wheel_is_refused(filename: str) -> None:
    """Tags, which decide who installs it, stand in the name only."""
    with pytest.raises(FormatError) as caught:
        check(GOOD, filename)
    assert str(caught.value) == f"{filename} is not named as a wheel"


def test_a_bomb_is_stopped_at_the_size_it_states() -> None:
    """The output is bounded by what was stated, not by a ratio."""
    data = longer_inside()
    read = zip_directory.over(data)
    bomb = next(
        m for m in zip_directory.members(read, len(data), name="w") if PY in m.name
    )
    chunks = zip_directory.unpack(read, len(data), bomb, name="w")
    taken = bytearray()
    with pytest.raises(FormatError):
        collect(chunks, taken)
    assert len(taken) <= bomb.size


def collect(chunks: Iterable[bytes], into: bytearray) -> None:
    """Take all *chunks*, keeping what came before an error."""
    for chunk in chunks:
        into += chunk


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unseen_or_crashes(offset: int, change: int) -> None:
    """Only what no reader uses may change: dates, versions, hints of compression."""
    data = patched(GOOD, offset, bytes([GOOD[offset] ^ change]))
    try:
        found = check(data)
    except FormatError:
        return
    assert found == check(GOOD)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name, raw in FILES.items():
            assert archive.read(name) == raw


def test_a_reader_that_gives_less_than_asked_is_an_error_not_a_loop() -> None:
    """A wheel may shrink on disk while it is read."""
    with pytest.raises(FormatError) as caught:
        wheel.check(lambda _offset, _length: b"", len(GOOD), filename=NAME)
    assert str(caught.value).startswith(f"{NAME} ends early: 0 of 22 bytes at ")


def test_the_crc_of_the_fixture_is_real() -> None:
    """The doctored wheels above differ from the good one in one thing only."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        assert zlib.crc32(FILES[PY]) == archive.getinfo(PY).CRC
