"""What a Hugging Face repository holds, for the loopback hub."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

LFS_SUFFIXES = (".safetensors", ".bin", ".gguf", ".onnx", ".h5", ".msgpack", ".pt")


def git_oid(data: bytes) -> str:
    """Return the git blob id of *data*."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class Blob:
    """One file at one commit."""

    data: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        """The LFS object id."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def pointer(self) -> bytes:
        """The text that git itself keeps of an LFS file."""
        return (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{self.sha256}\nsize {len(self.data)}\n"
        ).encode()

    @property
    def oid(self) -> str:
        """The git id the API gives: of the pointer where the file is in LFS."""
        return git_oid(self.pointer if self.lfs else self.data)

    @property
    def etag(self) -> str:
        """What ``resolve`` names it by."""
        return self.sha256 if self.lfs else self.oid


@dataclass
class Repo:
    """A repository: commits of files, and names for some of them."""

    name: str
    kind: str = "models"
    private: bool = False
    gated: bool = False
    disabled: bool = False
    card: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    security: dict[str, str] = field(default_factory=dict)
    modified: str = "2024-05-06T07:08:09.000Z"
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    git_tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], *, branch: str = "main") -> str:
        """Make *files* the whole content of *branch*; return the commit."""
        blobs = {
            path: Blob(data, path.endswith(LFS_SUFFIXES))
            for path, data in files.items()
        }
        listing = json.dumps({path: blob.oid for path, blob in sorted(blobs.items())})
        parent = self.branches.get(branch, "")
        commit = hashlib.sha1(f"{self.name} {parent} {listing}".encode()).hexdigest()
        self.commits[commit] = blobs
        self.branches[branch] = commit
        return commit

    def find(self, revision: str) -> str | None:
        """Return the commit that *revision* names, or None."""
        if revision in self.commits:
            return revision
        return self.branches.get(revision) or self.git_tags.get(revision)

    def info(self, commit: str, *, blobs: bool) -> dict[str, Any]:
        """Return what the API says of the repository at *commit*."""
        return {
            "id": self.name,
            "sha": commit,
            "lastModified": self.modified,
            "private": self.private,
            "gated": "manual" if self.gated else False,
            "disabled": self.disabled,
            "tags": self.tags,
            "cardData": self.card,
            "downloads": 0,
            "likes": 0,
            "siblings": [
                _sibling(path, blob, blobs=blobs)
                for path, blob in sorted(self.commits[commit].items())
            ],
        }

    def tree(
        self, commit: str, folder: str, *, recursive: bool, expand: bool
    ) -> list[dict[str, Any]]:
        """Return the entries below *folder*, folders included, sorted by path."""
        prefix = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, Any]] = {}
        for path, blob in self.commits[commit].items():
            if not path.startswith(prefix):
                continue
            parts = path.removeprefix(prefix).split("/")
            for depth in range(1, len(parts)):
                if recursive or depth == 1:
                    place = prefix + "/".join(parts[:depth])
                    oid = git_oid(place.encode())
                    entries[place] = {"type": "directory", "path": place, "size": 0}
                    entries[place]["oid"] = oid
            if recursive or len(parts) == 1:
                entries[path] = self.entry(commit, path, blob, expand=expand)
        return [entries[path] for path in sorted(entries)]

    def entry(
        self, commit: str, path: str, blob: Blob, *, expand: bool
    ) -> dict[str, Any]:
        """Return what the API says of one file."""
        entry: dict[str, Any] = {
            "type": "file",
            "path": path,
            "size": len(blob.data),
            "oid": blob.oid,
        }
        if blob.lfs:
            pointer = len(blob.pointer)
            size = len(blob.data)
            entry["lfs"] = {"oid": blob.sha256, "size": size, "pointerSize": pointer}
        if expand:
            when = {"id": commit, "title": "add", "date": self.modified}
            entry["lastCommit"] = when
            entry["securityFileStatus"] = {
                "status": self.security.get(path, "safe"),
                "avScan": None,
                "pickleImportScan": None,
            }
        return entry


def _sibling(path: str, blob: Blob, *, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": path}
    if blobs:
        sibling |= {"size": len(blob.data), "blobId": blob.oid}
    if blobs and blob.lfs:
        size, pointer = len(blob.data), len(blob.pointer)
        sibling["lfs"] = {"sha256": blob.sha256, "size": size, "pointerSize": pointer}
    return sibling
