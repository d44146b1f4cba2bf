"""A plain folder: every file of a release under its own path."""

from airlift.artifact import Kind
from airlift.install.layout import Blob, Layout, Parcel, View


class Folder:
    """Any folder, for programs that take a path."""

    kinds = frozenset(Kind)
    noun = "a folder"

    def layout(self, parcel: Parcel, view: View, now: str) -> Layout:
        """Return all files in place."""
        files = tuple(
            Blob(path=one.path, sha256=one.sha256, size=one.size)
            for one in parcel.release.files
        )
        return Layout(blobs=files, names=(), whole="", in_view=True)
