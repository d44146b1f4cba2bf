"""``airlift serve``: hand what is live to unmodified clients."""

import contextlib
import resource
import socket
import ssl
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TextIO

import click

from airlift import naming
from airlift.cli import config, output
from airlift.errors import RequestError
from airlift.registry.catalog import Catalog
from airlift.serve import server
from airlift.serve.settings import Limits, ServeSettings
from airlift.store.blobs import BlobStore

_SPARE_FILES = 128
"""Descriptors beside those of connections: database, log, listening sockets."""


@click.command("serve")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 or :: for all of one family.",
)
@click.option(
    "--port",
    default=8484,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 lets the system choose.",
)
@click.option(
    "--host-name",
    "host_names",
    multiple=True,
    metavar="NAME",
    help="A name clients use for this server; may be given again.",
)
@click.option("--prefix", default="", help="Serve below this path, /airlift say.")
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Certificate chain (PEM); serves HTTPS.",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Its private key (PEM); by default in the same file.",
)
@click.option(
    "--access-log",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default="-",
    help="Append one JSON object a request here; `-` is standard output.",
)
@config.home_option
def command(
    home: Path,
    host: str,
    port: int,
    host_names: tuple[str, ...],
    prefix: str,
    *,
    tls_cert: Path | None,
    tls_key: Path | None,
    access_log: Path,
) -> None:
    """Serve what is live to unmodified clients: huggingface_hub, pip, uv and others.

    Whoever reaches the address can read everything that is live. What an import or a
    rollback changes is seen at once. SIGTERM lets transfers finish for 30 seconds.
    """
    shelf = Catalog.open(home, readonly=True).shelf(BlobStore(home / "store"))
    settings = ServeSettings(
        host=host,
        port=port,
        prefix=_prefix(prefix),
        host_names=_names(host, host_names),
        tls=_tls(tls_cert, tls_key),
    )
    _allow_open_files(settings.limits)

    def ready(url: str) -> None:
        output.note(f"serving at {url}")
        if not _is_loopback(host):
            output.note("anyone who reaches this address can read what is live")

    with _log(access_log) as log:
        server.serve(shelf, settings, log=log, clock=config.now, ready=ready)


def _prefix(text: str) -> str:
    parts = [part for part in text.split("/") if part]
    if not all(c.isascii() and (c.isalnum() or c in "-._~") for c in "".join(parts)):
        problem = f"`{naming.show(text)}` cannot be a prefix"
        hint = "use letters, digits, `-`, `.`, `_`, `~` and `/`"
        raise RequestError(problem, hint=hint)
    return "".join(f"/{part}" for part in parts)


def _names(host: str, given: tuple[str, ...]) -> frozenset[str]:
    names = {name.lower() for name in given}
    if not _is_loopback(host):
        # Nobody else can point this host's own names somewhere on its network.
        names |= {host.lower(), socket.gethostname().lower()}
    return frozenset(names)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            problem = "--tls-key is given without --tls-cert"
            raise RequestError(problem)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A passphrase would be asked for at every restart: refuse such keys instead.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        shown = naming.show(str(certificate))
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
        problem = f"cannot use the certificate {shown}: {reason or error}".lower()
        hint = "give the chain and an unencrypted key that belong together, as PEM"
        raise RequestError(problem, hint=hint) from error
    return context


def _allow_open_files(limits: Limits) -> None:
    """Raise this process's limit so that each connection may have a file open."""
    wanted = 2 * limits.connections + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def _log(path: Path) -> Iterator[TextIO]:
    if path == Path("-"):
        yield sys.stdout
        return
    try:
        # Appended to, so that a rotation that copies and truncates loses nothing.
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        shown = naming.show(str(path))
        problem = f"cannot write the access log {shown}: {error.strerror}"
        raise RequestError(problem) from error
    with file:
        yield file
