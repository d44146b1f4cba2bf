"""How to reach the network: proxies, site certificates, time-outs."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx2

from airlift import naming
from airlift.errors import RequestError

_ENDPOINTS = {
    "huggingface": ("HF_ENDPOINT",),
    "ollama": ("AIRLIFT_OLLAMA_REGISTRY",),
    "oci": ("AIRLIFT_OCI_REGISTRY",),
    "wheels": ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"),
    "wheels-extra": ("UV_INDEX",),
}
"""Variables that say where a service is asked, by service; the first set one counts."""
_CERTIFICATES = ("AIRLIFT_CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def _none() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this host reaches the network.

    Attributes:
        proxies: Proxy URL by scheme of what is asked: ``http``, ``https``, ``all``.
        no_proxy: Hosts reached directly: names (and what ends in ``.name``),
            addresses, networks (``10.0.0.0/8``), or ``*`` for all.
        ca_file: Certificates to believe besides the system's own.
        connect_timeout_s: Seconds to wait for a connection.
        read_timeout_s: Seconds to wait for the next bytes.
        redirects: How many redirects one request may take.
        endpoints: Where a service is asked instead of its public address, by
            service: ``huggingface``, ``ollama``...
        token: Credential for those endpoints where a service needs one; None to
            look where that service's own tools keep it; empty to use none.
    """

    proxies: Mapping[str, str] = field(default_factory=_none)
    no_proxy: tuple[str, ...] = ()
    ca_file: Path | None = None
    connect_timeout_s: float = 15.0
    read_timeout_s: float = 60.0
    redirects: int = 5
    endpoints: Mapping[str, str] = field(default_factory=_none)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings that the usual variables of *environment* state.

        ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` in lower or
        upper case (lower wins, as in curl); ``AIRLIFT_CA_FILE``, ``SSL_CERT_FILE``
        or ``REQUESTS_CA_BUNDLE``; ``HF_ENDPOINT``; ``AIRLIFT_OLLAMA_REGISTRY``;
        ``AIRLIFT_OCI_REGISTRY``; ``UV_DEFAULT_INDEX`` or ``PIP_INDEX_URL``, and ``UV_INDEX``.
        """
        proxies = {
            scheme: _url(value)
            for scheme in ("http", "https", "all")
            if (value := _either(environment, f"{scheme}_proxy"))
        }
        direct = _either(environment, "no_proxy").split(",")
        file = _first(environment, _CERTIFICATES)
        return cls(
            proxies=MappingProxyType(proxies),
            no_proxy=tuple(host.strip() for host in direct if host.strip()),
            ca_file=Path(file) if file else None,
            endpoints=MappingProxyType(
                {
                    service: value.rstrip("/")
                    for service, names in _ENDPOINTS.items()
                    if (value := _first(environment, names))
                }
            ),
        )

    def proxy_for(self, url: httpx2.URL) -> str:
        """Return the URL of the proxy to reach *url* through; empty for none."""
        if any(_covers(entry, url) for entry in self.no_proxy):
            return ""
        return self.proxies.get(url.scheme) or self.proxies.get("all", "")


def _first(environment: Mapping[str, str], names: Sequence[str]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


def _either(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper(), "")


def _url(text: str) -> str:
    # `proxy.example:3128` is what people write and curl accepts.
    url = text if "://" in text else f"http://{text}"
    if httpx2.URL(url).scheme not in ("http", "https"):
        problem = f"proxy `{naming.show(text)}` is neither http nor https"
        raise RequestError(
            problem, hint="set http_proxy and https_proxy to an HTTP proxy"
        )
    return url


def _covers(entry: str, url: httpx2.URL) -> bool:
    if entry == "*":
        return True
    host = url.host.casefold()
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name, _, port = (
            entry.casefold().removeprefix("*").removeprefix(".").partition(":")
        )
    if port and port != str(url.port or {"http": 80, "https": 443}.get(url.scheme)):
        return False
    return host == name or host.endswith(f".{name}")
