"""What is watched: all that was shipped, and what manifests ask for.

What a manifest says is taken as it is; what was only shipped is asked for again as it
was asked for then, as far as a release tells: by the branch, the tag or the
quantisation. A folder has no upstream, and is not watched.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from airlift.artifact import Json, Kind, Pinned, Release, Wish
from airlift.payload import oci_name

LOCAL: Final = ("path", "requirements-file")
"""Options that mean something on this host only, and do not travel."""
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_TARGET = re.compile(r"python (\S+) on (\S+)", re.ASCII)


Key = tuple[Kind, str, str]
"""What tells wishes apart: kind, name, and which tag or quantisation of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An artifact to be asked for.

    Attributes:
        wish: How.
        name: What releases of it are called; empty where none was shipped.
    """

    wish: Wish
    name: str = ""


def watch_list(
    stated: Iterable[Wish], shipped: Iterable[Pinned | Release]
) -> tuple[Watched, ...]:
    """Return what is to be asked for, each once.

    Args:
        stated: Entries of manifests; what was shipped of the same is not asked for
            in another way.
        shipped: What releases and locks hold, the newest of each name first.
    """
    found: dict[Key, Watched] = {}
    for wish in stated:
        if wish.kind is not Kind.FOLDER:
            found.setdefault(key(wish), Watched(wish=wish))
    for one in shipped:
        if one.kind in _ASKED:
            wish = _ASKED[one.kind](one)
            known = found.setdefault(key(wish), Watched(wish=wish, name=one.name))
            if not known.name:
                found[key(wish)] = Watched(wish=known.wish, name=one.name)
    return tuple(found.values())


def key(wish: Wish) -> Key:
    """Return what tells *wish* apart: several tags and quantisations have one name."""
    if wish.kind is Kind.GGUF:
        which = wish.options.get("quant") or wish.options.get("file") or ""
        return wish.kind, wish.name.casefold(), str(which).upper()
    if wish.kind is Kind.OCI:
        place = oci_name.parse(wish.name)
        return wish.kind, place.served.casefold(), place.digest or place.tag
    if wish.kind is Kind.OLLAMA:
        stem, _, last = wish.name.rpartition("/")
        model, _, tag = last.partition(":")
        space = stem.casefold() or "library"
        return wish.kind, f"{space}/{model.casefold()}", tag or "latest"
    return wish.kind, wish.name.casefold(), ""


def _hub(one: Pinned | Release) -> Wish:
    return Wish(kind=one.kind, name=one.name, options={"revision": _branch(one)})


def _branch(one: Pinned | Release) -> str:
    """Return the branch to follow: a commit or a tag never brings anything new."""
    requested = one.upstream.get("requested")
    if not isinstance(requested, str) or _COMMIT.fullmatch(requested):
        return "main"
    tags = one.upstream.get("tags")
    fixed = isinstance(tags, list | tuple) and requested in tags
    return "main" if fixed else requested


def _gguf(one: Pinned | Release) -> Wish:
    options: dict[str, Json] = {"revision": _branch(one)}
    quant = one.upstream.get("quantisation")
    if isinstance(quant, str):
        options["quant"] = quant
    else:
        paths = [file.path for file in one.files if file.path.endswith(".gguf")]
        projector = one.upstream.get("projector")
        options["file"] = next((path for path in paths if path != projector), "")
    options["projector"] = "projector" in one.upstream
    return Wish(kind=one.kind, name=one.name, options=options)


def _tagged(one: Pinned | Release) -> Wish:
    requested = one.upstream.get("requested")
    tag = requested if isinstance(requested, str) else "latest"
    parts = one.name.split("/")
    if one.kind is Kind.OCI or len(parts) > 2:
        # A host with its port, which a release's name spells with an underscore.
        parts[0] = parts[0].replace("_", ":")
    # A digest moves nowhere; that it is still there is worth to know.
    joint = "@" if tag.startswith("sha256:") else ":"
    options: dict[str, Json] = {}
    if one.kind is Kind.OCI:
        options["platform"] = one.upstream.get("platform", ())
    name = f"{'/'.join(parts)}{joint}{tag}"
    return Wish(kind=one.kind, name=name, options=options)


def _wheels(one: Pinned | Release) -> Wish:
    stated = one.upstream.get("targets")
    texts = stated if isinstance(stated, list | tuple) else ()
    found = [_TARGET.fullmatch(text) for text in texts if isinstance(text, str)]
    options: dict[str, Json] = {
        "requirements": one.upstream.get("requested", ()),
        "python": tuple(dict.fromkeys(match[1] for match in found if match)),
        "platform": tuple(dict.fromkeys(match[2] for match in found if match)),
    }
    return Wish(kind=one.kind, name=one.name, options=options)


_ASKED: Final[Mapping[Kind, Callable[[Pinned | Release], Wish]]] = {
    Kind.MODEL: _hub,
    Kind.DATASET: _hub,
    Kind.GGUF: _gguf,
    Kind.OLLAMA: _tagged,
    Kind.OCI: _tagged,
    Kind.WHEELS: _wheels,
}
