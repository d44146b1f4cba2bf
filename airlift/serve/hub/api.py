"""The hub's API below ``/api/``: descriptions, trees, refs, history and who asks.

A tree comes in one page. Unknown query keys are ignored. All other paths are a 404
in JSON.
"""

import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote

from airlift import naming
from airlift.serve.dialect import Answer, Request, Shelf
from airlift.serve.hub import answers, places, repos, shapes, xet
from airlift.serve.hub.places import Call, Place, Reading
from airlift.serve.hub.repos import KINDS, Repo


def answer(
    request: Request, shelf: Shelf, parts: Sequence[str], *, with_xet: bool
) -> Answer:
    """Answer a request for the path *parts*, still encoded, below ``/api/``.

    Args:
        request: What was asked.
        shelf: What is live.
        parts: Of the path.
        with_xet: Whether tokens for the xet protocol are given out.
    """
    whole, reading = "/".join(parts), request.method != "POST"
    if whole in _OF_CALLER and reading:
        return _OF_CALLER[whole](request)
    if not parts or parts[0] not in KINDS:
        return answers.not_served()
    call = Call(request=request, shelf=shelf, type=parts[0], with_xet=with_xet)
    if any(parts[1:]):
        return _of_repository(call, parts[1:])
    return _list(call) if reading else answers.not_served()


def _of_repository(call: Call, parts: Sequence[str]) -> Answer:
    name = "/".join(unquote(part) for part in parts)
    ways = [
        *places.readings(parts, tuple(_AT_REVISION), least=1),
        *places.readings(parts, tuple(_OF_REPO), least=0),
        Reading(name=name, marker="revision", rest=("main",)),
    ]
    found = places.repository(call, ways)
    if not isinstance(found, Answer):
        return _act(call, *found)
    # The last reading takes any path for a name, but one or two parts are one.
    is_name = len(ways) > 1 or len(parts) <= 2
    return found if is_name else answers.not_served()


def _act(call: Call, repo: Repo, reading: Reading) -> Answer:
    action, getting = reading.marker, call.request.method != "POST"
    if getting == (action == "paths-info"):
        return answers.not_served()
    if action in _OF_REPO:
        shape = _OF_REPO[action](repo)
        return answers.not_served() if reading.rest else answers.shaped(shape)
    place = places.revision(repo, reading)
    if isinstance(place, Answer):
        return place
    return _AT_REVISION[action](call, place)


def _info(call: Call, place: Place) -> Answer:
    if place.path:
        return answers.not_served()
    files = place.revision.files(call.shelf)
    shape = shapes.about(place.repo, place.revision)
    shape["siblings"] = shapes.siblings(files, blobs=call.flag("blobs"))
    return answers.shaped(shape, place.revision)


def _tree(call: Call, place: Place) -> Answer:
    expand = call.flag("expand")
    below = place.path.strip("/")
    listing = shapes.tree(
        place.revision.files(call.shelf),
        below=below,
        recursive=call.flag("recursive"),
        commit=shapes.last_commit(place.revision) if expand else None,
    )
    if listing is None:
        commit = place.revision.commit
        problem = f"{naming.show(below)} is not a folder of {place.repo.name}"
        return answers.error(404, "EntryNotFound", problem, commit=commit)
    return answers.shaped(listing, place.revision)


def _paths_info(call: Call, place: Place) -> Answer:
    asked = _asked_paths(call.request)
    if asked is None:
        problem = "body is neither a form nor JSON with paths"
        return answers.error(400, "BadRequest", problem)
    paths, expand = asked
    commit = shapes.last_commit(place.revision) if expand else None
    files = place.revision.files(call.shelf)
    order = [file.path for file in files]
    found: list[shapes.Shape] = []
    for path in dict.fromkeys(one.strip("/") for one in paths):
        # By bisection: a client may ask about each of 100,000 files.
        here = bisect_left(order, path)
        begin, end = (bisect_left(order, f"{path}{mark}") for mark in "/0")
        if order[here : here + 1] == [path]:
            found.append(shapes.entry(files[here], commit))
        elif begin < end:  # "0" is what comes after "/"
            found.append(shapes.folder(path, files[begin:end], commit))
    return answers.shaped(found, place.revision)


def _asked_paths(request: Request) -> tuple[list[str], bool] | None:
    """Return the paths a body asks about and whether to expand; None if unreadable."""
    try:
        text = request.body.decode()
        if not request.headers.get("content-type", "").startswith("application/json"):
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100_000)
            flags = [value.lower() for key, value in pairs if key == "expand"]
            named = [value for key, value in pairs if key == "paths"]
            return named, any(flag in places.TRUE for flag in flags)
        asked = json.loads(text)
    except (ValueError, RecursionError):
        return None
    paths = asked.get("paths") if isinstance(asked, dict) else None
    if isinstance(paths, str):
        paths = [paths]
    if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
        return None
    return paths, asked.get("expand") is True


def _commits(_: Call, place: Place) -> Answer:
    return answers.shaped(shapes.commits(place.revision), place.revision)


def _xet_token(call: Call, place: Place) -> Answer:
    if not call.with_xet or place.path:
        return answers.not_served()
    return xet.token(call.request, place.revision.release)


def _list(call: Call) -> Answer:
    query = dict(call.request.query)
    wanted, author = query.get("search", "").lower(), query.get("author", "")
    found = [
        repo
        for repo in repos.every(call.shelf, KINDS[call.type])
        if wanted in repo.name.lower()
        and (not author or repo.name.startswith(f"{author}/"))
    ]
    limit = query.get("limit", "")
    # isdecimal alone would let other scripts' digits and endless numbers through.
    if limit.isascii() and limit.isdecimal() and len(limit) < 10:
        found = found[: int(limit)]
    return answers.shaped([shapes.brief(repo) for repo in found])


def _harnesses(_: Request) -> Answer:
    # Every process of newer clients asks this; an error is not cached by them.
    return answers.shaped({"standardEnvVars": [], "harnesses": {}})


def _whoami(request: Request) -> Answer:
    if request.caller.may_sign_in and not request.caller.name:
        return answers.unknown_caller()
    return answers.shaped(shapes.user(request.caller.name or "airlift"))


_AT_REVISION: MappingProxyType[str, Callable[[Call, Place], Answer]]
_AT_REVISION = MappingProxyType(
    {
        "revision": _info,
        "tree": _tree,
        "paths-info": _paths_info,
        "commits": _commits,
        "xet-read-token": _xet_token,
    }
)
_OF_REPO: MappingProxyType[str, Callable[[Repo], shapes.Shape]]
_OF_REPO = MappingProxyType({"refs": shapes.refs, "auth-check": lambda _: {}})
_OF_CALLER: MappingProxyType[str, Callable[[Request], Answer]]
_OF_CALLER = MappingProxyType({"agent-harnesses": _harnesses, "whoami-v2": _whoami})
