"""Small files, whole or absent."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airlift.errors import FormatError, RequestError, StoreError
from airlift.trust import files


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    """A private key written over is gone for ever."""
    path = tmp_path / "alice.key"
    files.write_new(path, b"first")
    with pytest.raises(RequestError) as caught:
        files.write_new(path, b"second")
    assert str(caught.value) == f"`{path}` is there already"
    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["alice.key"]


def test_nothing_is_left_beside_what_was_written(tmp_path: Path) -> None:
    """A spool file of a key left behind is a second copy of the key."""
    files.write_new(tmp_path / "a", b"1", mode=files.PRIVATE)
    files.write(tmp_path / "b", b"2")
    files.write(tmp_path / "b", b"3")
    found = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert found == {"a": b"1", "b": b"3"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_missing_is_said_so(tmp_path: Path) -> None:
    """A mount that is not there must not look like success."""
    path = tmp_path / "stick" / "alice.key"
    with pytest.raises(StoreError) as caught:
        files.write_new(path, b"1")
    assert str(caught.value) == f"cannot use `{path}`: No such file or directory"


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    """A hostile stick may hold a key file of a terabyte."""
    path = tmp_path / "big"
    path.write_bytes(b"12345")
    assert files.read(path, limit=5, what="key file") == b"12345"
    with pytest.raises(FormatError) as caught:
        files.read(path, limit=4, what="key file")
    assert str(caught.value) == f"key file `{path}` has more than 4 bytes"


def test_an_endless_device_is_refused_unread() -> None:
    """Reading it to the end would never return."""
    with pytest.raises(FormatError) as caught:
        files.read(Path("/dev/zero"), limit=4, what="key file")
    assert str(caught.value) == "key file `/dev/zero` is not a regular file"


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    """Opening a pipe nobody writes to would wait for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(FormatError) as caught:
        files.read(path, limit=4, what="key file")
    assert str(caught.value) == f"key file `{path}` is not a regular file"


def test_a_file_that_is_not_there_is_a_request(tmp_path: Path) -> None:
    """The person mistyped a path; nothing is broken."""
    with pytest.raises(RequestError) as caught:
        files.read(tmp_path / "no", limit=4, what="key file")
    assert str(caught.value) == f"there is no key file at `{tmp_path / 'no'}`"


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    """Signed records tell who gets what; others need not read them."""
    files.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    files.make_folder(tmp_path / "a" / "b")


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    """The path of the stick instead of the file on it is a common slip."""
    with pytest.raises(StoreError) as caught:
        files.read(tmp_path, limit=4, what="key file")
    assert str(caught.value) == f"cannot read key file `{tmp_path}`: Is a directory"


WRITE_TWICE = """
import sys
from pathlib import Path
from airlift.errors import RequestError
from airlift.trust import files
path = Path(sys.argv[1])
files.write_new(path, b"first")
try:
    files.write_new(path, b"second")
except RequestError as error:
    print(error)
"""


@pytest.mark.faults
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_stick_without_hard_links_takes_keys_and_keeps_them(tmp_path: Path) -> None:
    """FAT knows no links; a key on it must still never be written over."""
    path = tmp_path / "alice.key"
    inject = ["strace", "-f", "-qq", "-o", "/dev/null"]
    inject += ["-e", "trace=link,linkat", "-e", "inject=link,linkat:error=EPERM"]
    run = subprocess.run(
        [*inject, sys.executable, "-c", WRITE_TWICE, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout, run.stderr) == (f"`{path}` is there already\n", "")
    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["alice.key"]
