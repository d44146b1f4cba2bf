"""What a courier can do with media: change them under the reader, or give no end."""

import io
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import FormatError, IncompleteError
from airlift.inbound import landing
from crossing import MODEL, NOW, Crossing, Desk

ROUNDS = 12
STRAYS = (
    *(".git/hooks/post-checkout", ".gitattributes", ".gitignore", "model.safetensors"),
    *("airlift/metadata/99.root.json", "blobs/sha256/" + "a" * 64, "config.json"),
    *("AIRLIFT-plant7-000001.tar.part", "autorun.inf", ".Trash-1000/files/x.tar"),
    *("Thumbs.db", "._AIRLIFT-plant7-000001.0001-of-0001.tar", "desktop.ini"),
    *("lost+found/x", "System Volume Information/x", "README.txt", "run.sh"),
    *("wheels/evil-1.0-py3-none-any.whl", "a b/c d.gguf", "site-packages/x.pth"),
)


@pytest.fixture(name="both")
def _both(tmp_path: Path) -> Crossing:
    both = Crossing(tmp_path)
    both.connected.export(both.medium, both.connected.folder("acme/m", MODEL))
    return both


def volume(both: Crossing) -> Path:
    """Return the one volume of the delivery."""
    (found,) = both.medium.glob("*.tar")
    return found


@contextmanager
def flipping(path: Path, seed: int) -> Iterator[None]:
    """Keep flipping bytes of *path* and putting them back, as fast as it goes."""
    chance, over = random.Random(seed), threading.Event()
    size = path.stat().st_size

    def flip() -> None:
        fd = os.open(path, os.O_RDWR)
        try:
            while not over.is_set():
                at = chance.randrange(size)
                byte = os.pread(fd, 1, at)
                os.pwrite(fd, bytes([byte[0] ^ 0x55]), at)
                os.pwrite(fd, byte, at)
        finally:
            os.close(fd)

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_what_changes_while_it_is_read_is_never_kept_wrong(both: Crossing) -> None:
    """A check that opens twice lets a writer swap what was verified.

    Whatever the reader met, the import is refused or every byte of it is right.
    """
    path, ended = volume(both), {"taken": 0, "refused": 0}
    whole = path.read_bytes()
    for seed in range(ROUNDS):
        with flipping(path, seed):
            try:
                both.isolated.land(both.medium)
                ended["taken"] += 1
            except (FormatError, IncompleteError):
                ended["refused"] += 1
        for held in both.isolated.store.all():
            digest, size = held
            got = b"".join(both.isolated.store.read(digest, start=0, stop=size))
            assert sha256(got) == digest
    assert sum(ended.values()) == ROUNDS
    assert path.read_bytes() == whole
    both.isolated.land(both.medium)
    (held_one,) = both.isolated.registry.releases()
    files = both.isolated.registry.files(held_one.id)
    assert {one.path: one.sha256 for one in files} == {
        name: sha256(data) for name, data in MODEL.items()
    }


def test_nothing_beside_the_volumes_is_taken_in(both: Crossing) -> None:
    """A medium is no folder to be imported: only what is signed comes off it."""
    clean = Crossing(both.folder / "clean")
    clean.connected.export(clean.medium, clean.connected.folder("acme/m", MODEL))
    for name in STRAYS:
        path = both.medium / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"extra bytes of " + name.encode())
    both.isolated.land(both.medium)
    held = {digest for digest, _ in both.isolated.store.all()}
    assert held == {sha256(data) for data in MODEL.values()}
    (one,) = both.isolated.registry.releases()
    assert one.release.name == "acme/m"
    left = {
        str(p.relative_to(both.isolated.home)) for p in both.isolated.home.rglob("*")
    }
    assert not [name for name in left if "git" in name or "evil" in name]


class Endless(io.RawIOBase):
    """A stream that begins with *front* and goes on for ever; counts what was read."""

    def __init__(self, front: bytes, more: bytes) -> None:
        super().__init__()
        self._front, self._more, self.given = front, more, 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill *buffer*; there is always more."""
        size = len(buffer)
        data = self._front[self.given : self.given + size]
        while len(data) < size:
            data += self._more[: size - len(data)]
        buffer[:size] = data
        self.given += size
        return size


@pytest.mark.parametrize(
    ("cut", "more"),
    [
        (0, b"\0" * 4096),
        (0, b"A" * 4096),
        (300, b"9" * 4096),
        (40_000, b"\0" * 4096),
        (-1024, b"\0" * 4096),
        (0, bytes(range(256)) * 16),
    ],
    ids=["zeros", "letters", "in the label", "in the records", "at the end", "noise"],
)
def test_a_stream_without_end_is_read_to_a_limit(
    both: Crossing, cut: int, more: bytes
) -> None:
    """A FIFO that never ends costs bounded bytes, and no memory of its length."""
    data = volume(both).read_bytes()
    front = data[:cut]
    stream = Endless(front, more)
    before = both.isolated.fingerprint()
    with pytest.raises((FormatError, IncompleteError)):
        landing.land_stream(stream, both.isolated.gate, Desk(), now=NOW)  # type: ignore[arg-type]
    assert stream.given - max(len(front), 0) <= 20 << 20
    assert both.isolated.fingerprint() == before


def test_a_sparse_giant_is_refused_unread(both: Crossing) -> None:
    """A file of a terabyte that takes no room on the medium must take none here."""
    path = volume(both)
    os.truncate(path, 1 << 40)
    before = both.isolated.fingerprint()
    with pytest.raises(FormatError) as caught:
        both.isolated.land(both.medium)
    assert path.name in caught.value.problem
    both.isolated.forget()
    assert both.isolated.fingerprint() == before
