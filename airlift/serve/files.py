"""Streaming a blob from the store: exact length, or a broken connection.

On plain TCP the kernel copies from the page cache to the socket (``sendfile``), on
TLS 1 MiB at a time is read and encrypted: asyncio's own fallback moves 16 KiB at a
time and was measured at a tenth of the speed and ten times the CPU.
"""

import asyncio
import contextlib
import io
import os
import socket
import struct
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

CHUNK_BYTES = 1 << 20
LEAST_BYTES = 64 << 10
"""A client that takes less than this in ``stall_s`` is cut off."""
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
        stall_s: Seconds in which a client must take ``LEAST_BYTES``.
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
            TimeoutError: The client stopped taking bytes.
        """
        sent = 0
        if response.plain and part.start < part.stop:
            # In one go: calls for 4 MiB each cost half as much CPU again.
            with contextlib.suppress(asyncio.SendfileNotAvailableError):
                sent = await self._by_kernel(response, blob, part, count)
        if sent == 0:  # TLS, a file system that cannot, or a client that is gone
            sent = await self._by_hand(response, blob, part, count)
        if sent < part.stop - part.start:
            at = blob.offset + part.start + sent
            problem = f"{naming.show(str(blob.file.name))} ended early, at byte {at}"
            raise StoreError(problem, hint=HINT)

    async def _by_kernel(
        self, response: Prepared, blob: OpenBlob, part: Cut, count: Count
    ) -> int:
        _refuse_closing(response)
        loop, transport = asyncio.get_running_loop(), response.transport
        offset, length = blob.offset + part.start, part.stop - part.start
        sending = asyncio.ensure_future(
            loop.sendfile(transport, blob.file, offset, length, fallback=False)
        )
        begun = _acknowledged(transport)
        sent = None
        try:
            while not await self._is_done(sending, transport):
                pass
            sent = sending.result()
            return sent
        finally:
            # The file is closed next, so nothing may be reading it any more.
            sending.cancel()
            await asyncio.wait({sending})
            if sent is None:
                sent = min(length, _acknowledged(transport) - begun)
            count(max(0, sent))

    async def _is_done(
        self, sending: asyncio.Future[int], transport: asyncio.Transport
    ) -> bool:
        """Wait for *sending* to end, as long as the client goes on taking bytes."""
        before = _acknowledged(transport)
        done, _ = await asyncio.wait({sending}, timeout=self.stall_s)
        if not done and _acknowledged(transport) - before < LEAST_BYTES:
            raise TimeoutError
        return bool(done)

    async def _by_hand(
        self, response: Prepared, blob: OpenBlob, part: Cut, count: Count
    ) -> int:
        loop, at = asyncio.get_running_loop(), part.start
        while at < part.stop:
            _refuse_closing(response)
            size = min(CHUNK_BYTES, part.stop - at)
            chunk = await loop.run_in_executor(
                self.readers, os.pread, blob.file.fileno(), size, blob.offset + at
            )
            if not chunk:
                break
            async with asyncio.timeout(self.stall_s):
                await response.stream.write(chunk)
            at += len(chunk)
            count(len(chunk))
        return at - part.start


def _refuse_closing(response: Prepared) -> None:
    if response.transport.is_closing():
        problem = "client went away"
        raise ConnectionResetError(problem)


def _acknowledged(transport: asyncio.Transport) -> int:
    """Return how many bytes the other end has acknowledged on this connection.

    Source: ``struct tcp_info`` of linux/tcp.h, ``tcpi_bytes_acked``.
    """
    sock = transport.get_extra_info("socket")
    told = b""
    with contextlib.suppress(OSError):  # it was closed meanwhile
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AT + 8)
    if len(told) < _ACKED_AT + 8:
        return 0
    acked: int = struct.unpack_from("=Q", told, _ACKED_AT)[0]
    return acked


_ACKED_AT = 120
