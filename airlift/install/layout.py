"""What an installation puts where: plain values, made without touching the disk.

A ``Target`` turns a ``Parcel`` into a ``Layout``; ``airlift.install.installing`` is
what acts on it, the same way for every runtime. Paths are relative to the folder that
is installed into, ``/``-separated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256
from airlift.install.placing import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A live release, and what decides which names lead to it.

    Attributes:
        id: Of the release.
        release: Its content, files included.
        refs: The branches or tags that mean this release on this site now. One that a
            newer live release claims is not among them, so that installing an old
            release beside a new one takes no name from it.
        ours: Digests of all files, and revisions, of every release of this kind and
            name held here: what an earlier installation may have left.
        tree: Files of all live releases of this revision, which the server offers as
            one repository; a model's licence may have come with another release.
        read: Gives the bytes of a file of ``tree`` from a start up to a stop, at most
            16 MiB.
    """

    id: Sha256
    release: Release
    refs: tuple[str, ...]
    ours: frozenset[str]
    tree: tuple[ReleaseFile, ...]
    read: Callable[[ReleaseFile, int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file with the bytes of a blob."""

    path: str
    sha256: Sha256
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A relative symbolic link; *shows* is the file it leads to, below the root."""

    path: str
    to: str
    shows: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A small file; *replaces* says whether it may take the place of other bytes."""

    path: str
    content: bytes
    replaces: Callable[[bytes], bool] = lambda _: False


Name: TypeAlias = Blob | Link | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be installed, where and how.

    Attributes:
        root: The runtime's folder; made if it is not there.
        way: The best way that bytes may come there.
        replace: Whether files may be replaced that are neither ours nor identical.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
    """

    parcel: Parcel
    root: Path
    way: Way
    replace: bool
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is to be where.

    Attributes:
        blobs: Content. Unless *in_view*, runtimes do not notice it before a name leads
            to it, and each has its own digest as its name.
        names: What leads runtimes to the content; made last, in this order.
        base: Folder in which unfinished files lie. No runtime may look there.
        folders: Made first.
        whole: A folder that appears at once with all that goes into it, unless it is
            there already; None where there is no such folder, empty for the root.
        in_view: Whether blobs lie where runtimes look for them. They are then moved
            in together, after the last one is complete.
        notes: For the user, in order.
    """

    blobs: tuple[Blob, ...]
    names: tuple[Name, ...]
    base: str = ""
    folders: tuple[str, ...] = ()
    whole: str | None = None
    in_view: bool = False
    notes: tuple[str, ...] = ()


class View(Protocol):
    """The folder that is installed into, as it is now."""

    def read(self, path: str) -> bytes | None:
        """Return a small file's bytes; None where there is none."""
        ...

    def there(self, path: str) -> bool:
        """Say whether anything is called *path*."""
        ...


class Target(Protocol):
    """A runtime's folder on disk.

    Attributes:
        kinds: What can be installed there.
        noun: What it is, as in "not for NOUN".
    """

    kinds: frozenset[Kind]
    noun: str

    def layout(self, parcel: Parcel, view: View, now: str) -> Layout:
        """Return what is to be where.

        Args:
            parcel: Of one of ``kinds``.
            view: What is there now.
            now: ``YYYY-MM-DDThh:mm:ssZ``; the time of every file that is written.

        Raises:
            RequestError: The runtime has no place for such a release.
        """
        ...
