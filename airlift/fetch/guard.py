"""Whom the exporter may ask, and what it may tell them.

Every request of every client passes here, redirects included, so the rules hold
also for libraries that bring requests of their own:

1. Only http and https; never http where every home is https (a downgrade).
2. Never an address that is not public (a redirect to a metadata service or a host
   of the intranet), unless a configured endpoint is itself at such an address.
3. Credentials go to configured endpoints only.
4. Only airlift's errors come out, also while a body is read.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterator

import httpx2

from airlift import naming
from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.fetch.refusals import place
from airlift.fetch.settings import Settings

_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRY_AGAIN = "check this host's network, then run the command again"


class Guard(httpx2.BaseTransport):
    """A transport that keeps the rules at the top of this module.

    Args:
        settings: How to reach the network.
        homes: URLs of configured endpoints.
    """

    def __init__(self, settings: Settings, homes: tuple[str, ...]) -> None:
        self._settings = settings
        self._homes = tuple(_home(home) for home in homes)
        self._context = _certificates(settings)
        self._transports: dict[str, httpx2.HTTPTransport] = {
            proxy: self._transport(proxy) for proxy in {"", *settings.proxies.values()}
        }

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request* if the rules allow it.

        Raises:
            SourceError: The rules forbid it.
            SourceBusyError: The connection failed or timed out.
        """
        url = request.url
        if url.scheme not in ("http", "https") or not url.host:
            problem = f"{place(url)} is neither an http nor an https address"
            raise SourceError(problem)
        if not self.is_home(url):
            for name in _CREDENTIALS:
                request.headers.pop(name, None)
        proxy = self._settings.proxy_for(url)
        public_only = self._public_only(url)
        self._check(url, direct=not proxy, public_only=public_only)
        try:
            response = self._transports[proxy].handle_request(request)
        except httpx2.TransportError as error:
            raise broken(url, error) from error
        if public_only and not proxy:
            _check_peer(response, url)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Body(response.stream, url)
        return response

    def is_home(self, url: httpx2.URL) -> bool:
        """Say whether *url* is of a configured endpoint: same scheme, host, port."""
        return any(url.origin == home.origin for home in self._homes)

    def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            transport.close()

    def _transport(self, proxy: str) -> httpx2.HTTPTransport:
        return httpx2.HTTPTransport(
            verify=self._context,
            proxy=proxy or None,
            trust_env=False,
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8),
        )

    def _public_only(self, url: httpx2.URL) -> bool:
        if any(url.host == home.host for home in self._homes):
            return False
        return not any(
            _is_private(home.host, resolve=not self._settings.proxy_for(home))
            for home in self._homes
        )

    def _check(self, url: httpx2.URL, *, direct: bool, public_only: bool) -> None:
        if (
            url.scheme == "http"
            and self._homes
            and all(home.scheme == "https" for home in self._homes)
        ):
            problem = (
                f"upstream leads from https to {place(url)}, which is not encrypted"
            )
            raise SourceError(problem, hint="ask those who run the endpoint")
        if public_only and _is_private(url.host, resolve=direct):
            raise _inside(url)


class _Body(httpx2.SyncByteStream):
    """The bytes of an answer; a break while they come is one of our errors."""

    def __init__(self, stream: httpx2.SyncByteStream, url: httpx2.URL) -> None:
        self._stream, self._url = stream, url

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except httpx2.TransportError as error:
            raise broken(self._url, error) from error

    def close(self) -> None:
        self._stream.close()


def broken(url: httpx2.URL | str, error: httpx2.TransportError) -> SourceError:
    """Return the error that says how the exchange with *url* broke."""
    if isinstance(error, httpx2.ProxyError):
        problem = f"the proxy did not pass on {place(url)}: {error}"
        return SourceBusyError(problem, hint="check http_proxy and https_proxy")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        problem = f"the certificate of {place(url)} is not one this host trusts"
        hint = "where the site inspects TLS, set SSL_CERT_FILE to its certificates"
        return SourceError(problem, hint=hint)
    if isinstance(error, httpx2.TimeoutException):
        problem = f"{place(url)} sent nothing in time"
    else:
        problem = f"the connection to {place(url)} failed: {str(error) or 'it closed'}"
    return SourceBusyError(problem, hint=_TRY_AGAIN)


def _home(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        problem = f"endpoint `{naming.show(text)}` is not an http or https address"
        raise RequestError(problem, hint="write it like `https://hub.example.org`")
    return url


def _certificates(settings: Settings) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(cafile=settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            problem = f"cannot read certificates from `{settings.ca_file}`: {error}"
            hint = "point SSL_CERT_FILE at a PEM file"
            raise RequestError(problem, hint=hint) from error
    return context


def _inside(url: httpx2.URL) -> SourceError:
    problem = f"upstream leads to {place(url)}, an address inside this network"
    hint = "airlift asks inside addresses only where the endpoint itself is inside"
    return SourceError(problem, hint=hint)


def _check_peer(response: httpx2.Response, url: httpx2.URL) -> None:
    # The name was looked up again to connect; a name server may have given another
    # address in between (DNS rebinding). No byte of such an answer is read.
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    if peer is not None and _is_private(peer[0], resolve=False):
        response.close()
        raise _inside(url)


def _is_private(host: str, *, resolve: bool) -> bool:
    """Say whether *host* is, or names, an address that is not public."""
    name = host.casefold().rstrip(".").partition("%")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return not _is_public(name)
    except ValueError:
        if not resolve:
            return False
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        problem = f"no address is known for `{name}`: {error}"
        raise SourceBusyError(problem, hint=_TRY_AGAIN) from error
    return any(not _is_public(str(entry[4][0]).partition("%")[0]) for entry in found)


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.is_global and not ip.is_multicast
