"""Gates: what must not leave, and what must not go live by itself."""

import io
import zipfile

import pytest

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.payload import gate
from wheelhouse import wheel as make_wheel

NAME = "tiny-1.0-py3-none-any.whl"


def release(kind: Kind, files: dict[str, bytes]) -> tuple[Release, gate.ReadBlob]:
    """Return a release of *files*, and what reads them."""
    blobs = {sha256(data): data for data in files.values()}
    made = Release(
        kind=kind,
        name="set",
        revision="a" * 64,
        counter=1,
        files=tuple(
            ReleaseFile(path=path, size=len(data), sha256=sha256(data))
            for path, data in sorted(files.items())
        ),
    )

    def read(blob: Sha256, start: int, stop: int) -> bytes:
        return blobs[blob][start:stop]

    return made, read


def metadata(data: bytes) -> bytes:
    """Return the METADATA of a wheel, by the standard library."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("/METADATA")]
        return archive.read(name)


@pytest.fixture(name="good", scope="module")
def _good() -> bytes:
    return make_wheel("tiny", "1.0")[1]


def test_a_sound_wheel_leaves_and_goes_live(good: bytes) -> None:
    """The gates keep nothing sound out."""
    made = release(Kind.WHEELS, {NAME: good, f"{NAME}.metadata": metadata(good)})
    assert gate.leaving(*made) == ""
    assert gate.arriving(*made) == ""


def test_a_wheel_with_bytes_in_front_does_not_leave(good: bytes) -> None:
    """What a scanner reads from one end an installer may read from the other."""
    made, read = release(Kind.WHEELS, {NAME: b"#!/bin/sh\n" + good})
    assert NAME in gate.leaving(made, read)


def test_metadata_that_is_not_the_wheels_own_is_found_on_both_sides(
    good: bytes,
) -> None:
    """A resolver told other dependencies would install what nobody approved."""
    forged = metadata(good) + b"Requires-Dist: evil\n"
    made = release(Kind.WHEELS, {NAME: good, f"{NAME}.metadata": forged})
    expected = f"{NAME}: the metadata beside it is not the wheel's own"
    assert gate.leaving(*made) == expected
    assert gate.arriving(*made) == expected


def test_other_kinds_pass(good: bytes) -> None:
    """A folder that happens to hold a broken wheel is a folder."""
    made = release(Kind.FOLDER, {NAME: good[:-10]})
    assert gate.leaving(*made) == gate.arriving(*made) == ""
