"""Several event loops, many clients: each gets its own bytes, and memory is bounded."""

import contextlib
import hashlib
import http.client
import random
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import private_ca
from airlift.artifact import Kind
from airlift.serve.http.access_log import AccessLog
from airlift.serve.http.connection import Census
from airlift.serve.http.settings import Limits, ServeSettings
from served import BIG, BIG_PATH, COMMIT, SMALL, SMALL_PATH, serving, small_world
from shelves import MemoryShelf, cargo
from wire import ask, connect, head, read

LARGE = random.Random(3).randbytes(6_000_007)
LARGE_PATH = f"/o/m/resolve/{COMMIT}/large"
CLIENTS = 12


@pytest.fixture
def shelf(tmp_path: Path) -> MemoryShelf:
    """Return a shelf with one blob of several chunks."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    model = cargo(Kind.MODEL, "o/m", {"large": LARGE}, revision=COMMIT)
    return MemoryShelf(folder, [model])


@pytest.mark.parametrize("lanes", [1, 3])
def test_slow_and_fast_clients_over_tls_get_their_own_bytes(
    tmp_path: Path, shelf: MemoryShelf, lanes: int
) -> None:
    """Memory is used again for the next chunk: never before it was encrypted."""
    ca, context = private_ca.issue(tmp_path)
    trusting = ssl.create_default_context(cafile=str(ca))
    settings = ServeSettings(port=0, tls=context, limits=Limits(lanes=lanes))

    def fetch(number: int) -> bool:
        start = number * 1001
        link = http.client.HTTPSConnection("localhost", port, context=trusting)
        with contextlib.closing(link):
            link.connect()
            if number % 2:  # its window is full most of the time
                link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
            link.request("GET", LARGE_PATH, headers={"Range": f"bytes={start}-"})
            answer, found = link.getresponse(), hashlib.sha256()
            while piece := answer.read(200_000):
                found.update(piece)
                time.sleep(0.002 * (number % 2))
        return found.digest() == hashlib.sha256(LARGE[start:]).digest()

    with serving(shelf, settings) as world, ThreadPoolExecutor(CLIENTS) as pool:
        port = int(world.url.rsplit(":", 1)[1])
        assert list(pool.map(fetch, range(CLIENTS))) == [True] * CLIENTS


def test_connections_are_shared_out_evenly() -> None:
    """Eight streams on two loops use two cores only if each loop gets four."""
    census = Census(limits=Limits(lanes=3, connections=7), log=_no_log())
    seats = [census.admit(f"10.0.0.{number}") for number in range(8)]
    assert [seat.lane if seat else None for seat in seats] == [
        *[0, 1, 2, 0, 1, 2, 0],
        None,
    ]
    assert (census.lanes, census.refused) == ([3, 2, 2], 1)
    for seat in seats[:4]:
        assert seat is not None
        seat.leave()
        seat.leave()
    assert census.lanes == [1, 1, 1]
    again = census.admit("10.0.0.1")
    assert again is not None
    assert (again.lane, census.open["10.0.0.1"], census.open["10.0.0.4"]) == (0, 1, 1)


def _no_log() -> AccessLog:
    return AccessLog(sys.stderr, lambda: "", lambda _, __: None)


def test_a_handshake_that_never_ends_takes_a_place_and_gives_it_back(
    tmp_path: Path,
) -> None:
    """Descriptors run out by connections that say nothing as well."""
    ca, context = private_ca.issue(tmp_path)
    trusting = ssl.create_default_context(cafile=str(ca))
    limits = Limits(connections_per_client=2, head_s=0.7)
    settings = ServeSettings(port=0, tls=context, limits=limits)
    (tmp_path / "shelf").mkdir()
    with serving(small_world(tmp_path / "shelf"), settings) as world:
        port = int(world.url.rsplit(":", 1)[1])
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", port)) as one_too_many:
            one_too_many.settimeout(5)
            assert one_too_many.recv(10) == b""
        for sock in held:
            sock.settimeout(5)
            assert sock.recv(10) == b""  # closed by the deadline
            sock.close()
        link = http.client.HTTPSConnection("localhost", port, context=trusting)
        link.request("GET", SMALL_PATH)
        assert link.getresponse().read() == SMALL
        link.close()


def test_a_port_scan_over_tls_leaves_nothing_open(tmp_path: Path) -> None:
    """Whoever speaks something else is gone at once, and is no error of ours."""
    _, context = private_ca.issue(tmp_path)
    (tmp_path / "shelf").mkdir()
    settings = ServeSettings(
        port=0, tls=context, limits=Limits(connections_per_client=3)
    )
    with serving(small_world(tmp_path / "shelf"), settings) as world:
        port = int(world.url.rsplit(":", 1)[1])
        for _ in range(10):  # more than three, were they kept
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.settimeout(5)
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    assert b"HTTP" not in sock.recv(100)
            time.sleep(0.02)
        assert world.entries() == []


def test_who_waits_while_descriptors_are_short_is_served_later(
    tmp_path: Path,
) -> None:
    """A server at its limit of open files must neither spin nor stop accepting."""
    with subprocess.Popen(
        [sys.executable, "-c", SHORT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        with _holding(url, 60):
            begun = _cpu_s(server.pid)
            time.sleep(0.6)
            spent = _cpu_s(server.pid) - begun
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(ConnectionError, TimeoutError, AssertionError):
                assert ask(url, SMALL_PATH).body == SMALL
                break
            assert time.monotonic() < until
        server.terminate()
        assert server.wait(20) == 0
    assert spent < 0.3


def _cpu_s(process: int) -> float:
    """Return the seconds all threads of *process* have run so far."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    spent = (int((task / "schedstat").read_text().split()[0]) for task in tasks)
    return sum(spent) / 1e9


SHORT = """
import resource, sys
from pathlib import Path
sys.path.insert(0, "tests")
from airlift.serve.http.server import Host, serve
from airlift.serve.http.settings import Limits, ServeSettings
from served import small_world
shelf = small_world(Path(sys.argv[1]))

def ready(url):
    # Room for some twenty connections more.
    import os
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, used + 20))
    print(url, flush=True)

serve(shelf, ServeSettings(port=0, limits=Limits(drain_s=1)),
      Host(log=sys.stderr, clock=lambda: "", ready=ready))
"""


@contextlib.contextmanager
def _holding(url: str, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        for _ in range(count):
            held.enter_context(connect(url))
        yield


def test_a_client_asks_on_while_another_loop_is_busy(tmp_path: Path) -> None:
    """Requests on one connection stay in order, whatever the other loops do."""
    settings = ServeSettings(port=0, limits=Limits(lanes=2))
    with serving(small_world(tmp_path), settings) as world:
        with connect(world.url) as one, connect(world.url) as two:
            for _ in range(20):
                one.sendall(head(world.url, BIG_PATH))
                two.sendall(head(world.url, SMALL_PATH))
                assert read(two).body == SMALL
                assert read(one).body == BIG
        assert len(world.entries(40)) == 40
