"""A drop folder with a watch beside it, whose clock the test turns."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from airlift.hook import Hook
from airlift.watch.folder import Folder, Verdict
from airlift.watch.telling import Event, Teller
from airlift.watch.watching import Moment, Post, Rules, Watch
from crossing import NOW, Crossing, Desk

SETTLE_S = 10.0
RULES = Rules(give_up_s=3600, stale_s=600, deadline_s=7200)
CUT = 2_500_000
"""Bytes of a volume."""


@dataclass
class Drop:
    """The receiving end of a one-way link.

    Attributes:
        crossing: Both sides.
        folder: The drop folder.
        rules: Of the watch.
        events: What the watch told.
        clock: Seconds since the test began.
    """

    crossing: Crossing
    folder: Path
    rules: Rules = RULES
    events: list[Event] = field(default_factory=list)
    clock: float = 0.0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.teller = Teller(tell=self.events.append)
        self.desk = Desk()
        self.restart()

    def restart(self) -> None:
        """Begin a new watch, as a new process would."""
        isolated = self.crossing.isolated
        post = Post(
            gate=lambda: isolated.gate,
            desk=self.desk,
            teller=self.teller,
            home=isolated.home / "watch",
        )
        (isolated.home / "watch").mkdir(exist_ok=True)
        self.watch = Watch(Folder(self.folder, SETTLE_S), post, self.rules)

    def put(self, source: Path, name: str = "", *, length: int | None = None) -> Path:
        """Let a file arrive, or only its first *length* bytes."""
        target = self.folder / (name or source.name)
        target.write_bytes(source.read_bytes()[:length])
        return target

    def turn(self, later: float = 0.0) -> list[str]:
        """Look after *later* seconds; return what was told."""
        before = len(self.events)
        self.clock += later
        epoch = 1_800_000_000 + int(self.clock)
        self.watch.turn(Moment(clock=self.clock, epoch=epoch, now=NOW))
        return [one.text for one in self.events[before:]]

    def settle(self) -> list[str]:
        """See what is there, let it rest, and read it."""
        return [*self.turn(), *self.turn(SETTLE_S)]

    def verdicts(self) -> dict[str, Verdict]:
        """Return what each file turned out to be."""
        return {name: one.verdict for name, one in self.watch.folder.items.items()}

    def carried(self) -> dict[str, bytes]:
        """Return the files of every live release; of two, those of the newer."""
        registry, store = self.crossing.isolated.registry, self.crossing.isolated.store
        live = [one for one in registry.releases() if one.state == "live"]
        return {
            file.path: b"".join(store.read(file.sha256))
            for held in sorted(live, key=lambda one: one.release.counter)
            for file in registry.files(held.id)
        }


def alarm(path: Path) -> Hook:
    """Return an alarm that writes what it is told to *path*."""
    program = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
    words = (sys.executable, "-c", program, str(path), "{what}: {text}")
    return Hook(words=words, timeout_s=30.0, clock=lambda: 0.0)
