"""Cosignatures of people in the log: each says how much of it somebody has verified.

Each is an event, so that it is carried, proved and kept like all others. What they
cosign lies before them: of a log that was begun anew or rewritten, by whoever has the
host and its key, they can make none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from airlift import naming
from airlift.artifact import Json
from airlift.errors import RequestError, TrustError
from airlift.format import checkpoint as notes
from airlift.format.checkpoint import Checkpoint
from airlift.format.fields import Fields
from airlift.registry import log, rows, sealing
from airlift.registry.held import Event
from airlift.registry.sealing import Sealed
from airlift.trust import cosignature, grace, public
from airlift.trust.keys import UnlockedKey
from airlift.trust.public import PublicKey

ACTION = "cosign"
_KEY = ("name", "scheme", "key_id", "public")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A cosignature in the log, as it says of itself.

    Attributes:
        number: Of the event.
        told: The checkpoint that it is of.
        key: Whose it is.
        line: The cosignature.
    """

    number: int
    told: Checkpoint
    key: PublicKey
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """A cosignature that fits the log as it is.

    Attributes:
        size: How many events it is of.
        by: Whose key made it.
        at: When, by the clock there.
        says: Whether that key has a say at this site now.
    """

    size: int
    by: str
    at: str
    says: bool


def recorded(connection: Connection) -> Iterator[Cosigned]:
    """Yield the cosignatures in the log, in their order; nothing is believed by this.

    Raises:
        FormatError: One is none that airlift wrote.
    """
    site = log.site(connection)
    for event in rows.events(connection, action=ACTION):
        if event.outcome == "done":
            yield _of(event, site)


def believed(connection: Connection) -> Iterator[Believed]:
    """Yield each cosignature, compared with the log as it is.

    Raises:
        FormatError, TrustError: One does not fit it.
    """
    officers, _ = grace.officers(rows.trust_state(connection))
    for one in recorded(connection):
        if one.told.size >= one.number:
            problem = f"event {one.number} cosigns {one.told.size} events"
            raise TrustError(problem, hint="a cosignature is of what lies before it")
        told = log.head(connection, at=one.told.size)
        yield Believed(
            size=told.size,
            by=one.key.name,
            at=cosignature.believe(one.line, one.key, told),
            says=officers.by_id.get(one.key.key_id) == one.key,
        )


def subject(connection: Connection) -> Sealed:
    """Return the checkpoint that is to be cosigned now.

    The newest; or, while nothing but cosigning happened since one was cosigned, that
    one, so that all who cosign say it of the same.

    Raises:
        RequestError: The log is not signed to its end.
    """
    newest = sealing.newest(connection)
    if newest is None or newest.size < log.size(connection):
        problem = "the log is not signed to its end"
        raise RequestError(problem, hint="`airlift receipt export` signs it")
    for last in reversed(tuple(recorded(connection))):
        since = rows.events(connection, after=last.told.size)
        if all((one.action, one.outcome) == (ACTION, "done") for one in since):
            return next(sealing.recorded(connection, last.told.size))
        break
    return newest


def cosign(connection: Connection, key: UnlockedKey, *, at: str, actor: str) -> Event:
    """Return the event by which the holder of *key* cosigns ``subject``.

    Args:
        connection: To read by.
        key: Of who cosigns.
        at: When, by this host's clock.
        actor: The account that does it.

    Raises:
        RequestError: They have done so, or the log is not signed to its end.
        TrustError: The key has no say here.
    """
    state = rows.trust_state(connection)
    officers, _ = grace.officers(state)
    who = naming.show(key.public.name)
    if officers.by_id.get(key.public.key_id) != key.public:
        known = ", ".join(sorted({naming.show(one.name) for one in officers.keys}))
        problem = f"the key of `{who}` has no say at this site; those of {known} have"
        raise TrustError(problem, hint="`airlift policy show` says whose have")
    told = notes.decode(subject(connection).note).checkpoint
    for one in recorded(connection):
        if one.told == told and one.key.key_id == key.public.key_id:
            problem = f"`{who}` has cosigned these {told.size} events"
            raise RequestError(problem, hint="nothing else has happened since")
    line = cosignature.sign(key, told, at=max(at, state.floor))
    detail: dict[str, Json] = {
        **public.table(key.public),
        "size": told.size,
        "root": told.root,
        "cosignature": line,
    }
    return Event(
        time=at, actor=actor, action=ACTION, subject=key.public.name, detail=detail
    )


def _of(event: Event, site: str) -> Cosigned:
    name = f"event {event.number}"
    top = Fields(dict(event.detail), record=name)
    top.exactly(*_KEY, "size", "root", "cosignature")
    told = Checkpoint(
        site=site, size=top.number("size", least=1), root=top.sha256("root")
    )
    return Cosigned(
        number=event.number,
        told=told,
        key=public.from_table(Fields({one: top.raw(one) for one in _KEY}, record=name)),
        line=top.text("cosignature"),
    )
