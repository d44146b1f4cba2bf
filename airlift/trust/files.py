"""Small files that are whole or absent, whatever interrupts their writing."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from airlift import naming
from airlift.errors import FormatError, RequestError, StoreError

PRIVATE = 0o600
SHARED = 0o644


def there(path: Path) -> bool:
    """Say whether anything is called *path*.

    Raises:
        StoreError: The disk does not tell.
    """
    try:
        return path.exists()
    except OSError as error:
        problem = f"cannot look at {path}: {error.strerror}"
        raise StoreError(problem, hint="check this disk, then try again") from error


def read(path: Path, *, limit: int, what: str) -> bytes:
    """Return the bytes of the regular file *path*.

    Args:
        path: Read once; a symbolic link is followed (keys lie on mounted sticks).
        limit: Most bytes such a file may have.
        what: What the file should be, for an error.

    Raises:
        RequestError: There is no such file.
        FormatError: It is not a regular file, or larger than *limit*.
        StoreError: It cannot be read.
    """
    shown = naming.show(str(path))
    try:
        # Without O_NONBLOCK, a FIFO in the place of a file would hang us for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                problem = f"{what} `{shown}` is not a regular file"
                raise FormatError(problem)
            data = file.read(limit + 1)
    except FileNotFoundError as error:
        problem = f"there is no {what} at `{shown}`"
        raise RequestError(problem, hint="check the path") from error
    except OSError as error:
        problem = f"cannot read {what} `{shown}`: {error.strerror}"
        raise StoreError(problem) from error
    if len(data) > limit:
        problem = f"{what} `{shown}` has more than {limit} bytes"
        raise FormatError(problem, hint="this is not a file airlift wrote")
    return data


def write(path: Path, data: bytes, *, mode: int = SHARED) -> None:
    """Put *data* at *path* durably, in place of what was there.

    Raises:
        StoreError: The disk refuses; *path* is as it was.
    """
    with reporting(path), _spool(path, data, mode) as spool:
        spool.replace(path)
        _sync(path.parent)


def write_new(path: Path, data: bytes, *, mode: int = SHARED) -> None:
    """Put *data* at *path* durably; never over a file that is there.

    Raises:
        RequestError: Something is there already.
        StoreError: The disk refuses; nothing is left at *path*.
    """
    try:
        with reporting(path), _spool(path, data, mode) as spool:
            _claim(spool, path)
            _sync(path.parent)
    except FileExistsError as error:
        problem = f"`{naming.show(str(path))}` is there already"
        hint = "choose another name; airlift never overwrites it"
        raise RequestError(problem, hint=hint) from error


def _claim(spool: Path, path: Path) -> None:
    # link, unlike rename, fails where the name is taken: no race with another process
    # can lose a key. FAT, which most sticks have, knows no links: there the name is
    # taken first, and a kill between the two steps leaves an empty file.
    try:
        path.hardlink_to(spool)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        path.touch(exist_ok=False)
        spool.replace(path)


def make_folder(path: Path) -> None:
    """Make the folder *path* and those above it, durably; private to its owner.

    Raises:
        StoreError: The disk refuses.
    """
    with reporting(path):
        if not path.is_dir():
            make_folder(path.parent)
            path.mkdir(mode=0o700, exist_ok=True)
            _sync(path.parent)


@contextlib.contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turn what the system says about *path* into an error of airlift's.

    Raises:
        StoreError: The system refused something; except that a name is taken.
    """
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        problem = f"cannot use `{naming.show(str(path))}`: {error.strerror}"
        raise StoreError(problem, hint="make room or choose another disk") from error


@contextlib.contextmanager
def _spool(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    spool = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with open(os.open(spool, flags, mode), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield spool
    finally:
        spool.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
