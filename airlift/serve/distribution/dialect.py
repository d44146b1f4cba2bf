"""The pull side of the OCI distribution protocol, for whatever is named below ``/v2/``.

Container tools and Ollama speak it with different ideas of names and manifests. Each
idea is a ``Library``; this file is the protocol they share.

Laws of this dialect, each learned from a client that broke without it:

* A manifest goes out with its own media type and exactly the bytes its digest names.
* A blob is answered 200 with a ``Location`` of itself: Ollama fetches the parts from
  there, without its credentials, so under access control that path is signed.
* The host of the challenge's realm is the host that was asked.

Source: OCI distribution specification 1.1, "Pull" and "Content Discovery".
"""

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlencode, urlsplit

from airlift import naming
from airlift.digest import Sha256, is_sha256, sha256
from airlift.serve.dialect import Answer, BlobBody, JoinedBody, Request, Shelf

ROOT = "/v2/"
TOKEN = "/token"  # noqa: S105 - a path
"""Where the challenge sends clients; ``serve.access`` answers there."""

_JSON = ("Content-Type", "application/json; charset=utf-8")
_VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")
_OCTETS = ("Content-Type", "application/octet-stream")
_INDEX = "application/vnd.oci.image.index.v1+json"
_PATH = re.compile(r"(?P<name>.+)/(?P<what>manifests|blobs|referrers)/(?P<last>[^/]+)")
_TAGS = re.compile(r"(?P<name>.+)/tags/list")
_PAGE = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as it goes out.

    Attributes:
        body: The exact bytes; their digest is the manifest's.
        media_type: What is sent as its type.
        release: Id of the release it is about, for the access log.
    """

    body: bytes
    media_type: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A blob as it goes out."""

    body: bytes | BlobBody | JoinedBody
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a manifest that exists is not given.

    Attributes:
        status: 4xx; 429 for what is still being computed, because skopeo and podman
            then wait, and show the message, where any 5xx ends them at once.
        code: An error code of the specification.
        message: For the client's user.
    """

    status: int
    code: str
    message: str


class Repository(Protocol):
    """One repository, as one request sees it."""

    @property
    def name(self) -> str:
        """The name to show; may differ from the one asked in case."""
        ...

    def tags(self) -> Sequence[str]:
        """Return its tags."""
        ...

    def manifest(self, reference: str, request: Request) -> Manifest | Refused | None:
        """Return the manifest that a tag or ``sha256:`` digest names, or None."""
        ...

    def blob(self, digest: Sha256) -> Content | None:
        """Return the blob of this repository with *digest*, or None."""
        ...


class Library(Protocol):
    """A way to name what is live as repositories."""

    def find(self, name: str, shelf: Shelf) -> Repository | None:
        """Return the repository *name* (decoded, case as sent), or None."""
        ...

    def names(self, shelf: Shelf) -> Sequence[str]:
        """Return the names of all repositories."""
        ...

    def withheld(self, name: str, shelf: Shelf) -> bool:
        """Say whether *name* exists but not for this caller."""
        ...


class Distribution:
    """The dialect of container tools and Ollama.

    Args:
        libraries: Asked in this order for a name.
    """

    def __init__(self, libraries: Sequence[Library]) -> None:
        self._libraries = libraries

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer paths below ``/v2/``."""
        if request.path.rstrip("/") == ROOT.rstrip("/"):
            return challenge(request) if request.caller.may_sign_in else _base()
        if not request.path.startswith(ROOT):
            return None
        if request.method == "POST":
            return _error(405, "UNSUPPORTED", "airlift only serves pulls")
        path = unquote(request.path.removeprefix(ROOT))
        if path == "_catalog":
            return self._catalog(request, shelf)
        return self._pull(request, path, shelf)

    def _pull(self, request: Request, path: str, shelf: Shelf) -> Answer:
        match = _PATH.fullmatch(path) or _TAGS.fullmatch(path)
        if match is None:
            return _error(404, "UNSUPPORTED", "airlift does not serve this path")
        repository = self._find(match["name"], shelf)
        if repository is None:
            return self._no_repository(request, match["name"], shelf)
        parts = match.groupdict()
        what, last = parts.get("what", "tags"), parts.get("last", "")
        return _of(repository, what, last, request)

    def _find(self, name: str, shelf: Shelf) -> Repository | None:
        for library in self._libraries:
            if found := library.find(name, shelf):
                return found
        return None

    def _catalog(self, request: Request, shelf: Shelf) -> Answer:
        names = {one for library in self._libraries for one in library.names(shelf)}
        if not names and request.caller.may_sign_in:
            return challenge(request)
        return _page(request, "repositories", sorted(names), {})

    def _no_repository(self, request: Request, name: str, shelf: Shelf) -> Answer:
        shown = naming.show(name)
        if request.caller.may_sign_in:
            return challenge(request, name)
        if any(library.withheld(name, shelf) for library in self._libraries):
            caller = naming.show(request.caller.name)
            return _error(
                403, "DENIED", f"credential `{caller}` does not cover {shown}"
            )
        return _error(404, "NAME_UNKNOWN", f"{shown} is not held here")


def challenge(
    request: Request, name: str = "", *, message: str = "sign in to pull from here"
) -> Answer:
    """Return the answer that sends a client to ``TOKEN`` for a bearer.

    Args:
        request: What was asked.
        name: The repository; empty for none.
        message: For the client's user.
    """
    service = urlsplit(request.base_url).netloc
    terms = f'Bearer realm="{request.base_url}{TOKEN}",service="{service}"'
    # What was asked comes back in the challenge only if it is a plain name: it may
    # not end the quoted string it stands in.
    if re.fullmatch(r"[A-Za-z0-9._/-]{1,400}", name):
        terms += f',scope="repository:{name}:pull"'
    answer = _error(401, "UNAUTHORIZED", message)
    headers = (*answer.headers, ("WWW-Authenticate", terms))
    return Answer(status=401, headers=headers, body=answer.body)


def _of(repository: Repository, what: str, last: str, request: Request) -> Answer:
    match what:
        case "manifests":
            return _manifest(repository, last, request)
        case "blobs":
            return _blob(repository, last, request)
        case "referrers":
            return _referrers()
        case _:
            tags = sorted(repository.tags())
            return _page(request, "tags", tags, {"name": repository.name})


def _manifest(repository: Repository, reference: str, request: Request) -> Answer:
    found = repository.manifest(reference, request)
    if found is None:
        shown = naming.show(f"{repository.name}:{reference}")
        return _error(404, "MANIFEST_UNKNOWN", f"{shown} is not held here")
    if isinstance(found, Refused):
        answer = _error(found.status, found.code, found.message)
        return answer if found.status not in (429, 503) else _later(answer)
    digest = f"sha256:{sha256(found.body)}"
    headers = (
        ("Content-Type", found.media_type),
        ("Docker-Content-Digest", digest),
        ("ETag", f'"{digest}"'),
        ("Cache-Control", "no-cache"),
        _VERSION,
    )
    return Answer(status=200, headers=headers, body=found.body, release=found.release)


def _blob(repository: Repository, digest: str, request: Request) -> Answer:
    hexes = digest.removeprefix("sha256:")
    found = None
    if digest != hexes and is_sha256(hexes):
        found = repository.blob(Sha256(hexes))
    if found is None:
        shown = naming.show(digest)
        return _error(404, "BLOB_UNKNOWN", f"{shown} is not in {repository.name}")
    location = urlsplit(request.base_url).path + request.sign(request.path)
    headers = (
        _OCTETS,
        ("Docker-Content-Digest", digest),
        ("Location", location),
        ("Cache-Control", "max-age=31536000, immutable"),
        _VERSION,
    )
    return Answer(status=200, headers=headers, body=found.body, release=found.release)


def _referrers() -> Answer:
    # Nothing that refers to an artifact is carried as an artifact. The empty index
    # keeps clients from asking for a tag of that meaning instead.
    shape = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": []}
    headers = (("Content-Type", _INDEX), _VERSION)
    return Answer(status=200, headers=headers, body=json.dumps(shape).encode())


def _page(
    request: Request, key: str, names: Sequence[str], shape: dict[str, object]
) -> Answer:
    """Return the names after ``last``, at most ``n``, with a link to the rest."""
    query = dict(request.query)
    rest = names[bisect_right(names, query["last"]) :] if "last" in query else names
    asked = query.get("n", "")
    count = int(asked) if _PAGE.fullmatch(asked) else len(rest)
    page, headers = rest[:count], [_JSON, _VERSION]
    if page and len(page) < len(rest):
        more = urlencode({"n": count, "last": page[-1]})
        path = urlsplit(request.base_url).path + request.path
        headers.append(("Link", f'<{path}?{more}>; rel="next"'))
    body = json.dumps(shape | {key: page}, ensure_ascii=False).encode()
    return Answer(status=200, headers=tuple(headers), body=body)


def _base() -> Answer:
    return Answer(status=200, headers=(_JSON, _VERSION), body=b"{}")


def _later(answer: Answer) -> Answer:
    headers = (*answer.headers, ("Retry-After", "10"))
    return Answer(status=answer.status, headers=headers, body=answer.body)


def _error(status: int, code: str, message: str) -> Answer:
    shape = {"errors": [{"code": code, "message": message, "detail": None}]}
    headers = (_JSON, _VERSION)
    return Answer(status=status, headers=headers, body=json.dumps(shape).encode())
