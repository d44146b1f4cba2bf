"""What findings are about, named the same way by every question."""

from typing import Final
from urllib.parse import quote

from airlift.artifact import Kind, Release
from airlift.audit.finding import About, Subject
from airlift.digest import Sha256
from airlift.registry.held import Held

_TYPES: Final = {
    Kind.MODEL: "huggingface",
    Kind.DATASET: "huggingface",
    Kind.GGUF: "huggingface",
    Kind.OCI: "oci",
}
"""Kinds that have a type of package URL of their own; others are ``generic``.

Source: the purl specification, "Known types"."""


def purl(release: Release) -> str:
    """Return the package URL of a release at its revision."""
    kind = _TYPES.get(release.kind)
    name = quote(release.name, safe="/.-_~")
    if kind is None:
        name = f"{release.kind}/{name}"
    tail = ""
    if release.kind in (Kind.DATASET, Kind.GGUF):
        # One repository may be held whole and as chosen GGUF files.
        quant = str(release.upstream.get("quantisation", ""))
        chosen = f"&quantisation={quote(quant, safe='')}" if quant else ""
        tail = f"?kind={release.kind}{chosen}"
    return f"pkg:{kind or 'generic'}/{name}@{quote(release.revision, safe='')}{tail}"


def release(held: Held, *, hosts: tuple[str, ...] = ()) -> Subject:
    """Return a release that is held, whatever its kind, as a subject."""
    return Subject(
        kind=About.WHEEL if held.release.kind is Kind.WHEELS else About.MODEL,
        name=held.release.name,
        version=held.release.revision,
        digest=held.id,
        purl=purl(held.release),
        hosts=hosts,
    )


def wheel(
    name: str, version: str, *, digest: Sha256 | str = "", hosts: tuple[str, ...] = ()
) -> Subject:
    """Return a version of a package as a subject.

    Args:
        name: In PyPA's normal form.
        version: Likewise.
        digest: Of one wheel, where one is meant.
        hosts: Where it was seen.
    """
    return Subject(
        kind=About.WHEEL,
        name=name,
        version=version,
        digest=digest,
        purl=f"pkg:pypi/{quote(name, safe='')}@{quote(version, safe='')}",
        hosts=hosts,
    )


def knowledge(name: str) -> Subject:
    """Return a source of knowledge as a subject; its age is no part of its name."""
    return Subject(kind=About.KNOWLEDGE, name=name)
