"""Bytes between memory and disk without the page cache between them (O_DIRECT).

Through the page cache a gigabyte costs 0.5 to 0.9 CPU seconds more than past it, and
pushes out of it what others need. Past it, offsets, lengths and memory must be
multiples of ``PAGE``. File systems that cannot (exFAT, some network ones) say EINVAL,
now or at the first transfer: the same bytes then go through the cache, and nobody is
told.
"""

import ctypes
import errno
import fcntl
import mmap
import os
from typing import Final

PAGE: Final = 4096
"""Bytes; what every common file system and device is content with."""

_DIRECT: Final = getattr(os, "O_DIRECT", 0)


def buffer(size: int) -> memoryview:
    """Return *size* zero bytes of memory that begin at a page."""
    return memoryview(mmap.mmap(-1, size))


def whole_pages(size: int) -> int:
    """Return *size* rounded up to pages."""
    return -(-size // PAGE) * PAGE


def lead(view: memoryview) -> int:
    """Return how far behind a page of memory *view*, which can be written, begins.

    Of bytes that cannot, say that they begin nowhere: -1.
    """
    if view.readonly:
        return -1
    return ctypes.addressof(ctypes.c_char.from_buffer(view)) % PAGE


def past_cache(fd: int) -> None:
    """Let what is read and written by *fd* go past the page cache where that can be.

    Every transfer must be of whole pages from now on, or is one of
    ``through_cache``.
    """
    _set(fd, direct=True)


def through_cache(fd: int) -> None:
    """Let what is read and written by *fd* go through the cache again."""
    _set(fd, direct=False)


def _set(fd: int, *, direct: bool) -> None:
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | _DIRECT if direct else flags & ~_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def read_into(fd: int, view: memoryview, offset: int, length: int) -> int:
    """Read *length* bytes at byte *offset* of *fd* to the front of *view*.

    Args:
        fd: Past the cache or not.
        view: Of whole pages, beginning at one, if *fd* goes past the cache; *offset*
            is a multiple of ``PAGE`` then. What is behind *length* may be written.
        offset: Where the bytes begin in the file.
        length: Of the bytes wanted.

    Returns:
        How many there are: fewer than *length* where the file ends before.

    Raises:
        OSError: The disk refuses.
    """
    done, room, tried = 0, min(whole_pages(length), len(view)), False
    while done < length:
        try:
            got = os.preadv(fd, [view[done:room]], offset + done)
        except OSError as error:
            if error.errno != errno.EINVAL or tried:
                raise
            # Even where *fd* goes through the cache by now: another thread may have
            # come first.
            through_cache(fd)
            tried = True
            continue
        if not got:
            break
        done += got
    return min(done, length)


def write_from(fd: int, view: memoryview, offset: int) -> None:
    """Write all of *view* at byte *offset* of *fd*.

    Whole pages first: where *fd* goes past the cache and something else is left, or
    the file system cannot, it goes through the cache from there on.

    Raises:
        OSError: The disk refuses.
    """
    tried = False
    while view:
        try:
            pages = view[: len(view) // PAGE * PAGE]
            done = os.pwrite(fd, pages or view, offset)
        except OSError as error:
            if error.errno != errno.EINVAL or tried:
                raise
            # Even where *fd* goes through the cache by now: another thread may have
            # come first.
            through_cache(fd)
            tried = True
            continue
        view, offset = view[done:], offset + done
