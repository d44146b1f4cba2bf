"""``airlift serve``: hand what is live to unmodified clients."""

import contextlib
import os
import resource
import socket
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import click

from airlift import naming
from airlift.cli import config, knowledge, output, service
from airlift.errors import RequestError
from airlift.registry.overview import Overview
from airlift.registry.registry import Registry
from airlift.registry.reports import Reports
from airlift.serve import Catalogue, Means, dialects
from airlift.serve.access.control import Access
from airlift.serve.access.file import AccessFile
from airlift.serve.access.tls import TlsFiles
from airlift.serve.distribution import oci_image
from airlift.serve.distribution.derived import Derived
from airlift.serve.distribution.kept_digests import KeptDigests
from airlift.serve.http import forwarded, server
from airlift.serve.http.accel import Accel
from airlift.serve.http.settings import Limits, ServeSettings
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
    "--client-ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Who signs the certificates of clients (PEM); `airlift token"
    " add-certificate` says what each may have.",
)
@click.option(
    "--require-client-cert",
    is_flag=True,
    help="Turn away clients without a certificate at once.",
)
@click.option(
    "--require-token",
    is_flag=True,
    help="Serve nothing to anyone unknown, even before the first token is made.",
)
@click.option(
    "--access-log",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default="-",
    help="Append one JSON object a request here; `-` is standard output.",
)
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="A server in front whose X-Forwarded-For and X-Forwarded-Proto count: an"
    " address, a network, or `unix`; may be given again.",
)
@click.option(
    "--accel",
    default="",
    metavar="LOCATION",
    help="Internal location behind which the nginx in front finds the store; it then"
    " sends whole files itself.",
)
@click.option(
    "--xet",
    is_flag=True,
    help="Let Hugging Face clients fetch files above 50 GB, as from a xet store.",
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
    client_ca: Path | None,
    require_client_cert: bool,
    require_token: bool,
    access_log: Path,
    proxies: tuple[str, ...],
    accel: str,
    xet: bool,
) -> None:
    """Serve what is live to unmodified clients: huggingface_hub, pip, uv and others.

    Whoever reaches the address can read everything that is live, until the first
    `airlift token` is made. What an import, a rollback or a new token changes is seen
    at once. SIGTERM lets transfers finish for 30 seconds; SIGHUP opens the access log
    again and reads the certificate again.
    """
    shelf = Registry.open(home, readonly=True).shelf(
        BlobStore(home / "store", readonly=True)
    )
    tls = _tls_files(tls_cert, tls_key, client_ca, required=require_client_cert)
    held, names = AccessFile(home), _names(host, host_names)
    required = require_token or client_ca is not None
    closed = held.read() is not None or required
    settings = ServeSettings(
        host=host,
        port=port,
        prefix=_prefix(prefix),
        host_names=names,
        tls=tls.context() if tls else None,
        access=Access(held, config.now, required=required),
        inherited=service.inherited(),
        proxies=forwarded.proxies(proxies),
        accel=_accel(accel, home / "store", proxies),
        limits=Limits(lanes=_lanes()),
    )
    warnings = _exposed(closed=closed, tls=tls) if _is_open(settings) else []
    if tls is not None:
        named = frozenset(name.lower() for name in host_names)
        warnings += tls.warnings(named, now=config.now())
    _allow_open_files(settings.limits)
    with (
        contextlib.closing(Overview.open(home)) as overview,
        knowledge.upstream(home, readonly=True) as upstream,
        contextlib.closing(service.LogFile(access_log)) as log,
        KeptDigests(home / "derived") as kept,
        Derived(shelf, kept, wanted=oci_image.layers, say=output.note) as derived,
    ):
        catalogue = Catalogue(records=overview, clock=config.now, reports=Reports(home))
        means = Means(
            advisories=(upstream, config.now),
            digests=derived,
            catalogue=catalogue,
            xet=xet,
        )
        around = server.Host(
            log=log.stream,
            clock=config.now,
            records=overview,
            ready=partial(_ready, warnings),
            stopping=partial(service.tell, "STOPPING=1"),
            refresh=partial(_refresh, log, tls),
        )
        server.serve(shelf, settings, around, dialects(means))


def _ready(warnings: Sequence[str], url: str) -> None:
    output.note(f"serving at {url}")
    for warning in warnings:
        output.note(warning)
    service.tell("READY=1")


def _refresh(log: service.LogFile, tls: TlsFiles | None) -> server.Fresh:
    service.tell("RELOADING=1")
    try:
        context = tls.context() if tls else None
        close_old = log.again()
    except RequestError as error:
        output.note(f"nothing was reloaded: {error}")
        service.tell("READY=1")  # it serves on as before
        raise

    def done() -> None:
        close_old()
        service.tell("READY=1")

    return server.Fresh(log=log.stream, tls=context, done=done)


def _lanes() -> int:
    # Four loops fill 100 Gbit/s; each costs a thread.
    return min(4, len(os.sched_getaffinity(0)))


def _accel(location: str, store: Path, proxies: Sequence[str]) -> Accel | None:
    if not location:
        return None
    if not proxies:
        problem = "--accel is given without --trusted-proxy"
        hint = "name the address nginx connects from, `--trusted-proxy 127.0.0.1` say"
        raise RequestError(problem, hint=hint)
    prefix = _prefix(location)
    if not prefix:
        problem = "--accel cannot be the root: clients would reach the store through it"
        raise RequestError(problem, hint="give a path of its own, `/-/store/` say")
    return Accel(prefix=f"{prefix}/", root=store)


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


def _is_open(settings: ServeSettings) -> bool:
    """Say whether others than this host reach the server."""
    if not settings.inherited:
        return not _is_loopback(settings.host)
    network = [one for one in settings.inherited if one.family != socket.AF_UNIX]
    return any(not _is_loopback(one.getsockname()[0]) for one in network)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _tls_files(
    certificate: Path | None,
    key: Path | None,
    client_ca: Path | None,
    *,
    required: bool,
) -> TlsFiles | None:
    if certificate is None:
        for option, given in (("--tls-key", key), ("--client-ca", client_ca)):
            if given is not None:
                problem = f"{option} is given without --tls-cert"
                raise RequestError(problem)
    if required and client_ca is None:
        problem = "--require-client-cert is given without --client-ca"
        raise RequestError(problem)
    if certificate is None:
        return None
    return TlsFiles(
        certificate=certificate, key=key, client_ca=client_ca, client_required=required
    )


def _exposed(*, closed: bool, tls: TlsFiles | None) -> list[str]:
    """Return what it means that others than this host reach the server."""
    if not closed:
        warning = "anyone who reaches this address can read what is live"
        return [f"{warning}; `airlift token create NAME --allow SCOPE` ends that"]
    if tls is None:
        return ["tokens cross the network unencrypted: give --tls-cert"]
    return []


def _allow_open_files(limits: Limits) -> None:
    """Raise this process's limit so that each connection may have a file open."""
    wanted = 2 * limits.connections + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
