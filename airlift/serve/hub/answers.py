"""Answers in the hub's shapes: JSON, errors by code, and what every hit carries.

Clients decide by ``X-Error-Code``, not by status, and show ``X-Error-Message``.
"""

import json
from collections.abc import Sequence

from airlift import naming
from airlift.digest import sha256
from airlift.serve.dialect import Answer, Request, Shelf
from airlift.serve.hub.repos import KINDS, Revision

_JSON = (("Content-Type", "application/json; charset=utf-8"),)
_HEADER_CHARS = 400
_CHALLENGE = ("WWW-Authenticate", 'Bearer realm="airlift", charset="UTF-8"')


def shaped(shape: object, revision: Revision | None = None) -> Answer:
    """Return *shape* as JSON, about *revision* if given."""
    body = json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode()
    headers = [*_JSON, ("Cache-Control", "no-cache"), ("ETag", f'"{sha256(body)}"')]
    release = ""
    if revision is not None:
        headers += about(revision)
        release = revision.release
    return Answer(status=200, headers=tuple(headers), body=body, release=release)


def about(revision: Revision) -> list[tuple[str, str]]:
    """Return the headers of every answer about *revision*."""
    headers = [("X-Repo-Commit", revision.commit)]
    for topic, text in revision.warnings:
        # huggingface_hub prints the text, once in a process for each topic.
        headers.append(("X-HF-Warning", header_text(f"{topic}; {text}")))
    return headers


def no_repository(
    request: Request, shelf: Shelf, of_type: str, names: Sequence[str]
) -> Answer:
    """Say that none of *names* is a repository this caller may have.

    Args:
        request: What was asked, and by whom.
        shelf: What this caller may have.
        of_type: ``models``, ``datasets`` or ``spaces``.
        names: What the path may have meant, likeliest first.
    """
    shown, kinds = naming.show(names[0]), KINDS[of_type]
    if kinds and request.caller.may_sign_in:
        problem = (
            f"{shown} is not among the {of_type} that anyone may have here; "
            "set HF_TOKEN to a token of this server"
        )
        return error(401, "RepoNotFound", problem, more=(_CHALLENGE,))
    if kinds and any(shelf.withheld(kinds, name) for name in names):
        whose = naming.show(request.caller.name) or "this caller"
        problem = f"{shown} is not among the {of_type} that {whose} may have here"
        return error(403, "GatedRepo", problem)
    problem = (
        f"{shown} is not among the {of_type} held here; `airlift list` shows what is"
    )
    return error(404, "RepoNotFound", problem)


def unknown_caller() -> Answer:
    """Say that nobody signed in, to a question about who did."""
    problem = "nobody is signed in; set HF_TOKEN to a token of this server"
    return error(401, "", problem, more=(_CHALLENGE,))


def not_served() -> Answer:
    """Say that this is no part of the API that is served."""
    # No code: each code would make clients report something that is not so.
    return error(404, "", "airlift does not serve this part of the hub's API")


def error(
    status: int,
    code: str,
    problem: str,
    *,
    commit: str = "",
    more: Sequence[tuple[str, str]] = (),
) -> Answer:
    """Return an error.

    Args:
        status: Of HTTP.
        code: What clients decide by; empty for none.
        problem: What they show.
        commit: Lets clients remember that this commit has no such file.
        more: Further headers.
    """
    headers = [*_JSON]
    if code:
        headers.append(("X-Error-Code", code))
    headers.append(("X-Error-Message", header_text(problem)))
    if commit:
        headers.append(("X-Repo-Commit", commit))
    body = json.dumps({"error": problem}).encode()
    return Answer(status=status, headers=(*headers, *more), body=body)


def header_text(text: str) -> str:
    """Return *text* as a header's value: printable ASCII, of bounded length."""
    safe = naming.show(text).encode("ascii", "backslashreplace").decode()
    return safe[:_HEADER_CHARS]
