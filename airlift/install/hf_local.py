"""A folder as ``hf download --local-dir`` leaves it.

Files lie in place; ``.cache/huggingface/download/PATH.metadata`` holds three lines
(commit, ETag, time) by which the client knows each again, and
``.cache/huggingface/trees/COMMIT.json`` what the commit has.

Source: huggingface_hub 0.23 to 2.4.
"""

from datetime import datetime

from airlift.artifact import ReleaseFile
from airlift.install.hf_cache import KINDS, tree_listing
from airlift.install.layout import Blob, Layout, Parcel, Text, View
from airlift.payload.git_objects import etag

CACHE = ".cache/huggingface"


class HuggingFaceFolder:
    """A folder with one revision of a repository, known to hub clients."""

    kinds = KINDS
    noun = "a Hugging Face folder"

    def layout(self, parcel: Parcel, view: View, now: str) -> Layout:
        """Return all files in place, and what the client keeps about them."""
        release = parcel.release
        files = tuple(
            Blob(path=one.path, sha256=one.sha256, size=one.size)
            for one in release.files
        )
        told = (_metadata(one, release.revision, view, now) for one in release.files)
        listing = f"{CACHE}/trees/{release.revision}.json"
        names = (
            Text(path=f"{CACHE}/.gitignore", content=b"*", replaces=lambda _: True),
            *told,
            tree_listing(release, view, listing),
        )
        return Layout(blobs=files, names=names, whole="", in_view=True)


def _metadata(file: ReleaseFile, commit: str, view: View, now: str) -> Text:
    path = f"{CACHE}/download/{file.path}.metadata"
    told = f"{commit}\n{etag(file)}\n".encode()
    there = view.read(path) or b""
    # The third line is a time. Files are given the same one: the client forgets what
    # it knows of a file that was modified later.
    seconds = datetime.fromisoformat(now).timestamp()
    content = there if there.startswith(told) else told + f"{seconds}\n".encode()
    return Text(path=path, content=content, replaces=lambda _: True)
