"""How fast one file of 2 GiB goes out, beside nginx with sendfile.

    python scripts/bench_serve.py [--rounds 7] [--size-mib 2048] [--write]

Both servers run as one process on loopback, from the page cache, in turn within each
round, so that load from elsewhere hits both. The client throws bytes away in the
kernel (``MSG_TRUNC``) and costs almost nothing. Medians over the rounds; CPU is user
and system time of the server's threads per GB sent. Needs nginx on the path.
"""

import argparse
import contextlib
import itertools
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from report import machine, publish

STREAMS = 8
COMMIT = "a" * 40
TARGET = f"/org/bench/resolve/{COMMIT}/model.bin"
NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log; events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 2m;
  client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location = {target} {{ alias {blob}; }} }}
}}
"""
AIRLIFT = """
import sys, time
from pathlib import Path
from airlift.artifact import Kind, LiveRelease, Release, ReleaseFile
from airlift.serve.server import serve
from airlift.serve.settings import ServeSettings
from airlift.store.span import Span

class OneFile:
    def __init__(self, path):
        digest, size = "d" * 64, path.stat().st_size
        self.file_ = ReleaseFile(path="model.bin", size=size, sha256=digest)
        self.place = Span(path=path, offset=0, length=size)
        release = Release(kind=Kind.MODEL, name="org/bench", revision=sys.argv[3],
                          counter=1, files=())
        self.live = LiveRelease(id=digest, release=release, imported="")
    def generation(self): return 1
    def releases(self, kinds, name=None): return (self.live,)
    def names_like(self, kinds, name): return (name,)
    def files(self, release): return (self.file_,)
    def file(self, release, path): return self.file_
    def span(self, sha256): return self.place

serve(OneFile(Path(sys.argv[1])), ServeSettings(port=int(sys.argv[2])),
      log=open("/dev/null", "w"), clock=lambda: "", ready=lambda url: None)
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server under test: its process and where it listens."""

    name: str
    process: int
    port: int

    def cpu_s(self) -> float:
        """Return the seconds all threads of the process have run so far."""
        # In nanoseconds; ticks may miss a server that sleeps whenever one comes.
        tasks = Path(f"/proc/{self.process}/task").iterdir()
        spent = (int((task / "schedstat").read_text().split()[0]) for task in tasks)
        return sum(spent) / 1e9


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One run: bytes a second and CPU seconds for each GB."""

    rate: float
    cpu: float


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size-mib", type=int, default=2048)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    given = parser.parse_args()
    if shutil.which("nginx") is None:
        sys.exit("nginx is not on the path")
    size = given.size_mib << 20
    with tempfile.TemporaryDirectory(prefix="bench-serve-") as name:
        folder = Path(name)
        blob = folder / "blob"
        _fill(blob, size)
        with _nginx(folder, blob) as nginx, _airlift(blob) as airlift:
            table = _rounds((nginx, airlift), size, given.rounds)
    publish("bench_serve", _table(table, given.rounds, size), write=given.write)


def _fill(path: Path, size: int) -> None:
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)


@contextlib.contextmanager
def _nginx(folder: Path, blob: Path) -> Iterator[Server]:
    port = _free_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        NGINX.format(folder=folder, port=port, blob=blob, target=TARGET)
    )
    with _process(["nginx", "-c", str(settings), "-p", str(folder)], port) as process:
        yield Server(name="nginx", process=process, port=port)


@contextlib.contextmanager
def _airlift(blob: Path) -> Iterator[Server]:
    port = _free_port()
    arguments = [sys.executable, "-c", AIRLIFT, str(blob), str(port), COMMIT]
    with _process(arguments, port) as process:
        yield Server(name="airlift", process=process, port=port)


@contextlib.contextmanager
def _process(arguments: list[str], port: int) -> Iterator[int]:
    with subprocess.Popen(arguments) as process:
        try:
            _wait_for(port)
            yield process.pid
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(400):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def _rounds(
    servers: tuple[Server, ...], size: int, rounds: int
) -> dict[tuple[str, int], list[Measure]]:
    table: dict[tuple[str, int], list[Measure]] = {}
    for server in servers:
        _run(server, size, 1)  # warms caches and the interpreter; not counted
    for turn in range(rounds):
        order = servers if turn % 2 else servers[::-1]
        for streams in (1, STREAMS):
            for server in order:
                found = _run(server, size, streams)
                table.setdefault((server.name, streams), []).append(found)
    return table


def _run(server: Server, size: int, streams: int) -> Measure:
    bounds = [size * n // streams for n in range(streams + 1)]
    cpu, begun = server.cpu_s(), time.perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        jobs = [
            pool.submit(_fetch, server.port, start, stop)
            for start, stop in itertools.pairwise(bounds)
        ]
        for job in jobs:
            job.result()
    seconds = time.perf_counter() - begun
    return Measure(rate=size / seconds, cpu=(server.cpu_s() - cpu) / (size / 1e9))


def _fetch(port: int, start: int, stop: int) -> None:
    head = (
        f"GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Range: bytes={start}-{stop - 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(head.encode())
        answer = sock.recv(65536)
        status, _, body = answer.partition(b"\r\n\r\n")
        if not status.startswith(b"HTTP/1.1 206"):
            sys.exit(f"unexpected answer: {status[:200]!r}")
        received, space = len(body), bytearray(4 << 20)
        while taken := sock.recv_into(space, 0, socket.MSG_TRUNC):
            received += taken
        if received != stop - start:
            sys.exit(f"received {received} bytes, expected {stop - start}")


def _table(table: dict[tuple[str, int], list[Measure]], rounds: int, size: int) -> str:
    lines = [
        f"{size >> 20} MiB from the page cache; medians of {rounds} rounds; {machine()}.",
        "",
        "| server | streams | GB/s | CPU s per GB | rate to nginx | CPU to nginx |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for (name, streams), runs in sorted(table.items(), key=lambda row: row[0][1]):
        base = table["nginx", streams]
        rates = [own.rate / other.rate for own, other in zip(runs, base, strict=True)]
        costs = [own.cpu / other.cpu for own, other in zip(runs, base, strict=True)]
        lines.append(
            f"| {name} | {streams} "
            f"| {statistics.median(run.rate for run in runs) / 1e9:.2f} "
            f"| {statistics.median(run.cpu for run in runs):.3f} "
            f"| {statistics.median(rates):.2f} | {statistics.median(costs):.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
