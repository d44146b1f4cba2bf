"""HTTP by hand over a real socket, for requests no library would send."""

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Got:
    """One response, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def clock() -> str:
    """Return the time as the command line would."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def connect(url: str) -> socket.socket:
    """Return a plain connection to the server at *url*."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def head(url: str, target: str, *fields: str, method: str = "GET") -> bytes:
    """Return a request's head; Host is the server's unless *fields* have one."""
    host = () if any(f.lower().startswith("host:") for f in fields) else _host(url)
    lines = (f"{method} {target} HTTP/1.1", *host, *fields, "", "")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _host(url: str) -> tuple[str]:
    return (f"Host: {urlsplit(url).netloc}",)


def ask(
    url: str, target: str, *fields: str, method: str = "GET", body: bytes = b""
) -> Got:
    """Send one request with *fields* as they are and return the response."""
    if body:
        fields = (*fields, f"Content-Length: {len(body)}")
    with connect(url) as sock:
        sock.sendall(head(url, target, *fields, method=method) + body)
        return read(sock, method)


def read(sock: socket.socket, method: str = "GET") -> Got:
    """Read one response to a *method* request from *sock*."""
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Got(status=response.status, headers=headers, body=body)


def everything(url: str, raw: bytes, *, seconds: float = 0.3) -> bytes:
    """Send *raw*, then return all that comes until the server closes or goes quiet."""
    received = bytearray()
    with connect(url) as sock:
        sock.settimeout(seconds)
        try:
            sock.sendall(raw)
            while piece := sock.recv(65536):
                received += piece
        except (TimeoutError, ConnectionError):
            pass
    return bytes(received)
