"""What a receipt says of its site's log (docs/format.md, "Receipt").

The newest checkpoint, and proofs that the log it is of begins with the logs that the
connected side may have seen before. Whoever keeps the last checkpoint of a site and asks
each later one for such a proof is a witness: a log that was rewritten, or put back from
an old copy, cannot give it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airlift.artifact import Json
from airlift.digest import is_sha256
from airlift.errors import AirliftError
from airlift.format import checkpoint, merkle
from airlift.format.checkpoint import Checkpoint
from airlift.format.fields import Fields

PROOFS = 16
"""Most proofs in a receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTold:
    """What a site says of its log.

    Attributes:
        note: The newest checkpoint, signed.
        proofs: By the size of an earlier log: that this one begins with it.
    """

    note: bytes
    proofs: Mapping[int, Sequence[bytes]] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says; nothing is believed by this."""
        return checkpoint.decode(self.note).checkpoint

    def proves(self, earlier: Checkpoint) -> bool:
        """Say whether it is shown that the log begins with that of *earlier*."""
        told = self.checkpoint
        proof = () if told.size == earlier.size else self.proofs.get(earlier.size, ())
        return told.site == earlier.site and merkle.extends(
            earlier.head, told.head, proof
        )


def as_table(told: LogTold) -> dict[str, Json]:
    """Return the table of *told*."""
    proofs: list[Json] = [
        {"size": size, "hashes": [one.hex() for one in told.proofs[size]]}
        for size in sorted(told.proofs)
    ]
    return {"checkpoint": told.note.decode(), "proofs": proofs}


def from_table(entry: Fields) -> LogTold:
    """Return what *entry* says.

    Raises:
        FormatError: It is no such table.
    """
    entry.exactly("checkpoint", "proofs")
    note = entry.text("checkpoint").encode()
    try:
        checkpoint.decode(note)
    except AirliftError as error:
        entry.refuse("checkpoint", f"is none: {error.problem}")
    proofs: dict[int, Sequence[bytes]] = {}
    for one in entry.tables("proofs"):
        one.exactly("size", "hashes")
        hashes = one.texts("hashes")
        if len(hashes) > merkle.DEPTH + 1 or not all(map(is_sha256, hashes)):
            one.refuse("hashes", "is not a few SHA-256s, in lower-case hexadecimal")
        proofs[one.number("size", least=1)] = tuple(map(bytes.fromhex, hashes))
    if len(proofs) > PROOFS:
        entry.refuse("proofs", f"has more than {PROOFS} entries")
    return LogTold(note=note, proofs=proofs)
