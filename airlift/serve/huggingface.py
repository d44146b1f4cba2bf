"""The Hugging Face hub's protocol: downloads, trees, refs and what else clients ask.

Laws of this dialect, each learned from a client that broke without it:

* ``/resolve`` answers 200 itself, never a redirect, always with the commit, an
  entity tag and a length.
* Errors say what is missing in ``X-Error-Code``; clients decide by it, not by status.
* A tree comes in one page. Unknown query keys are ignored. All other paths below
  ``/api/`` are a 404 in JSON.
* Nothing mentions xet.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote

from airlift import naming
from airlift.artifact import Json
from airlift.digest import sha256
from airlift.payload import git_objects
from airlift.serve import hub_json, hub_repo
from airlift.serve.dialect import Answer, BlobBody, Request, Shelf
from airlift.serve.hub_repo import KINDS, Repo, Revision

HTTP_LIMIT_BYTES = 50_000_000_000
"""Above this, huggingface_hub refuses a plain download if it is told the size."""

_JSON = (("Content-Type", "application/json; charset=utf-8"),)
_SIZE_BLIND = re.compile(r"hf_hub/[1-9]")
_TRUE = ("true", "1", "yes", "on")
_NAME_PARTS = 4
_REF_PARTS = 8
_HEADER_CHARS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request, the shelf it is answered from, and the repository type asked."""

    request: Request
    shelf: Shelf
    type: str
    limit: int = HTTP_LIMIT_BYTES

    def flag(self, name: str) -> bool:
        """Say whether the query sets *name*; clients write ``true`` and ``True``."""
        values = [value for key, value in self.request.query if key == name]
        return bool(values) and values[-1].lower() in _TRUE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A repository at a revision, and the path asked below it."""

    repo: Repo
    revision: Revision
    path: str
    marker: str


class HuggingFace:
    """The dialect of huggingface_hub, transformers, vLLM, llama.cpp and others.

    Args:
        http_limit_bytes: Above this, clients that refuse a file by its size are not
            told its size.
    """

    def __init__(self, http_limit_bytes: int = HTTP_LIMIT_BYTES) -> None:
        self._http_limit_bytes = http_limit_bytes

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer paths below ``/api/`` and those with ``/resolve/`` or ``/raw/``."""
        parts = request.path.split("/")[1:]
        if parts[0] == "api":
            return _api(request, shelf, parts[1:])
        kind = parts[0] if parts[0] in ("datasets", "spaces") else "models"
        tail = parts if kind == "models" else parts[1:]
        call = _Call(
            request=request, shelf=shelf, type=kind, limit=self._http_limit_bytes
        )
        candidates = _candidates(tail, ("resolve", "raw"), least=2)
        if not candidates or request.method == "POST":
            return None
        return _file(call, candidates)


def _file(call: _Call, candidates: Sequence[tuple[str, str, list[str]]]) -> Answer:
    place = _locate(call, candidates)
    if isinstance(place, Answer):
        return place
    revision = place.revision
    file = revision.file(call.shelf, place.path)
    if file is None:
        shown = naming.show(place.path)
        problem = f"{shown} is not in {place.repo.name} at {revision.commit}"
        return _error(404, "EntryNotFound", problem, commit=revision.commit)
    headers = [*_about(place), ("Cache-Control", "no-cache")]
    body: bytes | BlobBody
    if place.marker == "raw" and not file.git_oid:
        # The raw route shows what git holds. ramalama crashes on anything else.
        headers.append(("Content-Type", "text/plain; charset=utf-8"))
        headers.append(("ETag", f'"{git_objects.blob_id(file)}"'))
        body = git_objects.pointer(file)
    else:
        headers.append(("Content-Type", "application/octet-stream"))
        agent = call.request.headers.get("user-agent", "")
        body = BlobBody(
            sha256=file.sha256,
            size=file.size,
            etag=git_objects.etag(file),
            sized=file.size <= call.limit or not _SIZE_BLIND.search(agent),
        )
    return Answer(
        status=200, headers=tuple(headers), body=body, release=revision.release
    )


# --- finding the repository and the revision --------------------------------------


def _candidates(
    parts: Sequence[str], markers: Sequence[str], *, least: int
) -> list[tuple[str, str, list[str]]]:
    """Return each reading of *parts* as (repository, marker, decoded rest).

    A repository has one or two parts and may itself be called ``resolve``, so the
    marker's position is not known until the repository is found.
    """
    decoded = [unquote(part) for part in parts]
    return [
        ("/".join(decoded[:at]), parts[at], decoded[at + 1 :])
        for at in range(1, min(_NAME_PARTS + 1, len(parts)))
        if parts[at] in markers and len(parts) - at > least
    ]


def _locate(
    call: _Call, candidates: Sequence[tuple[str, str, list[str]]]
) -> _Place | Answer:
    for name, marker, rest in candidates:
        if repo := hub_repo.find(call.shelf, KINDS[call.type], name):
            return _locate_revision(repo, marker, rest)
    return _no_repo(call, candidates[0][0])


def _locate_revision(repo: Repo, marker: str, rest: Sequence[str]) -> _Place | Answer:
    # Python sends `refs%2Fpr%2F1`, some JavaScript `refs/pr/1`. No ref is a folder
    # of another, so the first reading that is a revision is the only one.
    for count in range(1, min(_REF_PARTS, len(rest)) + 1):
        if revision := repo.revision("/".join(rest[:count])):
            path = "/".join(rest[count:])
            return _Place(repo=repo, revision=revision, path=path, marker=marker)
    asked = "/".join(rest) if rest[0] == "refs" else rest[0]
    problem = f"{naming.show(asked)} is not a revision of {repo.name} held here"
    return _error(404, "RevisionNotFound", problem)


# --- the API ---------------------------------------------------------------------


def _api(request: Request, shelf: Shelf, parts: Sequence[str]) -> Answer:
    whole = "/".join(parts)
    if whole in _FIXED and request.method != "POST":
        return _json(_FIXED[whole])
    if not parts or parts[0] not in KINDS:
        return _not_served()
    call = _Call(request=request, shelf=shelf, type=parts[0])
    rest = parts[1:]
    if not any(rest):
        return _list(call)
    readings = [
        *_candidates(rest, tuple(_AT_REVISION), least=1),
        *_candidates(rest, tuple(_OF_REPO), least=0),
        ("/".join(unquote(part) for part in rest), "revision", ["main"]),
    ]
    for name, action, tail in readings:
        if repo := hub_repo.find(shelf, KINDS[call.type], name):
            return _act(call, repo, action, tail)
    known = len(readings) > 1 or len(rest) <= 2
    return _no_repo(call, readings[0][0]) if known else _not_served()


def _act(call: _Call, repo: Repo, action: str, tail: list[str]) -> Answer:
    reading = call.request.method != "POST"
    if reading == (action == "paths-info"):
        return _not_served()
    if action in _OF_REPO:
        return _json(_OF_REPO[action](repo)) if not tail else _not_served()
    place = _locate_revision(repo, action, tail)
    if isinstance(place, Answer):
        return place
    return _AT_REVISION[action](call, place)


def _info(call: _Call, place: _Place) -> Answer:
    if place.path:
        return _not_served()
    files = place.revision.files(call.shelf)
    shape = hub_json.about(place.repo, place.revision)
    shape["siblings"] = hub_json.siblings(files, blobs=call.flag("blobs"))
    return _json(shape, place)


def _tree(call: _Call, place: _Place) -> Answer:
    expand = call.flag("expand")
    below = place.path.strip("/")
    listing = hub_json.tree(
        place.revision.files(call.shelf),
        below=below,
        recursive=call.flag("recursive"),
        commit=hub_json.last_commit(place.revision) if expand else None,
    )
    if listing is None:
        commit = place.revision.commit
        problem = f"{naming.show(below)} is not a folder of {place.repo.name}"
        return _error(404, "EntryNotFound", problem, commit=commit)
    return _json(listing, place)


def _paths_info(call: _Call, place: _Place) -> Answer:
    asked = _asked_paths(call.request)
    if asked is None:
        return _error(400, "BadRequest", "body is neither a form nor JSON with paths")
    paths, expand = asked
    commit = hub_json.last_commit(place.revision) if expand else None
    files = place.revision.files(call.shelf)
    by_path = {file.path: file for file in files}
    shapes: list[hub_json.Shape] = []
    for path in dict.fromkeys(one.strip("/") for one in paths):
        inside = [file for file in files if file.path.startswith(f"{path}/")]
        if path in by_path:
            shapes.append(hub_json.entry(by_path[path], commit))
        elif inside:
            shapes.append(hub_json.folder(path, inside, commit))
    return _json(shapes, place)


def _asked_paths(request: Request) -> tuple[list[str], bool] | None:
    """Return the paths a body asks about and whether to expand; None if unreadable."""
    try:
        text = request.body.decode()
        if not request.headers.get("content-type", "").startswith("application/json"):
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100_000)
            expand = [value.lower() in _TRUE for key, value in pairs if key == "expand"]
            return [value for key, value in pairs if key == "paths"], any(expand)
        asked = json.loads(text)
    except (ValueError, RecursionError):
        return None
    paths = asked.get("paths") if isinstance(asked, dict) else None
    if isinstance(paths, str):
        paths = [paths]
    if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
        return None
    return paths, asked.get("expand") is True


def _commits(_: _Call, place: _Place) -> Answer:
    return _json(hub_json.commits(place.revision), place)


def _list(call: _Call) -> Answer:
    if call.request.method == "POST":
        return _not_served()
    query = dict(call.request.query)
    wanted, author = query.get("search", "").lower(), query.get("author", "")
    found = [
        repo
        for repo in hub_repo.every(call.shelf, KINDS[call.type])
        if wanted in repo.name.lower()
        and (not author or repo.name.startswith(f"{author}/"))
    ]
    limit = query.get("limit", "")
    # isdecimal alone would let other scripts' digits and endless numbers through.
    if limit.isascii() and limit.isdecimal() and len(limit) < 10:
        found = found[: int(limit)]
    return _json([hub_json.brief(repo) for repo in found])


_AT_REVISION: MappingProxyType[str, Callable[[_Call, _Place], Answer]]
_AT_REVISION = MappingProxyType(
    {
        "revision": _info,
        "tree": _tree,
        "paths-info": _paths_info,
        "commits": _commits,
    }
)
_OF_REPO: MappingProxyType[str, Callable[[Repo], hub_json.Shape]]
_OF_REPO = MappingProxyType({"refs": hub_json.refs, "auth-check": lambda _: {}})

_FIXED: MappingProxyType[str, Json] = MappingProxyType(
    {
        # Every process of newer clients asks this; an error is not cached by them.
        "agent-harnesses": {"standardEnvVars": [], "harnesses": {}},
        "whoami-v2": {
            "type": "user",
            "id": "airlift",
            "name": "airlift",
            "fullname": "airlift",
            "isPro": False,
            "orgs": [],
            "auth": {
                "type": "access_token",
                "accessToken": {"displayName": "airlift", "role": "read"},
            },
        },
    }
)


# --- answers ---------------------------------------------------------------------


def _json(shape: object, place: _Place | None = None) -> Answer:
    body = json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode()
    headers = [*_JSON, ("Cache-Control", "no-cache"), ("ETag", f'"{sha256(body)}"')]
    release = ""
    if place is not None:
        headers += _about(place)
        release = place.revision.release
    return Answer(status=200, headers=tuple(headers), body=body, release=release)


def _about(place: _Place) -> list[tuple[str, str]]:
    headers = [("X-Repo-Commit", place.revision.commit)]
    if notice := place.revision.notice:
        # huggingface_hub prints this once, as `topic; text`.
        headers.append(("X-HF-Warning", _header_text(f"airlift; {notice}")))
    return headers


def _no_repo(call: _Call, name: str) -> Answer:
    shown = naming.show(name)
    problem = (
        f"{shown} is not among the {call.type} held here; `airlift list` shows what is"
    )
    return _error(404, "RepoNotFound", problem)


def _not_served() -> Answer:
    # No code: each code would make clients report something that is not so.
    return _error(404, "", "airlift does not serve this part of the hub's API")


def _error(status: int, code: str, problem: str, *, commit: str = "") -> Answer:
    headers = [*_JSON]
    if code:
        headers.append(("X-Error-Code", code))
    headers.append(("X-Error-Message", _header_text(problem)))
    if commit:
        # Lets clients remember that this commit has no such file.
        headers.append(("X-Repo-Commit", commit))
    body = json.dumps({"error": problem}).encode()
    return Answer(status=status, headers=tuple(headers), body=body)


def _header_text(text: str) -> str:
    """Return *text* as a header's value: printable ASCII, of bounded length."""
    safe = naming.show(text).encode("ascii", "backslashreplace").decode()
    return safe[:_HEADER_CHARS]
