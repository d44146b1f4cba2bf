"""Dropping: a written delivery goes, file by file, to where a one-way link takes it.

Each file appears in the drop folder whole, under its name, in an order in which the
last ones speak for the others; then the site's own command is run for it. What was
sent is noted file by file: killed, the same command goes on at the next one. Nobody
answers on a one-way link, so nothing here waits for an answer.
"""

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.errors import AirliftError, RequestError, StoreError
from airlift.hook import Ended, Hook
from airlift.outbound import drop_state
from airlift.outbound.drop_names import delivery_of, drop_name, rank
from airlift.outbound.drop_state import DropState, Sent
from airlift.progress import Advance, Progress
from airlift.store.durable import Disk, failing, free_bytes, let_go

_CHUNK: Final = 4 << 20
_RESERVE: Final = 1 << 20
"""Bytes left free in the drop folder."""
_LOOK_S: Final = 5.0
"""Seconds between two looks whether there is room again."""
_TRIES: Final = 3
"""Times the command is run for a file before the sending ends."""
_SUMS: Final = ".SHA256SUMS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The way to the one-way link.

    Attributes:
        folder: The drop folder.
        hook: Run for each file, if there is one; its places are ``{file}``, the path,
            and ``{name}``.
        takes: Whether the hook has taken the file when it ends well, so that it is
            deleted from the folder.
        mbps: Megabits a second at which files appear; 0 for as fast as can be.
        sleep: Waits for so many seconds.
        clock: Seconds that only rise.
        now: The time, in words.
        note: Told what somebody who watches should know.
    """

    folder: Path
    hook: Hook | None = None
    takes: bool = False
    mbps: float = 0.0
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    now: Callable[[], str]
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file of a delivery, with the digest it must have; empty for a small one."""

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What was sent of a delivery.

    Attributes:
        site: Whom it is for.
        sequence: Its number.
        names: In the drop folder, in order, of this run.
        skipped: How many an earlier run had sent.
        bytes: Of this run.
    """

    site: str
    sequence: int
    names: tuple[str, ...]
    skipped: int
    bytes: int


def deliveries(folder: Path) -> dict[tuple[str, int], list[Path]]:
    """Return the files of each delivery in *folder*, in the order they are sent in.

    Raises:
        RequestError: There is none.
    """
    found: dict[tuple[str, int], list[Path]] = {}
    with failing("list", folder, error=RequestError):
        for path in sorted(folder.iterdir(), key=lambda one: rank(one.name)):
            key = delivery_of(path.name)
            if key and path.is_file() and not path.is_symlink():
                found.setdefault(key, []).append(path)
    if not any(path.suffix == ".tar" for paths in found.values() for path in paths):
        problem = f"no volume is in {naming.show(str(folder))}"
        raise RequestError(problem, hint="`airlift export MANIFEST --to FOLDER` first")
    return dict(sorted(found.items(), key=lambda item: item[0][1]))


def parcels(paths: Sequence[Path]) -> list[Parcel]:
    """Return the files *paths* of a delivery with their digests from its sums.

    Raises:
        RequestError: The sums do not name a volume that is there.
    """
    sums: dict[str, str] = {}
    for path in paths:
        if path.name.endswith(_SUMS):
            with failing("read", path, error=RequestError):
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            sums |= {line[66:]: line[:64] for line in lines}
    large = (".tar", ".spare")
    for path in paths:
        if path.suffix in large and path.name not in sums:
            problem = f"{naming.show(path.name)} is not in any SHA256SUMS beside it"
            hint = "send a folder as `airlift export` or `airlift reissue` left it"
            raise RequestError(problem, hint=hint)
    return [
        Parcel(path=path, size=path.stat().st_size, sha256=sums.get(path.name, ""))
        for path in paths
    ]


class Dropping:
    """Sends the files of one delivery.

    Args:
        key: The site and sequence of the delivery.
        state: File that says how far the sending is.
        link: Where to.
    """

    def __init__(self, key: tuple[str, int], state: Path, link: Link) -> None:
        self._site, self._sequence = key
        self._path, self._link = state, link
        self._state = drop_state.read(state)
        self._begun, self._due = link.clock(), 0.0

    def send(
        self, files: Sequence[Parcel], *, repeat: int, progress: Progress
    ) -> Dropped:
        """Send *files*, all of them *repeat* times; go on where an earlier run ended.

        Raises:
            RequestError: Other files of the delivery are being sent, or the hook
                failed.
            StoreError: A file is not what was written, or the folder refuses.
        """
        self._begin([one.path.name for one in files], repeat)
        state, names, total = self._state, [], 0
        turns = range(state.first, state.turns + 1)
        todo = [
            (one, name)
            for turn in turns
            for one in files
            if (name := drop_name(one.path.name, turn)) not in state.sent
        ]
        with progress.task("sending", sum(one.size for one, _ in todo)) as advance:
            for one, name in todo:
                self._send(one, name, advance)
                names.append(name)
                total += one.size
        self._keep(replace(self._state, files=(), sent=(), first=0))
        return Dropped(
            site=self._site,
            sequence=self._sequence,
            names=tuple(names),
            skipped=len(state.sent),
            bytes=total,
        )

    def _begin(self, names: Sequence[str], repeat: int) -> None:
        state = self._state
        if not state.files:
            first, last = state.turns + 1, state.turns + repeat
            state = replace(state, files=tuple(names), first=first, turns=last)
            self._keep(state)
        elif state.files != tuple(names):
            left = len(state.files) * (state.turns - state.first + 1) - len(state.sent)
            problem = (
                f"delivery {self._sequence} to {self._site} is being sent already:"
                f" {left} file(s) of another folder are left"
            )
            hint = "run that `airlift send` again to its end, or give --anew"
            raise RequestError(problem, hint=hint)

    def forget(self) -> None:
        """Give up what an earlier run did not send; its names are not used again."""
        self._keep(replace(self._state, files=(), sent=(), first=0))

    def _send(self, parcel: Parcel, name: str, advance: Advance) -> None:
        """Put a file into the drop folder, run the hook, and note it."""
        self._room(parcel)
        target = place(parcel, self._link.folder, name, advance)
        ended = self._handed_on(target, name) if self._link.hook else None
        if ended and self._link.takes:
            Disk().unlink(target)
        self._note(name, ended)
        self._pace(parcel.size)

    def _room(self, parcel: Parcel) -> None:
        """Wait until the link has taken enough of what lies there."""
        told = False
        while _free(self._link.folder) < parcel.size + _RESERVE:
            if not told:
                shown = naming.show(str(self._link.folder))
                self._link.note(f"waiting for room in {shown}: {parcel.size} bytes")
                told = True
            self._link.sleep(_LOOK_S)

    def _handed_on(self, target: Path, name: str) -> Ended:
        """Run the hook for a file, more than once if need be.

        Raises:
            RequestError: It failed each time.
        """
        assert self._link.hook
        problem = ""
        for number in range(_TRIES):
            self._link.sleep(_LOOK_S * number)
            ended = self._link.hook.run(file=str(target), name=name)
            if ended.good:
                return ended
            said = f": {ended.output[-1]}" if ended.output else ""
            problem = f"{name}: the hook failed: {ended}{said}"
            self._link.note(problem)
            self._note(name, ended, sent=False)
        hint = "run the same command again when it works: it goes on at this file"
        raise RequestError(problem, hint=hint)

    def _note(self, name: str, ended: Ended | None, *, sent: bool = True) -> None:
        line = Sent(name=name, at=self._link.now())
        if ended:
            line = replace(
                line,
                code=abs(ended.code),
                millis=round(ended.seconds * 1000),
                said=ended.output[-1] if ended.output else "",
            )
        state = self._state
        self._keep(
            replace(
                state,
                sent=(*state.sent, name) if sent else state.sent,
                log=(*state.log, line),
            )
        )

    def _pace(self, size: int) -> None:
        """Wait until so many bytes would be through the link."""
        if not self._link.mbps:
            return
        self._due += size * 8 / (self._link.mbps * 1e6)
        ahead = self._begun + self._due - self._link.clock()
        if ahead > 0:
            self._link.sleep(ahead)

    def _keep(self, state: DropState) -> None:
        self._state = state
        drop_state.write(self._path, state)


def place(parcel: Parcel, folder: Path, name: str, advance: Advance) -> Path:
    """Put a file into *folder*: under a hidden name first, then, durable, as *name*.

    Raises:
        StoreError: It is not what was written, or the folder refuses; nothing has
            the name then.
    """
    disk, target = Disk(), folder / name
    temporary = folder / f".{name}.tmp"
    disk.unlink(temporary)
    fd = disk.create(temporary)
    try:
        _copy(parcel, fd, temporary, advance)
        disk.publish(fd, temporary, target, mode=0o644)
    except AirliftError:
        with contextlib.suppress(StoreError):
            disk.unlink(temporary)
        raise
    finally:
        let_go(fd)
    return target


def _copy(parcel: Parcel, fd: int, temporary: Path, advance: Advance) -> None:
    disk, hasher, offset = Disk(), hashlib.sha256(), 0
    with failing("read", parcel.path), parcel.path.open("rb", buffering=0) as source:
        while chunk := source.read(_CHUNK):
            hasher.update(chunk)
            disk.write(fd, temporary, chunk, offset)
            offset += len(chunk)
            advance(len(chunk))
    if parcel.sha256 and hasher.hexdigest() != parcel.sha256:
        problem = f"{naming.show(str(parcel.path))} is not what was written there"
        hint = "`airlift reissue` writes it again"
        raise StoreError(problem, hint=hint)


def _free(folder: Path) -> int:
    with failing("look at", folder):
        return free_bytes(folder)
