"""A delivery through a one-way link with loss, as two sites would do it.

    export --spare 2 -> send, a hook hands each file to udpcast -> link -> watch

In the first pass some files are lost whole and one is cut off: more than the spares can
make up for. The watch says which volumes it waits for; nobody can hear it. Then
everything is sent once more, as it would be by a timer, with other losses; the watch
repairs what is left from the spares and imports. Prints what every pass did.

    sudo .venv/bin/python scripts/oneway.py --megabytes 1000 --folder /var/tmp/oneway
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import oneway_link
from oneway_link import Link, Quality

SITE = "far"
_PHRASE = "bench only"
_WAIT_S = 120.0
_CHUNK = 8_000_000
_LEAST = 4_500_000
"""Bytes; smaller volumes hold no slab."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What sending everything once did.

    Attributes:
        sent: Files handed on.
        packets: That were sent.
        lost: Of those.
        whole: Volumes that arrived whole.
        damaged: Files of which only something arrived.
        waiting: What the watch waits for afterwards; empty when nothing.
        seconds: From the first file to the last.
    """

    sent: int
    packets: int
    lost: int
    whole: int
    damaged: int
    waiting: str
    seconds: float


@dataclass(kw_only=True)
class Report:
    """What a crossing did.

    Attributes:
        passes: In order.
        volumes: Of the delivery, without spares.
        rebuilt: Volumes that the watch rebuilt from spares.
        heard: Packets that a program of the sender's side was given.
        complete: Whether the delivery was imported.
        same: Whether the imported file hashes to what was sent.
        events: Everything that the watch told.
    """

    passes: list[Pass] = field(default_factory=list)
    volumes: int = 0
    rebuilt: int = 0
    heard: int = 0
    complete: bool = False
    same: bool = False
    events: list[dict[str, object]] = field(default_factory=list)


class Watching:
    """``airlift watch`` as a process, and all that it told."""

    def __init__(self, words: Sequence[str]) -> None:
        self.events: list[dict[str, object]] = []
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def told(self, what: str) -> int:
        """Return how often it told of *what*."""
        return sum(one["event"] == what for one in self.events)

    def rests(self, seconds: float) -> None:
        """Wait until it has told nothing new for so long, or is done."""
        ends, before, since = time.monotonic() + _WAIT_S, -1, time.monotonic()
        while time.monotonic() < ends and not self.told("complete"):
            if len(self.events) != before:
                before, since = len(self.events), time.monotonic()
            if time.monotonic() - since > seconds:
                return
            time.sleep(0.2)

    def end(self) -> None:
        """End it as a service is ended."""
        self._process.terminate()
        if self._process.wait(60):
            raise SystemExit(f"the watch ended with {self._process.returncode}")
        self._thread.join(10)
        assert self._process.stdout
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.events.append(json.loads(line))


def carry(folder: Path, megabytes: int, qualities: Sequence[Quality]) -> Report:
    """Carry a file of so many megabytes, once for each of *qualities*; say what was.

    Args:
        folder: For everything; with room for five times as much.
        megabytes: Of random bytes, in up to 20 volumes with two spares.
        qualities: How the link is at each pass.
    """
    digest = _source(folder / "input" / "weights.bin", megabytes)
    _begin(folder)
    made, drop, there = folder / "made", folder / "drop", folder / "there"
    drop.mkdir()
    there.mkdir()
    size = str(max(megabytes * 1_000_000 // 19 + 200_000, _LEAST))
    made_it = ("--to", str(made), "--volume-size", size, "--spare", "2")
    manifest = str(folder / "wanted.toml")
    _airlift(folder / "near", "export", manifest, *made_it, *_key(folder))
    # The volumes are all that is needed from here on.
    shutil.rmtree(folder / "input")
    shutil.rmtree(folder / "near" / "store")
    report = Report(volumes=len(list(made.glob("*.tar"))))
    fast = ("--settle", "2", "--poll", "1", "--json")
    far = ("--home", str(folder / "far"))
    watching = Watching([*_words("watch", str(there)), *fast, *far])
    try:
        for quality in qualities:
            if watching.told("complete"):
                break
            report.passes.append(_send(folder, quality, watching, report))
    finally:
        watching.end()
    report.events = watching.events
    report.rebuilt = watching.told("rebuilt")
    report.complete = watching.told("complete") == 1
    verified = _run(_words("verify", *far)).returncode == 0
    report.same = verified and _digest_of(folder / "far", digest) == digest
    return report


def _send(folder: Path, quality: Quality, watching: Watching, report: Report) -> Pass:
    """Send everything once."""
    there, state = folder / "there", folder / "link.json"
    before = (watching.told("volume"), watching.told("faulty"), watching.told("spare"))
    begun = time.monotonic()
    # No name twice: a second pass must not write over what was received in the first.
    with Link(there, quality, state, f"pass-{len(report.passes) + 1}") as link:
        hook = ("--hook", link.hook(), "--hook-takes")
        to = ("--to", str(folder / "drop"))
        done = _airlift(folder / "near", "send", str(folder / "made"), *to, *hook)
        seconds = time.monotonic() - begun
        link.quiet()
        packets, lost = link.packets()
        report.heard += link.heard()
    watching.rests(8.0)
    after = (watching.told("volume"), watching.told("faulty"), watching.told("spare"))
    damaged = after[1] - before[1]
    waits = [one for one in watching.events if one.get("wanted")]
    waiting = "" if watching.told("complete") or not waits else str(waits[-1]["wanted"])
    return Pass(
        sent=int(done.split(" file(s) sent")[0].split()[-1]),
        packets=packets,
        lost=lost,
        whole=after[0] - before[0] - damaged,
        damaged=damaged,
        waiting=waiting,
        seconds=seconds,
    )


def _source(path: Path, megabytes: int) -> str:
    """Write random bytes to *path*; return their digest."""
    path.parent.mkdir(parents=True)
    rng, hasher = random.Random(megabytes), hashlib.sha256()
    with path.open("wb") as out:
        for _ in range(0, megabytes * 1_000_000, _CHUNK):
            data = rng.randbytes(_CHUNK)
            hasher.update(data)
            out.write(data)
    return hasher.hexdigest()


def _begin(folder: Path) -> None:
    (folder / "phrase").write_text(_PHRASE)
    (folder / "wanted.toml").write_text(
        'manifest = 1\n[[folder]]\nname = "bench/model"\npath = "input"\n'
    )
    init = ("trust", "init", "--site", SITE)
    _airlift(folder / "near", *init, "--kdf", "low-memory", *_key(folder))
    root = str(folder / "near" / "root.json")
    _airlift(folder / "far", *init, "--root", root, "--yes")


def _key(folder: Path) -> tuple[str, str]:
    return ("--passphrase-file", str(folder / "phrase"))


def _words(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airlift", *arguments]


def _airlift(home: Path, *arguments: str) -> str:
    done = _run([*_words(*arguments), "--home", str(home)])
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}{done.stdout}")
    return done.stdout


def _run(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, check=False)


def _digest_of(home: Path, digest: str) -> str:
    """Return what the imported file hashes to; empty if it is not there."""
    path = home / "store" / "blobs" / "sha256" / digest[:2] / digest
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def show(report: Report) -> Iterator[str]:
    """Yield the table of a report, in Markdown."""
    yield "| pass | files sent | packets | lost | whole | damaged | waiting for | seconds |"
    yield "|---|---|---|---|---|---|---|---|"
    for number, one in enumerate(report.passes, 1):
        share = 100 * one.lost / max(1, one.packets)
        waiting = one.waiting or "-"
        yield (
            f"| {number} | {one.sent} | {one.packets} | {share:.1f} % | {one.whole} |"
            f" {one.damaged} | {waiting} | {one.seconds:.0f} |"
        )
    yield ""
    yield (
        f"{report.volumes} volumes and two spares; {report.rebuilt} rebuilt from spares;"
        f" packets heard by the sender: {report.heard}"
    )
    yield "complete and verified" if report.complete and report.same else "NOT COMPLETE"


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--loss", type=int, default=10, help="packets of 1,000")
    parser.add_argument("--mbps", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="with room for 5 x the megabytes")
    chosen = parser.parse_args()
    if problem := oneway_link.reason():
        raise SystemExit(problem)
    base = Quality(loss=chosen.loss, mbps=chosen.mbps)
    with contextlib.ExitStack() as stack:
        folder = chosen.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="oneway-"))
        )
        if chosen.folder:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        report = carry(folder, chosen.megabytes, passes(base))
    for line in show(report):
        print(line)
    sys.exit(os.EX_OK if report.complete and report.same else 1)


def passes(base: Quality) -> list[Quality]:
    """Return how the link is at each pass; carrying ends when all has come.

    Three volumes lost and one cut off are more than two spares make up for; of the
    second pass too, files are lost, one of them for the second time.
    """
    return [
        replace(base, lost=(3, 7, 12), cut=(15,)),
        replace(base, lost=(7, 9)),
        base,
    ]


if __name__ == "__main__":
    main()
