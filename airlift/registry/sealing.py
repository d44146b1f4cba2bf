"""Checkpoints of the log: signed in the transaction that the log grows in.

Whoever adds to the log need not think of them. Where the site has no key yet, or one
that only a passphrase opens, the log grows without; the next one that is signed covers
all before it. A key signs only once the log says that it is the site's: power may go
between the making of a key and its line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from airlift.errors import FormatError, RequestError, TrustError
from airlift.registry import log, rows, schema
from airlift.trust import checkpoint, site_key
from airlift.trust.site_key import SiteKey

KEYS = "site-key"
"""The action of the event that names a key of the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A checkpoint on record.

    Attributes:
        size: Of the log it is of.
        note: As it was signed.
        public: The 32 bytes of the key that did.
    """

    size: int
    note: bytes
    public: bytes


def seal(connection: Connection, home: Path) -> None:
    """Sign the log as it is now, unless that is done or no key is at hand.

    Args:
        connection: Of the transaction in which the log grew.
        home: Where the site's key lies.
    """
    if newest_size(connection) == log.size(connection):
        return
    if key := at_hand(connection, home):
        seal_by(connection, key)


def at_hand(connection: Connection, home: Path) -> SiteKey | None:
    """Return the key that signs this log by nobody's leave; None where there is none.

    A log whose key is at hand is signed to its end, always: `airlift log verify` takes
    a tail that is not for one from which checkpoints were taken away.
    """
    key = _key(home)
    if key is None or key.site != log.site(connection):
        return None
    last = newest(connection)
    if last and last.public == checkpoint.raw(key.public):
        return key
    # Rare, so that no index is kept for it: a key's first checkpoint.
    named = rows.events(connection, newest=1, action=KEYS)
    return key if named and named[0].detail.get("key_id") == key.public.key_id else None


def seal_by(connection: Connection, key: SiteKey) -> bytes:
    """Sign the log as it is now with *key*; return the note.

    Raises:
        TrustError: The key is another site's.
    """
    head = log.head(connection)
    note = checkpoint.seal(head, key)
    connection.execute(
        insert(schema.checkpoint).values(
            size=head.size, note=note, public=checkpoint.raw(key.public)
        )
    )
    return note


def newest_size(connection: Connection) -> int:
    """Return the size of the log that the newest checkpoint is of; 0 before the first."""
    newest = select(func.coalesce(func.max(schema.checkpoint.c.size), 0))
    return int(connection.execute(newest).scalar_one())


def newest(connection: Connection) -> Sealed | None:
    """Return the newest checkpoint; None before the first."""
    return next(recorded(connection, newest_size(connection)), None)


def recorded(connection: Connection, least: int = 0) -> Iterator[Sealed]:
    """Yield the checkpoints of logs of at least *least* events, by rising size."""
    table = schema.checkpoint
    query = select(table).where(table.c.size >= least).order_by(table.c.size)
    for row in connection.execute(query):
        yield Sealed(size=row.size, note=_bytes(row.note), public=_bytes(row.public))


def _bytes(value: bytes | str) -> bytes:
    """Return what a column holds; whoever edits a database may leave text there."""
    return value.encode() if isinstance(value, str) else bytes(value)


def _key(home: Path) -> SiteKey | None:
    """Return the site's key where it can be used by nobody's leave; else None.

    A key that is damaged or encrypted must not keep an import from being recorded:
    `airlift log verify` says how far the log is signed, and by whom. One that the disk
    does not give this once must: the log would end as if a checkpoint had been taken.
    """
    try:
        if site_key.read_public(home) is None:
            return None
        return site_key.load(home)
    except (FormatError, RequestError, TrustError):
        return None
