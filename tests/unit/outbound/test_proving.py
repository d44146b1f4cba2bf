"""Proving a medium: what lies about its room is found, and where."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airlift.errors import RequestError
from airlift.outbound import proving
from airlift.outbound.proving import BLOCK, PREFIX, Proof
from airlift.progress import Silent

MOST = 4 * BLOCK


def damaged(folder: Path, block: int, data: bytes) -> None:
    """Put *data* over the beginning of a block."""
    with (folder / f"{PREFIX}00000").open("r+b") as stream:
        stream.seek(block * BLOCK)
        stream.write(data)


def test_what_came_back_whole_is_whole(tmp_path: Path) -> None:
    """An honest stick passes, and keeps nothing of the test."""
    assert proving.fill(tmp_path, MOST, Silent()) == MOST
    found = proving.read(tmp_path, Silent())
    assert found == Proof(
        size=MOST, good=MOST, until=MOST, wrapped=0, fresh_mount=found.fresh_mount
    )
    assert found.fresh_mount is not True
    proving.clear(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"x", bytes(BLOCK), b"\xff" * BLOCK])
def test_a_block_that_is_not_what_was_written_is_found(
    tmp_path: Path, data: bytes
) -> None:
    """A fake gives zeros, ones, or what was there before."""
    proving.fill(tmp_path, MOST, Silent())
    damaged(tmp_path, 2, data)
    found = proving.read(tmp_path, Silent())
    assert (found.good, found.until, found.wrapped) == (3 * BLOCK, 2 * BLOCK, 0)
    assert not found.whole


def test_a_medium_that_wraps_around_is_told_from_one_that_drops(
    tmp_path: Path,
) -> None:
    """Such a stick destroys what was written first: the signed heads of a bundle."""
    proving.fill(tmp_path, MOST, Silent())
    whole = (tmp_path / f"{PREFIX}00000").read_bytes()
    damaged(tmp_path, 0, whole[2 * BLOCK :])
    found = proving.read(tmp_path, Silent())
    assert (found.good, found.until, found.wrapped) == (2 * BLOCK, 0, 2 * BLOCK)


def test_a_block_that_cannot_be_read_is_bad_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    """A file cut short counts by what it should have had."""
    proving.fill(tmp_path, MOST, Silent())
    os.truncate(tmp_path / f"{PREFIX}00000", MOST - 1)
    found = proving.read(tmp_path, Silent())
    assert (found.size, found.good) == (3 * BLOCK, 3 * BLOCK)


def test_without_a_test_there_is_nothing_to_read(tmp_path: Path) -> None:
    """An empty stick must not pass as one that kept everything."""
    with pytest.raises(RequestError) as caught:
        proving.read(tmp_path, Silent())
    assert caught.value.problem == f"no test was begun at {tmp_path}"


FAKE = """
import sys
from pathlib import Path
from airlift.outbound import proving
from airlift.progress import Silent
folder = Path(sys.argv[1])
if sys.argv[2] == "fill":
    print(proving.fill(folder, 1 << 40, Silent()))
else:
    found = proving.read(folder, Silent())
    print(found.fresh_mount, found.whole, found.until)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting an image needs root")
@pytest.mark.skipif(not shutil.which("mkfs.ext4"), reason="needs mkfs.ext4")
def test_a_stick_that_forgets_past_its_true_end_is_found_after_a_fresh_mount(
    tmp_path: Path,
) -> None:
    """The file system says 32 MiB; the last eight read as zeros once it is put in again."""
    image, point = tmp_path / "image", tmp_path / "point"
    point.mkdir()
    image.touch()
    os.truncate(image, 32 << 20)
    # Without a journal, whose blocks would lie where the fake forgets.
    subprocess.run(["mkfs.ext4", "-qF", "-O", "^has_journal", image], check=True)
    (tmp_path / "fake.py").write_text(FAKE)
    script = (
        'mount -o loop "$1" "$2" || exit 77; '
        f'{sys.executable} "$3" "$2" fill; {sys.executable} "$3" "$2" read; umount "$2"; '
        'head -c 8388608 /dev/zero | dd of="$1" bs=1M seek=24 conv=notrunc status=none; '
        f'mount -o loop "$1" "$2"; {sys.executable} "$3" "$2" read; umount "$2"'
    )
    done = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-e",
            "-c",
            script,
            "sh",
            image,
            point,
            tmp_path / "fake.py",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(f"no loop device can be had: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    size, before, after = done.stdout.splitlines()
    assert before == f"False True {size}"
    fresh, whole, until = after.split()
    assert (fresh, whole) == ("True", "False")
    assert 0 < int(until) < int(size)
