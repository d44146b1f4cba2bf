"""What the registry says: values, never rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from airlift.artifact import NOTHING, Json, Release
from airlift.digest import Sha256
from airlift.trust.delivery import SignedBy


class State(StrEnum):
    """What a release is to this site; derived from the generations, never stored."""

    LIVE = "live"
    """In the current generation: it may be served."""
    RETIRED = "retired"
    """Only in earlier generations."""
    QUARANTINE = "quarantine"
    """In none so far: somebody is to look at it and activate it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A release this site holds.

    Attributes:
        id: SHA-256 of its signed document.
        release: Its content without files (``files`` is empty; ``Registry.files``).
        state: Live, retired or in quarantine.
        size: Bytes of its files, each path counted.
        files: How many files it has.
        imported: When it came, ``YYYY-MM-DDThh:mm:ssZ``.
        sequence: Of the delivery that brought it.
        pinned: Why it is never collected; empty when it may be.
        denied: Why it is never served; empty when it may be.
    """

    id: Sha256
    release: Release
    state: State
    size: int
    files: int
    imported: str
    sequence: int
    pinned: str = ""
    denied: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a release was kept back at its import.

    Attributes:
        by: ``POLICY`` (the site's), ``CONTENT`` (what its bytes turned out to be),
            ``DENIED`` (by the deny list) or ``OPERATOR`` (who imports, or that it can
            run when loaded).
        why: In words.
        odd: In which way its bytes are not what its document says; empty if in none.
    """

    OPERATOR: ClassVar = "operator"
    POLICY: ClassVar = "policy"
    CONTENT: ClassVar = "content"
    DENIED: ClassVar = "denied"

    by: str
    why: str
    odd: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A delivery this site has recorded.

    Attributes:
        id: SHA-256 of its dispatch record.
        sequence: Its number among those to this site.
        issued: When it was signed, by its own word.
        imported: When it was recorded here.
        operator: Who made it, by its own word.
        actor: Who imported it.
        version: Of the airlift that did.
        signed_by: Whose signatures counted.
    """

    id: Sha256
    sequence: int
    issued: str
    imported: str
    operator: str
    actor: str
    version: str
    signed_by: tuple[SignedBy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A set of live releases, one after the other.

    Attributes:
        number: 1, 2, 3...; the highest is the current one.
        created: When.
        reason: ``import``, ``activate``, ``remove``, ``rollback`` or ``deny``.
        actor: Who.
        note: What they said, or what was rolled back to.
        members: How many releases it had; collected ones are counted.
        releases: Those still held, sorted.
    """

    number: int
    created: str
    reason: str
    actor: str
    note: str
    members: int
    releases: tuple[Sha256, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the log.

    Attributes:
        time: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who did it.
        action: ``import``, ``activate``, ``gc``...
        subject: What it was done to; empty where nothing in particular.
        outcome: ``done``, ``refused``...
        detail: More, in words that hold no secrets.
        number: Its place in the log; 0 until it is there.
        floor: The largest verified time afterwards; empty until it is there, and of
            events from before the log kept it, as are the next two.
        metadata: Versions of the signed metadata that is trusted afterwards, by role.
        tool: Which airlift recorded it.
    """

    time: str
    actor: str
    action: str
    subject: str = ""
    outcome: str = "done"
    detail: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    number: int = 0
    floor: str = ""
    metadata: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    tool: str = ""
