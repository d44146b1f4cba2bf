"""Placing bytes and making names, whatever the runtime."""

import fcntl
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import RequestError, StoreError
from airlift.install import TARGETS, parcels
from airlift.install.installing import install
from airlift.install.placing import Way
from airlift.install.tree import STAGE
from airlift.progress import Advance
from airlift.store.blobs import BlobStore
from depots import BIG, COMMIT, Depot, tree

SMALL = b"small\n"
FILES = {"a/small.txt": SMALL, "big.bin": BIG}
NOBODY = 65534


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A site with one folder, both of a packed and of a whole blob."""
    depot = Depot(tmp_path / "site")
    depot.bring(Kind.FOLDER, "org/f", FILES)
    return depot


def span(depot: Depot, content: bytes) -> Path:
    """Return the store's file of *content*."""
    found = depot.site.store.span(sha256(content))
    assert found
    return found.path


# --- ways ---------------------------------------------------------------------------


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[Depot]:
    """A site on a file system whose files can share blocks."""
    maker = shutil.which("mkfs.btrfs", path=f"{os.environ['PATH']}:/sbin:/usr/sbin")
    if not maker or os.geteuid() != 0:
        pytest.skip("needs mkfs.btrfs, and root to mount what it makes")
    image, folder = tmp_path / "image", tmp_path / "sharing"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(120 << 20)
    subprocess.run([maker, "-q", image], check=True, capture_output=True)
    mount = ["mount", "-o", "loop", str(image), str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount here")
    depot = Depot(folder / "site")
    depot.bring(Kind.FOLDER, "org/f", FILES)
    yield depot
    depot.site.registry.close()
    # Lazily: packs stay mapped until they are collected.
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_blocks_are_shared_where_the_file_system_can(sharing: Depot) -> None:
    """A second copy of a large model on one disk takes no space, and no risk."""
    out = sharing.folder.parent / "out"
    done = sharing.install("org/f", "folder", out)
    assert done.ways == {Way.CLONE: 1, Way.COPY: 1}
    fresh, source = out / "big.bin", span(sharing, BIG)
    assert fresh.stat().st_ino != source.stat().st_ino
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o444
    fresh.chmod(0o644)
    fresh.write_bytes(b"spoilt")
    assert source.read_bytes() == BIG


def test_a_rotten_blob_is_not_cloned(sharing: Depot) -> None:
    """Sharing blocks reads nothing, so damage would be handed on in silence."""
    out = sharing.folder.parent / "out"
    source = span(sharing, BIG)
    source.chmod(0o644)
    source.write_bytes(b"x" + BIG[1:])
    with pytest.raises(StoreError, match="holds bytes that hash to"):
        sharing.install("org/f", "folder", out)
    assert not out.exists()


def test_without_shared_blocks_files_are_copied(depot: Depot, tmp_path: Path) -> None:
    """By default nobody gets a second name for the store's own files."""
    done = depot.install("org/f", "folder", tmp_path / "out", way=Way.COPY)
    assert done.ways == {Way.COPY: 2}
    assert tree(tmp_path / "out") == FILES
    assert span(depot, BIG).stat().st_nlink == 1


def test_a_link_is_made_only_when_asked_for(depot: Depot, tmp_path: Path) -> None:
    """It takes no space, and gives whoever owns the folder a hand on the store."""
    plain = depot.install("org/f", "folder", tmp_path / "plain")
    assert Way.LINK not in plain.ways
    done = depot.install("org/f", "folder", tmp_path / "out", way=Way.LINK)
    linked, source = (tmp_path / "out/big.bin").stat(), span(depot, BIG).stat()
    if Way.CLONE not in done.ways:
        assert done.ways == {Way.LINK: 1, Way.COPY: 1}
        assert (linked.st_ino, linked.st_nlink) == (source.st_ino, 2)
        assert stat.S_IMODE(linked.st_mode) == 0o444


def test_a_blob_that_can_be_written_to_is_never_linked(
    depot: Depot, tmp_path: Path
) -> None:
    """A second name for such a file would let the runtime change the store."""
    span(depot, BIG).chmod(0o644)
    done = depot.install("org/f", "folder", tmp_path / "out", way=Way.LINK)
    assert Way.LINK not in done.ways
    assert tree(tmp_path / "out") == FILES


@pytest.mark.parametrize("way", list(Way))
def test_a_rotten_blob_of_the_store_is_refused(
    depot: Depot, tmp_path: Path, way: Way
) -> None:
    """Runtimes check lengths at most: the last chance to see it is here."""
    source = span(depot, BIG)
    source.chmod(0o644)
    bad = b"x" + BIG[1:]
    source.write_bytes(bad)
    source.chmod(0o444)
    with pytest.raises(StoreError) as caught:
        depot.install("org/f", "folder", tmp_path / "out", way=way)
    assert str(caught.value) == (
        f"blob {sha256(BIG)} in {source} holds bytes that hash to {sha256(bad)}"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_missing_blob_is_named(depot: Depot, tmp_path: Path) -> None:
    """The store may have lost a file; the registry still knows it."""
    span(depot, BIG).unlink()
    with pytest.raises(StoreError) as caught:
        depot.install("org/f", "folder", tmp_path / "out")
    assert str(caught.value) == f"blob {sha256(BIG)} is not in the store"


# --- nothing half done --------------------------------------------------------------


class Interrupted(BaseException):
    """Somebody pressed Ctrl-C."""


@dataclass
class Stopping:
    """Progress that is interrupted after some bytes of a task."""

    task_name: str
    left: int
    seen: list[str] = field(default_factory=list)

    @contextmanager
    def task(
        self, label: str, total: int | None, *, unit: str = "B"
    ) -> Iterator[Advance]:
        """Count, and interrupt."""

        def advance(done: int) -> None:
            self.seen.append(label)
            if label == self.task_name:
                self.left -= done
                if self.left < 0:
                    raise Interrupted

        yield advance


@pytest.mark.parametrize("to", ["folder", "hf-local", "hf-cache"])
def test_an_interruption_leaves_nothing_to_be_found(
    depot: Depot, tmp_path: Path, to: str
) -> None:
    """A runtime that starts after Ctrl-C must not load half a model."""
    depot.progress = Stopping("installing", len(SMALL) + 10)
    with pytest.raises(Interrupted):
        depot.install("org/f", to, tmp_path / "out")
    left = tree(tmp_path / "out") if (tmp_path / "out").exists() else {}
    assert [path for path in left if "/blobs/" not in path] == []
    assert list(tmp_path.rglob(f"{STAGE}*")) == []


def test_a_folder_that_is_there_changes_all_at_once(
    depot: Depot, tmp_path: Path
) -> None:
    """Until every byte is there, programs go on with the files of before."""
    depot.install("org/f", "folder", tmp_path / "out")
    other = {"a/small.txt": b"new\n", "big.bin": BIG[1:] + b"!"}
    depot.bring(Kind.FOLDER, "org/f", other, revision="d" * 40, counter=2)
    depot.progress = Stopping("installing", 10)
    with pytest.raises(Interrupted):
        depot.install("org/f@" + "d" * 40, "folder", tmp_path / "out")
    assert tree(tmp_path / "out") == FILES
    depot.progress = Stopping("", 0)
    done = depot.install("org/f@" + "d" * 40, "folder", tmp_path / "out")
    assert (tree(tmp_path / "out"), done.written) == (other, len(BIG) + 4)


def test_what_a_killed_process_left_is_swept(depot: Depot, tmp_path: Path) -> None:
    """Kill -9 runs no clean-up; the next installation does, unless one is at work."""
    (tmp_path / "out").mkdir()
    dead, busy = (tmp_path / "out" / f"{STAGE}{name}" for name in ("dead", "busy"))
    for folder in (dead, busy):
        folder.mkdir()
        (folder / "1").write_bytes(BIG)
    fd = os.open(busy, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    depot.install("org/f", "folder", tmp_path / "out")
    os.close(fd)
    assert (dead.exists(), busy.exists()) == (False, True)


def test_a_release_denied_meanwhile_gets_no_name(depot: Depot, tmp_path: Path) -> None:
    """Copying may take an hour, and somebody may have found out why not to."""
    order = depot.order("org/f", "hf-cache", tmp_path / "hub")
    held = parcels.choose(depot.site.registry, "org/f")
    still = parcels.still_live(depot.site.registry, held)
    depot.site.registry.deny(
        [held.id], why="poisoned", now="2026-11-23T12:00:00Z", actor="a"
    )
    with pytest.raises(RequestError) as caught:
        install(order, TARGETS["hf-cache"], depot.site.store, still, depot.progress)
    assert str(caught.value) == f"folder:org/f@{COMMIT[:12]} is denied: poisoned"
    repo = tmp_path / "hub/models--org--f"
    assert [path.name for path in repo.iterdir() if path.name != "blobs"] == [
        "snapshots"
    ]
    assert list((repo / "snapshots").iterdir()) == []


# --- what is there already ----------------------------------------------------------


def test_other_peoples_files_are_never_changed(depot: Depot, tmp_path: Path) -> None:
    """Their content is in no release here, so it may be the only copy."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "big.bin").write_bytes(b"mine")
    (out / "notes.txt").write_bytes(b"mine too")
    with pytest.raises(RequestError) as caught:
        depot.install("org/f", "folder", out)
    assert str(caught.value) == (
        f"{out} has files of other content where this release's belong: `big.bin`"
    )
    assert tree(out) == {"big.bin": b"mine", "notes.txt": b"mine too"}
    depot.install("org/f", "folder", out, replace=True)
    assert tree(out) == {**FILES, "notes.txt": b"mine too"}


def test_a_folder_in_the_place_of_a_file_is_refused(
    depot: Depot, tmp_path: Path
) -> None:
    """A folder can hold anything, and a rename would not replace it."""
    (tmp_path / "out/big.bin").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"`big\.bin`"):
        depot.install("org/f", "folder", tmp_path / "out")


def test_an_identical_file_stays_itself(depot: Depot, tmp_path: Path) -> None:
    """What was fetched before is not fetched again, nor touched."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "big.bin").write_bytes(BIG)
    before = (out / "big.bin").stat().st_ino
    done = depot.install("org/f", "folder", out)
    assert (done.present, done.written) == (1, len(SMALL))
    assert (out / "big.bin").stat().st_ino == before


def test_a_release_that_is_not_live_is_refused(depot: Depot, tmp_path: Path) -> None:
    """Quarantine holds what nobody has looked at yet."""
    held = depot.bring(Kind.FOLDER, "org/new", FILES, live=False)
    with pytest.raises(RequestError) as caught:
        depot.install("org/new", "folder", tmp_path / "out")
    assert (
        str(caught.value) == f"folder:org/new@{COMMIT[:12]} is not live but quarantine"
    )
    assert caught.value.hint == f"`airlift activate {held[:12]}` first"


def test_a_runtime_takes_only_what_it_can_use(depot: Depot, tmp_path: Path) -> None:
    """A folder in a wheelhouse would be found by nobody."""
    with pytest.raises(RequestError) as caught:
        depot.install("org/f", "wheelhouse", tmp_path / "out")
    assert str(caught.value) == (
        f"folder:org/f@{COMMIT[:12]} is not for a wheelhouse, which takes wheels"
    )


def test_a_disk_without_room_is_found_out_first(depot: Depot, tmp_path: Path) -> None:
    """An hour of copying must not end with a full disk for everybody."""
    size = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize + (1 << 30)
    big = span(depot, BIG)
    big.chmod(0o644)
    os.truncate(big, size)  # sparse: it takes no space, a copy would
    order = depot.order("org/f", "folder", tmp_path / "out", way=Way.COPY)
    release = order.parcel.release
    files = tuple(
        replace(one, size=size) if one.path == "big.bin" else one
        for one in release.files
    )
    grown = replace(order.parcel, release=replace(release, files=files))
    order = replace(order, parcel=grown)
    with pytest.raises(
        StoreError, match=rf"{size + len(SMALL)} bytes are to be copied"
    ):
        install(
            order, TARGETS["folder"], depot.site.store, lambda: None, depot.progress
        )
    assert not (tmp_path / "out").exists()


# --- rights -------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for others")
def test_root_leaves_files_that_the_folders_owner_can_manage(
    depot: Depot, tmp_path: Path
) -> None:
    """A service with a user of its own must be able to delete what it no longer wants."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    home = tmp_path / "models"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    (tmp_path / "site").chmod(0o700)
    depot.install("org/f", "folder", home / "out", way=Way.LINK)
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in home.rglob("*")}
    assert owners == {(NOBODY, NOBODY)}
    assert (os.geteuid(), os.getegid()) == (0, 0)
    assert span(depot, BIG).stat().st_nlink == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for others")
def test_root_is_not_led_out_of_a_folder_by_its_owner(
    depot: Depot, tmp_path: Path
) -> None:
    """A link in the folder may point anywhere; its owner's rights go no further."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    home, secret = tmp_path / "models", tmp_path / "etc"
    home.mkdir()
    secret.mkdir(mode=0o755)
    (home / "a").symlink_to(secret)
    os.chown(home, NOBODY, NOBODY)
    with pytest.raises(StoreError, match="permission denied"):
        depot.install("org/f", "folder", home)
    assert list(secret.iterdir()) == []


def test_new_folders_are_shared_as_the_one_they_are_in(
    depot: Depot, tmp_path: Path
) -> None:
    """A group that shares a cache must be able to go on writing to it."""
    hub = tmp_path / "hub"
    hub.mkdir()
    hub.chmod(0o2775)
    depot.install("org/f", "hf-cache", hub)
    modes = {
        stat.S_IMODE(path.stat().st_mode) for path in hub.rglob("*") if path.is_dir()
    }
    assert modes == {0o2775}


def test_content_deleted_by_the_runtime_is_placed_again(
    depot: Depot, tmp_path: Path
) -> None:
    """Ollama deletes what no manifest names when it starts, also while we copy."""
    order = depot.order("org/f", "hf-cache", tmp_path / "hub")
    blob = tmp_path / "hub/models--org--f/blobs" / sha256(BIG)
    done = install(
        order, TARGETS["hf-cache"], depot.site.store, blob.unlink, depot.progress
    )
    assert blob.read_bytes() == BIG
    assert done.names[-1] == "models--org--f/refs/main"


def test_the_store_may_be_opened_by_a_reader_only(depot: Depot, tmp_path: Path) -> None:
    """Installing changes nothing in the store."""
    before = {
        path: path.stat().st_mtime_ns for path in depot.site.store.root.rglob("*")
    }
    depot.site.store = BlobStore(depot.site.store.root, readonly=True)
    depot.install("org/f", "folder", tmp_path / "out")
    assert {
        path: path.stat().st_mtime_ns for path in depot.site.store.root.rglob("*")
    } == before


def test_every_target_says_what_it_is() -> None:
    """The messages of the command are made of these words."""
    assert {
        name: (target.noun, sorted(target.kinds)) for name, target in TARGETS.items()
    } == {
        "hf-cache": ("a Hugging Face cache", ["dataset", "folder", "gguf", "model"]),
        "hf-local": ("a Hugging Face folder", ["dataset", "folder", "gguf", "model"]),
        "ollama": ("Ollama", ["folder", "gguf", "model", "ollama"]),
        "wheelhouse": ("a wheelhouse", ["wheels"]),
        "folder": ("a folder", sorted(Kind)),
    }
