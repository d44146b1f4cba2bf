"""The spool: coded blobs and what packing found, until their volumes are written.

    KEY.coded    the stored slabs, each at a place that its raw length decides
    KEY.packed   the packing list's entry and the heads of its parts
    NAME.part    a ``.coded`` that is not finished

KEY is a blob's digest, and that of its recipe where it has one. A slab's place does not
depend on how far those before it shrank, so that several are written at once; what lies
between is a hole and takes no room.

What memory has room for many times over is left in the page cache and never synced: an
export is mostly over before the kernel writes any of it, so a gigabyte is written to
disks twice instead of three times, and not read again. What a power cut takes of it is
missed by its length or its digests, and packed again.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from airlift.artifact import Json
from airlift.errors import AirliftError
from airlift.format import canonical, head, packing
from airlift.format.fields import Fields
from airlift.format.head import PartHead
from airlift.format.packing import PackedBlob, PackingList
from airlift.outbound.slabs import FileReader, Reader
from airlift.store import direct
from airlift.store.direct import PAGE
from airlift.store.durable import Disk, let_go, names

Done: TypeAlias = tuple[PackedBlob, tuple[PartHead | None, ...]]
"""A packed blob and the heads of its parts."""


_SHARE: Final = 4
"""Of the memory that is to spare, one part of so many is for slabs not yet written."""


def places(lengths: Iterable[int]) -> Iterator[int]:
    """Yield where each slab begins in ``KEY.coded``, and then where the last ends.

    Args:
        lengths: Raw bytes of the slabs.
    """
    at = 0
    for length in lengths:
        yield at
        at += direct.whole_pages(length) + PAGE
    yield at


@dataclass(slots=True)
class Coded:
    """A ``.coded`` file that is being written, by several threads.

    Attributes:
        path: Under the name it has until it is finished.
        fd: Open for writing, past the page cache where that can be.
        cached: Whether it stays in the page cache instead.
    """

    path: Path
    fd: int
    cached: bool
    _disk: Disk

    def write(self, pages: memoryview, place: int) -> None:
        """Write *pages*, whole ones, at byte *place*.

        Raises:
            StoreError: The disk refused.
        """
        self._disk.write(self.fd, self.path, pages, place)

    def finish(self, key: str) -> None:
        """Make it the slabs of *key*; durable, unless it stays in the page cache.

        Raises:
            StoreError: The disk refused.
        """
        if not self.cached:
            self._disk.sync(self.fd, self.path)
        self._disk.rename(self.path, self.path.with_name(f"{key}.coded"))

    def close(self) -> None:
        """Let go of it; what is not finished is worth nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            let_go(fd)


class StoredSlabs:
    """The stored slabs of one blob, read by number.

    Args:
        reader: Of the file they lie in; closed with this.
        begins: Where each begins in that file.
    """

    def __init__(self, reader: Reader, begins: Sequence[int]) -> None:
        self._reader, self._begins = reader, begins

    def into(self, view: memoryview, number: int, length: int) -> None:
        """Read slab *number*, of *length* stored bytes, to the front of *view*.

        Raises:
            StoreError: It is not there.
        """
        self._reader.into(view, self._begins[number], length)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


class Spool:
    """The spool in *folder*, which is made if it is not there.

    Args:
        folder: Where it lies.
        memory: Bytes of slabs that may stay in the page cache; None for a share of
            what is to spare.
    """

    def __init__(self, folder: Path, memory: int | None = None) -> None:
        self._folder, self._disk = folder, Disk()
        self._disk.make_folder(folder, mode=0o700)
        self._memory = _spare_memory() // _SHARE if memory is None else memory

    def coded(self, key: str) -> Path:
        """Return where the stored slabs of *key* lie."""
        return self._folder / f"{key}.coded"

    def begin(self, name: str, size: int) -> Coded:
        """Begin stored slabs that are called *name* until they are finished.

        Args:
            name: Not that of another.
            size: About how many bytes they will have, at most.

        Raises:
            StoreError: The disk refused.
        """
        path = self._folder / f"{name}.part"
        self._disk.unlink(path)
        fd = self._disk.create(path)
        cached = size <= self._memory
        if cached:
            self._memory -= size
        else:
            direct.past_cache(fd)
        return Coded(path, fd, cached, self._disk)

    def remember(self, key: str, done: Done) -> None:
        """Keep what packing *key* found; its slabs are there.

        Raises:
            StoreError: The disk refused.
        """
        blob, heads = done
        listing = packing.encode(PackingList(blobs=(blob,)))
        encoded = tuple(head.encode(one).hex() if one else "" for one in heads)
        record: dict[str, Json] = {"packing": listing.decode(), "heads": encoded}
        path = self._folder / f"{key}.packed"
        self._disk.write_file(path, canonical.encode(record))

    def recall(self, key: str) -> Done | None:
        """Return an earlier result; none when it is absent or no longer whole."""
        path = self._folder / f"{key}.packed"
        try:
            data = path.read_bytes()
            record = Fields(
                canonical.decode(data, name=path.name, limit=1 << 30), record=path.name
            )
            listing = packing.decode(record.text("packing").encode())
            heads = tuple(
                head.decode(bytes.fromhex(one)) if one else None
                for one in record.texts("heads")
            )
            (found,) = listing.blobs
            whole = self._is_whole(key, heads)
        except (OSError, ValueError, AirliftError):
            return None
        return (found, heads) if whole else None

    def _is_whole(self, key: str, heads: Sequence[PartHead | None]) -> bool:
        slabs = [slab for one in heads if one and one.codec for slab in one.slabs]
        if not slabs:
            return True
        *begins, _ = places(slab.raw for slab in slabs)
        end = begins[-1] + direct.whole_pages(slabs[-1].stored)
        return self.coded(key).stat().st_size == end

    def open(self, key: str, heads: Sequence[PartHead | None]) -> StoredSlabs:
        """Open the stored slabs of *key*, whose parts have these *heads*.

        Raises:
            StoreError: They are not there.
        """
        lengths = (slab.raw for one in heads if one for slab in one.slabs)
        return StoredSlabs(FileReader(self.coded(key)), list(places(lengths)))

    def distrust(self, key: str) -> None:
        """Forget what packing *key* found, so that it is packed again."""
        self._disk.unlink(self._folder / f"{key}.packed")

    def clear(self) -> None:
        """Delete everything; the next packing starts afresh."""
        for name in names(self._folder):
            self._disk.unlink(self._folder / name)


def _spare_memory() -> int:
    """Return the bytes of memory that the kernel could give away; 0 if it says none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        told = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(told.split("MemAvailable:")[1].split()[0]) << 10
    return 0
