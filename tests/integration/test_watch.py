"""``airlift watch`` as a service runs it: signals, one at a time, exit codes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from crossing import noise
from integration.sides import SITE, Side

_WAIT_S = 60.0


class Post:
    """A connected and an isolated side with a drop folder between them."""

    def __init__(self, folder: Path) -> None:
        self.connected = Side.connected(folder)
        self.isolated = self.connected.isolated(folder)
        self.made, self.drop = folder / "made", folder / "drop"
        self.drop.mkdir()
        (folder / "input").mkdir()
        (folder / "input" / "a.bin").write_bytes(noise(5_000_000))
        manifest = folder / "wanted.toml"
        manifest.write_text(
            'manifest = 1\n[[folder]]\nname = "acme/m"\npath = "input"\n'
        )
        size = ("--volume-size", "4500000")
        self.connected.ok("export", str(manifest), "--to", str(self.made), *size)
        self.volumes = sorted(self.made.glob("*.tar"))

    def put(self, number: int) -> None:
        """Let a volume arrive."""
        source = self.volumes[number - 1]
        (self.drop / source.name).write_bytes(source.read_bytes())

    @contextlib.contextmanager
    def watching(self, *options: str) -> Iterator["subprocess.Popen[str]"]:
        """Watch in a process until the context ends."""
        fast = ("--settle", "0", "--poll", "0")
        words = self.isolated.words("watch", str(self.drop), *fast, *options)
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()


@pytest.fixture(name="post")
def _post(tmp_path: Path) -> Post:
    return Post(tmp_path)


def until(stream: IO[str], word: str) -> str:
    """Read lines until one has *word*; return it."""
    ends = time.monotonic() + _WAIT_S
    while time.monotonic() < ends:
        if word in (line := stream.readline()):
            return line
        assert line, f"ended before `{word}`"
    raise AssertionError(word)


def test_one_look_says_what_is_missing_and_then_that_nothing_is(post: Post) -> None:
    """A timer may do what a service does; its exit code tells a script."""
    once = ("watch", str(post.drop), "--settle", "0", "--once")
    post.put(1)
    lines = post.isolated.fails(8, *once)
    (known,) = post.isolated.json("watch", str(post.drop), "--status")["deliveries"]
    waiting = f"1 of 2 volumes; waiting for 2@{known['wanted'].partition('@')[2]}"
    assert lines == [
        f"airlift: error: delivery 1 to {SITE}: {waiting}",
        "airlift: hint: run it again when more has come; what came is kept",
    ]
    assert (known["state"], known["missing"], known["volumes"]) == ("waiting", [2], 2)
    post.put(2)
    told = post.isolated.ok(*once).splitlines()
    assert told[-2] == f"delivery 1 to {SITE}: complete; live set 1"
    assert told[-1].startswith("state code ")
    status = post.isolated.ok("watch", str(post.drop), "--status")
    assert status == f"delivery 1 to {SITE}: complete\n"
    assert post.isolated.json("list")["releases"][0]["state"] == "live"


def test_a_file_that_is_no_good_is_an_error_of_its_own(post: Post) -> None:
    """Nothing is waited for, and yet not all is well."""
    (post.drop / "AIRLIFT-plant7-000009.0001-of-0001.tar").write_bytes(b"")
    lines = post.isolated.fails(4, "watch", str(post.drop), "--settle", "0", "--once")
    assert lines[0] == (
        "airlift: error: AIRLIFT-plant7-000009.0001-of-0001.tar:"
        " is empty: copying it was interrupted"
    )


def test_the_service_ends_at_sigterm_without_an_error(post: Post) -> None:
    """Systemd stops it at every reboot; that must not look like a failure."""
    with post.watching("--json") as watch:
        assert watch.stdout
        assert watch.stderr
        until(watch.stdout, "watching")
        post.put(2)
        told = json.loads(until(watch.stdout, '"volume"'))
        assert told["wanted"].startswith("1@")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(_WAIT_S) == 0
        last = json.loads(watch.stdout.read().splitlines()[-1])
        assert last == {"event": "stopped", "text": "stopped; what came is kept"}
        assert watch.stderr.read() == ""
    post.put(1)
    with post.watching() as watch:
        assert watch.stdout
        until(watch.stdout, "complete; live set 1")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(_WAIT_S) == 0


def test_a_second_watch_is_refused_and_says_who_runs(post: Post) -> None:
    """Two would move the same files from under each other."""
    with post.watching() as watch:
        assert watch.stdout
        until(watch.stdout, "watching")
        (error, hint) = post.isolated.fails(2, "watch", str(post.drop), "--once")
        assert error == (
            f"airlift: error: another watch runs here: process {watch.pid},"
            f" `watch {post.drop}`"
        )
        assert hint == "airlift: hint: one watch a home; stop that one"
        watch.send_signal(signal.SIGINT)
        assert watch.wait(_WAIT_S) == 0


def test_an_import_by_hand_does_not_disturb_the_watch(post: Post) -> None:
    """The registry has one writer; the watch waits its turn."""
    with post.watching() as watch:
        assert watch.stdout
        until(watch.stdout, "watching")
        post.isolated.ok("import", str(post.made), "--yes")
        post.put(1)
        until(watch.stdout, f"delivery 1 to {SITE} was imported before")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(_WAIT_S) == 0


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_volume_is_deleted_after_all_it_brought_was_synced(
    post: Post, tmp_path: Path
) -> None:
    """The link will not send it again: a power cut in between must cost nothing."""
    post.put(1)
    trace = tmp_path / "trace"
    words = ("watch", str(post.drop), "--settle", "0", "--once", "--consume", "volume")
    calls = "trace=fsync,rename,unlink,write,pwrite64"
    strace = ("strace", "-f", "-y", "-o", str(trace), "-e", calls)
    Side(post.isolated.home, before=strace).fails(8, *words)
    lines = trace.read_text().splitlines()
    at = next(n for n, one in enumerate(lines) if f'unlink("{post.drop}/' in one)
    before, incoming = lines[:at], str(post.isolated.home / "incoming")
    last_write = max(n for n, one in enumerate(before) if "pwrite64" in one)
    noted = max(
        n for n, one in enumerate(before) if "rename(" in one and incoming in one
    )
    synced = [n for n, one in enumerate(before) if "fsync(" in one]
    assert any(last_write < n < noted for n in synced), "the bytes, before the note"
    assert any(noted < n for n in synced), "the note's name, before the deletion"
    assert list(post.drop.iterdir()) == []


@pytest.mark.faults
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call", ["rename", "unlink"])
def test_what_a_killed_watch_deleted_is_what_it_kept(
    post: Post, tmp_path: Path, call: str
) -> None:
    """The link sends once; the next watch must finish with what is there."""
    post.put(1)
    post.put(2)
    words = ("watch", str(post.drop), "--settle", "0", "--once", "--consume", "volume")
    begun = {tmp_path / "home": post.isolated.home, tmp_path / "link": post.drop}
    for kept, folder in begun.items():
        shutil.copytree(folder, kept)
    kills = 0
    while True:
        # Every third: the whole row takes a minute, and the first are the same.
        kill = f"inject={call}:signal=SIGKILL:when={3 * kills + 2}"
        strace = ("strace", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", kill)
        side = Side(post.isolated.home, before=strace)
        ended = subprocess.run(side.words(*words), capture_output=True, check=False)
        if ended.returncode == 0:
            break
        assert ended.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), ended.stderr
        kills += 1
        post.isolated.ok(*words)
        assert post.isolated.json("list")["releases"][0]["state"] == "live"
        post.isolated.ok("verify")
        for kept, folder in begun.items():
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)
    assert kills >= 2


_ORDINARY = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""In front of a command: root without the privilege to read everything."""


def _cannot_drop() -> bool:
    words = [*_ORDINARY, "true"]
    return os.geteuid() == 0 and (
        not shutil.which("setpriv") or subprocess.run(words, check=False).returncode > 0
    )


@pytest.mark.skipif(_cannot_drop(), reason="needs setpriv, as root")
def test_a_file_that_may_not_be_read_is_named(post: Post) -> None:
    """The link's program writes as another user: silence would look like peace."""
    post.put(1)
    (path,) = post.drop.iterdir()
    path.rename(post.drop / "in-0001.dat").chmod(0)
    before = _ORDINARY if os.geteuid() == 0 else ()
    far = Side(post.isolated.home, before=before)
    once = ("watch", str(post.drop), "--settle", "0", "--once")
    assert far.fails(4, *once)[0] == (
        "airlift: error: in-0001.dat: cannot be read: permission denied"
    )
    (post.drop / "in-0001.dat").chmod(0o644)
    error, _ = far.fails(8, *once)
    assert "1 of 2 volumes; waiting for 2@" in error
