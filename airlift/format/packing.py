"""The packing list: how a delivery's content is coded (docs/format.md, "Packing list").

Bound by the dispatch record's digest of it. Blobs are in the order their parts
travel; a part is a run of whole slabs of one blob.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from airlift.artifact import Json
from airlift.digest import Sha256, is_sha256
from airlift.format import canonical
from airlift.format.fields import Fields

FORMAT = "airlift/packing/1"
LIMIT = 256 << 20
PART_LIMIT = 252 << 20
"""Most bytes a part's slabs give when decoded."""
STORED_LIMIT = 253 << 20
"""Most stored bytes of a part: below what common registries take as one blob, and above
``PART_LIMIT``, because blocks of noise are larger than it by their headers."""
HEAD_LIMIT = 1 << 20
SLAB = 4 << 20
"""Most raw bytes of a slab, the unit that is verified, decoded and cut at."""
HEADERS = 4096
"""Most bytes by which a coded slab is longer than it is raw: its blocks' headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The table of a part's slabs, as bytes that travel beside the part."""

    sha256: Sha256
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run of slabs of one blob, as stored.

    Attributes:
        sha256: Of the stored bytes, which is the part's name in a volume.
        size: Stored bytes.
        raw: Bytes of the blob that this part gives.
        head: Its table of slabs; None for one raw slab, whose digest says it all.
    """

    sha256: Sha256
    size: int
    raw: int
    head: Head | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedBlob:
    """A blob that travels: its digest, its true size and its parts in order."""

    sha256: Sha256
    size: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingList:
    """All that travels in a delivery, in travelling order."""

    blobs: tuple[PackedBlob, ...]

    def parts(self) -> Iterator[tuple[PackedBlob, Part]]:
        """Yield every part with its blob, in travelling order."""
        for blob in self.blobs:
            for part in blob.parts:
                yield blob, part

    @property
    def raw_size(self) -> int:
        """Bytes of all blobs once unpacked."""
        return sum(blob.size for blob in self.blobs)

    @property
    def stored_size(self) -> int:
        """Bytes of all heads and parts, each once, without framing."""
        return sum(
            part.size + (part.head.size if part.head else 0) for _, part in self.parts()
        )


def encode(listing: PackingList) -> bytes:
    """Return the canonical bytes of *listing*."""
    blobs: list[Json] = [
        {
            "sha256": blob.sha256,
            "size": blob.size,
            "parts": [_part(part) for part in blob.parts],
        }
        for blob in listing.blobs
    ]
    return canonical.encode({"format": FORMAT, "blobs": blobs})


def _part(part: Part) -> dict[str, Json]:
    head: Json = None
    if part.head:
        head = {"sha256": part.head.sha256, "size": part.head.size}
    return {"sha256": part.sha256, "size": part.size, "raw": part.raw, "head": head}


def decode(data: bytes, *, name: str = "packing list") -> PackingList:
    """Return the list that canonical, authenticated *data* states.

    Raises:
        FormatError: It is not a packing list this version understands, or its sizes
            contradict each other.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.exactly("format", "blobs")
    top.expect("format", FORMAT)
    listing = PackingList(blobs=tuple(top.each("blobs", _usual_blob, _read_blob)))
    if len({blob.sha256 for blob in listing.blobs}) != len(listing.blobs):
        top.refuse("blobs", "name a blob twice")
    return listing


def _usual_blob(value: Json) -> PackedBlob | None:
    """Read a blob that is one raw slab, as small files are, faster than by place."""
    # Canonical JSON has one order of keys, so the values are known by their position.
    if type(value) is not dict or tuple(value) != ("parts", "sha256", "size"):
        return None
    parts, name, size = value.values()
    if type(parts) is not list or len(parts) != 1 or not is_sha256(name):
        return None
    one = parts[0]
    if type(one) is not dict or tuple(one) != ("head", "raw", "sha256", "size"):
        return None
    table, raw, digest, stored = one.values()
    usual = (
        table is None
        and type(size) is type(raw) is type(stored) is int
        and 1 <= size == raw == stored <= SLAB
        and is_sha256(digest)
    )
    if not usual:
        return None
    part = Part(sha256=digest, size=stored, raw=raw)
    return PackedBlob(sha256=name, size=size, parts=(part,))


def _read_blob(entry: Fields) -> PackedBlob:
    entry.exactly("sha256", "size", "parts")
    blob = PackedBlob(
        sha256=entry.sha256("sha256"),
        size=entry.number("size"),
        parts=tuple(_read_part(one) for one in entry.tables("parts")),
    )
    if sum(part.raw for part in blob.parts) != blob.size:
        entry.refuse("parts", f"do not add up to {blob.size} bytes")
    return blob


def _read_part(entry: Fields) -> Part:
    entry.exactly("sha256", "size", "raw", "head")
    head = None
    if entry.has("head"):
        table = entry.table("head")
        table.exactly("sha256", "size")
        head = Head(sha256=table.sha256("sha256"), size=table.number("size", least=1))
        if head.size > HEAD_LIMIT:
            table.refuse("size", f"is above the limit of {HEAD_LIMIT}")
    part = Part(
        sha256=entry.sha256("sha256"),
        size=entry.number("size"),
        raw=entry.number("raw", least=1),
        head=head,
    )
    if part.size > STORED_LIMIT:
        entry.refuse("size", f"is above the limit of {STORED_LIMIT}")
    if head is None and not part.size == part.raw <= SLAB:
        entry.refuse("head", "is missing from a part of more than one raw slab")
    return part
