"""Streaming a blob from the store: exact length, or a broken connection.

On plain TCP the kernel copies from the page cache to the socket (``sendfile``), on
TLS 1 MiB at a time is read and encrypted: asyncio's own fallback moves 16 KiB at a
time and was measured at a tenth of the speed and ten times the CPU.
"""

import asyncio
import io
import os
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from aiohttp import web

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.serve.dialect import BlobBody, Shelf
from airlift.serve.ranges import Cut
from airlift.store.span import Span

SLICE_BYTES = 4 << 20
"""How much is sent before progress is noted; no cost was measurable above 1 MiB."""
CHUNK_BYTES = 1 << 20
HINT = "`airlift verify` shows what the store lacks; import that delivery again"

Count = Callable[[int], None]
"""Called with how many more bytes the client's connection took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A response whose head was sent, and the connection it goes out by."""

    stream: web.StreamResponse
    transport: asyncio.Transport

    @property
    def plain(self) -> bool:
        """Whether the connection is not encrypted."""
        return self.transport.get_extra_info("sslcontext") is None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBlob:
    """An open file with a blob's bytes at *offset*; closed by who opened it."""

    file: io.FileIO
    offset: int
    size: int


def opened(shelf: Shelf, body: BlobBody) -> OpenBlob:
    """Open the blob of *body* for reading; the caller closes its file.

    Raises:
        StoreError: The store lacks it, or its length is not what the records say.
    """
    name = f"blob {body.sha256}"
    span, file = _span_and_file(shelf, body.sha256)
    if span.length != body.size:
        file.close()
        problem = (
            f"{name} has {span.length} bytes in the store, its release says {body.size}"
        )
        raise StoreError(problem, hint=HINT)
    held, stop = os.fstat(file.fileno()).st_size, span.offset + span.length
    if held < stop:
        file.close()
        shown = naming.show(str(span.path))
        problem = f"{name}: {shown} has {held} bytes, expected {stop}"
        raise StoreError(problem, hint=HINT)
    return OpenBlob(file=file, offset=span.offset, size=span.length)


def _span_and_file(shelf: Shelf, sha256: Sha256) -> tuple[Span, io.FileIO]:
    reason = "is missing from the store"
    # Twice: a collection may replace a pack between the two steps.
    for _ in range(2):
        span = shelf.span(sha256)
        if span is None:
            break
        try:
            return span, io.FileIO(span.path)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
    problem = f"blob {sha256} {reason}"
    raise StoreError(problem, hint=HINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Sends parts of open blobs.

    Attributes:
        readers: Threads for reads that may wait for a disk.
        stall_s: Seconds in which a client must take one slice.
    """

    readers: Executor
    stall_s: float

    async def send(
        self, response: Prepared, blob: OpenBlob, part: Cut, count: Count
    ) -> None:
        """Send the bytes of *blob* that *part* names, and report them to *count*.

        Raises:
            StoreError: The file ended early; what was sent is short.
            ConnectionError: The client went away.
            TimeoutError: The client took less than a slice in ``stall_s``.
        """
        at, take = part.start, _by_kernel if response.plain else self._by_hand
        while at < part.stop:
            length = min(SLICE_BYTES, part.stop - at)
            if response.transport.is_closing():
                problem = "client went away"
                raise ConnectionResetError(problem)
            try:
                async with asyncio.timeout(self.stall_s):
                    taken = await take(response, blob, at, length)
            except asyncio.SendfileNotAvailableError:
                take = self._by_hand  # a file system that cannot, or a dead client
                continue
            if taken == 0:
                problem = f"{naming.show(str(blob.file.name))} ended early, at byte {blob.offset + at}"
                raise StoreError(problem, hint=HINT)
            at += taken
            count(taken)

    async def _by_hand(
        self, response: Prepared, blob: OpenBlob, at: int, length: int
    ) -> int:
        loop = asyncio.get_running_loop()
        size, offset = min(length, CHUNK_BYTES), blob.offset + at
        chunk = await loop.run_in_executor(
            self.readers, os.pread, blob.file.fileno(), size, offset
        )
        await response.stream.write(chunk)
        return len(chunk)


async def _by_kernel(response: Prepared, blob: OpenBlob, at: int, length: int) -> int:
    loop = asyncio.get_running_loop()
    return await loop.sendfile(
        response.transport, blob.file, blob.offset + at, length, fallback=False
    )
