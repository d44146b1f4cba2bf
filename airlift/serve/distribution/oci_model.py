"""Models as repositories of container tools: names, tags, and one form of many.

Models are not images. Each is offered in forms that container tools take, below a
prefix for each form, under the name and the tags that those tools can say.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from airlift import naming
from airlift.artifact import Kind, ReleaseFile
from airlift.digest import Sha256
from airlift.payload import oci, oci_name
from airlift.serve.dialect import Request, Shelf
from airlift.serve.distribution.dialect import Content, Manifest, Refused, Repository
from airlift.serve.hub import repos
from airlift.serve.hub.repos import Repo, Revision

KINDS = oci_name.MODELS

_KEPT = 512
_OLLAMA_HOST = "registry.ollama.ai"

_alias = lru_cache(maxsize=1 << 14)(oci_name.repository)


class Form(Protocol):
    """One revision of a model in one form."""

    def top(self, accept: str) -> Manifest | Refused:
        """Return what a tag leads to.

        Args:
            accept: The request's ``Accept``; empty where it has none.
        """
        ...

    def manifest(self, digest: Sha256) -> Manifest | Refused | None:
        """Return the manifest with *digest*, or None where the form has none such."""
        ...

    def blob(self, digest: Sha256) -> Content | None:
        """Return the blob with *digest*, or None where the form has none such."""
        ...


Make = Callable[[Revision, Shelf], Form]
"""Puts a revision into a form."""


class Models:
    """The repositories of one form, a ``Library``.

    Args:
        prefix: What their names begin with, a slash at the end.
        make: What it returns is kept as long as the releases it is made from.
    """

    def __init__(self, prefix: str, make: Make) -> None:
        self._prefix, self._make = prefix, make
        self._made: dict[tuple[str, ...], Form] = {}

    def find(self, name: str, shelf: Shelf) -> Repository | None:
        """Return the repository *name*, or None."""
        if not name.startswith(self._prefix):
            return None
        asked = _alias(name.removeprefix(self._prefix))
        alike = {
            live.release.name
            for live in shelf.releases(KINDS)
            if _alias(live.release.name) == asked
        }
        if len(alike) > 1:
            return _Ambiguous(name=name, names=tuple(sorted(alike)))
        repo = repos.find(shelf, KINDS, alike.pop()) if alike else None
        return _Model(name=name, repo=repo, shelf=shelf, models=self) if repo else None

    def names(self, shelf: Shelf) -> Sequence[str]:
        """Return the names of all repositories."""
        names = {live.release.name for live in shelf.releases(KINDS)}
        return sorted({f"{self._prefix}{_alias(name)}" for name in names})

    def withheld(self, name: str, shelf: Shelf) -> bool:
        """Say whether *name* exists but not for this caller."""
        rest = name.removeprefix(self._prefix)
        return rest != name and shelf.withheld(KINDS, rest)

    def form(self, revision: Revision, shelf: Shelf) -> Form:
        """Return *revision* in this form."""
        # A release's id names its content, so nothing kept here is ever out of date.
        key = tuple(live.id for live in revision.releases)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _KEPT:
                self._made.clear()
            made = self._made[key] = self._make(revision, shelf)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """A model's repository, as one request sees it."""

    name: str
    repo: Repo
    shelf: Shelf
    models: Models

    def tags(self) -> Sequence[str]:
        return tuple(tags(self.repo))

    def manifest(self, reference: str, request: Request) -> Manifest | Refused | None:
        if (digest := oci.parse_digest(reference)) is None:
            commit = tags(self.repo).get(reference)
            revision = self.repo.revision(commit) if commit else None
            if revision is None:
                return None
            form = self.models.form(revision, self.shelf)
            return form.top(request.headers.get("accept", ""))
        found = [form.manifest(digest) for form in self._forms()]
        # One that is not ready yet may be the one: found first, refused second.
        found.sort(key=lambda one: isinstance(one, Refused))
        return next((one for one in found if one is not None), None)

    def blob(self, digest: Sha256) -> Content | None:
        found = (form.blob(digest) for form in self._forms())
        return next((one for one in found if one is not None), None)

    def _forms(self) -> Iterator[Form]:
        for revision in revisions(self.repo):
            yield self.models.form(revision, self.shelf)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ambiguous:
    """A name that stands for several models: says so, and gives none of them."""

    name: str
    names: tuple[str, ...]

    def tags(self) -> Sequence[str]:
        return ()

    def manifest(self, reference: str, request: Request) -> Refused:
        shown = naming.show(" and ".join(self.names))
        message = f"{shown} have one name here, so neither is given: rename one of them"
        return Refused(status=404, code="NAME_UNKNOWN", message=message)

    def blob(self, digest: Sha256) -> None:
        return None


def revisions(repo: Repo) -> Iterator[Revision]:
    """Yield every live revision of *repo*, the newest first."""
    for commit in dict.fromkeys(one.release.revision for one in repo.releases):
        if revision := repo.revision(commit):
            yield revision


def tags(repo: Repo) -> dict[str, str]:
    """Return each tag of *repo* with its commit, sorted.

    Every live commit in full; branches and tags under their own name or, where that
    has a slash, a bent one that nothing else claims; ``latest`` for ``main``.
    """
    found = {live.release.revision: live.release.revision for live in repo.releases}
    bent = Counter(oci_name.tag(ref) for ref in repo.refs if not oci_name.is_tag(ref))
    for ref, commit in repo.refs.items():
        tag = oci_name.tag(ref)
        if tag == ref or (tag and tag not in repo.refs and bent[tag] == 1):
            found[tag] = commit
    found.setdefault("latest", repo.refs["main"])
    return dict(sorted(found.items()))


def annotations(revision: Revision) -> Mapping[str, str]:
    """Return what manifests made of *revision* say of it."""
    release = revision.releases[0].release
    told = {oci.TITLE: release.name, oci.REVISION: revision.commit}
    return told | ({oci.LICENCES: release.licence} if release.licence else {})


def placed(revision: Revision, shelf: Shelf) -> dict[str, ReleaseFile]:
    """Return the files of *revision* by the path they are given.

    An Ollama model is laid out as Ollama keeps models, so that ``OLLAMA_MODELS`` may
    point to where they end up.
    """
    files = {file.path: file for file in revision.files(shelf)}
    release = revision.releases[0].release
    if release.kind is Kind.OLLAMA and (manifest := files.pop("manifest.json", None)):
        host, _, model = ("/" + release.name).rpartition("/")
        *above, space = host.strip("/").split("/")
        registry = above[0].replace("_", ":") if above else _OLLAMA_HOST
        tag = release.refs[0] if release.refs else "latest"
        files[f"manifests/{registry}/{space}/{model}/{tag}"] = manifest
    return dict(sorted(files.items()))
