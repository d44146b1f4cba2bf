"""A folder's files: stored and coded in one pass, the same as in two."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from airlift.artifact import Json, Kind, Pinned, PinnedFile, Wish
from airlift.digest import Sha256, sha256
from airlift.errors import SourceError
from airlift.fetch import Settings
from airlift.outbound.fetching import fetch
from airlift.outbound.nearby import Taking
from airlift.outbound.packing import Packed, Packer
from airlift.progress import Silent
from airlift.sources.folder import Folder
from airlift.sources.source import NearSource
from airlift.store.blobs import BlobStore
from crossing import weights

FILES = {
    "model.safetensors": weights(9_000_001),
    "noise.bin": random.Random(1).randbytes((4 << 20) + 1),
    "page.bin": random.Random(2).randbytes(65536),
    "small.txt": b"small",
}


def pinned(folder: Path, taking: Taking | None = None) -> Pinned:
    """Write the files into *folder* and pin them."""
    folder.mkdir(exist_ok=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    wish = Wish(kind=Kind.FOLDER, name="acme/near", options={"path": str(folder)})
    source = Folder(Settings())
    source.taking = taking
    return source.resolve(wish)


def packed(home: Path, wanted: Pinned, *, early: bool) -> tuple[Packed, BlobStore]:
    """Fetch and pack *wanted* with a store in *home*."""
    store = BlobStore(home / "store")
    packer = Packer(store, home / "spool", early=early)
    found = fetch(wanted, Folder(Settings()), store, progress=Silent(), packer=packer)
    return packer.pack(found, Silent()), store


def test_what_is_coded_on_the_way_is_what_would_be_coded_later(tmp_path: Path) -> None:
    """The same lock gives the same bytes, however they came into the store."""
    wanted = pinned(tmp_path / "files")
    made, store = packed(tmp_path / "one", wanted, early=True)
    assert made == packed(tmp_path / "two", wanted, early=False)[0]
    for content in FILES.values():
        assert b"".join(store.read(sha256(content))) == content
    assert list(store.partials()) == []
    coded = [path.name for path in (tmp_path / "one" / "spool").glob("*.coded")]
    assert coded == [f"{sha256(FILES['model.safetensors'])}.coded"]


def test_what_an_earlier_run_left_is_written_over(tmp_path: Path) -> None:
    """It was killed in the middle: slabs are there, and holes between them."""
    wanted = pinned(tmp_path / "files")
    store = BlobStore(tmp_path / "one" / "store")
    content = FILES["noise.bin"]
    with store.partial(f"sha256-{sha256(content)}", len(content)) as left:
        left.write(b"not what was pinned", 4 << 20 >> 1)
    packed(tmp_path / "one", wanted, early=True)
    assert b"".join(store.read(sha256(content))) == content


def test_a_file_that_is_another_by_now_is_refused(tmp_path: Path) -> None:
    """A model somebody is still writing must not be carried as the one pinned."""
    wanted = pinned(tmp_path / "files")
    content = FILES["noise.bin"]
    other = content[:-1] + bytes([content[-1] ^ 1])
    (tmp_path / "files" / "noise.bin").write_bytes(other)
    with pytest.raises(SourceError) as caught:
        packed(tmp_path / "one", wanted, early=True)
    assert str(caught.value) == (
        f"`noise.bin` arrived as sha256 {sha256(other)}, "
        f"upstream states {sha256(content)}"
    )
    store = BlobStore(tmp_path / "one" / "store")
    assert not store.has(sha256(other))
    assert not store.has(sha256(content))
    assert f"sha256-{sha256(content)}" not in list(store.partials())


def test_a_file_that_is_shorter_by_now_is_refused(tmp_path: Path) -> None:
    """The rest of it would be whatever memory held."""
    wanted = pinned(tmp_path / "files")
    place = tmp_path / "files" / "noise.bin"
    place.write_bytes(FILES["noise.bin"][:-5])
    with pytest.raises(SourceError) as caught:
        packed(tmp_path / "one", wanted, early=True)
    assert str(caught.value) == (
        f"`{place}` changed while it was read: 4194305 bytes before, 4194300 now"
    )


class Small(BlobStore):
    """A store with room for two of the files and no more."""

    def free_bytes(self) -> int:
        """Say how much room there is."""
        return 2 * (len(FILES["model.safetensors"]) + len(FILES["page.bin"]))


def test_what_is_pinned_is_taken_in_on_the_way(tmp_path: Path) -> None:
    """A file is read once, and pinned as if it had only been read."""
    wanted = pinned(tmp_path / "files")
    store = BlobStore(tmp_path / "store")
    packer = Packer(store, tmp_path / "spool", early=True)
    assert pinned(tmp_path / "files", Taking(store, packer, Silent())) == wanted
    large = {sha256(content) for name, content in FILES.items() if name != "small.txt"}
    assert {blob for blob, _ in store.all()} == large
    # What was coded then is found by the export, which has a packer of its own.
    assert (
        packed(tmp_path, wanted, early=True)[0]
        == (packed(tmp_path / "two", wanted, early=False)[0])
    )
    assert list(store.partials()) == []


def test_what_there_is_no_room_for_is_only_pinned(tmp_path: Path) -> None:
    """It may be in the store already; if not, fetching says what room it takes."""
    wanted = pinned(tmp_path / "files")
    store = Small(tmp_path / "store")
    packer = Packer(store, tmp_path / "spool", early=True)
    assert pinned(tmp_path / "files", Taking(store, packer, Silent())) == wanted
    assert {blob for blob, _ in store.all()} == {
        sha256(FILES["model.safetensors"]),
        sha256(FILES["page.bin"]),
    }


def test_a_file_that_changes_while_it_is_taken_in_is_refused(tmp_path: Path) -> None:
    """Half of one version and half of the next is no model."""
    place = tmp_path / "files" / "noise.bin"

    class Changing(Taking):
        """Writes to a file between the look at it and the reading of it."""

        def __call__(
            self, source: NearSource, files: Sequence[PinnedFile]
        ) -> dict[str, Sha256]:
            place.write_bytes(FILES["noise.bin"] + b"more")
            return super().__call__(source, files)

    store = BlobStore(tmp_path / "store")
    packer = Packer(store, tmp_path / "spool", early=True)
    with pytest.raises(SourceError) as caught:
        pinned(tmp_path / "files", Changing(store, packer, Silent()))
    assert str(caught.value) == (
        f"`{place}` changed while it was read: 4194305 bytes before, 4194309 now"
    )
    assert list(store.partials()) == []


def test_files_of_one_content_are_taken_in_side_by_side(tmp_path: Path) -> None:
    """A model and its copy under another name end at the same moment."""
    folder, content = tmp_path / "files", weights(5_000_000)
    folder.mkdir()
    for number in range(9):
        (folder / f"{number}.safetensors").write_bytes(content)
    store = BlobStore(tmp_path / "store")
    source = Folder(Settings())
    source.taking = Taking(
        store, Packer(store, tmp_path / "spool", early=True), Silent()
    )
    options: dict[str, Json] = {"path": str(folder)}
    wanted = source.resolve(Wish(kind=Kind.FOLDER, name="acme/same", options=options))
    assert {file.sha256 for file in wanted.files} == {sha256(content)}
    assert list(store.all()) == [(sha256(content), len(content))]
    spooled = sorted(path.name for path in (tmp_path / "spool").iterdir())
    assert spooled == [f"{sha256(content)}.coded", f"{sha256(content)}.packed"]
