"""Where things are: paths of the page, and where the other dialects serve a file."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256
from airlift.payload import ollama_names

BELOW = "/-/"
"""Everything but ``/`` is below this: no release's name can begin with ``-``, so
that no repository of any dialect is ever hidden by a page."""

SIGN_IN = "sign-in"
"""A query of ``/`` that asks for the challenge; asked there, browsers send what they
are given with every page."""

_HUB = {Kind.MODEL: "", Kind.GGUF: "", Kind.FOLDER: "", Kind.DATASET: "datasets/"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Paths on this server, as a browser asks for them.

    Attributes:
        base_url: What clients reach this server by; no slash at the end.
    """

    base_url: str

    @property
    def root(self) -> str:
        """The prefix the server is mounted at; empty for none."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def host(self) -> str:
        """Host and port, as the reader reached this server."""
        return urlsplit(self.base_url).netloc

    def page(self, path: str = "", /, **query: str | int) -> str:
        """Return the path of a page; empty values of *query* are left out."""
        stated = {key: one for key, one in query.items() if one not in ("", 0)}
        start = f"{self.root}{BELOW}{path}" if path else f"{self.root}/"
        return f"{start}?{urlencode(stated)}" if stated else start

    def asset(self, name: str) -> str:
        """Return the path of a file that belongs to the page."""
        return f"{self.root}{BELOW}assets/{name}"

    def release(self, release_id: Sha256) -> str:
        """Return the path of a release's page."""
        return self.page(f"releases/{release_id}")

    def named(self, kind: Kind, name: str) -> str:
        """Return the path of the page of what is newest under a name."""
        return self.page(f"models/{kind.value}/{quote(name)}")

    def file(self, release: Release, file: ReleaseFile) -> str:
        """Return where *file* of a live release is served; empty where it is not."""
        name, path = quote(release.name), quote(file.path)
        if release.kind in _HUB:
            below = f"{_HUB[release.kind]}{name}/resolve/{release.revision}/{path}"
            return f"{self.root}/{below}"
        if release.kind in (Kind.OLLAMA, Kind.OCI):
            return self._layer(release, file)
        if release.kind is Kind.WHEELS:
            # Metadata goes by its wheel's digest, which is not at hand here.
            plain = file.path.endswith(".metadata") or "/" in file.path
            return "" if plain else self.wheel(file)
        return ""

    def _layer(self, release: Release, file: ReleaseFile) -> str:
        ollama = release.kind is Kind.OLLAMA
        name = ollama_names.pulled_as(release.name) if ollama else release.name
        what = "blobs" if file.path.startswith("blobs/") else "manifests"
        return f"{self.root}/v2/{quote(name)}/{what}/sha256:{file.sha256}"

    def wheel(self, file: ReleaseFile) -> str:
        """Return where installers fetch *file*."""
        return f"{self.root}/simple/-/files/{file.sha256}/{quote(file.path)}"
