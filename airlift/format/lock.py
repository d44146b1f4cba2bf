"""The lock: a manifest, pinned (docs/manifests.md, "The lock").

JSON for people and version control: one key a line, keys sorted, artifacts in the
order of the manifest, files by path, absent facts left out. The same pinned
artifacts give the same bytes. A lock holds the locations too, so that an export
from it never asks upstream what a branch or a version range meant.

A lock is a file its user keeps, so what is wrong with one is a ``RequestError``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.artifact import NOTHING, Json, Kind, Pinned, PinnedFile
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import canonical
from airlift.format.fields import Fields

FORMAT: Final = "airlift/lock/1"
LIMIT: Final = 256 << 20
"""Most characters of a lock; about a million files."""
_AGAIN: Final = "make it again: `airlift lock MANIFEST`"
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_GIT_OID = re.compile(r"[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A manifest, pinned.

    Attributes:
        pinned: In the order of the manifest.
        manifest_sha256: Of the manifest's bytes, to tell whether it has changed.
    """

    pinned: tuple[Pinned, ...]
    manifest_sha256: Sha256


def encode(pinned: Sequence[Pinned], *, manifest_sha256: Sha256) -> str:
    """Return the text of the lock of *pinned*, ending in a line feed.

    Raises:
        ValueError: A fact holds what a record cannot (a float...): a source's error.
    """
    artifacts: list[Json] = [_artifact(one) for one in pinned]
    table: dict[str, Json] = {
        "format": FORMAT,
        "manifest_sha256": manifest_sha256,
        "artifacts": artifacts,
    }
    # What a lock holds ends in release documents: the same limits, found out here.
    plain = json.loads(canonical.encode(table))
    return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _artifact(one: Pinned) -> dict[str, Json]:
    files: list[Json] = [_file(file) for file in one.files]
    table: dict[str, Json] = {
        "kind": one.kind.value,
        "name": one.name,
        "revision": one.revision,
        "refs": one.refs,
        "upstream": one.upstream,
        "licence": one.licence,
        "base_models": one.base_models,
        "files": files,
    }
    return _without_empty(table, keep=("kind", "name", "revision", "files"))


def _file(file: PinnedFile) -> dict[str, Json]:
    table: dict[str, Json] = {
        "path": file.path,
        "size": file.size,
        "sha256": file.sha256,
        "git_oid": file.git_oid,
        "location": file.location,
        "facts": file.facts,
    }
    return _without_empty(table, keep=("path", "size"))


def _without_empty(table: dict[str, Json], keep: Sequence[str]) -> dict[str, Json]:
    empty: tuple[Json, ...] = (None, "", (), {})
    return {k: v for k, v in table.items() if k in keep or v not in empty}


def decode(text: str, *, name: str) -> Lock:
    """Return the lock that *text* states.

    Args:
        text: The whole file; its spacing and the order of keys do not matter.
        name: What to call it in an error: its file name.

    Raises:
        RequestError: It is not a lock this version reads, or was edited into
            something that cannot be carried; the message names the place.
    """
    top = Fields(_parse(text, name), record=name, error=RequestError)
    top.only("format", "manifest_sha256", "artifacts")
    top.expect("format", FORMAT)
    pinned = tuple(_read_artifact(entry) for entry in top.tables("artifacts"))
    return Lock(pinned=pinned, manifest_sha256=top.sha256("manifest_sha256"))


def _parse(text: str, name: str) -> object:
    if len(text) > LIMIT:
        problem = f"{name} has {len(text)} characters, the limit is {LIMIT}"
        raise RequestError(problem, hint=_AGAIN)
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        canonical.encode(value)  # refuses floats, huge integers, lone surrogates
    except (ValueError, RecursionError) as error:
        problem = f"{name} is not a lock: {naming.show(str(error))}"
        raise RequestError(problem, hint=_AGAIN) from None
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    # A merge that kept both sides must not pick one of two revisions silently.
    table = dict(pairs)
    if len(table) != len(pairs):
        problem = "an object has a key twice"
        raise ValueError(problem)
    return table


def _read_artifact(entry: Fields) -> Pinned:
    entry.only(
        *("kind", "name", "revision", "refs", "upstream"),
        *("licence", "base_models", "files"),
    )
    one = Pinned(
        kind=entry.choice("kind", Kind),
        name=entry.text("name"),
        revision=entry.text("revision"),
        files=tuple(_read_file(file) for file in entry.tables("files")),
        refs=entry.texts("refs"),
        upstream=_mapping(entry, "upstream"),
        licence=entry.text("licence", ""),
        base_models=entry.texts("base_models"),
    )
    _check(entry, one)
    return one


def _read_file(entry: Fields) -> PinnedFile:
    entry.only("path", "size", "sha256", "git_oid", "location", "facts")
    git_oid = entry.text("git_oid") if entry.has("git_oid") else None
    if git_oid is not None and _GIT_OID.fullmatch(git_oid) is None:
        entry.refuse("git_oid", "is not 40 lower-case hexadecimal digits")
    return PinnedFile(
        path=entry.text("path"),
        size=None if entry.raw("size") is None else entry.number("size"),
        sha256=entry.sha256("sha256") if entry.has("sha256") else None,
        git_oid=git_oid,
        location=entry.text("location", ""),
        facts=_mapping(entry, "facts"),
    )


def _mapping(entry: Fields, key: str) -> Mapping[str, Json]:
    if not entry.has(key):
        return NOTHING
    entry.table(key)
    value = entry.raw(key)
    assert isinstance(value, Mapping)
    return value


def _check(entry: Fields, one: Pinned) -> None:
    if problem := naming.name_problem(one.name):
        entry.refuse("name", f"{problem}: `{naming.show(one.name)}`", hint=_AGAIN)
    if _REVISION.fullmatch(one.revision) is None:
        entry.refuse("revision", "is not 40 or 64 lower-case hexadecimal digits")
    paths = [file.path for file in one.files]
    for place, path in enumerate(paths):
        if problem := naming.path_problem(path):
            entry.refuse(f"files[{place}].path", f"{problem}: `{naming.show(path)}`")
    if paths != sorted(set(paths)):
        entry.refuse("files", "are not sorted by path, each once", hint=_AGAIN)
    if pair := naming.collision(paths):
        shown = " and ".join(f"`{naming.show(path)}`" for path in pair)
        entry.refuse("files", f"some file systems cannot hold both {shown}")
