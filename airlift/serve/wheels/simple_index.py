"""The simple repository API: pip, uv and every other installer of wheels.

Negotiates JSON and HTML (PEP 691); files live under their digest and never change.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from airlift import naming
from airlift.digest import Sha256, is_sha256, sha256
from airlift.serve.dialect import ANYONE, Answer, BlobBody, Request, Shelf
from airlift.serve.kept import Kept
from airlift.serve.wheels import simple_page, wheel_index
from airlift.serve.wheels.simple_page import Project
from airlift.serve.wheels.wheel_index import WheelIndex

_Q = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """One way to write a page: what clients ask for and how it is made."""

    asked: tuple[str, ...]
    content_type: str
    projects: Callable[[Sequence[str]], bytes]
    project: Callable[[Project], bytes]


_JSON = "application/vnd.pypi.simple.v1+json"
# The first of equally wanted forms is sent. Both installers refuse a page whose
# type is `application/json`, so that one is never sent and never matched.
_FORMS = (
    _Form(
        asked=("text/html", "text/*", "*/*"),
        content_type="text/html; charset=utf-8",
        projects=simple_page.projects_html,
        project=simple_page.project_html,
    ),
    _Form(
        asked=(_JSON, "application/vnd.pypi.simple.latest+json", "application/*"),
        content_type=_JSON,
        projects=simple_page.projects_json,
        project=simple_page.project_json,
    ),
    _Form(
        asked=(
            "application/vnd.pypi.simple.v1+html",
            "application/vnd.pypi.simple.latest+html",
        ),
        content_type="application/vnd.pypi.simple.v1+html; charset=utf-8",
        projects=simple_page.projects_html,
        project=simple_page.project_html,
    ),
)


class SimpleIndex:
    """The dialect of pip and uv, below ``/simple/``."""

    def __init__(self) -> None:
        self._indices = Kept(wheel_index.build)

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer paths below ``/simple/``."""
        parts = request.path.split("/")[1:]
        if parts[0] != "simple":
            return None
        if request.method == "POST":
            return _plain(405, "the index is read only", ("Allow", "GET, HEAD"))
        tail = [unquote(part) for part in parts[1:]]
        found = _route(request, self._indices.of(shelf), tail)
        return found or _nothing(request, shelf, tail)


def _route(request: Request, index: WheelIndex, tail: Sequence[str]) -> Answer | None:
    """Return what is at *tail*; None where this caller can see nothing there."""
    if not tail:
        return _moved("simple/")
    if tail == [""]:
        return _projects(request, index)
    if tail[:2] == ["-", "files"] and len(tail) == 4:
        return _download(request, index, digest=tail[2], filename=tail[3])
    deeper = len(tail) > 2 or any(tail[1:])
    return None if deeper else _project(request, index, tail)


def _projects(request: Request, index: WheelIndex) -> Answer | None:
    if request.caller.may_sign_in and not index.projects:
        return None
    return _page(request, lambda form: form.projects(list(index.projects)))


def _project(request: Request, index: WheelIndex, tail: Sequence[str]) -> Answer | None:
    name = wheel_index.normalised(tail[0])
    if name not in index.projects and name not in index.statuses:
        return None
    if len(tail) == 1:
        return _moved(f"{name}/")
    if tail[0] != name:
        return _moved(f"../{name}/")
    project = Project(
        name=name,
        listed=index.projects.get(name, ()),
        status=index.statuses.get(name, ("", "")),
    )
    return _page(request, lambda form: form.project(project))


def _download(
    request: Request, index: WheelIndex, *, digest: str, filename: str
) -> Answer | None:
    found = index.files.get((filename, Sha256(digest))) if is_sha256(digest) else None
    if found is None:
        return None
    file, release = found
    headers = (
        ("Content-Type", "application/octet-stream"),
        # The URL names the bytes, so they never change.
        (
            "Cache-Control",
            f"{_private(request) or 'public, '}max-age=31536000, immutable",
        ),
    )
    body = BlobBody(sha256=file.sha256, size=file.size, etag=file.sha256)
    return Answer(status=200, headers=headers, body=body, release=release)


# --- pages and negotiation --------------------------------------------------------


def _page(request: Request, write: Callable[[_Form], bytes]) -> Answer:
    accept = request.headers.get("accept", "")
    # PEP 691 allows the query to stand in for the header.
    accept = dict(request.query).get("format", accept)
    form = _negotiate(accept)
    if form is None:
        return _plain(406, f"pages are {_JSON} or text/html")
    body = write(form)
    headers = (
        ("Content-Type", form.content_type),
        ("Cache-Control", f"{_private(request)}max-age=0, must-revalidate"),
        ("ETag", f'"{sha256(body)}"'),
        ("Vary", "Accept"),
        # A page of links needs nothing; a browser is to run nothing from it.
        ("Content-Security-Policy", "default-src 'none'"),
    )
    return Answer(status=200, headers=headers, body=body)


def _negotiate(accept: str) -> _Form | None:
    """Return the form *accept* wants most, HTML where it states nothing.

    Source: RFC 9110, section 12.5.1; a form's weight is that of the most specific
    range that matches it.
    """
    if not accept.strip():
        return _FORMS[0]
    weights = dict(map(_weight, accept.split(",")))
    best, chosen = 0.0, None
    for form in _FORMS:
        # `asked` goes from specific to general, except that a wildcard matches all.
        matching = [weights[one] for one in (*form.asked, "*/*") if one in weights]
        if matching and matching[0] > best:
            best, chosen = matching[0], form
    return chosen


def _weight(field: str) -> tuple[str, float]:
    media, *parameters = (part.strip() for part in field.split(";"))
    stated = next((m for one in parameters if (m := _Q.fullmatch(one))), None)
    return media.lower(), float(stated[1]) if stated else 1.0


# --- other answers ------------------------------------------------------------------


def _moved(location: str) -> Answer:
    return Answer(status=301, headers=(("Location", location),))


def _private(request: Request) -> str:
    """Return how a cache on the way is kept from giving an answer to others."""
    return "private, " if request.caller != ANYONE else ""


def _nothing(request: Request, shelf: Shelf, tail: Sequence[str]) -> Answer:
    """Return why there is nothing at *tail* for this caller."""
    shown = naming.show("/".join(tail).strip("/"))
    if request.caller.may_sign_in:
        # Both installers send what their URL, netrc or keyring holds after this.
        challenge = ("WWW-Authenticate", 'Basic realm="airlift", charset="UTF-8"')
        problem = "sign in with a token as the password"
        return _plain(401, problem, challenge)
    if shelf.withheld(wheel_index.KINDS, tail[0]):
        return _plain(403, f"your token does not cover {shown}")
    return _plain(404, f"{shown} is not in this index")


def _plain(status: int, problem: str, *headers: tuple[str, str]) -> Answer:
    head = (("Content-Type", "text/plain; charset=utf-8"), *headers)
    return Answer(status=status, headers=head, body=f"{problem}\n".encode())
