"""Serving what is live to unmodified clients: sans-I/O dialects, one server."""

from collections.abc import Callable
from dataclasses import dataclass, field

from airlift.digest import Sha256
from airlift.serve.advisories import Osv, Upstream
from airlift.serve.dialect import Dialect, JoinedBody
from airlift.serve.distribution import oci
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.oci_image import Progress
from airlift.serve.distribution.ollama import OllamaLibrary
from airlift.serve.hub.huggingface import HuggingFace
from airlift.serve.hub.xet import Xet
from airlift.serve.page.dialect import Page
from airlift.serve.records import Records, Reports
from airlift.serve.wheels.simple_index import SimpleIndex


class _NotDerived:
    """Digests where nothing computes them: images are for ever being prepared."""

    def sha256(self, body: JoinedBody) -> Sha256 | None:
        return None

    def done(self, body: JoinedBody) -> int:
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What the page is made from.

    Attributes:
        records: Everything held, live or not.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
        reports: Audits that were recorded; None where none can be.
    """

    records: Records
    clock: Callable[[], str]
    reports: Reports | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What dialects need beside a shelf.

    Attributes:
        advisories: What is known of upstream, and the clock; None for a server that
            answers no questions about vulnerabilities.
        digests: Of the layers of images.
        catalogue: For the page; None for a server without one.
        xet: Whether to offer the store to Hugging Face clients as a xet store, which
            is how they fetch files above 50 GB.
    """

    advisories: tuple[Upstream, Callable[[], str]] | None = None
    digests: Progress = field(default_factory=_NotDerived)
    catalogue: Catalogue | None = None
    xet: bool = False


def dialects(means: Means | None = None) -> tuple[Dialect, ...]:
    """Return every dialect, in the order they are asked; the only list.

    The hub comes last: its paths begin with a repository's name, which may be any.
    What was carried as an artifact comes before Ollama's names, which are those of
    every model.
    """
    means = means or Means()
    libraries = (*oci.libraries(means.digests), OllamaLibrary())
    catalogue = means.catalogue
    return (
        *(_pages(catalogue) if catalogue else []),
        *([Osv(*means.advisories)] if means.advisories else []),
        SimpleIndex(),
        Distribution(libraries),
        *([Xet()] if means.xet else []),
        HuggingFace(xet=means.xet),
    )


def _pages(catalogue: Catalogue) -> list[Dialect]:
    return [Page(catalogue.records, catalogue.clock, catalogue.reports)]
