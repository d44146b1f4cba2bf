"""A checkpoint: how long a site's log is, and its root, in a signed note.

The form is C2SP's (https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint), so
that tools of others can read it: three lines of text, an empty line, one signature::

    airlift/plant7
    42
    Ic0f3dQk0...root, base64...=

    — airlift/plant7 sKd3...key hash and signature, base64...==

The text is what is signed, up to the end of its last line. airlift writes no other lines
and one signature, and reads nothing else: no two spellings of one checkpoint.
"""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import FormatError

PREFIX = "airlift/"
LIMIT = 1024
"""Bytes; the longest has some 220."""
ED25519 = 1
"""The type of signature, as C2SP numbers them."""
KEY_HASH_BYTES = 4

_DASH = "— "
_SIGNATURE_BYTES = 64
_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says.

    Attributes:
        site: Whose log it is of.
        size: How many entries it has.
        root: Of the tree over them.
    """

    site: str
    size: int
    root: Sha256

    @property
    def text(self) -> bytes:
        """The bytes that are signed."""
        root = base64.b64encode(bytes.fromhex(self.root)).decode()
        return f"{origin(self.site)}\n{self.size}\n{root}\n".encode()

    @property
    def head(self) -> tuple[int, bytes]:
        """Size and root, as ``merkle.extends`` compares them."""
        return self.size, bytes.fromhex(self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A checkpoint and what claims to be a signature of it; nothing is believed yet.

    Attributes:
        checkpoint: What it says.
        key_hash: The first 4 bytes of the digest of the key and its name.
        signature: 64 bytes, of ``checkpoint.text``.
    """

    checkpoint: Checkpoint
    key_hash: bytes
    signature: bytes


def origin(site: str) -> str:
    """Return the first line of the checkpoints of *site*, and the name of its key."""
    return PREFIX + site


def key_hash(site: str, public: bytes) -> bytes:
    """Return the 4 bytes that tell the Ed25519 key *public* of *site* from others."""
    named = origin(site).encode() + b"\n" + bytes([ED25519]) + public
    return sha256(named).digest()[:KEY_HASH_BYTES]


def verifier_key(site: str, public: bytes) -> str:
    """Return the key *public* of *site* as C2SP's tools are told it."""
    coded = base64.b64encode(bytes([ED25519]) + public).decode()
    return f"{origin(site)}+{key_hash(site, public).hex()}+{coded}"


def encode(checkpoint: Checkpoint, public: bytes, signature: bytes) -> bytes:
    """Return the note of *checkpoint*, signed by the 32-byte key *public*."""
    site = checkpoint.site
    coded = base64.b64encode(key_hash(site, public) + signature).decode()
    return checkpoint.text + f"\n{_DASH}{origin(site)} {coded}\n".encode()


def decode(data: bytes, *, name: str = "checkpoint") -> Note:
    """Return the note that *data* is, to the byte.

    Raises:
        FormatError: It is not one that ``encode`` writes.
    """
    lines = _lines(data, name)
    if len(lines) != 6 or lines[3] or lines[5]:
        raise _refused(name, "is not three lines, an empty one and a signature")
    first, size, root, _, signed, _ = lines
    site = first.removeprefix(PREFIX)
    if origin(site) != first or not naming.is_site(site):
        raise _refused(
            name, f"is of `{naming.show(first[:80])}`, expected airlift/SITE"
        )
    if not (size.isdecimal() and size.isascii() and len(size) <= _DIGITS):
        raise _refused(name, f"has the size `{naming.show(size[:80])}`")
    start = f"{_DASH}{first} "
    if not signed.startswith(start):
        raise _refused(name, f"has no signature of {first}")
    coded = _decoded(
        signed.removeprefix(start), KEY_HASH_BYTES + _SIGNATURE_BYTES, name
    )
    found = Note(
        checkpoint=Checkpoint(
            site=site,
            size=int(size),
            root=Sha256(_decoded(root, 32, name).hex()),
        ),
        key_hash=coded[:KEY_HASH_BYTES],
        signature=coded[KEY_HASH_BYTES:],
    )
    if not data.startswith(found.checkpoint.text + b"\n"):
        raise _refused(name, "is spelled otherwise than airlift does")
    return found


def _lines(data: bytes, name: str) -> list[str]:
    if len(data) > LIMIT:
        raise _refused(name, f"has {len(data)} bytes, expected at most {LIMIT}")
    try:
        return data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise _refused(name, "is not UTF-8") from error


def _decoded(text: str, size: int, name: str) -> bytes:
    """Return *size* bytes from base64 (RFC 4648 section 4), in its one spelling."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != size or base64.b64encode(found).decode() != text:
        raise _refused(name, f"has no {size} bytes of base64 where they belong")
    return found


def _refused(name: str, problem: str) -> FormatError:
    hint = "copy it again from where it was written (`airlift log show`)"
    return FormatError(f"{naming.show(name)} {problem}", hint=hint)
