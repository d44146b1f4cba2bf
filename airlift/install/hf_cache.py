"""The cache of huggingface_hub, and of all that is built on it.

Below ``$HF_HOME/hub``::

    models--ORG--NAME/blobs/ETAG             content, by the name the hub gives it
    models--ORG--NAME/snapshots/COMMIT/PATH  a relative link to its content
    models--ORG--NAME/trees/COMMIT.json      what the commit has, so that a client
                                             offline sees that nothing is missing
    models--ORG--NAME/refs/NAME              the commit, without a line end

``hub/blobs``, which newer clients share between repositories, is left alone.

Source: huggingface_hub 0.23 to 2.4, which read all of this offline.
"""

import json
from collections.abc import Mapping
from typing import Final

from airlift import naming
from airlift.artifact import Json, Kind, Release, ReleaseFile
from airlift.errors import RequestError
from airlift.install.layout import Blob, Layout, Link, Parcel, Text, View
from airlift.payload.git_objects import blob_id, etag

KINDS: Final = frozenset({Kind.MODEL, Kind.GGUF, Kind.FOLDER, Kind.DATASET})


class HuggingFaceCache:
    """The cache folder, ``hub``."""

    kinds = KINDS
    noun = "a Hugging Face cache"

    def layout(self, parcel: Parcel, view: View, now: str) -> Layout:
        """Return one snapshot, its listing, and the refs that lead to it."""
        release = parcel.release
        repo = folder_of(release)
        commit = release.revision
        blobs: dict[str, Blob] = {}
        links = []
        for file in release.files:
            path = f"{repo}/blobs/{etag(file)}"
            blob = Blob(path=path, sha256=file.sha256, size=file.size)
            blobs.setdefault(path, blob)
            up = "../" * (file.path.count("/") + 2)
            links.append(
                Link(
                    path=f"{repo}/snapshots/{commit}/{file.path}",
                    to=f"{up}blobs/{etag(file)}",
                    shows=blob,
                )
            )
        listing = tree_listing(release, view, f"{repo}/trees/{commit}.json")
        named = (_ref(repo, ref, parcel, view) for ref in parcel.refs)
        # Refs last: one that leads to no snapshot makes the whole repository
        # invisible to `hf cache ls`.
        return Layout(
            blobs=tuple(blobs.values()),
            names=(*links, listing, *named),
            base=repo,  # a foreign folder in the cache itself gets clients to warn
            folders=(f"{repo}/snapshots",),
            whole=f"{repo}/snapshots/{commit}",
            notes=_notes(parcel),
        )


def folder_of(release: Release) -> str:
    """Return the folder of a repository in the cache.

    Raises:
        RequestError: No client could ask for a repository of that name.
    """
    parts = release.name.split("/")
    if len(parts) > 2 or "--" in release.name:
        problem = f"`{naming.show(release.name)}` is no name a hub client accepts"
        hint = "install it into a plain folder: `--to ./FOLDER`"
        raise RequestError(problem, hint=hint)
    kind = "datasets" if release.kind is Kind.DATASET else "models"
    return "--".join((kind, *parts))


def tree_listing(release: Release, view: View, path: str) -> Text:
    """Return the listing of a commit, joined with the one that is there.

    Other releases of the same commit, or the hub's own client, may have listed more:
    chosen files of a large repository are often carried apart.
    """
    ours = {file.path: _entry(file) for file in release.files}
    found = _listed(view.read(path))
    known = all(_same(found.get(name), ours[name]) for name in ours)
    joined = found if known else {**_bare(found), **ours}
    content = _encoded(joined)
    there = view.read(path)
    # What says the same in other words stays as it is.
    return Text(
        path=path,
        content=there if known and there is not None else content,
        replaces=lambda _: True,
    )


def _entry(file: ReleaseFile) -> dict[str, Json]:
    entry: dict[str, Json] = {"size": file.size, "blob_id": blob_id(file)}
    if not file.git_oid:
        entry |= {"lfs_sha256": file.sha256, "lfs_size": file.size}
    return entry


def _listed(content: bytes | None) -> dict[str, dict[str, Json]]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict) or found.get("format_version") != 1:
        return {}
    return {path: one for path, one in files.items() if isinstance(one, dict)}


def _same(found: Mapping[str, Json] | None, ours: Mapping[str, Json]) -> bool:
    return found is not None and all(found.get(key) == ours[key] for key in ours)


def _bare(found: Mapping[str, dict[str, Json]]) -> dict[str, dict[str, Json]]:
    # With a xet hash, clients ask a server that is not here.
    return {
        path: {key: value for key, value in one.items() if key != "xet_hash"}
        for path, one in found.items()
    }


def _encoded(files: Mapping[str, Mapping[str, Json]]) -> bytes:
    listed = {
        "format_version": 1,
        "files": {path: files[path] for path in sorted(files)},
    }
    return json.dumps(listed, indent=1).encode()


def _ref(repo: str, ref: str, parcel: Parcel, view: View) -> Text:
    def replaces(found: bytes) -> bool:
        commit = found.decode("ascii", "replace").strip()
        led = "/" not in commit and view.there(f"{repo}/snapshots/{commit}")
        return commit in parcel.ours or not led

    return Text(
        path=f"{repo}/refs/{ref}",
        content=parcel.release.revision.encode(),
        replaces=replaces,
    )


def _notes(parcel: Parcel) -> tuple[str, ...]:
    if parcel.refs:
        return ()
    revision = parcel.release.revision
    return (f"a newer release has its names: load it with revision {revision}",)
