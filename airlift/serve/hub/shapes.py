"""The JSON shapes of the hub's API, and the ids that its clients name files by.

No answer ever has a ``xetHash``: clients that see one fetch by that protocol without
asking for the file's headers, and fail without falling back where it is not served.

Source: the hub's OpenAPI document and huggingface_hub 0.23 to 2.4.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from airlift.artifact import Json, ReleaseFile
from airlift.payload.git_objects import blob_id, pointer
from airlift.serve.hub.repos import Repo, Revision

Shape: TypeAlias = (
    "dict[str, Shape] | list[Shape] | str | int | bool | None"  # what json.dumps takes
)


def _lfs(file: ReleaseFile, key: str) -> dict[str, Shape]:
    return {key: file.sha256, "size": file.size, "pointerSize": len(pointer(file))}


def entry(file: ReleaseFile, commit: dict[str, Shape] | None) -> dict[str, Shape]:
    """Return the tree entry of *file*.

    Args:
        file: The file.
        commit: What to give as its last commit; None to leave that out.
    """
    shape: dict[str, Shape] = {
        "type": "file",
        "oid": blob_id(file),
        "size": file.size,
        "path": file.path,
    }
    if not file.git_oid:
        shape["lfs"] = _lfs(file, "oid")
    if commit:
        shape["lastCommit"] = commit
    return shape


def folder(
    path: str, files: Sequence[ReleaseFile], commit: dict[str, Shape] | None
) -> dict[str, Shape]:
    """Return the tree entry of the folder *path*, which holds *files*."""
    # Clients need an id that changes with the content; a true git tree id would
    # need file modes, which are not carried.
    hasher = hashlib.sha1(usedforsecurity=False)
    for file in files:
        hasher.update(f"{file.path}\0{blob_id(file)}\0".encode())
    shape: dict[str, Shape] = {
        "type": "directory",
        "oid": hasher.hexdigest(),
        "size": 0,
        "path": path,
    }
    if commit:
        shape["lastCommit"] = commit
    return shape


def tree(
    files: Sequence[ReleaseFile],
    *,
    below: str,
    recursive: bool,
    commit: dict[str, Shape] | None,
) -> list[Shape] | None:
    """Return the listing of the folder *below*, sorted by path; None if there is none.

    Args:
        files: All files of the revision, sorted by path.
        below: A folder's path, empty for the root.
        recursive: Whether to go into folders.
        commit: As in ``entry``.
    """
    start = f"{below}/" if below else ""
    inside = [file for file in files if file.path.startswith(start)]
    if below and not inside:
        return None
    folders: dict[str, list[ReleaseFile]] = {}
    shapes: dict[str, Shape] = {}
    for file in inside:
        above = list(_folders(file.path, len(start)))
        for path in above if recursive else above[:1]:
            folders.setdefault(path, []).append(file)
        if recursive or not above:
            shapes[file.path] = entry(file, commit)
    for path, held in folders.items():
        shapes[path] = folder(path, held, commit)
    return [shapes[path] for path in sorted(shapes)]


def _folders(path: str, start: int) -> Iterator[str]:
    """Yield the folders of *path* whose names end after *start*, outermost first."""
    end = path.find("/", start)
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)


def last_commit(revision: Revision) -> dict[str, Shape]:
    """Return *revision* as the last commit of each of its files."""
    return {
        "id": revision.commit,
        "title": _title(revision),
        "date": revision.date,
    }


def commits(revision: Revision) -> list[Shape]:
    """Return the history that was carried: the revision itself."""
    return [
        {
            "id": revision.commit,
            "title": _title(revision),
            "message": "",
            "authors": [{"user": "airlift"}],
            "date": revision.date,
        }
    ]


def _title(revision: Revision) -> str:
    return f"Release {revision.releases[0].release.counter}, carried by airlift"


def brief(repo: Repo) -> dict[str, Shape]:
    """Return *repo* as in a list of repositories."""
    revision = repo.revision("main")
    assert revision is not None  # `main` always exists
    return about(repo, revision)


def about(repo: Repo, revision: Revision) -> dict[str, Shape]:
    """Return what the hub says of *repo* at *revision*, without its files."""
    release = revision.releases[0].release
    tags = [f"base_model:{name}" for name in release.base_models]
    card: dict[str, Shape] = {}
    if release.base_models:
        card["base_model"] = list(release.base_models)
    if release.licence:
        tags.append(f"license:{release.licence}")
        card["license"] = release.licence
    # What a task's default program is chosen by, where upstream states it.
    known = {"library_name": "library", "pipeline_tag": "task"}
    stated: dict[str, Shape] = {
        key: text
        for key, fact in known.items()
        if isinstance(text := release.upstream.get(fact), str)
    }
    return {
        "_id": revision.release[:24],
        "id": repo.name,
        "modelId": repo.name,
        "author": repo.name.rpartition("/")[0] or None,
        "sha": revision.commit,
        "lastModified": revision.date,
        "createdAt": revision.date,
        "private": False,
        "gated": _gated(release.upstream.get("gated")),
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": list[Shape](tags),
        "cardData": card,
        **stated,
    }


def _gated(stated: Json) -> Shape:
    # For people: upstream wanted its terms accepted. Here access is the server's.
    return stated if stated in ("auto", "manual") else False


def user(name: str) -> Shape:
    """Return a caller as the hub describes the owner of a token."""
    token: dict[str, Shape] = {"displayName": name, "role": "read"}
    return {
        "type": "user",
        "id": name,
        "name": name,
        "fullname": name,
        "isPro": False,
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": token},
    }


def siblings(files: Sequence[ReleaseFile], *, blobs: bool) -> list[Shape]:
    """Return *files* as the hub lists them in a repository's description."""
    shapes: list[Shape] = []
    for file in files:
        shape: dict[str, Shape] = {"rfilename": file.path}
        if blobs:
            shape |= {"size": file.size, "blobId": blob_id(file)}
            if not file.git_oid:
                shape["lfs"] = _lfs(file, "sha256")
        shapes.append(shape)
    return shapes


def refs(repo: Repo) -> dict[str, Shape]:
    """Return the branches, tags and pull requests of *repo*."""
    shapes: dict[str, list[Shape]] = {
        key: [] for key in ("branches", "tags", "converts", "pullRequests")
    }
    for ref, commit in repo.refs.items():
        key, name = ("tags", ref) if ref in repo.tags else _place(ref)
        above = "refs/tags/" if key == "tags" else "refs/heads/"
        full = ref if ref.startswith("refs/") else above + ref
        shapes[key].append({"name": name, "ref": full, "targetCommit": commit})
    return {**shapes}


def _place(ref: str) -> tuple[str, str]:
    for prefix, key in (
        ("refs/tags/", "tags"),
        ("refs/convert/", "converts"),
        ("refs/pr/", "pullRequests"),
    ):
        if ref.startswith(prefix):
            return key, ref if key == "pullRequests" else ref.removeprefix(prefix)
    # Releases of folders, and those of before tags were told apart, come here too.
    # Clients find a revision in any of these lists; llama.cpp reads this one only.
    return "branches", ref
