import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.errors import RegistryError, StoreError
from airlift.store.durable import Disk, failing, read_file


def test_a_full_disk_says_how_much_is_missing(tmp_path: Path) -> None:
    """The operator makes room for exactly that; the device is really full."""
    disk = Disk()
    fd = os.open("/dev/full", os.O_RDWR)
    with pytest.raises(StoreError) as caught:
        disk.write(fd, tmp_path / "file", b"12345", 0)
    os.close(fd)
    found = os.statvfs(tmp_path)
    start = f"no space left to write {tmp_path}/file: 5 bytes needed, "
    assert str(caught.value).startswith(start)
    assert int(str(caught.value).removeprefix(start).split()[0]) <= (
        found.f_blocks * found.f_frsize
    )
    hint = "make room (`airlift gc`), then run the command again"
    assert caught.value.hint == hint


def test_space_is_asked_for_before_the_first_byte(tmp_path: Path) -> None:
    """A disk too small is told at once, without first taking what others need."""
    disk = Disk()
    path = tmp_path / "file"
    fd = disk.create(path)
    room = os.statvfs(tmp_path)
    size = (room.f_blocks + 1) * room.f_frsize
    with pytest.raises(StoreError) as caught:
        disk.reserve(fd, path, size)
    start = f"no space left to reserve {path}: {size} bytes needed, "
    assert str(caught.value).startswith(start)
    assert os.fstat(fd).st_blocks == 0
    disk.reserve(fd, path, 5_000_000)
    disk.reserve(fd, path, 5_000_000)
    assert os.fstat(fd).st_size == 0
    assert os.fstat(fd).st_blocks * 512 >= 5_000_000
    os.close(fd)


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (errno.EIO, "cannot sync /f: input/output error", "airlift verify"),
        (errno.EROFS, "cannot sync /f: read-only file system", "remount"),
        (errno.EACCES, "cannot sync /f: permission denied", "user who owns it"),
        (errno.EMFILE, "cannot sync /f: too many open files", "ulimit -n"),
        (errno.ENODEV, "cannot sync /f: no such device", "airlift doctor"),
    ],
)
def test_every_refusal_of_the_disk_has_a_next_step(
    code: int, message: str, hint: str
) -> None:
    """No traceback reaches a person who cannot ask anybody."""
    with (
        pytest.raises(RegistryError) as caught,
        failing("sync", "/f", error=RegistryError),
    ):
        raise OSError(code, os.strerror(code))
    assert str(caught.value) == message
    assert hint in caught.value.hint


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """The record of a site must never be half the old and half the new."""
    path = tmp_path / "state.json"
    disk = Disk()
    disk.write_file(path, b"old")
    (tmp_path / ".state.json.new").write_bytes(b"left by a killed process")
    disk.write_file(path, b"new", mode=0o640)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """Let no file of this process grow past 1,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files_only")
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """Python ignores SIGXFSZ, so the kernel's EFBIG arrives as any disk error does."""
    path = tmp_path / "state.json"
    disk = Disk()
    disk.write_file(path, b"old")
    with pytest.raises(StoreError) as caught:
        disk.write_file(path, b"x" * 5000)
    new = tmp_path / ".state.json.new"
    assert str(caught.value) == f"cannot write {new}: file too large"
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]
    assert path.read_bytes() == b"old"


def test_a_file_is_read_to_a_limit_and_no_pipe_is_waited_for(tmp_path: Path) -> None:
    """A pipe or a huge file in place of a record must not hang or fill memory."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_file(path, limit=5) == b"12345"
    with pytest.raises(StoreError) as caught:
        read_file(path, limit=4)
    assert str(caught.value) == f"{path} is longer than 4 bytes"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StoreError) as caught:
        read_file(pipe, limit=4)
    assert str(caught.value) == f"{pipe} is not a regular file"


def test_descriptors_are_closed_in_children(tmp_path: Path) -> None:
    """A lock held through an inherited descriptor would outlive its owner."""
    fd = Disk().create(tmp_path / "file")
    check = f"import os; os.fstat({fd})"
    done = subprocess.run(
        [sys.executable, "-c", check], close_fds=False, capture_output=True, check=False
    )
    assert b"Bad file descriptor" in done.stderr
    os.close(fd)
