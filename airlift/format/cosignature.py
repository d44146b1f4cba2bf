"""Cosignatures: what others than the site say of a checkpoint of its log.

The form is C2SP's (https://c2sp.org/tlog-cosignature): a line below the site's own
signature, by which somebody states that at some time this was the log they had seen. An
Ed25519 key signs as C2SP has it (type 4), so that tools of others can check it. C2SP has
no type for ECDSA and for the larger ML-DSA; such keys sign the same message under the
type that it leaves free (255), which other tools pass over. See docs/log.md.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from airlift import naming
from airlift.errors import FormatError
from airlift.format.checkpoint import KEY_HASH_BYTES, Checkpoint

ED25519: Final = b"\x04"
"""The type of a timestamped Ed25519 signature, as C2SP numbers them."""
OTHER: Final = b"\xffairlift/cosignature/1\0"
"""The type of every other signature: the free number, and what makes it ours."""
LIMIT: Final = 64 << 10
"""Bytes of a checkpoint with its cosignatures; one has 6,300 at most."""

_DASH: Final = "— "
_TIME_BYTES: Final = 8
_LATEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """Who cosigns, as C2SP's tools are told it.

    Attributes:
        name: Of the key; stands in each line.
        material: The type of its signatures, then the key.
    """

    name: str
    material: bytes

    @property
    def key_hash(self) -> bytes:
        """The 4 bytes that tell the key from others in a line."""
        named = self.name.encode() + b"\n" + self.material
        return sha256(named).digest()[:KEY_HASH_BYTES]

    @property
    def verifier_key(self) -> str:
        """The key as C2SP's tools are told it."""
        coded = base64.b64encode(self.material).decode()
        return f"{self.name}+{self.key_hash.hex()}+{coded}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A line that claims to be a cosignature; nothing is believed yet.

    Attributes:
        name: Of the key.
        key_hash: As ``Cosigner.key_hash``.
        time: When it was made by the clock there, in seconds since 1970.
        signature: Of ``message``.
    """

    name: str
    key_hash: bytes
    time: int
    signature: bytes


def message(told: Checkpoint, time: int) -> bytes:
    """Return the bytes that a cosignature of *told* made at *time* signs."""
    return f"cosignature/v1\ntime {time}\n".encode() + told.text


def encode(by: Cosigner, time: int, signature: bytes) -> str:
    """Return the line of a cosignature, without its line feed."""
    raw = by.key_hash + time.to_bytes(_TIME_BYTES) + signature
    return f"{_DASH}{by.name} {base64.b64encode(raw).decode()}"


def decode(line: str, *, name: str = "cosignature") -> Cosignature:
    """Return what the line of a cosignature says.

    Raises:
        FormatError: It is not one that ``encode`` writes.
    """
    dash, _, rest = line.partition(" ")
    who, _, coded = rest.partition(" ")
    try:
        raw = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    spelled = base64.b64encode(raw).decode() == coded
    front = KEY_HASH_BYTES + _TIME_BYTES
    found = Cosignature(
        name=who,
        key_hash=raw[:KEY_HASH_BYTES],
        time=int.from_bytes(raw[KEY_HASH_BYTES:front]),
        signature=raw[front:],
    )
    good = f"{dash} " == _DASH and who and spelled and found.signature
    if not good or found.time > _LATEST:
        problem = f"{naming.show(name)} is no cosignature"
        raise FormatError(problem, hint="copy it again from where it was written")
    return found


def joined(note: bytes, lines: Iterable[str]) -> bytes:
    """Return the checkpoint *note* with the cosignatures *lines* below it."""
    return note + "".join(f"{one}\n" for one in lines).encode()


def bare(data: bytes, *, name: str = "checkpoint") -> bytes:
    """Return the checkpoint in *data* without the cosignatures below it.

    Raises:
        FormatError: What lies below it are none.
    """
    if len(data) > LIMIT:
        problem = f"{naming.show(name)} has {len(data)} bytes, expected {LIMIT} at most"
        raise FormatError(problem, hint="this is no checkpoint of a site's log")
    text, gap, signed = data.partition(b"\n\n")
    first, end, below = signed.partition(b"\n")
    for line in below.removesuffix(b"\n").split(b"\n") if below else ():
        decode(line.decode(errors="replace"), name=name)
    return text + gap + first + end
