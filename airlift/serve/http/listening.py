"""Where connections come in: sockets opened here or inherited, and their admission."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Sequence

from airlift.errors import RequestError
from airlift.serve.http.connection import FULL, Census
from airlift.serve.http.lanes import Accepted, Lane
from airlift.serve.http.settings import ServeSettings

_BACKLOG = 1024
_AT_ONCE = 64
"""Connections accepted before signals and others get a turn again."""
_PAUSE_S = 1.0
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


async def opened(settings: ServeSettings) -> Sequence[socket.socket]:
    """Return sockets that listen where *settings* say; the caller closes them.

    Raises:
        RequestError: The address cannot be listened on.
    """
    if settings.inherited:
        return settings.inherited
    loop = asyncio.get_running_loop()
    try:
        # What knows all addresses of a name; it only opens them here.
        server = await loop.create_server(
            asyncio.Protocol,
            settings.host or None,
            settings.port,
            reuse_address=True,
            start_serving=False,
        )
        with contextlib.closing(server):
            sockets = [one.dup() for one in server.sockets]
        for one in sockets:
            one.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number).lower() if number else str(error)
        problem = f"cannot listen on {settings.host} port {settings.port}: {reason}"
        hint = "choose another address or port with --host and --port"
        raise RequestError(problem, hint=hint) from error
    return sockets


class Door:
    """Accepts connections and gives each to the least busy loop.

    Args:
        sockets: Listening; closed with the door.
        lanes: In the order the census counts them.
        census: Says whether one more may come in.
        settings: What the server is called, and its first TLS context.

    Attributes:
        tls: What new connections are encrypted with; may be replaced at any time.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        lanes: Sequence[Lane],
        census: Census,
        settings: ServeSettings,
    ) -> None:
        self._sockets, self._lanes, self._census = sockets, lanes, census
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self.tls = settings.tls

    @property
    def url(self) -> str:
        """The base URL of the server."""
        return _url(self._settings, self._sockets[0])

    def open(self) -> None:
        """Begin to accept."""
        for listener in self._sockets:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)

    def close(self) -> None:
        """Accept no more; connections that are open stay."""
        for listener in self._sockets:
            self._loop.remove_reader(listener)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                # The socket stays readable: asking again at once would spin.
                self._loop.remove_reader(listener)
                self._loop.call_later(_PAUSE_S, self._resume, listener)
                return
            self._admit(sock, str(peer[0]) if isinstance(peer, tuple) else "-")

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener, self._accept, listener)

    def _admit(self, sock: socket.socket, client: str) -> None:
        sock.setblocking(False)
        seat = self._census.admit(client)
        if seat is not None:
            accepted = Accepted(sock=sock, seat=seat, tls=self.tls)
            self._lanes[seat.lane].give(accepted)
            return
        with sock, contextlib.suppress(OSError):
            if self.tls is None:
                sock.send(FULL)
                sock.shutdown(socket.SHUT_WR)


def _url(settings: ServeSettings, sock: socket.socket) -> str:
    if sock.family == socket.AF_UNIX:
        return f"unix:{sock.getsockname()}:{settings.prefix}"
    host, port = sock.getsockname()[:2]
    if settings.host not in _WILDCARDS and not settings.inherited:
        host = settings.host
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.tls else "http"
    return f"{scheme}://{shown}:{port}{settings.prefix}"
