"""Several workers take a volume in: nothing is skipped, kept too long, or left running."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airlift import lanes
from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.inbound import landing
from crossing import NOW, Crossing, Desk, noise, weights

HELD = noise(1 << 20, 21)
FRESH = noise(1 << 20, 22)


def damage(medium: Path, place: bytes) -> Path:
    """Change a byte of the only volume on *medium* behind *place*."""
    (path,) = medium.glob("*.tar")
    data = bytearray(path.read_bytes())
    data[data.index(place) + 700] ^= 1
    path.write_bytes(data)
    return path


def test_what_is_held_already_is_checked_all_the_same(tmp_path: Path) -> None:
    """A blob held already must not be a place where damage goes unseen."""
    crossing = Crossing(tmp_path)
    connected, isolated = crossing.connected, crossing.isolated
    isolated.store.add([HELD])
    files = {"fresh.bin": FRESH, "held.bin": HELD}
    connected.export(crossing.medium, connected.folder("acme/m", files))
    path = damage(crossing.medium, f"blobs/sha256/{sha256(HELD)}".encode())
    with pytest.raises(FormatError) as caught:
        isolated.land(crossing.medium)
    assert f"{path}: byte " in caught.value.problem
    assert "differ from their signed digest" in caught.value.problem


def test_every_fault_of_a_volume_is_told_in_order(tmp_path: Path) -> None:
    """Workers find them in any order; the operator reads them from front to back."""
    crossing = Crossing(tmp_path)
    connected = crossing.connected
    bodies = [noise(300_000, seed) for seed in range(30, 42)]
    files = {f"{n:02d}.bin": body for n, body in enumerate(bodies)}
    connected.export(crossing.medium, connected.folder("acme/m", files))
    for body in bodies:
        damage(crossing.medium, f"blobs/sha256/{sha256(body)}".encode())
    with pytest.raises(FormatError) as caught:
        crossing.isolated.land(crossing.medium)
    faults = caught.value.problem.split("; ")
    places = [int(one.split(": byte ")[1].split(":")[0]) for one in faults]
    assert len(places) == len(bodies)
    assert places == sorted(places)


def test_memory_does_not_grow_with_a_model(tmp_path: Path) -> None:
    """Slabs under way, and one more for each worker that decodes; nothing else."""
    crossing, desk = Crossing(tmp_path), Desk()
    files = {"a.safetensors": weights(80_000_000), "b.bin": noise(40_000_000)}
    connected = crossing.connected
    connected.export(
        crossing.medium, connected.folder("acme/m", files), capacity=1 << 30
    )
    crossing.isolated.land(crossing.medium, desk=desk)
    (arrival,) = desk.admitted
    free = arrival.buffers._free
    assert 0 < len(free) <= lanes.ALIVE + lanes.THREADS
    assert len(set(map(id, free))) == len(free)


def test_an_import_has_ended_when_it_says_so(tmp_path: Path) -> None:
    """A thread that went on would write into whatever file has that number next."""
    crossing = Crossing(tmp_path)
    connected, isolated = crossing.connected, crossing.isolated
    files = {"a.safetensors": weights(30_000_000)}
    connected.export(crossing.medium, connected.folder("acme/m", files))
    (path,) = crossing.medium.glob("*.tar")
    data = path.read_bytes()
    reader, writer = os.pipe()
    sender = threading.Thread(target=_pour, args=(writer, data[: len(data) // 2]))
    sender.start()
    with (
        os.fdopen(reader, "rb") as stream,
        pytest.raises(FormatError, match="too soon"),
    ):
        landing.land_stream(stream, isolated.gate, Desk(), now=NOW)
    sender.join()
    names = [one.name for one in threading.enumerate() if "work" in one.name]
    assert names == []
    isolated.land(crossing.medium)


def _pour(writer: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(writer, "wb") as out:
        out.write(data)


def test_an_import_from_a_pipe_that_fell_silent_can_be_stopped(tmp_path: Path) -> None:
    """Ctrl-C ends it at once; a worker that waits for the pipe is not waited for."""
    crossing = Crossing(tmp_path)
    connected, isolated = crossing.connected, crossing.isolated
    files = {"a.safetensors": weights(9_000_000)}
    connected.export(crossing.medium, connected.folder("acme/m", files))
    isolated.registry.close()
    (path,) = crossing.medium.glob("*.tar")
    data = path.read_bytes()
    words = ["import", "-", "--yes", "--home", str(isolated.home)]
    with subprocess.Popen(
        [sys.executable, "-m", "airlift", *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin
        process.stdin.write(data[: len(data) // 2])
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not list((isolated.home / "store" / "partial").glob("*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        # The pipe is still open: only the signal can have ended it.
        assert process.wait(60) == 130
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
