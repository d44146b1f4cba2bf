"""A Hugging Face hub on the loopback interface, faithful enough for its own library.

Large files redirect to a "CDN": another server under another host name, so that a
token which follows the redirect is seen. Routes, headers and error codes are those
that huggingface_hub 0.36 to 2.4 and llama.cpp were seen to use.
"""

import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote

from hubs.faults import Answer, Asked, Fault, Loopback, Seen
from hubs.repository import Blob, Repo

TOKEN = "hf_" + "L" * 34
"""A token that may read everything, in the only shape llama.cpp accepts."""
STRANGER = "hf_" + "S" * 34
"""A valid token of somebody who was granted nothing."""

_MARKERS = frozenset(
    ("revision", "tree", "refs", "paths-info", "resolve", "auth-check")
)
_FIXED: dict[str, dict[str, Any]] = {
    "api/agent-harnesses": {"standardEnvVars": [], "harnesses": {}},
    "api/whoami-v2": {"type": "user", "name": "reader", "orgs": [], "auth": {}},
}


class Hub:
    """A hub; use as a context manager.

    Attributes:
        page_size: Entries of one page of a tree.
    """

    def __init__(self, *repos: Repo) -> None:
        self.page_size = 1000
        self._repos = {(repo.kind, repo.name): repo for repo in repos}
        self._lfs: dict[str, tuple[str, Blob]] = {}
        self.api = Loopback(self._route)
        # The same machine under another name: another host to every client.
        self.cdn = Loopback(self._object, host="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.api.close()
        self.cdn.close()

    @property
    def url(self) -> str:
        """The endpoint."""
        return self.api.url

    def break_file(self, path: str, fault: Fault) -> None:
        """Let *fault* happen to the bytes of *path*."""
        self.api.faults[path] = fault
        self.cdn.faults[path] = fault

    def remove(self, name: str) -> None:
        """Take the repositories *name* away, as their owner does."""
        for kind, other in list(self._repos):
            if other == name:
                del self._repos[kind, other]

    def sent(self, path: str | None = None) -> int:
        """Return how many bytes of files (of *path*) were sent."""
        return self.api.sent(path) + self.cdn.sent(path)

    def seen(self) -> list[Seen]:
        """Return every request to either server."""
        return [*self.api.seen, *self.cdn.seen]

    def _route(self, asked: Asked) -> Answer:
        if asked.parts[0] == "api":
            return self._api(asked)
        kind = "models"
        if asked.parts[0] in ("datasets", "spaces"):
            kind, asked.parts = asked.parts[0], asked.parts[1:]
        name, verb, rest = _split(asked.parts)
        if verb != "resolve" or len(rest) < 2:
            return _no(404, "", "Not Found")
        repo = self._repos.get((kind, name))
        refused = _shut(repo, asked, content=True)
        if refused is not None or repo is None:
            return refused or _no(401, "RepoNotFound", "Invalid username or password.")
        return self._resolve(repo, rest[0], "/".join(rest[1:]), asked)

    def _api(self, asked: Asked) -> Answer:
        if fixed := _FIXED.get("/".join(asked.parts)):
            return _json(fixed)
        name, verb, rest = _split(asked.parts[2:])
        repo = self._repos.get((asked.parts[1], name))
        refused = _shut(repo, asked, content=verb == "auth-check")
        if refused is not None or repo is None:
            return refused or _no(401, "RepoNotFound", "Invalid username or password.")
        if verb in ("refs", "auth-check"):
            return _refs(repo) if verb == "refs" else _json({})
        commit = repo.find(rest[0] if rest else "main")
        if commit is None:
            return _no(404, "RevisionNotFound", f"Invalid rev id: {rest[:1]}")
        return self._listing(repo, commit, verb, asked)

    def _listing(self, repo: Repo, commit: str, verb: str, asked: Asked) -> Answer:
        if verb == "tree":
            return self._tree(repo, commit, asked)
        if verb == "paths-info":
            return _paths_info(repo, commit, asked)
        return _json(repo.info(commit, blobs=_flag(asked, "blobs")))

    def _tree(self, repo: Repo, commit: str, asked: Asked) -> Answer:
        folder = "/".join(_split(asked.parts[2:])[2][1:])
        recursive, expand = _flag(asked, "recursive"), _flag(asked, "expand")
        entries = repo.tree(commit, folder, recursive=recursive, expand=expand)
        if folder and not entries:
            return _no(404, "EntryNotFound", f"{folder} does not exist on {commit}")
        start = int(asked.query.get("cursor", "0"))
        stop = start + self.page_size
        answer = _json(entries[start:stop])
        if stop < len(entries):
            path = "/".join(quote(part, safe="") for part in asked.parts)
            query = f"recursive={recursive}&expand={expand}&cursor={stop}"
            answer.headers["Link"] = f'<{asked.base}/{path}?{query}>; rel="next"'
        return answer

    def _resolve(self, repo: Repo, revision: str, path: str, asked: Asked) -> Answer:
        commit = repo.find(revision)
        if commit is None:
            return _no(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        blob = repo.commits[commit].get(path)
        if blob is None:
            answer = _no(404, "EntryNotFound", "Entry not found")
            answer.headers["X-Repo-Commit"] = commit
            return answer
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob.etag}"'}
        if not blob.lfs:
            return Answer(200, headers, blob.data, path)
        self._lfs[blob.sha256] = (path, blob)
        headers |= {
            "X-Linked-Size": str(len(blob.data)),
            "X-Linked-ETag": f'"{blob.sha256}"',
            "Location": f"{self.cdn.url}/lfs/{blob.sha256}?Signature=secret",
            "Accept-Ranges": "bytes",
        }
        return Answer(302, headers, b"")

    def _object(self, asked: Asked) -> Answer:
        found = self._lfs.get(asked.parts[-1])
        if found is None or asked.query.get("Signature") != "secret":
            return Answer(403, {}, b"")
        path, blob = found
        return Answer(200, {"ETag": f'"{blob.sha256[:32]}"'}, blob.data, path)


def _split(parts: list[str]) -> tuple[str, str, list[str]]:
    """Return repository, verb and the rest; a repository has one or two parts."""
    for index, part in enumerate(parts[:3]):
        if index and part in _MARKERS:
            return "/".join(parts[:index]), part, parts[index + 1 :]
    return "/".join(parts), "", []


def _shut(repo: Repo | None, asked: Asked, *, content: bool) -> Answer | None:
    """Return the refusal where *asked* may not see *repo*, or its files."""
    token = asked.headers.get("authorization", "").removeprefix("Bearer ")
    if token and token not in (TOKEN, STRANGER):
        message = "Invalid credentials in Authorization header"
        return _no(401, "", message)
    if repo is None or (token == TOKEN and not repo.disabled):
        return None
    if repo.private or repo.disabled:
        gone = (401, "RepoNotFound", "Invalid username or password.")
        off = (403, "", "Access to this resource is disabled.")
        return _no(*(off if repo.disabled else gone))
    if repo.gated and content:
        message = f"Access to model {repo.name} is restricted."
        return _no(403 if token else 401, "GatedRepo", message)
    return None


def _refs(repo: Repo) -> Answer:
    def named(prefix: str, refs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{prefix}/{name}", "targetCommit": commit}
            for name, commit in refs
        ]

    return _json(
        {
            "branches": named("heads", repo.branches.items()),
            "converts": [],
            "tags": named("tags", repo.git_tags.items()),
            "pullRequests": [],
        }
    )


def _paths_info(repo: Repo, commit: str, asked: Asked) -> Answer:
    form = parse_qs(asked.body.decode())
    is_json = "json" in asked.headers.get("content-type", "")
    paths = json.loads(asked.body)["paths"] if is_json else form.get("paths", [])
    expand = str(form.get("expand", [""])[0]).casefold() == "true"
    files = repo.commits[commit]
    return _json(
        [
            repo.entry(commit, path, files[path], expand=expand)
            for path in paths
            if path in files
        ]
    )


def _flag(asked: Asked, name: str) -> bool:
    return asked.query.get(name, "").casefold() in ("true", "1")


def _json(value: Any) -> Answer:
    body = json.dumps(value).encode()
    return Answer(200, {"Content-Type": "application/json"}, body)


def _no(status: int, code: str, message: str) -> Answer:
    headers = {"Content-Type": "application/json", "X-Error-Message": message}
    if code:
        headers["X-Error-Code"] = code
    return Answer(status, headers, json.dumps({"error": message}).encode())
