"""Temporary folders: gone with their block, or else with the next process's."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift import transient

_WORKER = """
import sys
from airlift import transient
with transient.folder("airlift-it-") as folder:
    (folder / "inside").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(name="temporary")
def _temporary(tmp_path: Path) -> Iterator[Path]:
    """The folder of temporary files, for this process and for those it starts."""
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path)
    transient.sweep.cache_clear()
    yield tmp_path
    tempfile.tempdir = before
    transient.sweep.cache_clear()


def worker(temporary: Path) -> "tuple[subprocess.Popen[str], Path]":
    """Start a process that works in a folder; return both."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WORKER],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_away_with_its_block(temporary: Path) -> None:
    """The usual end, and an end by an error."""
    for error in (None, ZeroDivisionError()):
        with (
            contextlib.suppress(ZeroDivisionError),
            transient.folder("airlift-it-") as folder,
        ):
            (folder / "inside").mkdir()
            assert folder.parent == temporary
            assert folder.stat().st_mode & 0o777 == 0o700
            if error:
                raise error
        assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next(temporary: Path) -> None:
    """Hosts that lose power a lot must not fill up with what nobody needs."""
    process, left = worker(temporary)
    with process:
        process.send_signal(signal.SIGKILL)
    assert (left / "inside").exists()
    (temporary / "airlift-it-1").mkdir()  # as earlier versions named theirs
    with transient.folder("airlift-it-") as folder:
        assert not left.exists()
    assert not folder.exists()
    assert [one.name for one in temporary.iterdir()] == ["airlift-it-1"]


def test_a_folder_that_somebody_works_in_stays(temporary: Path) -> None:
    """Two imports on one host, or in two containers, check signatures at a time."""
    process, theirs = worker(temporary)
    with process:
        with transient.folder("airlift-it-") as folder:
            assert folder != theirs
        assert (theirs / "inside").exists()
        process.communicate("", timeout=60)
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of another user")
def test_what_belongs_to_others_is_left_alone(temporary: Path) -> None:
    """Anybody may make folders of any name among temporary files, and links."""
    theirs, victim = temporary / "airlift-it-held-theirs", temporary / "victim"
    for one in (theirs, victim):
        one.mkdir()
    os.chown(theirs, 65534, 65534)
    (temporary / "airlift-it-held-link").symlink_to(victim)
    (temporary / "airlift-it-held-file").write_text("x")
    with transient.folder("airlift-it-"):
        pass
    assert sorted(one.name for one in temporary.iterdir()) == [
        "airlift-it-held-file",
        "airlift-it-held-link",
        "airlift-it-held-theirs",
        "victim",
    ]
