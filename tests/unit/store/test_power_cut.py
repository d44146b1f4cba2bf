"""Every operation is recorded, and the power is cut after each of them.

What a disk may hold after a power cut is worked out from the record by the weakest
promise file systems make: bytes are there once their file was synced after them, names
once their folder was. Everything else may be there, or not, or half. The store is then
opened on each such disk.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.store.blobs import BlobStore
from airlift.store.durable import Buffer, Disk

BIG = [bytes([65 + n]) * (90 + n) for n in range(3)]
SMALLS = [b"small %d" % n for n in range(4)]
Names = dict[Path, int]


@dataclass
class Content:
    """Bytes of one file: as written, and as surely on the disk."""

    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


@dataclass
class Recorder(Disk):
    """A disk that does as it is told and remembers what would survive.

    *names* and *durable* map a path to the number of its content; *pending* are the
    changes of names that no sync of their folder has followed.
    """

    contents: list[Content] = field(default_factory=list)
    names: Names = field(default_factory=dict)
    durable: Names = field(default_factory=dict)
    pending: list[tuple[Path, int | None]] = field(default_factory=list)
    cut: Callable[[], None] = lambda: None

    def _name(self, path: Path, number: int | None) -> None:
        self.pending.append((path, number))
        if number is None:
            self.names.pop(path, None)
        else:
            self.names[path] = number

    def create(self, path: Path, *, fresh: bool = True) -> int:
        fd = super().create(path, fresh=fresh)
        if path not in self.names:
            self.contents.append(Content())
            self._name(path, len(self.contents) - 1)
        self.cut()
        return fd

    def write(self, fd: int, path: Path, piece: Buffer, offset: int) -> None:
        super().write(fd, path, piece, offset)
        content = self.contents[self.names[path]].now
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(piece)] = piece
        self.cut()

    def sync(self, fd: int, path: Path, *, mode: int | None = None) -> None:
        super().sync(fd, path, mode=mode)
        content = self.contents[self.names[path]]
        content.synced = bytes(content.now)
        self.cut()

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        for name, number in self.pending:
            if name.parent == path:
                self.durable.pop(name, None)
                if number is not None:
                    self.durable[name] = number
        self.pending = [one for one in self.pending if one[0].parent != path]
        self.cut()

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        number = self.names[source]
        self._name(source, None)
        self._name(target, number)
        self.cut()

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        if path in self.names:
            self._name(path, None)
        self.cut()

    def disks(self) -> Iterator[dict[Path, bytes]]:
        """Yield every set of files that a power cut at this moment may leave."""
        for kept in itertools.product((True, False), repeat=len(self.pending)):
            names = dict(self.durable)
            for (path, number), done in zip(self.pending, kept, strict=True):
                if done:
                    names.pop(path, None)
                    if number is not None:
                        names[path] = number
            for bytes_of in (_synced, _whole, _torn):
                yield {path: bytes_of(self.contents[n]) for path, n in names.items()}


def _synced(content: Content) -> bytes:
    return content.synced


def _whole(content: Content) -> bytes:
    return bytes(content.now)


def _torn(content: Content) -> bytes:
    if content.synced == content.now:
        return content.synced
    half = len(content.now) // 2
    return bytes(content.now[:half]) + bytes(len(content.now) - half)


@dataclass
class Trial:
    """A store under power cuts, and what it has promised so far."""

    root: Path
    elsewhere: Path
    disk: Recorder = field(default_factory=Recorder)
    promised: set[Sha256] = field(default_factory=set)
    states: int = 0
    faults: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def cut(self) -> None:
        """Open a store on every disk a power cut may leave now."""
        for files in self.disk.disks():
            key = hash((frozenset(files.items()), frozenset(self.promised)))
            if key not in self.seen:
                self.seen.add(key)
                self.judge(files)

    def judge(self, files: dict[Path, bytes]) -> None:
        """Note every promise that the disk of *files* breaks."""
        self.states += 1
        root = self.elsewhere / str(self.states)
        for folder in ("blobs/sha256", "packs", "partial"):
            (root / folder).mkdir(parents=True)
        for path, content in files.items():
            place = root / path.relative_to(self.root)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
        store = BlobStore(root, readonly=True)
        every = {sha256(blob): blob for blob in BIG + SMALLS}
        for name, blob in every.items():
            held = store.has(name)
            if name in self.promised and not held:
                self.faults.append(f"{name} was promised and is lost")
            if held and b"".join(store.read(name)) != blob:
                self.faults.append(f"{name} is held and wrong")
        shutil.rmtree(root)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Return a store whose every operation is followed by power cuts."""
    found = Trial(tmp_path / "store", tmp_path / "after")
    BlobStore(found.root)
    found.disk.cut = found.cut
    return found


def test_no_power_cut_loses_or_spoils_a_blob(trial: Trial) -> None:
    """What was promised is there; what is there is right; after any cut at all."""
    store = BlobStore(trial.root, disk=trial.disk)
    trial.promised.add(store.add([BIG[0][:9], BIG[0][9:]], size=len(BIG[0])))
    store.add_small((sha256(blob), blob) for blob in SMALLS)
    trial.promised |= {sha256(blob) for blob in SMALLS}
    with store.partial("key") as file:
        file.write(BIG[1][9:], 9)
        file.write(BIG[1][:9], 0)
        store.adopt(file, sha256(BIG[1]))
    trial.promised.add(sha256(BIG[1]))
    gone = {sha256(BIG[0]), sha256(SMALLS[0])}
    trial.promised -= gone
    store.remove(gone)
    trial.promised.add(store.add([BIG[0]]))
    assert trial.faults == []
    print(f"{trial.states} states of the disk")
    assert trial.states > 100


def test_the_judge_sees_a_missing_sync(trial: Trial) -> None:
    """The test above proves nothing unless it fails for a careless disk."""

    class Careless(Recorder):
        def sync(self, fd: int, path: Path, *, mode: int | None = None) -> None:
            Disk.sync(self, fd, path, mode=mode)

    trial.disk = Careless(cut=trial.cut)
    store = BlobStore(trial.root, disk=trial.disk)
    name = store.add([BIG[0]])
    assert f"{name} is held and wrong" in trial.faults


def test_the_judge_sees_a_missing_sync_of_the_folder(trial: Trial) -> None:
    """A name that was never made durable is gone after the cut."""

    class Careless(Recorder):
        def sync_folder(self, path: Path) -> None:
            Disk.sync_folder(self, path)

    trial.disk = Careless(cut=trial.cut)
    store = BlobStore(trial.root, disk=trial.disk)
    name = store.add([BIG[0]])
    trial.promised.add(name)
    trial.cut()
    assert f"{name} was promised and is lost" in trial.faults


def test_settling_makes_durable_what_a_killed_process_left(trial: Trial) -> None:
    """Found by the next process, then lost with the power: the records would lie."""
    store = BlobStore(trial.root, disk=trial.disk)
    source = trial.root / "partial" / "key"
    target = trial.root / "blobs" / "sha256" / sha256(BIG[0])[:2] / sha256(BIG[0])
    with store.partial("key") as file:
        file.write(BIG[0], 0)
        file.sync()
        trial.disk.rename(source, target)
    assert BlobStore(trial.root).has(sha256(BIG[0]))
    store.settle([sha256(BIG[0])])
    trial.promised.add(sha256(BIG[0]))
    trial.cut()
    assert trial.faults == []
