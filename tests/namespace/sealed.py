"""Hosts without a network: real ones, made by the kernel."""

import fcntl
import re
import shutil
import socket
import struct
import subprocess

import pytest

SEALED = ("unshare", "-rn")
"""In front of a command: it runs where there is no interface but a dead loopback."""

_FLAGS_OF, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_REQUEST = "16sH14x"
"""``struct ifreq`` with a name and flags; the numbers are of netdevice(7)."""

_CALL = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(.*\bAF_INET6?\b")
_PROBE = re.compile(
    r" socket\(AF_INET6, SOCK_STREAM\|SOCK_CLOEXEC, IPPROTO_IP\) = "
    r'| bind\(.*sin6_port=htons\(0\).*inet_pton\(AF_INET6, "::1"'
)


def _reason() -> str:
    if not shutil.which("unshare"):
        return "needs unshare"
    tried = subprocess.run(
        [*SEALED, "true"], capture_output=True, text=True, check=False
    )
    return f"needs network namespaces: {tried.stderr}" if tried.returncode else ""


_REASON = _reason()
marks = [
    pytest.mark.namespace,
    pytest.mark.skipif(bool(_REASON), reason=_REASON or "possible here"),
]
"""For every module here."""


def traced(trace: str) -> tuple[str, ...]:
    """Return what to put in front of a command to write its network calls to *trace*.

    The command keeps its parent, so that signals for it reach it.
    """
    return ("strace", "-D", "-f", "-q", "-e", "trace=network", "-o", trace)


def calls_out(trace: str) -> list[str]:
    """Return the lines of *trace* that would have sent something to an address."""
    return [line for line in trace.splitlines() if _CALL.search(line)]


def internet(trace: str) -> list[str]:
    """Return the lines of *trace* about the internet, except for one harmless pair.

    A library below TUF's client, when it is loaded, tries whether a socket can be
    bound to this host's own ``::1``; nothing can be sent by that.
    """
    lines = [line for line in trace.splitlines() if "AF_INET" in line]
    return [line for line in lines if not _PROBE.search(line)]


def wake_loopback() -> None:
    """Switch the loopback interface of this process's namespace on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack(_REQUEST, b"lo", 0)
        _, flags = struct.unpack(
            _REQUEST, fcntl.ioctl(any_socket, _FLAGS_OF, asked + bytes(8))[:32]
        )
        fcntl.ioctl(
            any_socket, _SET_FLAGS, struct.pack(_REQUEST, b"lo", flags | _UP) + bytes(8)
        )
