"""The ciphertext of an encrypted volume: where it lies, and its chunks.

    cover | pieces of at most 1 GiB, each a member | end mark
    chunk := at most 65,520 bytes of the volume inside, and a tag of 16

Chunk *i* is AES-256-GCM (NIST SP 800-38D) under the volume's own key, with *i* as its
nonce and nothing beside it. How many chunks there are, and how long the last one is,
follow from the size that the cover states; the key is derived from the cover, so with
any other size no chunk opens: neither a cut nor a changed order of chunks goes unseen.
Source: docs/format.md, "Encrypted volumes".
"""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from airlift.format import framing

CHUNK: Final = 1 << 16
"""Bytes of a chunk on the medium: as many as a stripe of a spare. A flipped bit costs
one chunk, and what a chunk costs beside its bytes is 4 microseconds."""
TAG: Final = 16
PLAIN: Final = CHUNK - TAG
"""Bytes of the volume inside that a chunk has."""
PIECE: Final = 1 << 30
"""Most bytes of a member: the header of one has room for 8 GiB."""
BATCH: Final = 64
"""Chunks that are worked on together: 4 MiB."""
_IN_PIECE: Final = PIECE // CHUNK
_MEMBER: Final = PIECE + framing.RECORD


@dataclass(frozen=True, slots=True)
class Layout:
    """Where what lies in the file of an encrypted volume.

    Attributes:
        head: Bytes of the member that holds the cover.
        size: Bytes of the volume inside.
    """

    head: int
    size: int

    @property
    def chunks(self) -> int:
        """How many there are."""
        return -(-self.size // PLAIN)

    @property
    def total(self) -> int:
        """Bytes of the file."""
        return self.data_end + len(self.tail)

    @property
    def data_end(self) -> int:
        """Where the last chunk ends."""
        last = self.chunks - 1
        return self.at(last) + self.stored(last)

    @property
    def tail(self) -> bytes:
        """What follows the last chunk."""
        last = (self.chunks - 1) // _IN_PIECE
        return bytes(framing.padding(self._piece(last))) + framing.END

    def at(self, chunk: int) -> int:
        """Return where a chunk begins in the file."""
        headers = framing.RECORD * (chunk // _IN_PIECE + 1)
        return self.head + headers + chunk * CHUNK

    def stored(self, chunk: int) -> int:
        """Return how many bytes a chunk has on the medium."""
        return min(CHUNK, self.size - chunk * PLAIN + TAG)

    def run(self, chunk: int, most: int) -> int:
        """Return how many chunks from *chunk* on lie end to end, *most* at most."""
        return min(most, self.chunks - chunk, _IN_PIECE - chunk % _IN_PIECE)

    def header(self, chunk: int) -> bytes:
        """Return what lies in front of a chunk; nothing but where a piece begins."""
        if chunk % _IN_PIECE:
            return b""
        piece = chunk // _IN_PIECE
        return framing.header(f"encrypted/{piece:04d}", self._piece(piece))

    def _piece(self, piece: int) -> int:
        stored = self.size + TAG * self.chunks
        return min(PIECE, stored - piece * PIECE)


def room(head: int, capacity: int) -> int:
    """Return the most bytes that the volume inside a file of *capacity* can have.

    0 where not one fits.
    """
    full, rest = divmod(max(0, capacity - head - len(framing.END)), _MEMBER)
    data = max(0, rest - framing.RECORD) // framing.RECORD * framing.RECORD
    chunks, last = divmod(full * PIECE + data, CHUNK)
    # The rest of a chunk has a tag as well.
    return chunks * PLAIN + max(0, last - TAG)


class Cipher:
    """Encrypts and decrypts the chunks of one volume, from any threads.

    Args:
        key: Of the volume, 32 bytes, and of nothing else.
    """

    def __init__(self, key: bytes) -> None:
        self._gcm = AESGCM(key)

    def encrypt(self, chunk: int, plain: memoryview, out: memoryview) -> int:
        """Write a chunk to the front of *out*; return its bytes."""
        size = len(plain) + TAG
        return self._gcm.encrypt_into(_nonce(chunk), plain, None, out[:size])

    def decrypt(self, chunk: int, stored: memoryview | bytes, out: memoryview) -> bool:
        """Write what a chunk holds to *out*, of exactly that length.

        Returns:
            Whether it is what was encrypted; *out* may have anything in it if not.
        """
        try:
            self._gcm.decrypt_into(_nonce(chunk), stored, None, out)
        except InvalidTag:
            return False
        return True


def _nonce(chunk: int) -> bytes:
    return chunk.to_bytes(12, "big")
