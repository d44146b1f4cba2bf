import itertools
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import StoreError
from airlift.store import direct
from airlift.store.blobs import BlobStore

KILLED = """
import os, signal, sys
from pathlib import Path
from airlift.store.blobs import BlobStore
file = BlobStore(Path(sys.argv[1])).partial("download", 1_000_000)
file.write(b"half of it", 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_download_goes_on_where_it_was(tmp_path: Path) -> None:
    """Hours of copying must survive a reboot of the copier."""
    arguments = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(arguments, check=False).returncode == -9
    store = BlobStore(tmp_path)
    assert list(store.partials()) == ["download"]
    with store.partial("download", 1_000_000) as file:
        assert file.length() == len(b"half of it")
        assert os.pread(file.fd, 100, 0) == b"half of it"
        assert os.fstat(file.fd).st_blocks * 512 >= 1_000_000


def test_two_never_fill_the_same_file(tmp_path: Path) -> None:
    """Two processes writing into one file would mix two downloads."""
    store = BlobStore(tmp_path)
    with store.partial("key"):
        with pytest.raises(StoreError) as caught:
            BlobStore(tmp_path).partial("key")
        assert str(caught.value) == "key is being filled by another process"
        with pytest.raises(StoreError) as caught:
            store.discard("key")
        assert str(caught.value) == (
            "the unfinished file key is being filled by another process"
        )
    store.partial("key").close()
    store.discard("key")
    store.discard("key")
    assert list(store.partials()) == []


def test_more_bytes_than_stated_are_refused(tmp_path: Path) -> None:
    """A size that was signed bounds what lands on the disk."""
    with BlobStore(tmp_path).partial("key", 10) as file:
        with pytest.raises(StoreError) as caught:
            file.write(b"abc", 8)
        assert str(caught.value) == "key: bytes up to 11 for a file of 10"
        assert file.length() == 0


def test_what_lies_beyond_the_size_is_cut_off(tmp_path: Path) -> None:
    """A longer leftover under the same key must not become part of the blob."""
    store = BlobStore(tmp_path)
    with store.partial("key") as file:
        file.write(b"0123456789", 0)
    with store.partial("key", 4) as file:
        assert file.length() == 4
        store.adopt(file, sha256(b"0123"))
    assert b"".join(store.read(sha256(b"0123"))) == b"0123"


def test_a_blob_under_a_partials_name_is_not_written_to(tmp_path: Path) -> None:
    """A rename torn by a power cut leaves both names; only one may be filled."""
    store = BlobStore(tmp_path)
    name = store.add([b"x" * 70_000])
    span = store.span(name)
    assert span is not None
    (tmp_path / "partial" / "key").hardlink_to(span.path)
    with store.partial("key") as file:
        file.write(b"y", 0)
    store.check(name)


def test_a_link_under_a_partials_name_is_refused(tmp_path: Path) -> None:
    """A local user must not make airlift write elsewhere."""
    store = BlobStore(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "partial" / "key"
    path.symlink_to(victim)
    with pytest.raises(StoreError) as caught:
        store.partial("key", 3)
    reason = "too many levels of symbolic links"
    assert str(caught.value) == f"cannot create {path}: {reason}"
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("key", ["", "../key", "a/b", ".new-1", "-x", "a\n", "ä"])
def test_a_key_is_never_a_path(tmp_path: Path, key: str) -> None:
    """Keys come from digests; anything else is a mistake of ours."""
    with pytest.raises(ValueError, match="not a key of an unfinished file"):
        BlobStore(tmp_path).partial(key)


def test_pieces_that_meet_inside_a_page_are_both_there(tmp_path: Path) -> None:
    """Whole pages go past the page cache and rests through it, from several threads."""
    size = 40 * direct.PAGE + 77
    data = random.Random(4).randbytes(size)
    borders = [0, 5, 4096, 4099, 20_000, 20_001, 65_536, 100_000, size]
    runs = list(itertools.pairwise(borders))
    random.Random(5).shuffle(runs)

    def write(run: tuple[int, int]) -> None:
        start, stop = run
        # As far behind a page in memory as in the file.
        lead = start % direct.PAGE
        view = direct.buffer(size + direct.PAGE)[lead : lead + stop - start]
        view[:] = data[start:stop]
        file.write(view, start)

    with BlobStore(tmp_path).partial("scattered", size, scattered=True) as file:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, runs))
        file.sync()
        assert file.path.read_bytes() == data


def test_pieces_that_cannot_go_past_the_cache_go_through_it(tmp_path: Path) -> None:
    """Bytes that lie otherwise in memory than in the file, or that are read-only."""
    data = random.Random(6).randbytes(3 * direct.PAGE)
    with BlobStore(tmp_path).partial("scattered", len(data), scattered=True) as file:
        file.write(data[:6000], 0)
        view = direct.buffer(4 * direct.PAGE)[1 : 1 + len(data) - 6000]
        view[:] = data[6000:]
        file.write(view, 6000)
        assert file.path.read_bytes() == data
