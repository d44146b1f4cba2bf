"""Media as people handle them: labels, lost sticks, one slot, commands that are pasted."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from crossing import noise
from integration.sides import Side

FRONT = "AIRLIFT-plant7-000001"
_WAIT_S = 60.0


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Side:
    return Side.connected(tmp_path_factory.mktemp("made"))


@pytest.fixture(name="side")
def _side(made: Side, tmp_path: Path) -> Side:
    return made.copied(tmp_path)


def asked(folder: Path) -> str:
    """Write files of two to a volume, and the manifest that asks for them."""
    data = folder / "data"
    data.mkdir()
    for number in range(1, 6):
        (data / f"{number}.bin").write_bytes(noise(200_000, number))
    path = folder / "wanted.toml"
    path.write_text(f'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "{data}"\n')
    return str(path)


CUT = ("--volume-size", "500000")


def test_a_lost_stick_a_bad_volume_and_what_brings_them_back(
    side: Side, tmp_path: Path
) -> None:
    """From two sticks to an import, with every line a person would paste."""
    a, b, again = (tmp_path / name for name in ("a", "b", "again"))
    to = ("--to", str(a), "--to", str(b), "--medium-size", "1300000")
    said = side.ok("export", asked(tmp_path), *to, *CUT).splitlines()
    assert "medium 1  2 file(s)  not checked since it was written" in "\n".join(said)
    listed = side.json("media", "list")
    assert [one["files"] for one in listed[0]["media"]] == [
        [f"{FRONT}.0001-of-0003.tar", f"{FRONT}.0002-of-0003.tar"],
        [f"{FRONT}.0003-of-0003.tar"],
    ]
    # A byte of volume 2 changes on stick a; the check says what to paste.
    bad = a / f"{FRONT}.0002-of-0003.tar"
    good = bad.read_bytes()
    bad.write_bytes(good[:-1] + b"x")
    hint = side.fails(4, "check", str(a))[-1]
    match = re.search(r"`airlift (reissue plant7 1 2@[0-9a-f]{8}) --to FOLDER`", hint)
    assert match, hint
    bad.unlink()
    side.ok(*match[1].split(), "--to", str(again))
    assert (again / bad.name).read_bytes() == good
    # Stick b is lost in the post.
    assert side.ok("media", "lost", "plant7", "1", "2") == (
        "medium 2 is noted as lost; `airlift reissue plant7 1 --to FOLDER` writes "
        "volumes 3 again\n"
    )
    third = (b / f"{FRONT}.0003-of-0003.tar").read_bytes()
    shutil.rmtree(b)
    side.ok("reissue", "plant7", "1", "--to", str(again))
    assert (again / f"{FRONT}.0003-of-0003.tar").read_bytes() == third
    isolated = side.isolated(tmp_path)
    isolated.ok("import", str(a), str(again), "--yes")


class Terminal:
    """A person at a terminal."""

    def __init__(self, side: Side, *arguments: str) -> None:
        self.main, other = pty.openpty()
        self.process = subprocess.Popen(
            side.words(*arguments), stdin=other, stdout=other, stderr=other
        )
        os.close(other)
        self.seen = ""

    def until(self, pattern: str) -> "re.Match[str]":
        """Wait until *pattern* was printed."""
        ends = time.monotonic() + _WAIT_S
        while not (match := re.search(pattern, self.seen)):
            assert time.monotonic() < ends, self.seen
            if select.select([self.main], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.main, 65536).decode()
                except OSError:
                    assert re.search(pattern, self.seen), self.seen
        self.seen = self.seen[match.end() :]
        return match

    def press(self, keys: str) -> None:
        """Press *keys* and Enter."""
        os.write(self.main, f"{keys}\n".encode())

    def end(self, said: str = r"(delivery 1 to plant7: |airlift: hint: ).*\n") -> int:
        """Wait until *said* was printed, and for the end; return the exit code."""
        self.until(said)
        code = self.process.wait(_WAIT_S)
        os.close(self.main)
        return code


def test_one_slot_is_filled_by_label_and_goes_on_after_q(
    side: Side, tmp_path: Path
) -> None:
    """Three sticks, one slot, and a person who goes home in between."""
    drive = tmp_path / "drive"
    export = (
        *("export", asked(tmp_path), "--to", str(drive), "--wait"),
        *("--medium-size", "650000", *CUT),
    )
    person = Terminal(side, *export)
    person.until(r"medium 1 at \S+: volumes 1, ")
    person.until(rf"insert plant7-000001 medium 2 of \d at {drive}, or press q: ")
    drive.rename(tmp_path / "one")
    person.press("")
    person.until(r"medium 2 at \S+: volumes 2, ")
    person.until(r"insert plant7-000001 medium 3 of 3 at \S+, or press q: ")
    person.press("q")
    assert person.end() == 8
    drive.rename(tmp_path / "two")
    person = Terminal(side, *export)
    person.until(r"medium 3 at \S+: volumes 3, ")
    assert person.end() == 0
    _taken_in(side.isolated(tmp_path), tmp_path)


def _taken_in(isolated: Side, tmp_path: Path) -> None:
    """Import from one slot: first the last stick, then by what that says."""
    slot = tmp_path / "slot"
    (tmp_path / "drive").rename(slot)
    take_in = ("import", str(slot), "--yes")
    hint = isolated.fails(8, *take_in)[-1]
    assert re.fullmatch(
        r"airlift: hint: run `airlift import` again with the other media; what came is "
        r"kept; volumes 1 on medium 1, 2 on medium 2; what is lost is written again on "
        r"the connected host: `airlift reissue plant7 1 1-2@[0-9a-f]{8} --to FOLDER`",
        hint,
    ), hint
    slot.rename(tmp_path / "three")
    (tmp_path / "two").rename(slot)
    person = Terminal(isolated, *take_in, "--wait")
    person.until(
        r"volumes 1 on medium 1\s+airlift: insert the medium with volumes 1 of 3"
    )
    person.press("")
    person.until(r"this medium has volumes 2 only, which have come")
    person.until(r"or press q: ")
    slot.rename(tmp_path / "two")
    person.press("")
    person.until(r"cannot read \S+slot")
    person.until(r"or press q: ")
    (tmp_path / "one").rename(slot)
    person.press("")
    assert person.end(r"delivery 1 imported; ") == 0


def test_waiting_needs_a_terminal(side: Side, tmp_path: Path) -> None:
    """A job in the night must not hang at a question."""
    lines = side.fails(
        2, "export", asked(tmp_path), "--to", str(tmp_path / "a"), "--wait"
    )
    assert lines == [
        "airlift: error: --wait asks for media, and there is no terminal to ask at",
        "airlift: hint: name all media with --to",
    ]
