"""Ollama's library: upstream Ollama models, and every plain GGUF as if it were one.

Laws of this library, each learned from a client that broke without it:

* Upstream's manifests go out byte for byte: their digest is the model's id.
* A manifest made here depends on the release's files alone, and so is made again, with
  every small blob it names, whenever it is asked for; none is stored.
* A tag is a quantisation in any case; Ollama sends it as its user typed it.
* To ``llama-cpp`` a manifest names the GGUF file itself: llama.cpp before 2026,
  node-llama-cpp and ramalama choose a quantisation that way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.payload import gguf_repo, ollama, ollama_names
from airlift.payload.gguf_repo import LATEST
from airlift.serve.dialect import Request, Shelf
from airlift.serve.distribution import ollama_plain
from airlift.serve.distribution.dialect import Content, Manifest, Refused
from airlift.serve.distribution.ollama_plain import Headers, Plain
from airlift.serve.http.bodies import HINT
from airlift.serve.hub import repos
from airlift.serve.hub.repos import Repo, Revision

UPSTREAM: Final = frozenset({Kind.OLLAMA})
PLAIN: Final = repos.KINDS["models"]

# Under the name of a public registry only what could have come from there is served,
# and what the site itself named: `x/y` there and `x/y` elsewhere are not the same.
_ORIGINS = MappingProxyType(
    {
        "registry.ollama.ai": UPSTREAM | {Kind.FOLDER},
        "hf.co": PLAIN,
        "huggingface.co": PLAIN,
    }
)
_LLAMA = "llama-cpp"


class OllamaLibrary:
    """What Ollama pulls; a ``distribution.Library``."""

    def __init__(self) -> None:
        self._headers = Headers()

    def find(self, name: str, shelf: Shelf) -> "Held | None":
        """Return the repository that Ollama means by *name*, or None."""
        upstream, plain = _upstream(shelf, name), _plain(shelf, name)
        if not upstream and not plain and (real := _behind_alias(shelf, name)):
            upstream, plain = _upstream(shelf, real), _plain(shelf, real)
        elsewhere = _of_other_registries(shelf, name)
        if not upstream and not plain and not elsewhere:
            return None
        return Held(
            name=name,
            shelf=shelf,
            upstream=upstream,
            elsewhere=elsewhere,
            plain=plain,
            headers=self._headers,
        )

    def names(self, shelf: Shelf) -> Sequence[str]:
        """Return every name that Ollama can pull, aliases in place of odd names."""
        held = {live.release.name for live in shelf.releases(UPSTREAM)}
        for repo in repos.every(shelf, PLAIN):
            if gguf_repo.models(repo_files(shelf, repo)):
                held.add(repo.name)
        return sorted({ollama_names.pulled_as(name) for name in held})

    def withheld(self, name: str, shelf: Shelf) -> bool:
        """Say whether *name* exists but not for this caller."""
        short = name.removeprefix(f"{ollama_names.LIBRARY}/")
        return (
            shelf.withheld(UPSTREAM, name)
            or shelf.withheld(PLAIN, name)
            or shelf.withheld(PLAIN, short)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One name as one request sees it; a ``distribution.Repository``.

    Attributes:
        name: As it was asked for.
        shelf: What is live for this caller.
        upstream: Releases of an upstream Ollama model, newest first.
        elsewhere: Releases that other registries call so, which are served where
            the request was sent to the registry's own host name.
        plain: The repository of that name that may hold GGUF files.
        headers: What is known of their headers.
    """

    name: str
    shelf: Shelf
    upstream: tuple[LiveRelease, ...]
    elsewhere: tuple[LiveRelease, ...]
    plain: Repo | None
    headers: Headers

    def tags(self) -> Sequence[str]:
        """Return upstream's tags and the quantisations of the GGUF files."""
        found = {ref for live in self.upstream for ref in live.release.refs}
        if self.plain:
            found |= set(gguf_repo.tags(self._plain(self.plain).models))
        return sorted(found)

    def manifest(self, reference: str, request: Request) -> Manifest | Refused | None:
        """Return the manifest of a tag or digest; a refusal says what there is."""
        host = request.headers.get("host", "").partition(":")[0].lower()
        kinds = _ORIGINS.get(host, UPSTREAM | PLAIN)
        known = [one for one in self.elsewhere if _registry(one) == host]
        if Kind.OLLAMA in kinds:
            known += self.upstream
        if live := _tagged(known, reference):
            return _verbatim(self.shelf, live)
        if not self.plain or not any(
            live.release.kind in kinds for live in self.plain.releases
        ):
            return None
        to_llama = request.headers.get("user-agent", "").startswith(_LLAMA)
        return self._plain(self.plain).manifest(reference, to_llama=to_llama)

    def blob(self, digest: Sha256) -> Content | None:
        """Return the blob of this name with *digest*: a file, or what is made here."""
        for live in (*self.upstream, *self.elsewhere):
            file = self.shelf.file(live.id, ollama.blob_path(digest))
            if file is not None:
                return ollama_plain.content(file, live.id)
        if not self.plain:
            return None
        # A pull that began before `main` moved must be able to end.
        for revision in self._revisions(self.plain):
            if found := Plain(self.shelf, revision, self.headers).blob(digest):
                return found
        return None

    def _plain(self, repo: Repo) -> Plain:
        revision = repo.revision("main")
        assert revision is not None  # every repository has one
        return Plain(self.shelf, revision, self.headers)

    def _revisions(self, repo: Repo) -> Iterator[Revision]:
        commits = [repo.refs["main"]]
        commits += [live.release.revision for live in repo.releases]
        for commit in dict.fromkeys(commits):
            if revision := repo.revision(commit):
                yield revision


# --- finding ------------------------------------------------------------------------------


def repo_files(shelf: Shelf, repo: Repo) -> tuple[ReleaseFile, ...]:
    """Return the files that `main` of *repo* has."""
    revision = repo.revision("main")
    return revision.files(shelf) if revision else ()


def _upstream(shelf: Shelf, name: str) -> tuple[LiveRelease, ...]:
    if found := shelf.releases(UPSTREAM, name):
        return found
    alike = shelf.names_like(UPSTREAM, name)
    return shelf.releases(UPSTREAM, alike[0]) if len(alike) == 1 else ()


def _plain(shelf: Shelf, name: str) -> Repo | None:
    short = name.removeprefix(f"{ollama_names.LIBRARY}/")
    found = repos.find(shelf, PLAIN, name)
    if found is None and short != name and "/" not in short:
        return repos.find(shelf, PLAIN, short)
    return found


def _behind_alias(shelf: Shelf, name: str) -> str | None:
    """Return the name of the artifact that Ollama pulls as *name*."""
    if not ollama_names.could_be_alias(name):
        return None
    wanted = name.casefold()
    live = {one.release.name for one in shelf.releases(UPSTREAM | PLAIN)}
    found = {one for one in live if ollama_names.pulled_as(one).casefold() == wanted}
    return found.pop() if len(found) == 1 else None


def _of_other_registries(shelf: Shelf, name: str) -> tuple[LiveRelease, ...]:
    """Return what other registries call *name*; which one is asked decides the host."""
    tail = f"/{name.casefold()}"
    return tuple(
        live
        for live in shelf.releases(UPSTREAM)
        if live.release.name.casefold().endswith(tail)
        and live.release.name.count("/") == name.count("/") + 1
    )


def _registry(live: LiveRelease) -> str:
    """Return the host name that stands before a release's name, without its port."""
    return live.release.name.partition("/")[0].partition("_")[0].lower()


def _tagged(releases: Sequence[LiveRelease], reference: str) -> LiveRelease | None:
    """Return the release that *reference* means, the first of the best, or None."""
    if reference.startswith("sha256:"):
        digest = reference.removeprefix("sha256:")
        return next((one for one in releases if one.release.revision == digest), None)
    folded = reference.casefold()
    for spell in (str, str.casefold):
        for one in releases:
            if spell(reference) in {spell(ref) for ref in one.release.refs}:
                return one
    held = {ref for one in releases for ref in one.release.refs}
    # Who names no tag wants the model; where only one is held there is no doubt.
    return releases[0] if folded == LATEST and len(held) == 1 else None


# --- reading ------------------------------------------------------------------------------


def _verbatim(shelf: Shelf, live: LiveRelease) -> Manifest:
    file = shelf.file(live.id, ollama.MANIFEST)
    if file is None:
        problem = f"release {live.id} has no {ollama.MANIFEST}"
        raise StoreError(problem, hint=HINT)
    body = ollama_plain.read(shelf, file, 0, file.size)
    media_type = ollama.decode(body).media_type
    return Manifest(body=body, media_type=media_type, release=live.id)
