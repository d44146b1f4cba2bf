"""One writer at a time: a locked file that says who holds it."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airlift import naming
from airlift.errors import RegistryError
from airlift.store.durable import FLAGS, failing, let_go


class BusyError(RegistryError):
    """Another process is writing."""


class WriterLock:
    """The lock of one home, held by one process at a time, any number of times.

    Two threads of the process wait for each other. The kernel lets go of it when its
    holder dies, so there is no stale lock to remove.

    Args:
        path: The file; made if it is not there, and never deleted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self, purpose: str) -> Iterator[None]:
        """Hold the lock for the block.

        Args:
            purpose: The command, as whoever finds it busy is told.

        Raises:
            BusyError: Another process holds it; the message says which.
        """
        with self._mutex:
            fd = self._take(purpose) if self._depth == 0 else -1
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if fd >= 0:
                    let_go(fd)

    def _take(self, purpose: str) -> int:
        with failing("lock", self._path, error=RegistryError):
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | FLAGS, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"process {os.getpid()}, `{purpose}`".encode(), 0)
            except BlockingIOError:
                holder = os.pread(fd, 200, 0).decode("utf-8", "replace")
                let_go(fd)
                problem = f"the registry is busy: {naming.show(holder)} is writing"
                hint = "wait for it to finish, then run the command again"
                raise BusyError(problem, hint=hint) from None
            except OSError:
                let_go(fd)
                raise
        return fd
