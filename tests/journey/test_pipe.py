"""Volumes through a pipe: one after the other, never seeked, from a first byte on."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from airlift.errors import FormatError, StoreError, TrustError
from airlift.inbound import landing
from airlift.inbound.arrival import Arrival
from airlift.inbound.landing import Landed
from crossing import MODEL, NOW, Crossing, Desk

CUT = 5_000_000
"""Bytes of a volume: MODEL takes three, cut inside files."""


@dataclass
class Witness(Desk):
    """A desk that notes how much was still to come when it was asked."""

    asked: list[int] = field(default_factory=list)

    def admit(self, arrival: Arrival) -> None:
        """Agree, and note what is missing."""
        super().admit(arrival)
        self.asked.append(arrival.staging.bytes_missing())


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Crossing:
    """A delivery of three volumes, made once."""
    crossing = Crossing(tmp_path_factory.mktemp("pipe"))
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    crossing.isolated.registry.close()
    return crossing


@pytest.fixture(name="crossing")
def _crossing(made: Crossing, tmp_path: Path) -> Crossing:
    """A fresh isolated side for the delivery."""
    crossing = Crossing.__new__(Crossing)
    crossing.connected, crossing.medium = made.connected, made.medium
    root = made.connected.publisher.root_bytes()
    crossing.isolated = type(made.isolated)(tmp_path / "isolated", root)
    return crossing


def parts(crossing: Crossing) -> list[bytes]:
    """Return the bytes of the volumes, in order."""
    return [path.read_bytes() for path in sorted(crossing.medium.glob("*.tar"))]


@contextlib.contextmanager
def piped(chunks: Sequence[bytes]) -> Iterator[BinaryIO]:
    """Give a real pipe that somebody writes *chunks* into, in uneven pieces."""
    reader, writer = os.pipe()

    def pour() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(writer, "wb", 0) as out:
            for chunk in chunks:
                for at in range(0, len(chunk), 77_777):
                    out.write(chunk[at : at + 77_777])

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        with os.fdopen(reader, "rb") as stream:
            yield stream
    finally:
        thread.join()


def pour(crossing: Crossing, *chunks: bytes, desk: Desk | None = None) -> Landed:
    """Import what comes through a pipe."""
    with piped(chunks) as stream:
        gate = crossing.isolated.gate
        return landing.land_stream(stream, gate, desk or Desk(), now=NOW)


def carried(crossing: Crossing) -> dict[str, bytes]:
    """Return the files of every live release."""
    registry, store = crossing.isolated.registry, crossing.isolated.store
    return {
        file.path: b"".join(store.read(file.sha256))
        for held in registry.releases()
        if held.state == "live"
        for file in registry.files(held.id)
    }


def kept_then_completed(crossing: Crossing, total: int) -> int:
    """Bring the files after a broken stream; return how many bytes it had kept."""
    assert carried(crossing) == {}
    desk = Witness()
    crossing.isolated.land(crossing.medium, desk=desk)
    assert carried(crossing) == dict(MODEL)
    assert not list((crossing.isolated.home / "incoming").glob("*"))
    return total - desk.asked[0]


TOTAL = sum(map(len, MODEL.values()))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_volumes_come_through_a_pipe_in_any_order(
    crossing: Crossing, order: tuple[int, ...]
) -> None:
    """A tape or a diode hands them over as it has them; every volume stands alone."""
    every = parts(crossing)
    landed = pour(crossing, *(every[n] for n in order))
    assert (landed.repeat, landed.held) == (False, {})
    assert carried(crossing) == dict(MODEL)


def test_a_volume_that_comes_twice_does_no_harm(crossing: Crossing) -> None:
    """One-way links send everything twice because nobody can ask again."""
    one, two, three = parts(crossing)
    pour(crossing, one, two, two, one, three, three)
    assert carried(crossing) == dict(MODEL)


def test_the_same_stream_again_changes_nothing(crossing: Crossing) -> None:
    """And nobody is asked again about what is already here."""
    pour(crossing, *parts(crossing))
    before = crossing.isolated.fingerprint()
    desk = Witness()
    assert pour(crossing, *parts(crossing), desk=desk).repeat
    assert crossing.isolated.fingerprint() == before
    assert desk.asked == []


def test_garbage_between_volumes_ends_the_stream_and_keeps_what_came(
    crossing: Crossing,
) -> None:
    """A volume is never guessed behind bytes that are nobody's."""
    one, two, three = parts(crossing)
    with pytest.raises(FormatError) as caught:
        pour(crossing, one, b"\xaa" * 700, two, three)
    assert caught.value.problem.startswith("volume 2 of the stream: byte 0: ")
    assert caught.value.hint.startswith("what verified is kept; bring good copies of: ")
    assert 0 < kept_then_completed(crossing, TOTAL) < TOTAL


def test_bytes_behind_the_last_volume_are_refused(crossing: Crossing) -> None:
    """Nothing rides along, not even where nothing is missing any more."""
    with pytest.raises(FormatError, match="volume 4 of the stream: byte 0: "):
        pour(crossing, *parts(crossing), b"\0" * 512)
    assert kept_then_completed(crossing, TOTAL) == TOTAL


@pytest.mark.parametrize("cut", [1, 512, 1_500_000])
def test_a_stream_that_breaks_off_keeps_what_verified(
    crossing: Crossing, cut: int
) -> None:
    """The link fell silent: what came is not sent again."""
    one, two, _ = parts(crossing)
    with pytest.raises(FormatError, match=r"volume 2 of the stream: byte \d+: "):
        pour(crossing, one, two[:-cut])
    assert 0 < kept_then_completed(crossing, TOTAL) < TOTAL


def test_a_stream_that_ends_between_volumes_is_incomplete(crossing: Crossing) -> None:
    """It cannot be known from a pipe which volumes there would have been."""
    one, two, _ = parts(crossing)
    with pytest.raises(Exception, match=r"blob\(s\) have not come yet") as caught:
        pour(crossing, one, two)
    assert caught.type.__name__ == "IncompleteError"
    kept = kept_then_completed(crossing, TOTAL)
    assert 0 < kept < TOTAL


def test_a_damaged_byte_ends_the_stream_after_its_volume(crossing: Crossing) -> None:
    """What verified around it is kept, and only what is missing is needed again."""
    one, two, three = parts(crossing)
    at = len(two) // 2
    worse = two[:at] + bytes([two[at] ^ 1]) + two[at + 1 :]
    with pytest.raises(FormatError, match=r"volume 2 of the stream: byte \d+: "):
        pour(crossing, one, worse, three)
    broken = kept_then_completed(crossing, TOTAL)
    assert 0 < broken < TOTAL


def test_nothing_is_kept_of_a_stream_that_begins_with_garbage(
    crossing: Crossing,
) -> None:
    """The first bytes decide whether anything is believed at all."""
    before = crossing.isolated.fingerprint()
    with pytest.raises(FormatError, match="volume 1 of the stream"):
        pour(crossing, b"hello" * 300, *parts(crossing))
    assert crossing.isolated.fingerprint() == before
    assert kept_then_completed(crossing, TOTAL) == 0


def test_an_empty_pipe_is_no_delivery(crossing: Crossing) -> None:
    """`cat` of the wrong folder gives nothing; that is an error, not a success."""
    with pytest.raises(FormatError, match="volume 1 of the stream: byte 0: "):
        pour(crossing)


def test_a_stranger_through_a_pipe_is_refused_and_logged(
    crossing: Crossing, tmp_path: Path
) -> None:
    """A refusal is on record however the delivery came."""
    stranger = Crossing(tmp_path / "stranger")
    files = {"config.json": b"{}"}
    stranger.connected.export(
        stranger.medium, stranger.connected.folder("acme/m", files)
    )
    with pytest.raises(TrustError) as caught:
        pour(crossing, *parts(stranger))
    (event,) = crossing.isolated.registry.events(newest=1)
    assert (event.action, event.outcome) == ("import", "refused")
    told = {"problem": caught.value.problem, "reason": "trust", "sequence": 0}
    assert event.detail == told
    assert not list((crossing.isolated.home / "incoming").glob("*"))


def test_a_delivery_spliced_with_anothers_volumes_is_refused(
    crossing: Crossing, tmp_path: Path
) -> None:
    """Volumes of two deliveries in one stream are told apart by signed files."""
    other = crossing.connected.export(
        tmp_path / "other", crossing.connected.folder("acme/n", {"n": b"n"})
    )
    (second,) = [one.path.read_bytes() for one in other.volumes]
    with pytest.raises(FormatError, match="volume 2 of the stream: byte 0: "):
        pour(crossing, parts(crossing)[0], second)


def test_the_command_reads_what_cat_writes(crossing: Crossing) -> None:
    """`cat *.tar | airlift import - --yes`, as the manual says."""
    crossing.isolated.registry.close()
    home = crossing.isolated.home
    volumes = sorted(crossing.medium.glob("*.tar"))
    airlift = [sys.executable, "-m", "airlift", "import", "-", "--home", str(home)]
    with subprocess.Popen(["cat", *volumes], stdout=subprocess.PIPE) as cat:
        refused = subprocess.run(
            airlift, stdin=cat.stdout, capture_output=True, text=True, check=False
        )
        assert cat.stdout
        cat.stdout.close()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "a pipe cannot be asked about" in refused.stderr
    with subprocess.Popen(["cat", *volumes], stdout=subprocess.PIPE) as cat:
        done = subprocess.run(
            [*airlift, "--yes"],
            stdin=cat.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "delivery 1 imported; live set 1" in done.stdout.splitlines()
    assert carried(crossing) == dict(MODEL)


def test_a_pipe_needs_the_room_that_files_need(
    crossing: Crossing, tmp_path: Path
) -> None:
    """A store that cannot hold it is refused before the first byte, not at the last."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    home = crossing.isolated.home
    crossing.isolated.registry.close()
    script = (
        'mount -t tmpfs -o size=40m tmpfs "$1" && cp -a "$2/." "$1" && '
        'cat "$3"/*.tar | "$4" -m airlift import - --yes --home "$1"'
    )
    (tmp_path / "small").mkdir()
    arguments = [tmp_path / "small", home, crossing.medium, sys.executable]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"needs a mount namespace: {done.stderr.strip()}")
    assert done.returncode == StoreError.exit_code, done.stderr
    assert f"this delivery needs {TOTAL}" in done.stderr
