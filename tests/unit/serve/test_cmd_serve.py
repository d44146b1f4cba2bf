"""``airlift serve`` as its own process, over a registry that imported a delivery."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import private_ca
from crossing import Crossing
from wire import ask

CONTENTS = {"config.json": b"{}\n", "weights/model.bin": bytes(range(256)) * 5000}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an isolated side that imported a folder of two files."""
    crossing = Crossing(tmp_path_factory.mktemp("crossing"))
    medium = crossing.folder / "medium"
    pinned = crossing.connected.folder("org/model", CONTENTS)
    crossing.connected.export(medium, pinned)
    crossing.isolated.land(medium)
    return crossing.isolated.home


def command(home: Path, *arguments: str) -> list[str]:
    """Return the command line of a server on a free port."""
    fixed = ("serve", "--home", str(home), "--port", "0")
    return [sys.executable, "-m", "airlift", *fixed, *arguments]


@contextlib.contextmanager
def served(home: Path, *arguments: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve *home*; give the URL, and what the process said once the block ends."""
    said: dict[str, str] = {}
    notes = home.parent / "notes"
    with (
        notes.open("w") as stream,
        subprocess.Popen(
            command(home, *arguments), stdout=subprocess.PIPE, stderr=stream, text=True
        ) as process,
    ):
        ends = time.monotonic() + 30
        while not (match := re.search(r"serving at (\S+)\n", notes.read_text())):
            assert process.poll() is None, notes.read_text()
            assert time.monotonic() < ends
            time.sleep(0.02)
        try:
            yield match[1], said
        finally:
            process.send_signal(signal.SIGTERM)
            said["out"], _ = process.communicate(timeout=20)
            said["err"] = notes.read_text()
    assert process.returncode == 0


def test_an_imported_release_is_served_and_logged(home: Path) -> None:
    """The whole of it: registry, store, server, log, a clean end on SIGTERM."""
    with served(home) as (url, said):
        for path, content in CONTENTS.items():
            got = ask(url, f"/org/model/resolve/main/{path}")
            assert (got.status, got.body) == (200, content)
        assert json.loads(ask(url, "/healthz").body) == {"ok": True, "generation": 1}
    lines = [json.loads(line) for line in said["out"].splitlines()]
    assert [(line["status"], line["bytes"]) for line in lines[:2]] == [
        (200, 3),
        (200, 1_280_000),
    ]
    assert said["err"] == f"airlift: serving at {url}\n"


def test_options_reach_the_server(home: Path, tmp_path: Path) -> None:
    """A prefix, another name, TLS and a log file, as behind a site's proxy."""
    private_ca.issue(tmp_path)
    log = tmp_path / "access.log"
    log.write_text("earlier\n")
    options = ("--prefix", "/air//lift/", "--host-name", "Models.Example")
    with served(home, *options, "--access-log", str(log)) as (url, _):
        assert url.endswith("/air/lift")
        root = url.removesuffix("/air/lift")
        target = "/air/lift/org/model/resolve/main/config.json"
        assert ask(root, target, "Host: models.example:80").status == 200
        assert ask(root, target, "Host: other.example").status == 421
    earlier, first, second = log.read_text().splitlines()
    assert earlier == "earlier"
    assert [json.loads(line)["status"] for line in (first, second)] == [200, 421]
    keys = ("--tls-cert", str(tmp_path / "server.crt"))
    key = ("--tls-key", str(tmp_path / "server.key"))
    with served(home, *keys, *key) as (url, _):
        assert url.startswith("https://127.0.0.1:")


def test_whoever_listens_on_the_network_is_told_what_that_means(home: Path) -> None:
    """Without a credential there is no login."""
    with served(home, "--host", "0.0.0.0") as (url, said):
        pass
    assert said["err"] == (
        f"airlift: serving at {url}\n"
        "airlift: anyone who reaches this address can read what is live;"
        " `airlift token create NAME --allow SCOPE` ends that\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prefix", "/a b"], "`/a b` cannot be a prefix"),
        (["--tls-key", "k"], "--tls-key is given without --tls-cert"),
        (
            ["--tls-cert", "/nowhere/c.pem"],
            "cannot use the certificate /nowhere/c.pem: no such file or directory",
        ),
        (
            ["--access-log", "/nowhere/log"],
            "cannot write the access log /nowhere/log: No such file or directory",
        ),
        (
            ["--host", "192.0.2.1"],
            "cannot listen on 192.0.2.1 port 0: cannot assign requested address",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_serving(
    home: Path, arguments: list[str], message: str
) -> None:
    """Exit code 2, and one line that names the option."""
    done = subprocess.run(
        command(home, *arguments),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"airlift: error: {message}"
