"""Volumes into a pipe: the same bytes as in files, and no success that was none."""

import io
import os
import subprocess
import threading
from pathlib import Path

import pytest

from airlift.errors import StoreError
from crossing import MODEL, Crossing
from integration.sides import SITE, Side

CUT = 5_000_000
"""Bytes of a volume: MODEL takes three."""


class Reader:
    """The other end of a pipe: reads so many bytes, then goes away."""

    def __init__(self, most: int = 1 << 40) -> None:
        self._reader, writer = os.pipe()
        self.taken, self._most = bytearray(), most
        self.pipe = io.FileIO(writer, "w")
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> io.FileIO:
        self._thread.start()
        return self.pipe

    def __exit__(self, *_: object) -> None:
        self.pipe.close()
        self._thread.join()

    def _read(self) -> None:
        with os.fdopen(self._reader, "rb", 0) as stream:
            while len(self.taken) < self._most:
                wanted = min(65536, self._most - len(self.taken))
                if not (chunk := stream.read(wanted)):
                    return
                self.taken += chunk


def test_a_pipe_gets_the_bytes_that_files_get(tmp_path: Path) -> None:
    """One format: what came through a pipe can be compared with what lies in files."""
    crossing = Crossing(tmp_path)
    pinned = crossing.connected.folder("acme/m", MODEL)
    reader = Reader()
    with reader as pipe:
        poured = crossing.connected.export(Path("-"), pinned, capacity=CUT, pipe=pipe)
    again = crossing.connected.export(crossing.medium, again=1, capacity=CUT)
    files = [one.path.read_bytes() for one in again.volumes]
    assert len(files) == 3
    assert bytes(reader.taken) == b"".join(files)
    assert [(one.label, one.size, one.sha256) for one in poured.volumes] == [
        (one.label, one.size, one.sha256) for one in again.volumes
    ]


def test_a_reader_that_goes_away_leaves_the_delivery_unfinished(
    tmp_path: Path,
) -> None:
    """The same command goes on with the same delivery, not with a second one."""
    crossing = Crossing(tmp_path)
    connected = crossing.connected
    pinned = connected.folder("acme/m", MODEL)
    reader = Reader(7_000_000)
    with reader as pipe, pytest.raises(StoreError) as caught:
        connected.export(Path("-"), pinned, capacity=CUT, pipe=pipe)
    assert caught.value.problem.startswith("volume 2 of 3: byte ")
    assert caught.value.problem.endswith(": whoever read the stream went away")
    assert connected.dock.ledger.written("plant7") == ()
    reader = Reader()
    with reader as pipe:
        done = connected.export(Path("-"), pinned, capacity=CUT, pipe=pipe)
    assert (done.resumed, done.record.sequence) == (True, 1)
    assert connected.dock.ledger.written("plant7") == (1,)


@pytest.fixture(name="sides")
def _sides(tmp_path: Path) -> tuple[Side, Side, Path]:
    connected = Side.connected(tmp_path)
    connected.ok("trust", "root", str(connected.home / "root.json"))
    (tmp_path / "input").mkdir()
    for name in ("config.json", "sub/noise.bin", "model.safetensors"):
        path = tmp_path / "input" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(MODEL[name])
    manifest = tmp_path / "wanted.toml"
    manifest.write_text('manifest = 1\n[[folder]]\nname = "acme/m"\npath = "input"\n')
    return connected, connected.isolated(tmp_path), manifest


def test_export_and_import_meet_in_a_pipe(sides: tuple[Side, Side, Path]) -> None:
    """As the manual says; what is told goes to the standard error."""
    connected, isolated, manifest = sides
    export = connected.words(
        *("export", str(manifest), "--to", "-", "--volume-size", "5MB")
    )
    with subprocess.Popen(
        export, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as sender:
        taken = subprocess.run(
            isolated.words("import", "-", "--yes"),
            stdin=sender.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert sender.stdout
        assert sender.stderr
        sender.stdout.close()
        told = sender.stderr.read().decode()
    assert sender.returncode == 0, told
    assert f"delivery 1 to {SITE}: 3 volume(s), " in told
    assert taken.returncode == 0, taken.stderr
    assert "delivery 1 imported; live set 1" in taken.stdout.splitlines()


def test_spares_do_not_go_into_a_pipe(sides: tuple[Side, Side, Path]) -> None:
    """Nothing is written before that is said: half a stream would be worse."""
    connected, _, manifest = sides
    words = connected.words("export", str(manifest), "--to", "-", "--spare", "1")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "airlift: error: spares are made of volumes that can be read back, which a"
        " pipe cannot\n"
        "airlift: hint: leave --spare out, or write to a folder\n"
    )
