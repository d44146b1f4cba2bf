"""The cache of hub clients, as they read it offline."""

import json
import stat
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.store.durable import names
from depots import BIG, COMMIT, Depot, tree
from shelves import git_oid

SMALL = b"{}\n"
FILES = {"config.json": SMALL, "sub/deep/model.safetensors": BIG}
REPO = "models--org--tiny"
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{sha256(BIG)}\nsize {len(BIG)}\n"
).encode()


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A site with one model."""
    depot = Depot(tmp_path / "site")
    depot.bring(Kind.MODEL, "org/tiny", FILES, refs=("main", "refs/pr/1", "v/1"))
    return depot


def test_a_cache_is_laid_out_as_the_hub_does_it(depot: Depot, tmp_path: Path) -> None:
    """Clients find files by these paths and by nothing else."""
    done = depot.install("org/tiny", "hf-cache", tmp_path / "hub")
    small, big = git_oid(SMALL), sha256(BIG)
    listing = {
        "format_version": 1,
        "files": {
            "config.json": {"size": 3, "blob_id": small},
            "sub/deep/model.safetensors": {
                "size": len(BIG),
                "blob_id": git_oid(POINTER),
                "lfs_sha256": big,
                "lfs_size": len(BIG),
            },
        },
    }
    snapshot = f"{REPO}/snapshots/{COMMIT}"
    found = tree(tmp_path / "hub")
    told = found.pop(f"{REPO}/trees/{COMMIT}.json")
    assert found == {
        f"{REPO}/blobs/{small}": SMALL,
        f"{REPO}/blobs/{big}": BIG,
        f"{snapshot}/config.json": f"-> ../../blobs/{small}",
        f"{snapshot}/sub/deep/model.safetensors": f"-> ../../../../blobs/{big}",
        f"{REPO}/refs/main": COMMIT.encode(),
        f"{REPO}/refs/refs/pr/1": COMMIT.encode(),
        f"{REPO}/refs/v/1": COMMIT.encode(),
    }
    assert json.loads(told) == listing
    assert done.names[-3:] == tuple(
        f"{REPO}/refs/{ref}" for ref in ("main", "refs/pr/1", "v/1")
    )
    assert (done.written, done.present) == (len(BIG) + 3, 0)


def test_content_is_read_only(depot: Depot, tmp_path: Path) -> None:
    """A program that opens a model for writing by mistake is stopped."""
    depot.install("org/tiny", "hf-cache", tmp_path / "hub")
    blobs = tmp_path / "hub" / REPO / "blobs"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in blobs.iterdir()}
    assert modes == {0o444}


def test_installing_again_changes_nothing(depot: Depot, tmp_path: Path) -> None:
    """A job that installs at each start must not touch what is in use."""
    hub = tmp_path / "hub"
    depot.install("org/tiny", "hf-cache", hub)

    def state() -> dict[Path, tuple[int, int]]:
        paths = [hub, *hub.rglob("*")]
        return {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in paths}

    before = state()
    done = depot.install("org/tiny", "hf-cache", hub)
    assert (done.written, done.present, done.names) == (0, 2, ())
    assert state() == before


def test_a_new_release_moves_its_names_and_leaves_the_old_snapshot(
    depot: Depot, tmp_path: Path
) -> None:
    """Who loaded the old commit goes on; who asks for `main` gets the new one."""
    hub = tmp_path / "hub"
    depot.install("org/tiny", "hf-cache", hub)
    new = "d" * 40
    files = {**FILES, "config.json": b"[]\n"}
    depot.bring(Kind.MODEL, "org/tiny", files, revision=new, counter=2)
    done = depot.install(f"org/tiny@{new}", "hf-cache", hub)
    assert (done.written, done.present) == (3, 1)
    assert (hub / REPO / "refs/main").read_text() == new
    assert (hub / REPO / "refs/v/1").read_text() == COMMIT
    for commit, content in ((COMMIT, b"{}\n"), (new, b"[]\n")):
        assert (
            hub / REPO / "snapshots" / commit / "config.json"
        ).read_bytes() == content


def test_an_older_release_takes_no_name_from_a_newer_one(
    depot: Depot, tmp_path: Path
) -> None:
    """An old revision kept for comparison must not become what everybody loads."""
    new = "d" * 40
    depot.bring(
        *(Kind.MODEL, "org/tiny", FILES),
        revision=new,
        counter=2,
        refs=("main", "refs/pr/1", "v/1"),
    )
    done = depot.install(f"org/tiny@{COMMIT}", "hf-cache", tmp_path / "hub")
    assert not (tmp_path / "hub" / REPO / "refs").exists()
    assert done.notes == (
        f"a newer release has its names: load it with revision {COMMIT}",
    )


def test_a_name_that_leads_to_somebody_elses_snapshot_stays(
    depot: Depot, tmp_path: Path
) -> None:
    """Somebody's own training result under the same name is not hidden unasked."""
    ref = tmp_path / "hub" / REPO / "refs/main"
    (ref.parent.parent / "snapshots/theirs").mkdir(parents=True)
    ref.parent.mkdir()
    ref.write_text("theirs")
    with pytest.raises(RequestError) as caught:
        depot.install("org/tiny", "hf-cache", tmp_path / "hub")
    assert str(caught.value) == (
        f"{tmp_path / 'hub'} has files of other content where this release's belong: "
        f"`{REPO}/refs/main`"
    )
    assert not (ref.parent.parent / "blobs").exists()
    depot.install("org/tiny", "hf-cache", tmp_path / "hub", replace=True)
    assert ref.read_text() == COMMIT


def test_a_name_that_leads_nowhere_is_mended(depot: Depot, tmp_path: Path) -> None:
    """The hub's own client leaves such refs; with one, the repository is not listed."""
    ref = tmp_path / "hub" / REPO / "refs/main"
    ref.parent.mkdir(parents=True)
    ref.write_text("e" * 40)
    depot.install("org/tiny", "hf-cache", tmp_path / "hub")
    assert ref.read_text() == COMMIT


def test_a_damaged_blob_is_found_and_replaced_only_when_asked(
    depot: Depot, tmp_path: Path
) -> None:
    """Clients never look at the bytes again: installing is a chance to."""
    depot.install("org/tiny", "hf-cache", tmp_path / "hub")
    blob = tmp_path / "hub" / REPO / "blobs" / sha256(BIG)
    blob.chmod(0o644)
    blob.write_bytes(b"x" + BIG[1:])
    with pytest.raises(RequestError, match=f"`{REPO}/blobs/{sha256(BIG)}`"):
        depot.install("org/tiny", "hf-cache", tmp_path / "hub")
    done = depot.install("org/tiny", "hf-cache", tmp_path / "hub", replace=True)
    assert (blob.read_bytes() == BIG, done.present) == (True, 1)


def test_a_snapshot_that_was_begun_is_completed(depot: Depot, tmp_path: Path) -> None:
    """A download that broke off, or a client that wanted one file, is no obstacle."""
    hub = tmp_path / "hub"
    begun = hub / REPO / "snapshots" / COMMIT
    begun.mkdir(parents=True)
    (begun / "config.json").write_bytes(SMALL)  # as on a disk without links
    depot.install("org/tiny", "hf-cache", hub)
    assert not (begun / "config.json").is_symlink()
    assert (begun / "sub/deep/model.safetensors").read_bytes() == BIG


def test_listings_of_one_commit_are_joined(depot: Depot, tmp_path: Path) -> None:
    """Chosen files of a commit carried apart make one snapshot, known to be whole."""
    hub = tmp_path / "hub"
    depot.install("model:org/tiny", "hf-cache", hub)
    listing = hub / REPO / "trees" / f"{COMMIT}.json"
    told = json.loads(listing.read_text())
    told["files"]["config.json"]["xet_hash"] = "f" * 64
    listing.write_text(json.dumps(told))
    depot.bring(Kind.GGUF, "org/tiny", {"tiny.gguf": BIG[1:]})
    depot.install("gguf:org/tiny", "hf-cache", hub)
    files = json.loads(listing.read_text())["files"]
    assert sorted(files) == ["config.json", "sub/deep/model.safetensors", "tiny.gguf"]
    assert files["config.json"] == {"size": 3, "blob_id": git_oid(SMALL)}


def test_a_listing_that_says_as_much_stays_as_it_is(
    depot: Depot, tmp_path: Path
) -> None:
    """The hub's own listing of the whole commit is not cut down to ours."""
    hub = tmp_path / "hub"
    depot.install("org/tiny", "hf-cache", hub)
    listing = hub / REPO / "trees" / f"{COMMIT}.json"
    told = json.loads(listing.read_text())
    told["files"]["other.bin"] = {"size": 1, "blob_id": "0" * 40}
    listing.write_text(json.dumps(told))
    done = depot.install("org/tiny", "hf-cache", hub)
    assert (done.names, json.loads(listing.read_text())) == ((), told)


def test_data_sets_have_a_folder_of_their_own(depot: Depot, tmp_path: Path) -> None:
    """A data set and a model may have the same name."""
    depot.bring(Kind.DATASET, "org/tiny", {"a.csv": b"1"})
    depot.install("dataset:org/tiny", "hf-cache", tmp_path / "hub")
    assert names(tmp_path / "hub") == ["datasets--org--tiny"]


@pytest.mark.parametrize("name", ["a/b/c", "a--b/c"])
def test_a_name_no_client_accepts_is_refused(
    depot: Depot, tmp_path: Path, name: str
) -> None:
    """What nobody could ask for would only look installed."""
    depot.bring(Kind.FOLDER, name, {"x": b"1"})
    with pytest.raises(RequestError) as caught:
        depot.install(name, "hf-cache", tmp_path / "hub")
    assert str(caught.value) == f"`{name}` is no name a hub client accepts"


def test_nothing_unfinished_lies_where_clients_look(
    depot: Depot, tmp_path: Path
) -> None:
    """A foreign folder in the cache makes `hf cache ls` warn about it."""
    depot.install("org/tiny", "hf-cache", tmp_path / "hub")
    assert names(tmp_path / "hub") == [REPO]
    assert names(tmp_path / "hub" / REPO) == [
        *("blobs", "refs", "snapshots", "trees"),
    ]
