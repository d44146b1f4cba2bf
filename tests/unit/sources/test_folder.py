"""Folders: what is there is what is pinned, and what cannot be carried is named."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from airlift.artifact import Kind, Pinned, PinnedFile, Wish
from airlift.digest import Sha256
from airlift.errors import RequestError, SourceError
from airlift.fetch import Settings
from airlift.sources.folder import Folder

FOLDER = Folder(Settings())


def wish(path: Path, **options: tuple[str, ...] | str) -> Wish:
    """Return a wish for the folder at *path*."""
    return Wish(
        kind=Kind.FOLDER, name="acme/own", options={"path": str(path), **options}
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a model in it."""
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "config.json").write_bytes(b"{}")
    (root / "sub/weights.bin").write_bytes(b"w" * 3_000_000)
    (root / "empty").write_bytes(b"")
    return root


def pinned(root: Path, path: str) -> PinnedFile:
    """Return how the file at *path* must be pinned."""
    data = (root / path).read_bytes()
    digest = Sha256(hashlib.sha256(data).hexdigest())
    return PinnedFile(
        path=path, size=len(data), sha256=digest, location=str(root / path)
    )


def refusal(error: type[Exception], what: Wish) -> str:
    """Return what is said when *what* is refused."""
    with pytest.raises(error) as caught:
        FOLDER.resolve(what)
    return str(caught.value)


def test_a_folder_is_pinned_whole(model: Path) -> None:
    """Digests are known before anything is carried, so that a lock can be reviewed."""
    found = FOLDER.resolve(wish(model, licence="mit", **{"base-models": ("a/b",)}))
    assert found == Pinned(
        kind=Kind.FOLDER,
        name="acme/own",
        revision=found.revision,
        files=tuple(
            pinned(model, path) for path in ("config.json", "empty", "sub/weights.bin")
        ),
        refs=("main",),
        licence="mit",
        base_models=("a/b",),
    )
    listed = ",".join(
        f'["{file.path}",{file.size},"{file.sha256}"]' for file in found.files
    )
    digest = hashlib.sha256(f"[{listed}]".encode()).hexdigest()
    assert found.revision == digest[:40]


def test_the_same_content_elsewhere_has_the_same_revision(
    model: Path, tmp_path: Path
) -> None:
    """An unchanged folder must not be shipped again because it was copied."""
    other = tmp_path / "other"
    (other / "sub").mkdir(parents=True)
    for path in ("sub/weights.bin", "empty", "config.json"):
        (other / path).write_bytes((model / path).read_bytes())
    first, second = FOLDER.resolve(wish(model)), FOLDER.resolve(wish(other))
    assert first.revision == second.revision
    (other / "empty").write_bytes(b"x")
    assert FOLDER.resolve(wish(other)).revision != first.revision


def test_patterns_choose(model: Path) -> None:
    """The same patterns as for repositories of the hub."""
    chosen = {
        (): ["config.json", "empty", "sub/weights.bin"],
        (("include", ("*.json", "sub/")),): ["config.json", "sub/weights.bin"],
        (("exclude", ("sub/*",)),): ["config.json", "empty"],
        (("exclude", ("sub/",)), ("include", ("*",))): ["config.json", "empty"],
    }
    for options, paths in chosen.items():
        found = FOLDER.resolve(wish(model, **dict(options)))
        assert [file.path for file in found.files] == paths


def test_links_are_refused_by_name(model: Path) -> None:
    """A link may point at a secret, or at what will not be there."""
    (model / "link.bin").symlink_to("/etc/passwd")
    assert refusal(RequestError, wish(model)) == (
        "`acme/own`: `link.bin` is a symbolic link"
    )
    (model / "link.bin").unlink()
    (model / "linked").symlink_to(model / "sub")
    assert refusal(RequestError, wish(model)) == (
        "`acme/own`: `linked` is a symbolic link"
    )
    assert len(FOLDER.resolve(wish(model, exclude=("linked",))).files) == 3


def test_pipes_and_sockets_are_refused_and_do_not_hang(model: Path) -> None:
    """Opening a pipe nobody writes to would wait for ever."""
    os.mkfifo(model / "pipe")
    assert refusal(RequestError, wish(model)) == "`acme/own`: `pipe` is a pipe"
    (model / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(model / "door"))
        assert refusal(RequestError, wish(model)) == "`acme/own`: `door` is a socket"


def test_names_that_no_site_takes_are_refused(model: Path) -> None:
    """Better now than on the other side of the gap."""
    (model / "Config.json").write_bytes(b"")
    assert refusal(RequestError, wish(model)) == (
        "`acme/own`: some file systems confuse `Config.json` and `config.json`"
    )
    (model / "Config.json").rename(model / "a:b")
    assert refusal(RequestError, wish(model)) == (
        '`acme/own`: `a:b` has a control character or one of <>:"|?*\\'
    )
    (model / "a:b").rename(model / os.fsdecode(b"\xff"))
    assert refusal(RequestError, wish(model)) == (
        "`acme/own`: `\\udcff` is not valid Unicode"
    )


def test_nothing_to_carry_is_an_error(model: Path) -> None:
    """An empty release would look like a success."""
    assert refusal(RequestError, wish(model, include=("*.gguf",))) == (
        "`acme/own`: no file of the folder is asked for"
    )


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The path is the likeliest slip of all."""
    gone = tmp_path / "gone"
    assert refusal(SourceError, wish(gone)) == (
        f"`acme/own`: cannot read `{gone}`: no such file or directory"
    )


def test_a_file_that_changes_while_it_is_read_is_refused(model: Path) -> None:
    """Half of one version and half of another is nobody's model."""
    file = FOLDER.resolve(wish(model)).files[2]
    place = Path(file.location)
    with pytest.raises(SourceError) as caught:
        append_while_reading(file, place)
    assert str(caught.value) == (
        f"`{place}` changed while it was read: 3000000 bytes before, 3000004 now"
    )


def append_while_reading(file: PinnedFile, place: Path) -> None:
    """Read *file*, and write to it after the first bytes came."""
    with FOLDER.read(file) as chunks:
        next(chunks)
        with place.open("ab") as writing:
            writing.write(b"more")
        assert sum(map(len, chunks)) == 3_000_000 - (1 << 20)


def test_a_file_that_changed_since_it_was_locked_is_refused(model: Path) -> None:
    """The lock was reviewed; what lies there now was not."""
    file = FOLDER.resolve(wish(model)).files[0]
    place = Path(file.location)
    place.write_bytes(b"{} ")
    with pytest.raises(SourceError) as caught, FOLDER.read(file):
        pass
    assert str(caught.value) == (
        f"`{place}` changed while it was read: 2 bytes before, 3 now"
    )
    place.unlink()
    place.symlink_to("/etc/passwd")
    with pytest.raises(SourceError) as caught, FOLDER.read(file):
        pass
    assert str(caught.value) == (
        f"cannot read `{place}`: too many levels of symbolic links"
    )
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(SourceError) as caught, FOLDER.read(file):
        pass
    assert str(caught.value) == f"`{place}` is no longer a regular file"
