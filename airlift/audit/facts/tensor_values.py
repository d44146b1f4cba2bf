"""Which tensors have other values: the bytes of two revisions side by side.

Headers say what tensors there are; only their bytes say which were trained further. Both
are read from the store a megabyte at a time, until they differ: one that is the same is
read whole, one that is not costs next to nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

from airlift.artifact import ReleaseFile
from airlift.audit.site import Site
from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.payload import gguf_facts, safetensors
from airlift.payload.gguf import Header
from airlift.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the bytes of a tensor lie.

    Attributes:
        blob: The file.
        start: Their first byte in it.
        stop: Behind their last.
        form: Type and shape: only like is compared with like.
    """

    blob: Sha256
    start: int
    stop: int
    form: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What was compared.

    Attributes:
        same: How many tensors have the same bytes.
        changed: Names of those that have others, sorted.
    """

    same: int
    changed: tuple[str, ...]


def compare(
    site: Site,
    old: Sequence[ReleaseFile],
    new: Sequence[ReleaseFile],
    progress: Progress,
) -> Values:
    """Compare the tensors of one name, type and shape in the files of two releases.

    Raises:
        StoreError: A file is not in the store, or the disk cannot be read.
    """
    was, now = (dict(_tensors(site, files)) for files in (old, new))
    both = [
        name
        for name in sorted(was.keys() & now.keys())
        if was[name].form == now[name].form
    ]
    total = sum(now[name].stop - now[name].start for name in both)
    changed = []
    with progress.task("comparing tensors", total) as advance:
        for name in both:
            if not _same(site, was[name], now[name]):
                changed.append(name)
            advance(now[name].stop - now[name].start)
    return Values(same=len(both) - len(changed), changed=tuple(changed))


def _tensors(site: Site, files: Iterable[ReleaseFile]) -> Iterator[tuple[str, Place]]:
    for file in files:
        read = partial(_read, site, file.sha256)
        name = file.path
        try:
            head = read(0, min(9, file.size))
            if head[:4] == b"GGUF":
                yield from _gguf(
                    file, gguf_facts.header(read, name=name, size=file.size)
                )
            elif head[8:9] == b"{":
                length = safetensors.header_size(head, name=name, size=file.size)
                front = read(0, length)
                for one in safetensors.read(front, name=name, size=file.size):
                    form = f"{one.dtype} {one.shape}"
                    place = Place(
                        blob=file.sha256, start=one.start, stop=one.stop, form=form
                    )
                    yield one.name, place
        except FormatError:
            continue  # Q6 says what is wrong with it


def _gguf(file: ReleaseFile, header: Header) -> Iterator[tuple[str, Place]]:
    for one in header.tensors:
        start = header.data + one.offset
        form = f"{one.type} {one.shape}"
        yield (
            one.name,
            Place(blob=file.sha256, start=start, stop=start + one.size, form=form),
        )


def _same(site: Site, old: Place, new: Place) -> bool:
    if (old.blob, old.start, old.stop) == (new.blob, new.start, new.stop):
        return True
    pairs = zip_longest(_bytes(site, old), _bytes(site, new))
    return all(one == other for one, other in pairs)


def _bytes(site: Site, place: Place) -> Iterator[bytes]:
    # In pieces of one size from where each begins.
    return site.store.read(place.blob, start=place.start, stop=place.stop)


def _read(site: Site, blob: Sha256, start: int, stop: int) -> bytes:
    return b"".join(site.store.read(blob, start=start, stop=stop))
