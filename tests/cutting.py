"""A TCP proxy that cuts connections: what a bad network does to a download."""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(kw_only=True)
class Cuts:
    """Where a proxy listens, and how often it has cut.

    Attributes:
        url: The server's URL with the proxy's address.
        left: How many connections are still to be cut.
        made: How many were.
        reset: Whether to reset connections instead of closing them.
    """

    url: str
    left: int
    reset: bool = False
    made: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self) -> bool:
        """Count a cut, or return False when no more are to be made."""
        with self.lock:
            if not self.left:
                return False
            self.left -= 1
            self.made += 1
            return True


@contextlib.contextmanager
def cutting(url: str, *, after: int, times: int, reset: bool = False) -> Iterator[Cuts]:
    """Forward to *url*, cutting connections that carried *after* bytes back.

    Args:
        url: The server.
        after: Bytes from the server to let pass on one connection.
        times: How many connections to cut before letting all pass.
        reset: Reset them, which also loses what the client had not read yet, instead
            of closing them.
    """
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    target = (parts.hostname, parts.port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        near = f"{parts.scheme}://127.0.0.1:{port}{parts.path}"
        cuts = Cuts(url=near, left=times, reset=reset)
        worker = threading.Thread(target=_accept, args=(listener, target, after, cuts))
        worker.start()
        try:
            yield cuts
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            worker.join()


def _accept(
    listener: socket.socket, target: tuple[str, int], after: int, cuts: Cuts
) -> None:
    workers = []
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(target)
            arguments = (client, server, after, cuts)
            worker = threading.Thread(target=_carry, args=arguments)
            worker.start()
            workers.append(worker)
    for worker in workers:
        worker.join()


def _carry(
    client: socket.socket, server: socket.socket, after: int, cuts: Cuts
) -> None:
    """Carry bytes both ways until either side closes or the connection is cut."""
    # One thread for both ways: a close while another thread reads does not reset.
    passed = 0
    with client, server, contextlib.suppress(OSError):
        while True:
            ready, _, _ = select.select([client, server], [], [], 30)
            for side in ready:
                data = side.recv(65536)
                if not data:
                    return
                (client if side is server else server).sendall(data)
                passed += len(data) if side is server else 0
            if not ready:
                return
            if passed >= after and cuts.cut():
                if cuts.reset:  # what a zero linger time makes of a close
                    linger = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return
