"""Who a request comes from when a server in front passed it on. Pure.

What a client writes into ``X-Forwarded-*`` counts only when the connection comes from
a proxy the operator named: anyone could put any address there to hide in the log, or
claim a scheme that changes the addresses others are given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

from airlift import naming
from airlift.errors import RequestError

Network: TypeAlias = IPv4Network | IPv6Network
UNIX = "unix"
"""Names whoever may connect to a socket in the file system."""
NOBODY = "-"
"""The address of a connection that has none: one to a socket in the file system."""
FIELDS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
"""What says that a request was passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The servers in front whose word counts."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def trusts(self, address: str) -> bool:
        """Say whether a connection from *address* is one of theirs."""
        if address == NOBODY:
            return self.unix
        found = _address(address)
        return found is not None and any(found in network for network in self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request comes from.

    Attributes:
        client: The client's address, without port.
        scheme: ``http`` or ``https`` as the client used it; empty where no proxy
            that is trusted said so.
        trusted: Whether the connection is a trusted proxy's.
    """

    client: str
    scheme: str = ""
    trusted: bool = False


def proxies(texts: Iterable[str]) -> Proxies:
    """Return the proxies that *texts* name: addresses, networks or ``unix``.

    Raises:
        RequestError: A text is none of these.
    """
    networks, unix = [], False
    for text in texts:
        if text == UNIX:
            unix = True
            continue
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            problem = f"`{naming.show(text)}` is not a proxy's address: {error}"
            hint = "give an address, a network such as 10.1.0.0/16, or `unix`"
            raise RequestError(problem, hint=hint) from error
    return Proxies(networks=tuple(networks), unix=unix)


def origin(peer: str, fields: Sequence[tuple[str, str]], known: Proxies) -> Origin:
    """Return where a request with *fields* comes from.

    Args:
        peer: The other end of the connection, without port.
        fields: Names in lower case.
        known: Whose word counts.
    """
    if not known.trusts(peer):
        return Origin(client=peer)
    client = peer
    # Each proxy adds the address it saw at the end: the first from the end that is
    # not one of ours is the client, what stands before it is the client's own word.
    for address in reversed(_listed(fields, "x-forwarded-for")):
        found = _address(address)
        if found is None:
            break
        client = str(found)
        if not known.trusts(client):
            break
    schemes = _listed(fields, "x-forwarded-proto")
    scheme = schemes[-1].lower() if schemes else ""
    if scheme not in ("http", "https"):
        scheme = ""
    return Origin(client=client, scheme=scheme, trusted=True)


def _listed(fields: Sequence[tuple[str, str]], name: str) -> list[str]:
    values = ",".join(value for key, value in fields if key == name)
    return [one.strip() for one in values.split(",") if one.strip()]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip("[]").split("%", maxsplit=1)[0])
    except ValueError:
        return None
    # An IPv4 client of a dual-stack socket arrives as ::ffff:a.b.c.d.
    return getattr(found, "ipv4_mapped", None) or found
