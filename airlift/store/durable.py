"""The one place that changes the disk, and the order in which it does so.

The law: **a name appears only when its bytes are durable, and the change of names is
durable before anyone is told.** So every new file is written under a private name,
``fsync``-ed, renamed to its own name, and then its folder is ``fsync``-ed. Nothing
else in airlift's store or registry writes, renames or deletes a file by itself, which
is what lets a test record these operations and replay every power cut between them.

Modes are set explicitly, never left to the umask; every open refuses symbolic links
and is closed in child processes; every ``OSError`` leaves as an ``AirliftError`` that
names the file and says what to do.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from airlift import naming
from airlift.errors import AirliftError, StoreError
from airlift.store import direct

FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC

Buffer = bytes | bytearray | memoryview

_HINTS = {
    errno.EIO: "the disk reports a fault: look at `dmesg`, then run `airlift verify`",
    errno.EROFS: "the file system is read-only: remount it writable, or use another",
    errno.EACCES: "give this user access to it, or run as the user who owns it",
    errno.EPERM: "give this user access to it, or run as the user who owns it",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENFILE: "raise the limit of open files (`sysctl fs.file-max`)",
    errno.ELOOP: "it is a symbolic link: remove it, nothing of airlift's is one",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)
# Not in every C library or file system; then the space is found out while writing.
_NO_RESERVE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_KEEP_SIZE = 1


@contextlib.contextmanager
def failing(
    doing: str,
    path: Path | str,
    *,
    needed: int | None = None,
    error: type[AirliftError] = StoreError,
) -> Iterator[None]:
    """Turn an ``OSError`` of the block into *error*.

    Args:
        doing: A verb, as in "cannot VERB PATH".
        path: The file meant.
        needed: Bytes that were to be written, told where the disk is full.
        error: The branch to raise.
    """
    try:
        yield
    except OSError as problem:
        raise _translated(problem, doing, path, needed, error) from problem


def _translated(
    problem: OSError,
    doing: str,
    path: Path | str,
    needed: int | None,
    error: type[AirliftError],
) -> AirliftError:
    shown = naming.show(str(path))
    if problem.errno in _FULL:
        want = f"{needed} bytes needed" if needed is not None else "more bytes needed"
        text = f"no space left to {doing} {shown}: {want}, {_free(path)} free"
        return error(text, hint="make room (`airlift gc`), then run the command again")
    reason = os.strerror(problem.errno).lower() if problem.errno else str(problem)
    hint = _HINTS.get(problem.errno or 0, "run `airlift doctor`")
    return error(f"cannot {doing} {shown}: {reason}", hint=hint)


def _free(path: Path | str) -> str:
    try:
        return str(free_bytes(Path(path).parent))
    except OSError:
        return "unknown"


def free_bytes(folder: Path) -> int:
    """Return the bytes an ordinary user may still write below *folder*."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def names(folder: Path, *, error: type[AirliftError] = StoreError) -> list[str]:
    """Return the names in *folder*, sorted.

    Raises:
        AirliftError: Of the kind *error*; it cannot be listed.
    """
    with failing("list", folder, error=error), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _allocate(fd: int, size: int) -> None:
    # Not os.posix_fallocate: it moves the end of the file, which then no longer says
    # how far a download came, and it writes every block where it is emulated.
    library = ctypes.CDLL(None, use_errno=True)
    spellings = ("fallocate64", "fallocate")  # the C libraries GNU and musl
    allocate = next(
        (getattr(library, n) for n in spellings if hasattr(library, n)), None
    )
    if allocate is None or size == 0:
        return
    wide = ctypes.c_int64
    allocate.argtypes = (ctypes.c_int, ctypes.c_int, wide, wide)
    while allocate(fd, _KEEP_SIZE, 0, size):
        code = ctypes.get_errno()
        if code in _NO_RESERVE:
            return
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


def there(path: Path, *, error: type[AirliftError] = StoreError) -> bool:
    """Say whether anything is called *path*.

    Raises:
        AirliftError: Of the kind *error*; the disk does not tell.
    """
    with failing("look at", path, error=error):
        return path.exists()


def let_go(fd: int) -> None:
    """Close *fd*. What closing says is of no use: what matters was synced before."""
    with contextlib.suppress(OSError):
        os.close(fd)


class Disk:
    """The changes airlift makes to a disk; each method is one or two system calls."""

    def make_folder(self, path: Path, *, mode: int = 0o755) -> None:
        """Make the folder *path* with *mode*, parents included, durable on return.

        Raises:
            StoreError: It cannot be made, or something else stands there.
        """
        with failing("make the folder", path):
            if not path.parent.exists():
                self.make_folder(path.parent, mode=mode)
            try:
                path.mkdir(mode)
            except FileExistsError:
                if not path.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, "") from None
                return
            path.chmod(mode)
        self.sync_folder(path.parent)

    def make_folders(self, parent: Path, fresh: Iterable[str], *, mode: int) -> None:
        """Make folders of the names *fresh* in *parent*, durable on return."""
        for name in fresh:
            with failing("make the folder", parent / name):
                (parent / name).mkdir(mode, exist_ok=True)
                (parent / name).chmod(mode)
        self.sync_folder(parent)

    def create(self, path: Path, *, fresh: bool = True) -> int:
        """Open *path* for reading and writing, private to this user.

        Args:
            path: A regular file, or nothing yet.
            fresh: Refuse a file that is already there.
        """
        flags = os.O_RDWR | os.O_CREAT | FLAGS | (os.O_EXCL if fresh else 0)
        with failing("create", path):
            fd = os.open(path, flags, 0o600)
            os.fchmod(fd, 0o600)
        return fd

    def reserve(self, fd: int, path: Path, size: int) -> None:
        """Set *size* bytes of disk aside for *fd* without changing its length.

        A full disk is then found before hours of copying, not after. A file system
        that cannot do it lets the writes find out.

        Raises:
            StoreError: There is no room; nothing is set aside then.
        """
        with failing("reserve", path, needed=size):
            found = os.fstat(fd)
            # Asked first, because a failing fallocate takes all that is left of the
            # disk on its way, from everybody else too.
            if size - found.st_blocks * 512 > free_bytes(path.parent):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            try:
                _allocate(fd, size)
            except OSError:
                os.ftruncate(fd, found.st_size)  # gives back what lies past the end
                raise

    def write(self, fd: int, path: Path, piece: Buffer, offset: int) -> None:
        """Write all of *piece* at byte *offset* of *fd*.

        Where *fd* goes past the page cache and *piece* is not of whole pages, or the
        file system cannot, it goes through the cache from here on.
        """
        view = memoryview(piece).cast("B")
        with failing("write", path, needed=len(view)):
            direct.write_from(fd, view, offset)

    def truncate(self, fd: int, path: Path, size: int) -> None:
        """Make *fd* exactly *size* bytes long; what is new reads as zeros."""
        with failing("resize", path):
            os.ftruncate(fd, size)

    def sync(self, fd: int, path: Path, *, mode: int | None = None) -> None:
        """Make the bytes of *fd*, and its new *mode* if given, durable."""
        with failing("sync", path):
            if mode is not None:
                os.fchmod(fd, mode)
            os.fsync(fd)

    def sync_folder(self, path: Path) -> None:
        """Make the names in the folder *path* durable."""
        with failing("sync the folder", path):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | FLAGS)
            try:
                os.fsync(fd)
            finally:
                let_go(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Give *source* the name *target*, replacing a file of that name."""
        with failing("rename to", target):
            source.rename(target)

    def unlink(self, path: Path) -> None:
        """Delete the file *path*; nothing happens where there is none."""
        with failing("delete", path):
            path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        """Delete the folder *path* with all in it; nothing happens without one."""
        with failing("delete the folder", path):
            if path.exists():
                shutil.rmtree(path)

    def publish(self, fd: int, source: Path, target: Path, *, mode: int) -> None:
        """Make *fd*, open at *source*, durable under the name *target*.

        Where the folder cannot be synced, the name is withdrawn: a name that may
        vanish with the power must not be found by the next reader.

        Raises:
            StoreError: The disk refused; *target* is not there then.
        """
        try:
            self.sync(fd, source, mode=mode)
        except StoreError:
            # A second fsync would succeed without the lost pages having been written.
            self._withdraw(source)
            raise
        self.rename(source, target)
        try:
            self.sync_folder(target.parent)
        except StoreError:
            self._withdraw(target)
            raise

    def _withdraw(self, path: Path) -> None:
        with contextlib.suppress(StoreError):
            self.unlink(path)

    def write_file(self, path: Path, content: bytes, *, mode: int = 0o600) -> None:
        """Put *content* at *path*, whole or not at all, durable on return.

        Replaces what was there. One writer at a time: callers hold a lock.

        Raises:
            StoreError: The disk refused; what was there before still is.
        """
        temporary = path.with_name(f".{path.name}.new")
        self.unlink(temporary)
        fd = self.create(temporary)
        try:
            self.write(fd, temporary, content, 0)
            self.publish(fd, temporary, path, mode=mode)
        except AirliftError:
            self._withdraw(temporary)
            raise
        finally:
            let_go(fd)


def read_file(
    path: Path, *, limit: int, error: type[AirliftError] = StoreError
) -> bytes:
    """Return the bytes of the regular file *path*.

    Args:
        path: The file; not a link, a device or a pipe.
        limit: Most bytes it may have.
        error: The branch of what is raised.

    Raises:
        AirliftError: Of the kind *error*; it cannot be read or is too long.
    """
    with failing("read", path, error=error):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | FLAGS)
        with os.fdopen(fd, "rb") as stream:
            found = os.fstat(fd)
            regular = stat.S_ISREG(found.st_mode)
            content = stream.read(limit + 1) if regular else b""
    if not regular or len(content) > limit:
        what = f"longer than {limit} bytes" if regular else "not a regular file"
        problem = f"{naming.show(str(path))} is {what}"
        raise error(problem, hint="this is not a file airlift wrote; move it away")
    return content
