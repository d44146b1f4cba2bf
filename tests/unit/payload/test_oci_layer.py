"""Layers: what Python's own reader makes of them, and the same bytes each time."""

import io
import tarfile
from collections.abc import Mapping

import pytest

from airlift.digest import sha256
from airlift.payload import oci_layer
from airlift.payload.oci_layer import Member

LONG = "models/" + "deep/" * 8 + "x" * 90 + ".bin"
FILES = {
    "models/config.json": b"{}",
    "models/empty": b"",
    "models/exact.bin": bytes(range(256)) * 2,
    LONG: b"long",
    "models/\u00fcml\u00e4ut \u6a21\u578b.txt": b"wide",
}


def layer(files: Mapping[str, bytes]) -> bytes:
    """Return the whole layer of *files*."""
    members = [Member(path=path, size=len(files[path])) for path in files]
    return b"".join(
        piece if isinstance(piece, bytes) else files[piece.path]
        for piece in oci_layer.framed(members)
    )


def test_any_reader_of_tar_finds_the_files() -> None:
    """Long, wide and empty names and files all survive."""
    with tarfile.open(fileobj=io.BytesIO(layer(FILES))) as tar:
        members = tar.getmembers()
        found = {
            one.name: file.read()
            for one in members
            if (file := tar.extractfile(one)) is not None
        }
        folders = [one.name for one in members if one.isdir()]
    assert found == FILES
    depths = LONG.split("/")[:-1]
    assert folders == ["/".join(depths[: n + 1]) for n in range(len(depths))]


def test_nothing_of_this_machine_is_in_it() -> None:
    """A clock or a user in a header would give each server another digest."""
    with tarfile.open(fileobj=io.BytesIO(layer(FILES))) as tar:
        shown = {(one.uid, one.gid, one.uname, one.gname) for one in tar.getmembers()}
        modes = {(one.isdir(), one.mode, one.mtime) for one in tar.getmembers()}
    assert shown == {(0, 0, "", "")}
    assert modes == {(True, 0o755, 0), (False, 0o644, 0)}


def test_the_bytes_never_change() -> None:
    """Clients keep layers by digest: a changed header would move every model again."""
    assert sha256(layer(FILES)) == (
        "d0ad35070348f7b1910979fd685cd9aae7a5cc079141b6017b45ed1923eefe10"
    )


def test_a_layer_ends_on_a_record_with_two_empty_ones() -> None:
    """Some unpackers report a cut archive otherwise."""
    for files in ({}, {"a": b""}, {"a": b"x" * 512}, FILES):
        content = layer(files)
        assert len(content) % 512 == 0
        assert content[-1024:] == bytes(1024)


@pytest.mark.parametrize("size", [(1 << 33) - 1, 1 << 33, 50 << 30])
def test_sizes_that_octal_digits_cannot_state_are_stated(size: int) -> None:
    """Weights of more than 8 GiB in one file are common."""
    first, member, last = oci_layer.framed([Member(path="models/w", size=size)])
    assert member == Member(path="models/w", size=size)
    assert last == bytes(-size % 512 + 1024)
    assert isinstance(first, bytes)
    # Headers are all that a reader needs to tell the sizes.
    with tarfile.open(fileobj=io.BytesIO(first), mode="r|") as tar:
        found = [one.size for one in (tar.next(), tar.next()) if one]
    assert found == [0, size]
