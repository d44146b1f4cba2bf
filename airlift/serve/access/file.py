"""The file with the credentials of a site, below HOME and apart from the registry.

It is read again whenever it changes, so that a revoked token ends at once, and
nothing is served while it cannot be read: a damaged list must never read as no list.
"""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airlift import naming
from airlift.errors import FormatError, RegistryError
from airlift.registry.lock import WriterLock
from airlift.serve.access import credentials
from airlift.serve.access.credentials import Register
from airlift.store.durable import Disk, failing, read_file

FOLDER = "access"
FILE = "credentials.json"
LOCK = "access.lock"

_Stamp = tuple[int, ...]


class AccessFile:
    """The credentials of one home. Safe from any thread.

    Args:
        home: The folder of the site.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER
        self._path = self._folder / FILE
        self._lock = threading.Lock()
        self._stamp: _Stamp = ()
        self._read: Register | RegistryError | None = None

    def read(self) -> Register | None:
        """Return what the file holds now; None where no credential was ever made.

        Raises:
            RegistryError: It is damaged, open to others, or gone since it was read.
        """
        with self._lock:
            stamp = self._look()
            if stamp != self._stamp:
                # The stamp is taken first: a change in between is read again.
                self._read, self._stamp = self._load(stamp), stamp
            found = self._read
        if isinstance(found, RegistryError):
            raise RegistryError(found.problem, hint=found.hint)
        return found

    @contextmanager
    def changing(self, purpose: str) -> Iterator[Callable[[Register], None]]:
        """Hold the file for a change; give a function that writes the new content.

        Raises:
            RegistryError: Another process changes it, or it cannot be read.
            StoreError: The disk refused; the file is as it was.
        """
        disk = Disk()
        disk.make_folder(self._folder, mode=0o700)
        with WriterLock(self._folder / LOCK).held(purpose):

            def write(register: Register) -> None:
                disk.write_file(self._path, credentials.encode(register), mode=0o600)

            yield write

    def _look(self) -> _Stamp:
        with failing("look at", self._path, error=RegistryError):
            try:
                found = os.stat(self._path, follow_symlinks=False)  # noqa: PTH116 - Path.lstat is the same, less plainly
            except (FileNotFoundError, NotADirectoryError):
                return ()
        moment = (found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        return (found.st_dev, found.st_ino, found.st_mode, *moment)

    def _load(self, stamp: _Stamp) -> Register | RegistryError:
        shown = naming.show(str(self._path))
        if not stamp:
            # Not before the first: to delete the file must open nothing at once.
            problem = f"{shown} is gone"
            return RegistryError(problem, hint="put it back, or restart to serve all")
        if stat.S_IMODE(stamp[2]) & 0o077:
            problem = f"{shown} can be read by others"
            return RegistryError(problem, hint=f"run `chmod 600 {shown}`")
        try:
            data = read_file(self._path, limit=credentials.LIMIT, error=RegistryError)
            return credentials.decode(data, name=shown)
        except (FormatError, RegistryError) as error:
            hint = "put a copy of the file back, or delete it and make new tokens"
            return RegistryError(error.problem, hint=hint)
