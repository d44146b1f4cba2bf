"""What an operator decides about the server."""

import socket
import ssl
from dataclasses import dataclass, field

from airlift.serve.access.control import Access
from airlift.serve.http.accel import Accel
from airlift.serve.http.forwarded import Proxies


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep one client from starving the others.

    Attributes:
        connections: Open at once; one more is told to come back.
        connections_per_client: Open at once from one address. Generous, because
            behind a proxy all clients share one, and some clients open 64.
        head_s: Seconds for a request's head or body to arrive whole.
        idle_s: Seconds a connection may wait for its next request. Above what
            proxies keep idle connections for (60 or 75), so that they close first.
        stall_s: Seconds in which a client must take 64 KiB, over TLS 512 KiB.
        drain_s: Seconds transfers get to finish once the server is told to stop.
        body_bytes: Most bytes of a request's body.
        workers: Threads that look things up, and as many that read for TLS.
        lanes: Event loops that share the connections; more than the machine has
            cores only cost.
    """

    connections: int = 1024
    connections_per_client: int = 512
    head_s: float = 20.0
    idle_s: float = 90.0
    stall_s: float = 120.0
    drain_s: float = 30.0
    body_bytes: int = 1 << 20
    workers: int = 8
    lanes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Where and how to serve.

    Attributes:
        host: Address or name to listen on; ``::`` and ``0.0.0.0`` mean all.
        port: TCP port; 0 lets the system choose.
        prefix: Path all dialects are mounted below, ``/airlift`` say; empty for
            none, and without a slash at the end.
        host_names: Names in the Host field that are this server, besides loopback
            and the address a connection came in at; without port.
        tls: A server's context with certificate and key; None for plain HTTP.
        access: Who may have what; None where everybody may have everything.
        inherited: Sockets that listen already, from a service manager that keeps them
            open over restarts; *host* and *port* do not count then.
        proxies: Servers in front whose word about a client counts.
        accel: How a server in front is told to send blobs itself; None for never.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    prefix: str = ""
    host_names: frozenset[str] = frozenset()
    tls: ssl.SSLContext | None = None
    access: Access | None = None
    inherited: tuple[socket.socket, ...] = ()
    proxies: Proxies = field(default_factory=Proxies)
    accel: Accel | None = None
    limits: Limits = field(default_factory=Limits)
