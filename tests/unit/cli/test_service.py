"""A running ``airlift serve`` and what is around it: signals, sockets, a manager."""

import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import private_ca
from crossing import Crossing
from namespace.sealed import marks
from wire import Got, ask, head, read

BIG = bytes(range(256)) * 100_000
BROKEN = "nothing was reloaded: cannot use the certificate"
FILE = "/org/model/resolve/main/weights.bin"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an isolated side with a model of 25 MB."""
    crossing = Crossing(tmp_path_factory.mktemp("crossing"))
    medium = crossing.folder / "medium"
    pinned = crossing.connected.folder("org/model", {"weights.bin": BIG})
    crossing.connected.export(medium, pinned)
    crossing.isolated.land(medium)
    crossing.isolated.registry.close()
    return crossing.isolated.home


@contextlib.contextmanager
def manager(folder: Path) -> Iterator[socket.socket]:
    """Listen where a server tells its manager how it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(30)
        yield sock


def command(home: Path, *arguments: str | Path) -> list[str]:
    """Return the command line of a server."""
    fixed = ["-m", "airlift", "serve", "--home", str(home), "--port", "0"]
    return [sys.executable, *fixed, *map(str, arguments)]


@contextlib.contextmanager
def started(
    arguments: list[str], told: socket.socket, **given: object
) -> Iterator[subprocess.Popen[str]]:
    """Run a server until the block ends; it is ready when the block begins."""
    environment = {**os.environ, "NOTIFY_SOCKET": told.getsockname()}
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **given,  # type: ignore[call-overload] # what is given is passed on
    ) as server:
        assert told.recv(100) == b"READY=1"
        try:
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0


def url_of(server: subprocess.Popen[str]) -> str:
    """Return where *server* says it serves."""
    assert server.stderr
    return server.stderr.readline().split()[-1]


def until(found: Callable[[], bool]) -> None:
    """Wait until *found* says so."""
    ends = time.monotonic() + 20
    while not found():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_manager_is_told_of_start_reload_and_end(home: Path, tmp_path: Path) -> None:
    """Systemd starts what depends on a server when it answers, not before."""
    with manager(tmp_path) as told:
        with started(command(home), told) as server:
            server.send_signal(signal.SIGHUP)
            assert [told.recv(100), told.recv(100)] == [b"RELOADING=1", b"READY=1"]
        assert told.recv(100) == b"STOPPING=1"


def test_a_rotated_log_is_left_at_a_reload_and_no_line_is_lost(
    home: Path, tmp_path: Path
) -> None:
    """Logrotate moves the file away and then says so."""
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    with (
        manager(tmp_path) as told,
        started(command(home, "--access-log", log), told) as server,
    ):
        url = url_of(server)
        ask(url, "/healthz?1")
        until(lambda: log.read_text().count("\n") == 1)
        log.rename(old)
        ask(url, "/one")
        until(lambda: old.read_text().count("\n") == 2)
        server.send_signal(signal.SIGHUP)
        until(lambda: told.recv(100) == b"READY=1")
        assert str(old) not in _open_files(server.pid)
        ask(url, "/two")
        until(lambda: log.read_text().count("\n") == 1)
    lines = old.read_text() + log.read_text()
    paths = [json.loads(line)["path"] for line in lines.splitlines()]
    assert paths == ["/healthz", "/one", "/two"]


def _open_files(process: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            found.append(str(link.readlink()))
    return found


def _presented(port: int) -> str:
    """Return the fingerprint of the certificate a new connection is shown."""
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_a_new_certificate_counts_from_a_reload_on_and_cuts_nothing(
    home: Path, tmp_path: Path
) -> None:
    """A renewal must not need a restart, and a broken one must not end the service."""
    ca, _ = private_ca.issue(tmp_path)
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    trusting = ssl.create_default_context(cafile=str(ca))
    tls = ("--tls-cert", certificate, "--tls-key", key, "--host-name", "localhost")
    with manager(tmp_path) as told, started(command(home, *tls), told) as server:
        port = int(url_of(server).rsplit(":", 1)[1])
        link = http.client.HTTPSConnection("localhost", port, context=trusting)
        link.request("GET", FILE)
        answer = link.getresponse()
        first = answer.read(100_000)
        before = _presented(port)
        private_ca.issue(tmp_path)
        _reload(server, told)
        renewed = _presented(port)
        certificate.write_text("no certificate")
        _reload(server, told)
        assert (renewed != before, _presented(port)) == (True, renewed)
        assert first + answer.read() == BIG
        link.close()
        assert server.stderr
        assert BROKEN in next(line for line in server.stderr if "nothing" in line)
        assert server.stdout
        assert BROKEN in next(line for line in server.stdout if "problem" in line)


def _reload(server: subprocess.Popen[str], told: socket.socket) -> None:
    server.send_signal(signal.SIGHUP)
    until(lambda: told.recv(100) == b"READY=1")


def inheriting(home: Path, *front: str) -> list[str]:
    """Return the command line of a server that gets a socket as descriptor 3."""
    words = " ".join([*front, *command(home)])
    return ["sh", "-c", f"LISTEN_FDS=1 LISTEN_PID=$$ exec {words}"]


@contextlib.contextmanager
def third(sock: socket.socket) -> Iterator[dict[str, object]]:
    """Give what makes *sock* descriptor 3 of a new process."""
    number = sock.fileno()
    give = {"pass_fds": (3,), "preexec_fn": lambda: os.dup2(number, 3)}
    yield {"close_fds": True, **give}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_restart_refuses_no_connection(
    home: Path, tmp_path: Path, family: socket.AddressFamily
) -> None:
    """The socket outlives the server: who connects in between only waits."""
    address = ("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "sock")
    with (
        manager(tmp_path) as told,
        socket.socket(family) as listener,
        third(listener) as given,
    ):
        listener.bind(address)
        listener.listen(16)
        where = listener.getsockname()
        with started(inheriting(home), told, **given):
            assert _ask(family, where).body == BIG
        assert told.recv(100) == b"STOPPING=1"
        late: list[Got] = []
        waiting = threading.Thread(target=lambda: late.append(_ask(family, where)))
        waiting.start()
        with started(inheriting(home), told, **given):
            waiting.join()
    assert [got.body == BIG for got in late] == [True]


def _ask(family: socket.AddressFamily, where: object) -> Got:
    with socket.socket(family) as sock:
        sock.settimeout(30)
        sock.connect(where)  # type: ignore[arg-type] # as the socket itself gave it
        sock.sendall(head("http://localhost", FILE))
        return read(sock)


@pytest.mark.namespace
@marks[1]
def test_a_server_without_any_network_answers_on_the_socket_it_was_given(
    home: Path, tmp_path: Path
) -> None:
    """So the unit runs it: it serves this host's network and can call nobody."""
    with (
        manager(tmp_path) as told,
        socket.create_server(("127.0.0.1", 0)) as listener,
        third(listener) as given,
    ):
        alone = inheriting(home, "unshare", "-rn")
        with started(alone, told, **given) as server:
            port = listener.getsockname()[1]
            assert url_of(server) == f"http://127.0.0.1:{port}"
            assert ask(f"http://127.0.0.1:{port}", FILE).body == BIG
            seen = Path(f"/proc/{server.pid}/net/dev").read_text()
            assert [line.split(":")[0].strip() for line in seen.splitlines()[2:]] == [
                "lo"
            ]


def test_what_was_inherited_must_listen(home: Path) -> None:
    """A wrong unit is told apart from a server that answers nobody."""
    ours, theirs = socket.socketpair()
    with ours, theirs, third(theirs) as given:
        done = subprocess.run(
            inheriting(home),
            capture_output=True,
            text=True,
            check=False,
            **given,  # type: ignore[call-overload] # what is given is passed on
        )
    assert done.returncode == 2
    assert done.stderr == (
        "airlift: error: inherited socket 3 does not listen for streams\n"
        "airlift: hint: the socket unit needs `ListenStream=` and `Accept=no`\n"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--accel", "/-/store/"], "--accel is given without --trusted-proxy"),
        (
            ["--accel", "/", "--trusted-proxy", "127.0.0.1"],
            "--accel cannot be the root: clients would reach the store through it",
        ),
        (
            ["--trusted-proxy", "10.0.0.1/8"],
            "`10.0.0.1/8` is not a proxy's address: 10.0.0.1/8 has host bits set",
        ),
    ],
)
def test_a_server_in_front_is_named_exactly(
    home: Path, arguments: list[str], problem: str
) -> None:
    """A proxy trusted by mistake is everybody's word trusted."""
    done = subprocess.run(
        command(home, *arguments), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        f"airlift: error: {problem}",
    )
