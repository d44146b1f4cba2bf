"""A server's surroundings: sockets it inherits, whom it tells, the log it writes.

The two protocols of systemd are a few lines each, and spoken by others as well.

Source: systemd, sd_listen_fds(3) and sd_notify(3).
"""

import contextlib
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from airlift import naming
from airlift.errors import RequestError

_FIRST = 3
"""The descriptor of the first inherited socket."""


def inherited() -> tuple[socket.socket, ...]:
    """Return the listening sockets this process was started with; often none.

    What says so is taken out of the environment: a child is not meant.

    Raises:
        RequestError: One is not a listening stream socket.
    """
    meant = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not meant or not count.isdigit():
        return ()
    return tuple(_listening(_FIRST + number) for number in range(int(count)))


def _listening(number: int) -> socket.socket:
    os.set_inheritable(number, False)
    try:
        sock = socket.socket(fileno=number)
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        problem = f"inherited descriptor {number} is not a socket: {error.strerror}"
        raise RequestError(problem) from error
    if not listens or sock.type != socket.SOCK_STREAM:
        problem = f"inherited socket {number} does not listen for streams"
        hint = "the socket unit needs `ListenStream=` and `Accept=no`"
        raise RequestError(problem, hint=hint)
    return sock


def tell(state: str) -> None:
    """Tell the service manager *state*, ``READY=1`` say; nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"  # the abstract name space
    with (
        contextlib.suppress(OSError),  # a manager that is gone must not end the server
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        sock.sendto(state.encode(), address)


class LogFile:
    """An access log that is opened again after a rotation moved it away.

    Args:
        path: Appended to, so that a rotation that copies and truncates loses nothing
            either; ``-`` is standard output.

    Raises:
        RequestError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stream = self._opened()

    def again(self) -> Callable[[], None]:
        """Open the path again; return what closes the file that was open before.

        Raises:
            RequestError: It cannot be written; the file from before stays.
        """
        before, self.stream = self.stream, self._opened()
        return before.close if before is not self.stream else _nothing

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self.stream is not sys.stdout:
            self.stream.close()

    def _opened(self) -> TextIO:
        if self._path == Path("-"):
            return sys.stdout
        try:
            return self._path.open("a", encoding="utf-8")
        except OSError as error:
            shown = naming.show(str(self._path))
            problem = f"cannot write the access log {shown}: {error.strerror}"
            raise RequestError(problem) from error


def _nothing() -> None:
    """Close nothing."""
