"""Files beside the database, from which it can be made again and is checked.

Below the home::

    records/anchor.json                 the root accepted at the first installation
    records/000042-0123456789ab/        delivery 42, its id beginning so
        import.json                     when, by whom and by which airlift
        airlift/...                     its signed records, as in a volume
    records/state.json                  a summary of everything that is not signed
    records/events.jsonl                the log, one canonical record a line
    log/checkpoint                      how long the log is, and its root, signed

The law: a delivery's folder is durable **before** its transaction commits; the summary
and the log are brought up to date **after**. So what the database holds can always be
made again, and a database older than the summary is one that was put back from a copy.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import AirliftError, RegistryError
from airlift.format import canonical, checkpoint
from airlift.format.checkpoint import Note
from airlift.format.fields import Fields
from airlift.registry import log
from airlift.registry.held import Delivered, Event
from airlift.registry.summary import Summary, decode, encode
from airlift.store.durable import Disk, failing, let_go, names, read_file, there
from airlift.trust import records as trusted
from airlift.trust.delivery import VerifiedDelivery

FORMAT = "airlift/import/1"
CHECKPOINT = Path("log/checkpoint")
"""In a folder apart, so that another disk can be mounted there: a copy of the home that
is put back does not put that back."""
LIMIT = 64 << 20
"""Bytes of a summary: about 100,000 releases and generations."""

_FOLDER = re.compile(r"(\d{6,16})-([0-9a-f]{12})", re.ASCII)
_SEALED = "move it away: receipts and deliveries say how far the log was, too"
_HINT = "if the file cannot be mended, restore the records from a backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A delivery's folder: when and by whom it was imported, and its records.

    Attributes:
        folder: Where it lies.
        sequence: By the folder's name.
        prefix: The first 12 digits of the delivery's id, by the folder's name.
    """

    folder: Path
    sequence: int
    prefix: str


class Records:
    """The files of one home.

    Args:
        home: The folder of the registry.
        disk: What changes the disk.
    """

    def __init__(self, home: Path, disk: Disk | None = None) -> None:
        self._folder = home / "records"
        self._disk = disk or Disk()
        self._summary = self._folder / "state.json"
        self._events = self._folder / "events.jsonl"
        self._checkpoint = home / CHECKPOINT

    def begin(self, anchor: bytes) -> None:
        """Make the folder and keep the root that was accepted.

        Raises:
            StoreError: The disk refused.
        """
        self._disk.make_folder(self._folder, mode=0o700)
        self._disk.write_file(self._folder / "anchor.json", anchor)

    def anchor(self) -> bytes:
        """Return the root that was accepted at the first installation.

        Raises:
            RegistryError: It is not there.
        """
        return read_file(self._folder / "anchor.json", limit=LIMIT, error=RegistryError)

    # --- deliveries -------------------------------------------------------------

    def keep(self, verified: VerifiedDelivery, told: Delivered) -> None:
        """Keep the signed records of a delivery, durable on return.

        What an import that never committed left under its name is replaced.

        Raises:
            StoreError: The disk refused.
        """
        final = self._folder / f"{told.sequence:06d}-{verified.id[:12]}"
        fresh = self._folder / ".delivery.new"
        for leftover in (fresh, final):
            self._disk.remove_tree(leftover)
        facts: dict[str, Json] = {
            "format": FORMAT,
            "imported": told.imported,
            "actor": told.actor,
            "version": told.version,
        }
        files = {f"airlift/{name}": data for name, data in verified.records.items()}
        files["import.json"] = canonical.encode(facts)
        folders = {fresh}
        for name, content in files.items():
            path = fresh / name
            self._disk.make_folder(path.parent, mode=0o700)
            fd = self._disk.create(path)
            try:
                self._disk.write(fd, path, content, 0)
                self._disk.sync(fd, path, mode=0o400)
            finally:
                let_go(fd)
            folders |= {one for one in path.parents if one.is_relative_to(fresh)}
        for folder in sorted(folders, reverse=True):
            self._disk.sync_folder(folder)
        self._disk.rename(fresh, final)
        self._disk.sync_folder(self._folder)

    def deliveries(self) -> tuple[Kept, ...]:
        """Return the deliveries kept, by rising sequence.

        Raises:
            RegistryError: The folder cannot be read.
        """
        found = [
            Kept(folder=self._folder / name, sequence=int(match[1]), prefix=match[2])
            for name in names(self._folder, error=RegistryError)
            if (match := _FOLDER.fullmatch(name))
        ]
        return tuple(sorted(found, key=lambda one: (one.sequence, one.prefix)))

    def read(self, kept: Kept) -> tuple[dict[str, bytes], Fields]:
        """Return the signed records of a delivery by name, and ``import.json``.

        Raises:
            RegistryError: A file cannot be read, or is none that a delivery has.
        """
        root = kept.folder / "airlift"
        offered = {}
        with failing("list", root, error=RegistryError):
            paths = [path for path in sorted(root.rglob("*")) if not path.is_dir()]
        for path in paths:
            name = path.relative_to(root).as_posix()
            offered[name] = read_file(path, limit=_limit(name), error=RegistryError)
        place = f"{kept.folder.name}/import.json"
        content = read_file(
            kept.folder / "import.json", limit=LIMIT, error=RegistryError
        )
        facts = Fields(_decoded(content, place), record=place, error=RegistryError)
        facts.expect("format", FORMAT)
        return offered, facts

    def drop_unrecorded(self, recorded: Iterable[tuple[int, Sha256]]) -> None:
        """Delete folders of deliveries whose transaction never committed.

        Raises:
            StoreError: The disk refused.
        """
        known = {(sequence, digest[:12]) for sequence, digest in recorded}
        for one in self.deliveries():
            if (one.sequence, one.prefix) not in known:
                self._disk.remove_tree(one.folder)
        self._disk.remove_tree(self._folder / ".delivery.new")

    # --- summary and log --------------------------------------------------------

    def summary(self) -> Summary | None:
        """Return the summary, or None where there is none.

        Raises:
            RegistryError: It cannot be read.
        """
        if not there(self._summary, error=RegistryError):
            return None
        content = read_file(self._summary, limit=LIMIT, error=RegistryError)
        return decode(_decoded(content, "state.json"))

    def put_summary(self, told: Summary) -> None:
        """Replace the summary, whole or not at all, unless it says that already.

        Raises:
            StoreError: The disk refused.
            RegistryError: The one that is there cannot be read.
        """
        content = canonical.encode(encode(told))
        if there(self._summary, error=RegistryError):
            said = read_file(self._summary, limit=LIMIT, error=RegistryError)
            if said == content:
                return
        self._disk.write_file(self._summary, content)

    def newest_event(self) -> int:
        """Return the number of the last whole line of the log; 0 before the first.

        Raises:
            RegistryError: The log cannot be read.
        """
        return self._tail()[0]

    def add_events(self, told: Iterable[Event]) -> None:
        """Add lines to the log, durable on return.

        Raises:
            StoreError: The disk refused.
            RegistryError: The log cannot be read.
        """
        lines = b"".join(log.entry(one) + b"\n" for one in told)
        if not lines:
            return
        _, end = self._tail()
        fd = self._disk.create(self._events, fresh=False)
        try:
            # A line torn by a power cut goes; the database still has it.
            self._disk.truncate(fd, self._events, end)
            self._disk.write(fd, self._events, lines, end)
            self._disk.sync(fd, self._events)
        finally:
            let_go(fd)
        if end == 0:
            self._disk.sync_folder(self._folder)

    def events(self) -> Iterator[Event]:
        """Yield the log from its first line.

        Raises:
            RegistryError: A line is not one airlift wrote.
        """
        if not there(self._events, error=RegistryError):
            return
        with failing("read", self._events, error=RegistryError):
            content = self._events.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            yield _read_event(line, f"events.jsonl line {number}")

    def checkpoint(self) -> Note | None:
        """Return the newest checkpoint, as its file states it; None before the first.

        Raises:
            RegistryError: The file cannot be read, or is none.
        """
        if not there(self._checkpoint, error=RegistryError):
            return None
        data = read_file(self._checkpoint, limit=checkpoint.LIMIT, error=RegistryError)
        try:
            return checkpoint.decode(data, name=str(CHECKPOINT))
        except AirliftError as error:
            raise RegistryError(error.problem, hint=_SEALED) from error

    def put_checkpoint(self, note: bytes) -> None:
        """Replace the newest checkpoint, whole or not at all, unless it is that one.

        Raises:
            StoreError: The disk refused.
            RegistryError: The one that is there cannot be read.
        """
        if there(self._checkpoint, error=RegistryError):
            limit = checkpoint.LIMIT
            if read_file(self._checkpoint, limit=limit, error=RegistryError) == note:
                return
        self._disk.make_folder(self._checkpoint.parent, mode=0o700)
        self._disk.write_file(self._checkpoint, note)

    def _tail(self) -> tuple[int, int]:
        """Return the number of the last whole line and where it ends, in bytes."""
        with failing("read", self._events, error=RegistryError):
            try:
                stream = self._events.open("rb")
            except FileNotFoundError:
                return 0, 0
            with stream:
                size = stream.seek(0, os.SEEK_END)
                tail, step = b"", 1 << 16
                while size - len(tail) > 0 and tail.count(b"\n") < 2:
                    start = max(0, size - len(tail) - step)
                    stream.seek(start)
                    tail = stream.read(size - start)
                    step *= 2
        end = tail.rfind(b"\n") + 1
        if end == 0:
            return 0, 0
        last = tail[:end].splitlines()[-1]
        found = _read_event(last, "the last line of events.jsonl")
        return found.number, size - len(tail) + end


def _limit(name: str) -> int:
    try:
        return trusted.limit(name)
    except AirliftError as error:
        problem = f"the records of a delivery: {error.problem}"
        raise RegistryError(problem, hint=_HINT) from error


def _decoded(content: bytes, place: str, limit: int = LIMIT) -> Json:
    try:
        return canonical.decode(content, name=place, limit=limit)
    except AirliftError as error:
        raise RegistryError(error.problem, hint=_HINT) from error


def _read_event(line: bytes, place: str) -> Event:
    found = Fields(
        _decoded(line, naming.show(place)), record=place, error=RegistryError
    )
    fresh = found.has("tool")  # lines from before the log was a tree have none
    return Event(
        number=found.number("number", least=1),
        time=found.text("time"),
        actor=found.text("actor"),
        action=found.text("action"),
        subject=found.text("subject"),
        outcome=found.text("outcome"),
        detail=found.mapping("detail"),
        floor=found.text("floor", ""),
        metadata=found.mapping("metadata") if fresh else {},
        tool=found.text("tool", ""),
    )
