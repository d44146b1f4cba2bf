"""What verification needs to know, and the proof it gives.

``VerifiedDelivery`` is the proof that this site believes a delivery. Only
``airlift.trust.verifier`` makes one (tests/house holds it to that), and everything
that writes on the isolated side asks for one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airlift.artifact import Kind, Release
from airlift.digest import Sha256
from airlift.format.dispatch import Dispatch, Earlier
from airlift.format.packing import PackingList

LONG_AGO = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustState:
    """What a site believes and how far it has come; kept in its registry.

    Attributes:
        site: This site's name.
        anchor: The root metadata accepted by a person at first installation.
        metadata: Trusted TUF metadata by file name (``2.root.json`` and every
            earlier root, ``timestamp.json``, ``snapshot.json``, ``targets.json``,
            ``site-NAME.json``), exact bytes; empty before the first delivery.
        floor: The largest verified issue time; time is never before it (B9).
        deliveries: The newest imported deliveries, newest first, at most 64.
        counters: Highest release counter seen for each kind and name.
        heads: Id of the release that had it, so that a second one is told apart.
        policy: The site's policy in force, exact bytes; empty where it has none.
        denials: The deny list in force, exact bytes; empty where there is none.
        least: The oldest delivery this site takes: set up anew, it knows none, and must
            not be given one that it had outgrown (B2). 0 takes any.
    """

    site: str
    anchor: bytes
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    floor: str = LONG_AGO
    deliveries: tuple[Earlier, ...] = ()
    counters: Mapping[tuple[Kind, str], int] = field(default_factory=dict)
    heads: Mapping[tuple[Kind, str], Sha256] = field(default_factory=dict)
    policy: bytes = b""
    denials: bytes = b""
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """A key whose signature counted, for which role.

    Attributes:
        role: ``root``, ``targets``, ``site-NAME``, ``snapshot`` or ``timestamp``.
        key_id: 64 hexadecimal digits.
        name: What the root metadata calls the key's holder; may be empty.
        scheme: ``ed25519``...
    """

    role: str
    key_id: str
    name: str
    scheme: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRelease:
    """A release whose document was signed by the release approvers.

    Attributes:
        id: SHA-256 of its document.
        release: What the document says.
        document: Its bytes.
        attestations: The bytes of what it lists, in that order; whether they are so
            is another question (``trust.attestation``).
    """

    id: Sha256
    release: Release
    document: bytes
    attestations: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDelivery:
    """The proof that this site believes a delivery.

    Attributes:
        id: SHA-256 of the dispatch record.
        dispatch: What the record says.
        packing: How its content is coded.
        releases: In the order of their ids.
        records: Every file offered and believed, by its name below ``airlift/`` in
            a volume (``metadata/1.root.json``, ``records/packing.json``...), exact
            bytes. Nothing else may stand there.
        state: What the site's trust state becomes once this is recorded.
        signed_by: Whose signatures counted.
        repeat: Whether this very delivery was imported before.
        missed: Sequence numbers between the last delivery and this that never came.
        warnings: Lines for the operator (a clock behind the floor...).
        graced: Who let it be taken although it has expired; nobody where it has not.
    """

    id: Sha256
    dispatch: Dispatch
    packing: PackingList
    releases: tuple[VerifiedRelease, ...]
    records: Mapping[str, bytes]
    state: TrustState
    signed_by: tuple[SignedBy, ...]
    repeat: bool = False
    missed: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    graced: tuple[str, ...] = ()
