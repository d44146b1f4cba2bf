"""The log of one registry, as it is shown, proved and carried away."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection

from airlift.errors import RequestError
from airlift.format import dispatch, log_proof, merkle
from airlift.format.checkpoint import Checkpoint
from airlift.format.merkle import ReadNode
from airlift.registry import audit, cosigning, log, rows, sealing
from airlift.registry.audit import Audited
from airlift.registry.cosigning import Believed, Cosigned
from airlift.registry.engine import FILE, Database
from airlift.registry.held import Event
from airlift.registry.records import Records
from airlift.registry.sealing import Sealed
from airlift.trust.keys import UnlockedKey
from airlift.trust.public import PublicKey

_HASHES = 4096
"""Kept of those read last: some 400 kB."""


class Logbook:
    """The log of the registry in *home*, which ``Registry.open`` has accepted.

    Args:
        home: Its folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        database = Database(self._home / FILE, readonly=True)
        try:
            with database.read() as connection:
                yield connection
        finally:
            database.close()

    def head(self) -> Checkpoint:
        """Return how long the log is, and its root, by the hashes on record.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return log.head(connection)

    def checkpoints(self) -> tuple[Sealed, ...]:
        """Return every checkpoint on record, by rising size.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return tuple(sealing.recorded(connection))

    def newest(self) -> Sealed:
        """Return the newest checkpoint.

        Raises:
            RequestError: None was signed so far.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return _newest(connection)

    def cosign(self, key: UnlockedKey, *, at: str, actor: str) -> Event:
        """Return the event by which the holder of *key* cosigns the log.

        Raises:
            RequestError: They have done so, or the log is not signed to its end.
            TrustError: The key has no say here.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return cosigning.cosign(connection, key, at=at, actor=actor)

    def to_cosign(self) -> Sealed:
        """Return the checkpoint that whoever cosigns now cosigns.

        Raises:
            RequestError: The log is not signed to its end.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return cosigning.subject(connection)

    def cosigned(self) -> tuple[Believed, ...]:
        """Return who has cosigned how much of the log, in the order of that.

        Raises:
            FormatError, TrustError: A cosignature does not fit the log.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return tuple(cosigning.believed(connection))

    def cosignatures(self) -> tuple[Cosigned, ...]:
        """Return the cosignatures as they are in the log.

        Raises:
            FormatError: One is none that airlift wrote.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return tuple(cosigning.recorded(connection))

    def entries(self, upto: int) -> Iterator[bytes]:
        """Yield the canonical bytes of the events up to number *upto*, in order.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            for one in audit.events(connection):
                if one.number > upto:
                    return
                yield log.entry(one)

    def prove(self, number: int) -> tuple[bytes, bytes]:
        """Return the canonical bytes of event *number*, and the proof that it is in.

        Raises:
            RequestError: There is none, or the newest checkpoint is of before it.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            sealed = _newest(connection)
            if not 1 <= number <= sealed.size:
                problem = (
                    f"the newest checkpoint covers 1 to {sealed.size}, not {number}"
                )
                hint = "`airlift log show` lists them; `airlift receipt export` signs"
                raise RequestError(problem, hint=hint)
            (event,) = rows.events_after(connection, number - 1, 1)
            return log.entry(event), _proof(number - 1, sealed, log.reader(connection))

    def proofs(self) -> Iterator[bytes]:
        """Yield the proof of each event that the newest checkpoint covers, in order.

        Raises:
            RequestError: None was signed so far.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            sealed = _newest(connection)
            # A proof has all but a few hashes of the one before it.
            read = lru_cache(_HASHES)(log.reader(connection))
            for index in range(sealed.size):
                yield _proof(index, sealed, read)

    def proven(
        self, most: int, upto: int
    ) -> Iterator[tuple[int, bytes, tuple[bytes, ...]]]:
        """Yield number, canonical bytes and inclusion proof of the newest events.

        Args:
            most: At most so many.
            upto: None after this number; none that the newest checkpoint is of before.

        Raises:
            RequestError: No checkpoint was signed so far.
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            sealed = _newest(connection)
            read = lru_cache(_HASHES)(log.reader(connection))
            last = min(upto, sealed.size)
            first = max(0, last - most)
            for one in rows.events_after(connection, first, last - first):
                hashes = merkle.inclusion(one.number - 1, sealed.size, read)
                yield one.number, log.entry(one), hashes

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof that the log of *new* events begins with that of *old*.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return merkle.consistency(old, new, log.reader(connection))

    def seen(self, most: int) -> tuple[int, ...]:
        """Return sizes of this log that the connected side may know, at most *most*.

        The one that the newest delivery quotes, and those of the newest receipts.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            found: dict[int, None] = {}
            for record in rows.dispatches(connection):
                if seen := dispatch.decode(record).log:
                    found[seen.size] = None
                    break
            for one in reversed(rows.events(connection, newest=most, action="receipt")):
                size = one.detail.get("log")
                if isinstance(size, int) and len(found) < most:
                    found[size] = None
            return tuple(found)

    def contradiction(self, told: Checkpoint, name: str) -> str:
        """Say in what way this is not the log that *told* is of; empty if in none.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._read() as connection:
            return audit.contradiction(connection, told, name)

    def audit(self, key: PublicKey | None) -> Audited:
        """Recompute everything; compare with hashes, checkpoints and the files beside.

        Args:
            key: The site's key; None where it has none.

        Raises:
            RegistryError: The database cannot answer, or a file cannot be read.
        """
        with self._read() as connection:
            found = audit.audit(connection, key)
            try:
                beside = tuple(self._beside(connection, found.size))
            except ValueError:
                beside = ()  # columns that cannot be read are among the faults already
        return found.with_faults(beside)

    def _beside(self, connection: Connection, size: int) -> Iterator[str]:
        """Yield in what the files beside the database differ from it."""
        records = Records(self._home)
        stored, kept = audit.events(connection), 0
        for kept, one in enumerate(records.events(), start=1):
            found = next(stored, None)
            if found is None or log.entry(found) != log.entry(one):
                yield f"event {kept} is another one in records/events.jsonl"
                break  # and so are those after it, if one was dropped
        else:
            if kept < size:
                yield f"records/events.jsonl has {kept} events, the database {size}"
        if sealed := records.checkpoint():
            place = "the file log/checkpoint"
            if problem := audit.contradiction(connection, sealed.checkpoint, place):
                yield problem
        signed = sealing.newest_size(connection)
        if signed < size and sealing.at_hand(connection, self._home):
            yield f"the last {size - signed} events are not signed, and the key is here"


def _newest(connection: Connection) -> Sealed:
    if sealed := sealing.newest(connection):
        return sealed
    problem = "no checkpoint of this log was signed yet"
    hint = "`airlift receipt export` makes the site's key and signs one"
    raise RequestError(problem, hint=hint)


def _proof(index: int, sealed: Sealed, read: ReadNode) -> bytes:
    hashes = merkle.inclusion(index, sealed.size, read)
    return log_proof.encode(index, hashes, sealed.note)
