"""Plain folders, and folders as `hf download --local-dir` leaves them."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import sha256
from depots import BIG, COMMIT, NOW, Depot, tree
from shelves import git_oid

FILES = {"config.json": b"{}\n", "sub/model.safetensors": BIG}
SECONDS = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
KEPT = ".cache/huggingface"


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A site with one model."""
    depot = Depot(tmp_path / "site")
    depot.bring(Kind.MODEL, "org/tiny", FILES)
    return depot


def test_a_plain_folder_holds_the_files_and_nothing_else(
    depot: Depot, tmp_path: Path
) -> None:
    """A program that loads every file of a folder must find no strangers there."""
    depot.install("org/tiny", "folder", tmp_path / "new/out")
    assert tree(tmp_path / "new") == {
        f"out/{path}": data for path, data in FILES.items()
    }


def test_a_local_folder_is_known_to_the_hub_client(
    depot: Depot, tmp_path: Path
) -> None:
    """Three lines a file, or the client downloads all of it again."""
    out = tmp_path / "out"
    depot.install("org/tiny", "hf-local", out)
    found = tree(out)
    names = {
        "config.json": git_oid(FILES["config.json"]),
        "sub/model.safetensors": sha256(BIG),
    }
    for path, etag in names.items():
        told = f"{COMMIT}\n{etag}\n{SECONDS}\n".encode()
        assert found.pop(f"{KEPT}/download/{path}.metadata") == told
    assert found.pop(f"{KEPT}/.gitignore") == b"*"
    assert b'"format_version": 1' in bytes(found.pop(f"{KEPT}/trees/{COMMIT}.json"))  # type: ignore[arg-type]
    assert found == FILES


def test_files_are_no_younger_than_what_is_noted_of_them(
    depot: Depot, tmp_path: Path
) -> None:
    """The client takes a younger file for changed, and fetches it again."""
    depot.install("org/tiny", "hf-local", tmp_path / "out")
    times = {(tmp_path / "out" / path).stat().st_mtime for path in FILES}
    assert times == {SECONDS}
    assert NOW == "2026-11-23T12:00:00Z"


def test_what_the_client_noted_is_kept(depot: Depot, tmp_path: Path) -> None:
    """A folder the client filled itself is the same folder."""
    out = tmp_path / "out"
    depot.install("org/tiny", "hf-local", out)
    noted = out / KEPT / "download/config.json.metadata"
    noted.write_text(noted.read_text().replace(str(SECONDS), "1712656091.123"))
    done = depot.install("org/tiny", "hf-local", out)
    assert (done.names, done.written) == ((), 0)
    assert noted.read_text().endswith("\n1712656091.123\n")


def test_files_of_an_older_release_are_replaced_and_others_stay(
    depot: Depot, tmp_path: Path
) -> None:
    """An update in place changes what the release changed."""
    out = tmp_path / "out"
    depot.install("org/tiny", "folder", out)
    (out / "mine.txt").write_text("mine")
    new = {"config.json": b"[]\n", "sub/model.safetensors": BIG}
    depot.bring(Kind.MODEL, "org/tiny", new, revision="d" * 40, counter=2)
    inode = (out / "sub/model.safetensors").stat().st_ino
    depot.install("org/tiny@" + "d" * 40, "folder", out)
    assert tree(out) == {**new, "mine.txt": b"mine"}
    assert os.stat(out / "sub/model.safetensors").st_ino == inode  # noqa: PTH116 - one call
