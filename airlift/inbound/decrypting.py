"""Encrypted volumes, read as what is inside of them.

Decryption stands where the medium is read and decides nothing: what comes out is a
volume like any other, and is verified like one. What does not open is a damaged place
of the volume, and the rest of it is still read.
"""

import io
from typing import TypeAlias

from airlift.errors import FormatError, TrustError
from airlift.format import cover, framing
from airlift.format.cipher import BATCH, CHUNK, PLAIN, TAG, Cipher, Layout
from airlift.format.cover import Cover
from airlift.format.reading import Lent, VolumeStream
from airlift.inbound.volume_file import SMALL, VolumeFile
from airlift.store.bulk import Buffers
from airlift.trust.encryption_key import Opener

OpenVolume: TypeAlias = "VolumeFile | DecryptedFile"
"""A volume in a file, as it is or decrypted on the way."""


class LockedError(TrustError):
    """A volume is encrypted, and not to a key of this host."""


def look(source: VolumeStream) -> tuple[Cover, bytes] | None:
    """Return the cover at the beginning of *source*, decoded and as it is.

    None where it does not begin with one; *source* is where it was then.

    Raises:
        FormatError: It begins with one that is damaged.
    """
    try:
        top = source.take(framing.RECORD)
    except FormatError:
        if isinstance(source, VolumeFile):
            return None  # it is where it was, and whoever reads on is told the same
        raise
    try:
        name, size = framing.parse(top, limit=cover.LIMIT)
    except FormatError:
        name, size = "", 0
    if name != cover.NAME:
        source.push_back(top)
        return None
    data = source.take(size)
    if any(source.take(framing.padding(size))):
        problem = "padding is not zero"
        raise source.error(problem)
    return cover.decode(data, name=f"{source.name}: {cover.NAME}"), data


def unlocked(source: VolumeStream, found: tuple[Cover, bytes], keys: Opener) -> Cipher:
    """Return what decrypts the volume *source*, of which the cover was *found*.

    Raises:
        LockedError: No key of this host opens it.
    """
    shown, data = found
    secret = keys.secret(shown)
    if secret is None:
        raise locked(source.name, shown, keys)
    return Cipher(cover.key_of(secret, data))


def locked(name: str, shown: Cover, keys: Opener) -> LockedError:
    """Return the error that says that the volume *name* cannot be opened here."""
    problem = f"{name}: {keys.problem(shown)}"
    hint = (
        "it is for another host, or a key was replaced: `airlift trust encryption-key` "
        "shows this host's, `airlift export --again` encrypts to the one enrolled"
    )
    return LockedError(problem, hint=hint)


def layout(found: tuple[Cover, bytes]) -> Layout:
    """Return where what lies in a volume that begins with the cover *found*."""
    shown, data = found
    return Layout(framing.footprint(len(data)), shown.size)


class DecryptedFile(VolumeStream):
    """The volume inside of an encrypted one in a file.

    Offsets are those of the volume inside. It is read in order by one thread at a time.

    Args:
        under: The file, of which the cover was read.
        place: Where what lies in it.
        cipher: Decrypts it.
        buffers: Where memory for slabs comes from.
    """

    encrypted = True

    def __init__(
        self, under: VolumeFile, place: Layout, cipher: Cipher, buffers: Buffers
    ) -> None:
        super().__init__(io.BytesIO(), under.name)
        self._under, self._layout, self._cipher = under, place, cipher
        self._buffers = buffers
        self._kept, self._number = memoryview(b""), -1

    @property
    def doubts(self) -> int:
        """How many pieces were right only when they were read again."""
        return self._under.doubts

    @property
    def gone(self) -> bool:
        """Whether the medium was there no more when the last read failed."""
        return self._under.gone

    def take(self, size: int) -> bytes:
        """Return exactly *size* bytes."""
        out = bytearray(size)
        self._read_into(memoryview(out))
        return bytes(out)

    def slab(self, size: int) -> Lent:
        """Return exactly *size* bytes; lent if they are many."""
        if size < SMALL:
            return self.take(size)
        buffer = self._buffers.take()
        try:
            self._read_into(buffer[:size])
        except BaseException:
            self._buffers.give(buffer)
            raise
        return buffer[:size]

    def skip(self, size: int) -> None:
        """Pass over *size* bytes, none of which is read."""
        self._must_have(size)
        self.offset += size

    def resume(self, offset: int) -> bool:
        """Go on at byte *offset*, behind bytes that could not be read."""
        self.offset = offset
        chunk = min(offset // PLAIN, self._layout.chunks - 1)
        return offset <= self._layout.size and self._under.resume(
            self._layout.at(chunk)
        )

    def push_back(self, data: bytes) -> None:
        """Give the bytes just taken back, to be taken again."""
        self.offset -= len(data)

    def at_end(self) -> bool:
        """Say whether no byte is left, of the volume inside and of the file."""
        self._under.offset = self._layout.total
        return self.offset >= self._layout.size and self._under.at_end()

    def _must_have(self, size: int) -> None:
        if (left := self.offset + size - self._layout.size) > 0:
            raise self.ended(self._layout.size, left)

    def _read_into(self, out: memoryview) -> None:
        """Fill *out* with what comes next, and be behind it.

        Raises:
            VolumeError: Some of it cannot be read, or does not decrypt.
        """
        self._must_have(len(out))
        done = 0
        while done < len(out):
            chunk, begin = divmod(self.offset + done, PLAIN)
            whole = (len(out) - done) // PLAIN
            if begin or not whole or chunk == self._number:
                some = self._one(chunk)[begin : begin + len(out) - done]
                out[done : done + len(some)] = some
                done += len(some)
            else:
                count = self._layout.run(chunk, min(BATCH, whole))
                self._many(chunk, count, out[done : done + count * PLAIN])
                done += count * PLAIN
        self.offset += done

    def _one(self, chunk: int) -> memoryview:
        """Return what one chunk holds, which is kept: what follows may begin in it."""
        if chunk != self._number:
            self._number = -1
            room = memoryview(bytearray(self._layout.stored(chunk) - TAG))
            self._many(chunk, 1, room)
            self._kept, self._number = room, chunk
        return self._kept

    def _many(self, chunk: int, count: int, out: memoryview) -> None:
        """Decrypt *count* chunks that lie end to end to *out*, of exactly that length.

        Those of the last piece of a volume may be one that is not whole.
        """
        self._frame(chunk)
        last = chunk + count - 1
        size = (count - 1) * CHUNK + self._layout.stored(last)
        start = self._under.offset = self._layout.at(chunk)
        stored = self._under.slab(size)
        try:
            if self._decrypted(chunk, stored, out):
                self._end(last)
                return
        finally:
            self._buffers.give(stored)

        def right(again: Lent) -> bool:
            return self._decrypted(chunk, again, out)

        again = self._under.again(start, size, right)
        if again is None:
            problem = f"what lies from byte {start} to {start + size} does not decrypt"
            raise self.error(problem)
        self._buffers.give(again)
        self._end(last)

    def _decrypted(self, chunk: int, stored: Lent, out: memoryview) -> bool:
        view, decrypt = memoryview(stored), self._cipher.decrypt
        return all(
            decrypt(
                chunk + at,
                view[at * CHUNK : (at + 1) * CHUNK],
                out[at * PLAIN : (at + 1) * PLAIN],
            )
            for at in range(-(-len(view) // CHUNK))
        )

    def _frame(self, chunk: int) -> None:
        """Compare what lies in front of a chunk, where a piece begins."""
        expected = self._layout.header(chunk)
        if expected:
            self._under.offset = self._layout.at(chunk) - len(expected)
            self._compare(expected)

    def _end(self, chunk: int) -> None:
        """Compare what lies behind the last chunk."""
        if chunk == self._layout.chunks - 1:
            self._under.offset = self._layout.data_end
            self._compare(self._layout.tail)

    def _compare(self, expected: bytes) -> None:
        start = self._under.offset
        if self._under.take(len(expected)) == expected:
            return
        same = expected.__eq__
        if self._under.again(start, len(expected), same) is None:
            problem = f"framing at byte {start} of the file is not what it must be"
            raise self.error(problem)


class DecryptedStream(VolumeStream):
    """The volume inside of an encrypted one in a pipe; never seeked.

    Args:
        under: The pipe, of which the cover was read.
        place: Where what lies in it.
        cipher: Decrypts it.
    """

    encrypted = True

    def __init__(self, under: VolumeStream, place: Layout, cipher: Cipher) -> None:
        super().__init__(io.BytesIO(), under.name)
        self._under, self._layout, self._cipher = under, place, cipher
        self._left, self._next = memoryview(b""), 0

    def at_end(self) -> bool:
        """Say whether no byte is left in the pipe."""
        return self._under.at_end()

    def next(self, name: str) -> VolumeStream:
        """Return the volume that follows this one on the same pipe, as it is."""
        return self._under.next(name)

    def _read(self, size: int) -> bytes:
        if not self._left and self._next < self._layout.chunks:
            self._left = self._chunk(self._next)
            self._next += 1
        some, self._left = self._left[:size], self._left[size:]
        return bytes(some)

    def _chunk(self, number: int) -> memoryview:
        self._compare(self._layout.header(number))
        stored = self._under.take(self._layout.stored(number))
        out = memoryview(bytearray(len(stored) - TAG))
        if not self._cipher.decrypt(number, stored, out):
            problem = f"chunk {number} does not decrypt"
            raise self.error(problem)
        if number == self._layout.chunks - 1:
            self._compare(self._layout.tail)
        return out

    def _compare(self, expected: bytes) -> None:
        start = self._under.offset
        if self._under.take(len(expected)) != expected:
            problem = f"framing at byte {start} of the pipe is not what it must be"
            raise self.error(problem)


def of_file(source: VolumeFile, keys: Opener, buffers: Buffers) -> OpenVolume:
    """Return the volume in a file that was just opened: itself, or what is inside.

    Raises:
        LockedError: It is encrypted, and not to a key of this host.
        FormatError: It begins with a cover that is damaged.
    """
    found = look(source)
    if found is None:
        return source
    cipher = unlocked(source, found, keys)
    return DecryptedFile(source, layout(found), cipher, buffers)


def of_stream(source: VolumeStream, keys: Opener) -> VolumeStream:
    """Return the volume that begins here in a pipe: itself, or what is inside.

    Raises:
        LockedError, FormatError: As ``of_file``.
    """
    found = look(source)
    if found is None:
        return source
    return DecryptedStream(source, layout(found), unlocked(source, found, keys))
