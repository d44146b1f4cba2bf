"""Whether the log is what it was: recomputed, and compared with what is signed.

Nothing here believes a hash that lies in the database. A checkpoint is believed as far
as its signature and the place it was kept in; the strongest are those that were carried
away (docs/log.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]
from sqlalchemy import Connection, select

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import AirliftError, RegistryError
from airlift.format import checkpoint as notes
from airlift.format import merkle
from airlift.format.checkpoint import Checkpoint
from airlift.registry import log, rows, schema, sealing
from airlift.registry.held import Event
from airlift.registry.sealing import Sealed
from airlift.trust import checkpoint, public
from airlift.trust.public import PublicKey

_BATCH = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What an audit of the log found.

    Attributes:
        size: How many events there are.
        root: Of the tree over them, recomputed.
        checkpoints: How many are on record.
        signed: The size that the newest one covers; 0 where there is none.
        faults: What is not as it was, in words; empty where all is.
    """

    size: int
    root: Sha256
    checkpoints: int
    signed: int
    faults: tuple[str, ...]

    def with_faults(self, more: tuple[str, ...]) -> "Audited":
        """Return the same with *more* faults."""
        return Audited(
            size=self.size,
            root=self.root,
            checkpoints=self.checkpoints,
            signed=self.signed,
            faults=self.faults + more,
        )


def check_extends(connection: Connection, told: Checkpoint, name: str) -> None:
    """Check that the log has all that *told* covers, by the hashes on record.

    Args:
        connection: Where the log is.
        told: A checkpoint of it from elsewhere.
        name: Of where that was found.

    Raises:
        RegistryError: The log is shorter, or another one.
    """
    if problem := contradiction(connection, told, name):
        hint = (
            "an old or foreign copy was put back: bring the newest one, or run "
            "`airlift rebuild` where `records` is newer (docs/log.md)"
        )
        raise RegistryError(problem, hint=hint)


def contradiction(connection: Connection, told: Checkpoint, name: str) -> str:
    """Say in what way the log is not the one that *told* is of; empty if in none."""
    count, site = log.size(connection), log.site(connection)
    if told.site != site:
        return f"{name} is of the log of {told.site}, this is of {site}"
    if told.size > count:
        return f"the log has {count} events, {name} says {told.size}"
    found = log.head(connection, at=told.size).root
    if found != told.root:
        return (
            f"the first {told.size} events have the root {found[:16]}, {name} says "
            f"{told.root[:16]}: they are not the same events"
        )
    return ""


def audit(connection: Connection, key: PublicKey | None) -> Audited:
    """Recompute the log from its events; compare with all hashes and checkpoints.

    Args:
        connection: Where the log is.
        key: The site's key; None where it has none.
    """
    found = _Audit(connection)
    try:
        for event in events(connection):
            found.take(event)
    except ValueError as error:  # a column holds what no airlift ever wrote
        found.refuse(str(error))
    return found.result(key)


def events(connection: Connection, after: int = 0) -> Iterator[Event]:
    """Yield the events that follow number *after*, in order, a batch at a time."""
    while some := rows.events_after(connection, after, _BATCH):
        yield from some
        after = some[-1].number


class _Audit:
    """One pass over the events, with the tables of hashes and checkpoints beside it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._edge = merkle.Range()
        self._faults: list[str] = []
        self._site = log.site(connection)
        self._sealed = list(sealing.recorded(connection))
        self._waiting = list(reversed(self._sealed))
        self._keys: set[str] = set()
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._loaded = 0
        self._torn = False

    def take(self, event: Event) -> None:
        """Take the next event as the next leaf."""
        expected = self._edge.size + 1
        if event.number != expected and not self._torn:
            self._torn = True  # every number after it differs too
            self._faults.append(f"event {expected} is missing, {event.number} follows")
        made = self._edge.append(merkle.leaf_hash(log.entry(event)))
        self._compare(made, event.number)
        if event.action == sealing.KEYS and event.outcome == "done":
            self._keys.add(str(event.detail.get("key_id")))
        while self._waiting and self._waiting[-1].size == self._edge.size:
            self._check(self._waiting.pop())

    def refuse(self, reason: str) -> None:
        """Note that the events from here on cannot be read."""
        after = self._edge.size
        self._faults.append(f"events after {after} cannot be read: {reason}")

    def result(self, key: PublicKey | None) -> Audited:
        """Return what was found, with what can be said only at the end."""
        size, last = self._edge.size, self._sealed[-1] if self._sealed else None
        for one in reversed(self._waiting):
            self._faults.append(f"a checkpoint says {one.size} events, {size} are here")
        count = sum(size >> level for level in range(size.bit_length()))
        table = schema.log_node
        stored = len(self._connection.execute(select(table.c.level)).all())
        if stored != count:
            self._faults.append(f"the tree has {stored} hashes, expected {count}")
        if last and (key is None or checkpoint.raw(key) != last.public):
            self._faults.append(
                "the newest checkpoint is not by the key that this site has now"
            )
        return Audited(
            size=size,
            root=Sha256(self._edge.root().hex()),
            checkpoints=len(self._sealed),
            signed=last.size if last else 0,
            faults=tuple(self._faults),
        )

    def _compare(self, made: tuple[merkle.Node, ...], number: int) -> None:
        leaf, *above = made
        if self._stored(leaf) != leaf.hash:
            self._faults.append(f"event {number} is not the one that was recorded")
        elif any(self._stored(one) != one.hash for one in above):
            self._faults.append(f"a hash above event {number} is not that of the tree")

    def _stored(self, node: merkle.Node) -> bytes | None:
        """Return the hash on record; a batch of leaves with all above them is read."""
        if self._edge.size > self._loaded:
            first, self._loaded = self._loaded, self._loaded + _BATCH
            table = schema.log_node
            self._nodes = {}
            for level in range(self._loaded.bit_length() + 1):
                within = table.c.place.between(
                    max(0, (first >> level) - 1), self._loaded >> level
                )
                query = select(table).where(table.c.level == level, within)
                for row in self._connection.execute(query):
                    self._nodes[row.level, row.place] = bytes(row.hash)
        return self._nodes.get((node.level, node.index))

    def _check(self, one: Sealed) -> None:
        place = f"the checkpoint of {one.size} events"
        try:
            note = notes.decode(one.note, name=place)
        except AirliftError as error:
            self._faults.append(error.problem)
            return
        key, told = _public(one.public, self._site), note.checkpoint
        if key is None:
            self._faults.append(f"{place} names no key")
        elif (told.site, told.size) != (self._site, one.size):
            self._faults.append(f"{place} is of {told.size} events of {told.site}")
        elif not checkpoint.signed_by(note, key):
            self._faults.append(f"{place} is not signed by the key that is named")
        elif key.key_id not in self._keys:
            self._faults.append(f"{place} is by a key that the log had not named")
        elif told.head[1] != self._edge.root():
            root = naming.show(told.root[:16])
            self._faults.append(f"{place} has the root {root}, the events another")


def _public(raw: bytes, site: str) -> PublicKey | None:
    try:
        key = Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        return None
    return public.of(SSlibKey.from_crypto(key), name=site)
