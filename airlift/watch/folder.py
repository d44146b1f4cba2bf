"""The files of a drop folder, and which of them have stopped changing.

Looked at again and again: network folders give no events, and an event says only that
somebody did something. That a file rests is no proof that it is whole, and a time in
the future none that it is not: a file that rests is worth reading, and its bytes decide.
"""

import os
import stat
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.errors import StoreError
from airlift.store.durable import FLAGS, failing, let_go

IN_TRANSIT: Final = (".part", "_part", ".partial", ".filepart", ".tmp", ".temp")
"""Endings of names that programs give files which they have yet to rename."""


class Verdict(Enum):
    """What a file turned out to be."""

    UNREAD = "unread"
    GOOD = "good"
    HELD = "held"
    SPARE = "spare"
    FAULTY = "faulty"
    REFUSED = "refused"
    STRAY = "stray"


OVER: Final = (Verdict.FAULTY, Verdict.REFUSED)
"""What is given up after a while, if it does not change."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What of a file changes when somebody writes to it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(slots=True)
class Item:
    """A file of the folder.

    Attributes:
        path: Where it lies.
        mark: What it was when it was last looked at.
        since: Seconds, on the clock of the watch, since when it has been that.
        verdict: What its bytes are; UNREAD until they were read, and again when the
            mark changes.
        reason: Why, where it is not good.
        delivery: Id of the delivery it says it is of; empty where it says nothing.
        ordinal: Which volume of it it says it is; 0 where it is none.
        protects: Volumes that it, a spare, protects; 0 where it is none.
        again: Whether it was read once more before it is given up.
    """

    path: Path
    mark: Mark
    since: float
    verdict: Verdict = Verdict.UNREAD
    reason: str = ""
    delivery: str = ""
    ordinal: int = 0
    protects: int = 0
    again: bool = False

    @property
    def ours(self) -> bool:
        """Whether it may be moved or deleted: nobody is going to rename it."""
        name = self.path.name.lower()
        return not (name.startswith(".") or name.endswith(IN_TRANSIT))

    @property
    def name(self) -> str:
        """What to call it, safe to print."""
        return naming.show(self.path.name)

    def unreadable(self) -> str:
        """Say why it cannot be read; empty where it can be."""
        try:
            let_go(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | FLAGS))
        except FileNotFoundError:
            return ""  # it was taken away; the next look tells
        except OSError as error:
            return f"cannot be read: {os.strerror(error.errno or 0).lower()}"
        return ""

    def judge(self, verdict: Verdict, reason: str = "") -> None:
        """Note what was found out about it."""
        self.verdict, self.reason = verdict, reason


@dataclass(slots=True)
class Folder:
    """A drop folder; flat, as diodes make them.

    Attributes:
        path: Where it is.
        settle_s: Seconds that a file must not have changed.
        items: Its files by name.
        inside: The delivery that encrypted volumes are of, by what their media call it.
    """

    path: Path
    settle_s: float
    items: dict[str, Item] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)

    def look(self, clock: float) -> None:
        """See what is there now.

        Raises:
            StoreError: The folder cannot be read, for example because it is not
                mounted.
        """
        found: dict[str, Item] = {}
        with failing("list", self.path), os.scandir(self.path) as entries:
            for entry in entries:
                if mark := _mark(entry):
                    found[entry.name] = self._item(entry, mark, clock)
        self.items = dict(sorted(found.items()))

    def rested(self, clock: float) -> list[Item]:
        """Return the files that were not read since they last changed, and rest."""
        return [
            one
            for one in self.items.values()
            if one.verdict is Verdict.UNREAD and clock - one.since >= self.settle_s
        ]

    def stirring(self) -> bool:
        """Say whether some file is still to be read: it changed a moment ago."""
        return any(one.verdict is Verdict.UNREAD for one in self.items.values())

    def reconsider(self, *verdicts: Verdict) -> None:
        """Let files of these verdicts be read again: what spoke against them may not."""
        for one in self.items.values():
            if one.verdict in verdicts:
                one.judge(Verdict.UNREAD)

    def spared(self) -> dict[str, int]:
        """Return the deliveries that spares are of, and how many volumes one protects."""
        return {
            self.delivery_of(one): one.protects
            for one in self.items.values()
            if one.verdict is Verdict.SPARE
        }

    def of(self, delivery: str, *verdicts: Verdict) -> list[Item]:
        """Return the files of a delivery, of these verdicts if any are given."""
        return [
            one
            for one in self.items.values()
            if self.delivery_of(one) == delivery
            and (not verdicts or one.verdict in verdicts)
        ]

    def names_of(self, delivery: str) -> set[str]:
        """Return a delivery as this site knows it, and as its media call it."""
        shown = {name for name, one in self.inside.items() if one == delivery}
        return {delivery, *shown}

    def delivery_of(self, item: Item) -> str:
        """Return the delivery that a file says it is of, as this site knows it.

        A spare of encrypted volumes says what they say outside.
        """
        return self.inside.get(item.delivery, item.delivery)

    def _item(self, entry: "os.DirEntry[str]", mark: Mark, clock: float) -> Item:
        known = self.items.get(entry.name)
        if known and known.mark == mark:
            return known
        return Item(path=Path(entry.path), mark=mark, since=clock)


def _mark(entry: "os.DirEntry[str]") -> Mark | None:
    """Return the mark of a regular file; of a folder, link, pipe or device None."""
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # taken away while we looked
    except OSError as error:
        problem = f"cannot look at {entry.name!a}: {error.strerror}"
        raise StoreError(problem, hint="is the folder still mounted?") from error
    if not stat.S_ISREG(found.st_mode):
        return None
    return Mark(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
