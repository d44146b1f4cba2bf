"""The database file: how it is opened, written and complained about.

SQLite with a rollback journal and ``synchronous=EXTRA``: a commit is on the disk,
directory included, when it returns. Readers wait for a writer only while it commits.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from airlift import naming
from airlift.errors import RegistryError
from airlift.store.durable import FLAGS, failing, let_go

FILE = "registry.db"
BUSY_S = 30
"""Seconds to wait for another connection's commit; one of 1e6 rows took 10."""

_PRAGMAS = (
    "PRAGMA synchronous=EXTRA",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    # Without this, a large insert that outgrows the cache locks readers out until its
    # commit, not only during it.
    "PRAGMA cache_spill=OFF",
    "PRAGMA temp_store=MEMORY",
)
# SQLite relies on locks that these do not keep, or not always.
_NETWORKED = frozenset(
    [
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs", "gfs2", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs"),
        *("fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "prl_fs", "vboxsf", "vmhgfs"),
    ]
)

_HINTS = {
    "SQLITE_BUSY": "wait for the other airlift to finish, then run the command again",
    "SQLITE_LOCKED": "wait for the other airlift to finish, then run the command again",
    "SQLITE_CORRUPT": "run `airlift rebuild`: the database is made again from records",
    "SQLITE_NOTADB": "run `airlift rebuild`: the database is made again from records",
    "SQLITE_FULL": "make room on this disk, then run the command again",
    "SQLITE_READONLY": "run as the user who owns the registry",
    "SQLITE_CANTOPEN": "run as the user who owns the registry",
    "SQLITE_IOERR": "the disk reports a fault: look at `dmesg`, then run `airlift doctor`",
}


class Database:
    """One database file.

    Args:
        path: The file; it must be there.
        readonly: Open it without the right to write.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path = path
        self._engine = _engine(path, readonly=readonly)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state throughout the block.

        Raises:
            RegistryError: The database cannot answer.
        """
        with _asking(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable after the block, or undone.

        Raises:
            RegistryError: The database cannot record; nothing was changed.
        """
        with _asking(self.path), self._engine.connect() as plain:
            connection = plain.execution_options(airlift_writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _engine(path: Path, *, readonly: bool) -> Engine:
    uri = f"file:{quote(str(path.absolute()))}?mode={'ro' if readonly else 'rw'}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_S,
            # Transactions begin where Database says, not where a driver guesses.
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, max_overflow=-1
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("airlift_writes", False)
        # IMMEDIATE, so that two writers wait for each other and never deadlock.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _asking(path: Path) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        name, reason = "", str(error).splitlines()[0]
        if isinstance(error, DBAPIError):
            name = getattr(error.orig, "sqlite_errorname", "")
            reason = str(error.orig)
        kind = next((one for one in _HINTS if name.startswith(one)), "")
        hint = _HINTS.get(kind, "run `airlift doctor`")
        shown = naming.show(str(path))
        problem = f"the database {shown} refused: {naming.show(reason)}"
        raise RegistryError(problem, hint=hint) from error


def make_file(path: Path) -> None:
    """Make an empty database file that only this user may read.

    Raises:
        RegistryError: It cannot be made.
    """
    with failing("create", path, error=RegistryError):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | FLAGS, 0o600)
        os.fchmod(fd, 0o600)  # the journal takes the mode of the database
        let_go(fd)


def refuse_network(folder: Path, *, mounts: str | None = None) -> None:
    """Refuse a folder on a network file system.

    Args:
        folder: Where a database is or shall be.
        mounts: The text of ``/proc/self/mountinfo``; None to read it.

    Raises:
        RegistryError: It is on one; its locks cannot be relied on.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
        except OSError:
            return
    with failing("look at", folder, error=RegistryError):
        device = folder.stat().st_dev
    kind = file_system(mounts, os.major(device), os.minor(device))
    if kind in _NETWORKED:
        shown = naming.show(str(folder))
        problem = f"{shown} is on a network file system ({kind}), which cannot lock"
        hint = "keep airlift's home on a local disk (`--home`)"
        raise RegistryError(problem, hint=hint)


def file_system(mounts: str, major: int, minor: int) -> str:
    """Return the type of the file system on a device; empty where it is not known.

    Args:
        mounts: The text of ``/proc/self/mountinfo`` (proc(5)).
        major: Number of the device.
        minor: Likewise.
    """
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2:3] == [f"{major}:{minor}"]:
            return after.split()[0]
    return ""
