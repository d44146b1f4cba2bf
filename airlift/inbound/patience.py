"""Reading again what a medium refused, or gave wrong: page by page, past every cache.

A bad sector fails the whole request it lies in, and a loose contact fails one request
and not the next. So what was refused is asked for again in pages of 4 KiB, three times
where need be; what stays bad is known to the page, and never asked for again, because a
dying disk takes seconds for each refusal.

Measured on ext4 with three bad sectors in 64 MiB: reads of 4 KiB through the page cache
lost 641 pages to its read-ahead; reads of 4 KiB past it lost 3.
"""

import errno
import threading
from dataclasses import dataclass
from typing import Final

from airlift.store import direct
from airlift.store.bulk import BulkFile
from airlift.store.direct import PAGE

TRIES: Final = 3
"""Times that a page is asked for. Enough for a contact; a bad sector stays bad."""
_GIVEN_UP: Final = 16
"""Bad pages after which the rest of a piece is not asked for: its digest is that of the
whole, so that one bad page costs all of it, and this only says where the damage is."""
_PROBES: Final = 8
"""Places all over a file that are read to tell a scratch from a medium that is gone."""
_FUTILE: Final = 8
"""Futile second readings of a volume for each that helped, and at the beginning."""
_GONE: Final = (
    *(errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.ENOENT),
    getattr(errno, "ENOMEDIUM", errno.ENODEV),
)
"""What the kernel says of a device that is not there any more, beside EIO."""


@dataclass(slots=True)
class Gaps:
    """What of a piece cannot be read.

    Attributes:
        first: Byte of the file where the first bad page begins.
        stop: Where the last one ends.
        size: Bytes of all of them.
        places: How many runs of bad pages.
        reason: What the system says of it.
    """

    first: int = 0
    stop: int = 0
    size: int = 0
    places: int = 0
    reason: str = ""

    def add(self, start: int, stop: int) -> None:
        """Note that the bytes from *start* to *stop* are bad; called in order."""
        self.first = self.first if self.places else start
        self.places += start != self.stop or not self.places
        self.stop, self.size = stop, self.size + stop - start

    def __str__(self) -> str:
        where = f" in {self.places} places up to byte {self.stop}"
        return (
            f"{self.size} bytes{where if self.places > 1 else ''} cannot be read: "
            f"{self.reason}"
        )


class Patience:
    """Asks a medium again for what it refused.

    Used by the one thread that reads a volume.

    Args:
        bulk: The volume.
        size: Its bytes.

    Attributes:
        failures: Pieces of which something stayed unreadable.
        gone: Whether it is the medium that is not there any more.
    """

    def __init__(self, bulk: BulkFile, size: int) -> None:
        self._bulk, self._size = bulk, size
        self._bad: dict[int, str] = {}
        self._page = direct.buffer(2 * PAGE)
        self.failures, self._next_probe = 0, 1
        self.gone = False

    def read(self, out: memoryview, offset: int) -> Gaps | None:
        """Fill *out* with the bytes from *offset* on; None if all of it is there now.

        Args:
            out: Any memory that can be written.
            offset: Where they begin in the file; all of them lie in it.
        """
        gaps, at, stop = Gaps(), offset, offset + len(out)
        while at < stop:
            end = min(stop, (at // PAGE + 1) * PAGE)
            if gaps.size >= _GIVEN_UP * PAGE:
                gaps.add(at, stop)
                break
            found = self._read_page(at, end, tries=1 if gaps.places else TRIES)
            if isinstance(found, str):
                gaps.reason = found
                gaps.add(at, end)
            else:
                out[at - offset : end - offset] = found
            at = end
        if not gaps.places:
            return None
        self._judge(offset)
        return gaps

    def _read_page(self, start: int, stop: int, *, tries: int) -> memoryview | str:
        """Return bytes of one page, or why there are none."""
        number, reason, gone = start // PAGE, "", False
        if number in self._bad:
            return self._bad[number]
        for _ in range(tries):
            try:
                found = self._bulk.again(self._page, start, stop - start)
            except OSError as error:
                reason, gone = error.strerror or str(error), is_gone(error)
            else:
                if len(found) == stop - start:
                    return found
                reason = "the file became shorter"
        self._bad[number] = reason
        self.gone = self.gone or gone
        return reason

    def _judge(self, offset: int) -> None:
        """Find out whether the whole medium is gone: at failure 1, 2, 4, 8..."""
        self.failures += 1
        if self.gone or self.failures < self._next_probe:
            return
        self._next_probe *= 2
        step = max(PAGE, self._size // _PROBES // PAGE * PAGE)
        places = set(range(0, self._size, step)) - {offset // PAGE * PAGE}
        # A page or two may come out of a cache below the file system.
        answers = sum(self._answers(at) for at in places)
        self.gone = bool(places) and 4 * answers <= len(places)

    def _answers(self, at: int) -> bool:
        if at // PAGE in self._bad:
            return False
        try:
            return bool(self._bulk.again(self._page, at, min(PAGE, self._size - at)))
        except OSError:
            return False


def is_gone(error: OSError) -> bool:
    """Say whether *error* means that the medium is not there any more."""
    return error.errno in _GONE


class Doubts:
    """How often a medium gave something right only the second time; for any thread.

    Attributes:
        count: Pieces that were right the second time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count, self._futile = 0, 0

    def settle(self, *, right: bool) -> None:
        """Note how a second reading went."""
        with self._lock:
            self.count += right
            self._futile += not right

    def may_try(self) -> bool:
        """Say whether to read again what does not have its digest.

        A loose contact gives it right soon. Where nothing ever comes out right the
        bytes themselves are wrong, and a copy of another stick is not read twice.
        """
        with self._lock:
            return self._futile < _FUTILE * (1 + self.count)
