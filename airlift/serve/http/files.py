"""Streaming from the store: exact length, or a broken connection.

On plain TCP the kernel copies from the page cache to the socket (``sendfile``). On TLS
half a MiB at a time is read and encrypted: asyncio's own fallback moves 16 KiB at a
time and was measured at a tenth of the speed and ten times the CPU. What the page cache
holds is read by the event loop itself, into memory that is used again; handing each
read to a thread and taking new memory for it cost twice the CPU with eight streams.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from aiohttp import web

from airlift.serve.http.bodies import OpenBody, Stretch
from airlift.serve.http.ranges import Cut

CHUNK_BYTES = 512 << 10
BUFFERS_BYTES = 16 << 20
"""What transfers that go through memory share; many at once get smaller chunks."""
LEAST_BYTES = 64 << 10
"""A client that takes less than this in ``stall_s`` is cut off."""
Count = Callable[[int], None]
"""Called with how many more bytes the client's connection took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A response whose head was sent, and the connection it goes out by."""

    stream: web.StreamResponse
    transport: asyncio.Transport

    @property
    def plain(self) -> bool:
        """Whether the kernel can copy to it, and tell what the other end took."""
        sock = self.transport.get_extra_info("socket")
        encrypted = self.transport.get_extra_info("sslcontext") is not None
        return not encrypted and sock.family != socket.AF_UNIX


class _Buffer:
    """Memory of one transfer, used again once the connection has let go of it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._space = bytearray()

    def take(self, size: int) -> memoryview:
        """Return *size* bytes to read into, which nobody is still sending."""
        if len(self._space) < size or self._transport.get_write_buffer_size():
            self._space = bytearray(size)
        return memoryview(self._space)[:size]


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends parts of open bodies; belongs to one event loop.

    Attributes:
        readers: Threads for reads that may wait for a disk.
        stall_s: Seconds in which a client must take ``LEAST_BYTES``.
        copying: How many transfers go through memory just now.
    """

    readers: Executor
    stall_s: float
    copying: int = 0

    async def send(
        self, response: Prepared, body: OpenBody, part: Cut, count: Count
    ) -> None:
        """Send the bytes of *body* that *part* names, and report them to *count*.

        Raises:
            StoreError: A file ended early; what was sent is short.
            ConnectionError: The client went away.
            TimeoutError: The client stopped taking bytes.
        """
        small: list[Stretch] = []
        for stretch in body.between(part.start, part.stop):
            if stretch.file is None or stretch.stop - stretch.start < CHUNK_BYTES:
                small.append(stretch)
                continue
            await self._by_hand(response, small, count)
            small = []
            await self._large(response, stretch, count)
        await self._by_hand(response, small, count)

    async def _large(self, response: Prepared, stretch: Stretch, count: Count) -> None:
        sent = 0
        if response.plain:
            # In one go: calls for 4 MiB each cost half as much CPU again.
            with contextlib.suppress(asyncio.SendfileNotAvailableError):
                sent = await self._by_kernel(response, stretch, count)
        if sent == 0:  # TLS, a file system that cannot, or a client that is gone
            await self._by_hand(response, [stretch], count)
        elif sent < stretch.stop - stretch.start:
            raise stretch.ended(sent)

    async def _by_kernel(
        self, response: Prepared, stretch: Stretch, count: Count
    ) -> int:
        _refuse_closing(response)
        assert stretch.file is not None
        loop, transport = asyncio.get_running_loop(), response.transport
        offset, length = stretch.offset, stretch.stop - stretch.start
        sending = asyncio.ensure_future(
            loop.sendfile(transport, stretch.file, offset, length, fallback=False)
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
        self, response: Prepared, stretches: Sequence[Stretch], count: Count
    ) -> None:
        buffer = _Buffer(response.transport)
        self.copying += 1
        try:
            for batch in _batches(stretches, self._chunk_bytes):
                _refuse_closing(response)
                chunk = await self._read(batch, buffer)
                async with asyncio.timeout(self.stall_s):
                    await response.stream.write(chunk)
                count(len(chunk))
        finally:
            self.copying -= 1

    def _chunk_bytes(self) -> int:
        return max(LEAST_BYTES, min(CHUNK_BYTES, BUFFERS_BYTES // self.copying))

    async def _read(
        self, batch: Sequence[Stretch], buffer: _Buffer
    ) -> bytes | memoryview:
        loop, first = asyncio.get_running_loop(), batch[0]
        if len(batch) > 1 or first.file is None:
            return await loop.run_in_executor(self.readers, _read, batch)
        space = buffer.take(first.stop - first.start)
        if not first.fill_from_cache(space):
            await loop.run_in_executor(self.readers, first.fill, space)
        return space


def _batches(
    stretches: Sequence[Stretch], limit: Callable[[], int]
) -> Iterator[list[Stretch]]:
    """Yield *stretches* cut and grouped into reads of up to *limit* bytes."""
    batch: list[Stretch] = []
    room = limit()
    for stretch in stretches:
        at = stretch.start
        while at < stretch.stop:
            piece = stretch.part(at, at + room)
            batch.append(piece)
            at, room = piece.stop, room - (piece.stop - piece.start)
            if not room:
                yield batch
                batch, room = [], limit()
    if batch:
        yield batch


def _read(batch: Sequence[Stretch]) -> bytes:
    return b"".join([stretch.read() for stretch in batch])


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
