"""``airlift serve`` as its own process, over a registry that imported a delivery."""

import contextlib
import http.client
import json
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import private_ca
from crossing import Crossing
from guarded import bearer
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
    hub = [one for one in lines if one["path"].startswith("/org/")]
    assert sorted((line["status"], line["bytes"]) for line in hub) == [
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
    assert {json.loads(line)["status"] for line in (first, second)} == {200, 421}
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


FILE = "/org/model/resolve/main/config.json"


@pytest.fixture(name="own")
def _own(home: Path, tmp_path: Path) -> Path:
    """The isolated side, to be changed."""
    return Path(shutil.copytree(home, tmp_path / "own" / "isolated"))


def token(home: Path, *arguments: str) -> str:
    """Run ``airlift token`` and return what it prints."""
    line = [sys.executable, "-m", "airlift", "token", *arguments, "--home", str(home)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_token_made_while_the_server_runs_counts_at_once(own: Path) -> None:
    """And so does its end: nobody restarts a server to lock somebody out."""
    with served(own) as (url, said):
        assert ask(url, FILE).status == 200
        mine = token(own, "create", "ci", "--allow", "models:org/*")
        assert ask(url, FILE).status == 401
        assert ask(url, FILE, bearer(mine)).status == 200
        token(own, "revoke", "ci")
        assert ask(url, FILE, bearer(mine)).status == 401
    lines = [json.loads(line) for line in said["out"].splitlines()]
    assert [line.get("caller") for line in lines] == [None, None, "ci", None]
    assert mine not in said["out"] + said["err"]


def test_a_token_can_be_required_from_the_start(own: Path) -> None:
    """And a network is told when it can read along."""
    with served(own, "--require-token", "--host", "0.0.0.0") as (url, said):
        local = url.replace("0.0.0.0", "127.0.0.1")
        assert ask(local, FILE).status == 401
    assert said["err"] == (
        f"airlift: serving at {url}\n"
        "airlift: tokens cross the network unencrypted: give --tls-cert\n"
    )


def test_clients_can_be_asked_for_certificates(own: Path, tmp_path: Path) -> None:
    """A site's own authority, a client's certificate, and what it may have."""
    phrase = tmp_path / "phrase"
    phrase.write_text("five words make a phrase\n")
    last = ("--passphrase-file", str(phrase), "--home", str(own))
    tls = [sys.executable, "-m", "airlift", "tls"]
    names = ("--name", "localhost", "--name", "127.0.0.1")
    pair = tmp_path / "client.pem"
    for arguments in (("init", *names), ("client", "gpu-1", str(pair))):
        subprocess.run([*tls, *arguments, *last], check=True, capture_output=True)
    token(own, "add-certificate", "gpu", "CN=gpu-1", "--allow", "models:org/*")
    ca, certificate = str(own / "tls/ca.pem"), str(own / "tls/server.pem")
    options = ("--tls-cert", certificate, "--client-ca", ca, "--host-name", "Models")
    with served(own, *options) as (url, said):
        for shows, status in ((True, 200), (False, 401)):
            context = ssl.create_default_context(cafile=ca)
            if shows:
                context.load_cert_chain(pair)
            port = int(url.rsplit(":", 1)[1])
            link = http.client.HTTPSConnection("127.0.0.1", port, context=context)
            link.request("GET", FILE)
            assert link.getresponse().status == status
            link.close()
    assert said["err"].splitlines()[1:] == [
        "airlift: the certificate is not for `models`; clients refuse it under that name"
    ]


def test_a_server_does_not_start_with_damaged_credentials(own: Path) -> None:
    """Before it is reached, not at the first request."""
    token(own, "create", "ci", "--allow", "*")
    (own / "access/credentials.json").write_bytes(b"{}")
    done = subprocess.run(command(own), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        7,
        f"airlift: error: {own}/access/credentials.json: `format` is missing",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prefix", "/a b"], "`/a b` cannot be a prefix"),
        (["--tls-key", "k"], "--tls-key is given without --tls-cert"),
        (["--client-ca", "c"], "--client-ca is given without --tls-cert"),
        (
            ["--require-client-cert"],
            "--require-client-cert is given without --client-ca",
        ),
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
