"""The cover of an encrypted volume: what its medium tells to anybody.

Enough to sort media, to name what is missing and to rebuild from spares: site, sequence,
ordinal, count. Not what is inside: the digest of the dispatch record and the cut points,
by which a guess at the content could be proved right, are replaced by keyed ones.

Everything here is derived from one secret of 32 bytes, which the cover carries encrypted
to the site (``airlift.trust.recipient``):

    name    = HMAC-SHA-256(secret, "delivery" 0 digest of the dispatch record)
    cutting = HMAC-SHA-256(secret, "cutting" 0 record of the cut points), 16 digits
    salt    = HMAC-SHA-256(secret, "salt" 0 SHA-256 of all that precedes the slabs)
    key     = HMAC-SHA-256(secret, "key" 0 cover)

The salt makes the key one of this very content: what precedes the slabs names the digest
of everything behind it, so no key ever meets two contents, however often a volume is
written again. Source: docs/format.md, "Encrypted volumes"; docs/adr/0015.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.format import canonical, framing
from airlift.format.fields import Fields
from airlift.format.volume import LIMIT as VOLUMES
from airlift.format.volume import Cut, Label

FORMAT: Final = "airlift/encrypted/1"
NAME: Final = "airlift/encrypted.json"
LIMIT: Final = 8192
"""Most bytes of a cover: the largest encapsulation has 3,426 digits."""
SECRET: Final = 32
"""Bytes of the secret of a delivery."""
_SIZE_LIMIT: Final = 1 << 43
_CUTTING: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What an encrypted volume says of itself; a hint, as a label is.

    Attributes:
        site: Whom it is for.
        sequence: Of the delivery.
        delivery: Stands for the digest of the dispatch record; keyed.
        cutting: As in the label inside; keyed.
        ordinal: Of the volume, from 1.
        count: Of all volumes of the cutting.
        size: Bytes of the volume inside.
        suite: How the secret is encrypted.
        key_id: To which key of the site.
        encapsulated: The secret, encrypted.
        salt: Makes the key one of this content.
    """

    site: str
    sequence: int
    delivery: Sha256
    cutting: str
    ordinal: int
    count: int
    size: int
    suite: str
    key_id: Sha256
    encapsulated: bytes
    salt: Sha256

    @property
    def label(self) -> Label:
        """What tells the volume from others, as a label; without cut points."""
        return Label(
            site=self.site,
            sequence=self.sequence,
            dispatch=self.delivery,
            cutting=self.cutting,
            ordinal=self.ordinal,
            count=self.count,
            first=Cut(0, 0),
            end=Cut(0, 0),
        )

    def covers(self, label: Label, secret: bytes) -> bool:
        """Say whether *label* is one that the volume inside may have."""
        said = (self.site, self.sequence, self.cutting, self.ordinal, self.count)
        found = (label.site, label.sequence, label.cutting, label.ordinal, label.count)
        return said == found and blinded(secret, label.dispatch) == self.delivery


def blinded(secret: bytes, dispatch: Sha256) -> Sha256:
    """Return what stands for the digest of a dispatch record on media."""
    return Sha256(_derived(secret, b"delivery", dispatch.encode()).hex())


def cutting_of(secret: bytes, ends: Sequence[Cut]) -> str:
    """Return what stands for the cut points of a cutting in labels and on media."""
    points: list[Json] = [(one.part, one.slab) for one in ends]
    return _derived(secret, b"cutting", canonical.encode(points)).hex()[:_CUTTING]


def salt_of(secret: bytes, front: bytes) -> Sha256:
    """Return the salt of a volume.

    Args:
        secret: Of its delivery.
        front: All that precedes its slabs, with framing.
    """
    return Sha256(_derived(secret, b"salt", hashlib.sha256(front).digest()).hex())


def key_of(secret: bytes, data: bytes) -> bytes:
    """Return the 32 bytes of the key of the volume whose cover has the bytes *data*."""
    return _derived(secret, b"key", data)


def _derived(secret: bytes, purpose: bytes, about: bytes) -> bytes:
    return hmac.digest(secret, purpose + b"\0" + about, "sha256")


def encode(cover: Cover) -> bytes:
    """Return the bytes of ``airlift/encrypted.json``."""
    fields: dict[str, Json] = {
        "format": FORMAT,
        "site": cover.site,
        "sequence": cover.sequence,
        "delivery": cover.delivery,
        "cutting": cover.cutting,
        "ordinal": cover.ordinal,
        "count": cover.count,
        "size": cover.size,
        "suite": cover.suite,
        "key_id": cover.key_id,
        "encapsulated": cover.encapsulated.hex(),
        "salt": cover.salt,
    }
    return canonical.encode({**fields, "check": sha256(canonical.encode(fields))})


def decode(data: bytes, *, name: str) -> Cover:
    """Return the cover that *data* states.

    Raises:
        FormatError: It is not a cover, or its check fails.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.expect("format", FORMAT)
    cover = Cover(
        site=top.text("site"),
        sequence=top.number("sequence", least=1),
        delivery=top.sha256("delivery"),
        cutting=top.text("cutting"),
        ordinal=top.number("ordinal", least=1),
        count=top.number("count", least=1),
        size=top.number("size", least=1),
        suite=top.text("suite"),
        key_id=top.sha256("key_id"),
        encapsulated=_octets(top),
        salt=top.sha256("salt"),
    )
    # Re-encoding compares every field and the check in one go.
    if encode(cover) != data:
        top.refuse("check", "does not fit the other fields", hint="copy the file again")
    if cover.ordinal > cover.count or cover.count > VOLUMES:
        top.refuse("ordinal", "contradicts the other fields")
    if cover.size > _SIZE_LIMIT or not naming.is_site(cover.site):
        top.refuse("size", "or `site` is out of bounds")
    return cover


def _octets(top: Fields) -> bytes:
    try:
        return bytes.fromhex(top.text("encapsulated"))
    except ValueError:
        top.refuse("encapsulated", "is not hexadecimal")


def member(data: bytes) -> bytes:
    """Return the first member of an encrypted volume, which holds the cover *data*."""
    return framing.header(NAME, len(data)) + data + bytes(framing.padding(len(data)))
