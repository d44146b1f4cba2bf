"""How fast one file of 2 GiB goes out, beside nginx with sendfile.

    python scripts/bench_serve.py [--rounds 7] [--size-mib 2048] [--write] [--json FILE]

All servers serve the same file from the page cache over loopback, in turn within each
round, so that load from elsewhere hits all of them. nginx runs as packaged sites run
it: ``sendfile``, ``tcp_nopush``, one worker as the peer, and a second one beside it with
a worker for each of two cores. The client throws bytes away in the kernel
(``MSG_TRUNC``), over TLS after a real handshake and without decrypting, and so costs
almost nothing. Medians over the rounds; ratios are taken within a round; CPU is user
and system time of all threads per GB sent. Needs nginx on the path.
"""

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from report import Row, machine, options, report
from servers import Server, airlift, authority, fetch, nginx

PEER = "nginx, 1 worker"
CLIENTS = 200
CLIENT_BYTES = 8 << 20
HALF_OPEN = b"GET / HTTP/1.1\r\nHost: local"
ASKED = 40


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: bytes a second and CPU seconds for each GB."""

    rate: float
    cpu: float


Table = dict[tuple[str, str], list[Run]]
"""What was measured, by the kind of transfer and the server's name."""


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size-mib", type=int, default=2048)
    options(parser)
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.size_mib = 1, 64
    if shutil.which("nginx") is None:
        sys.exit("nginx is not on the path")
    size = given.size_mib << 20
    with (
        tempfile.TemporaryDirectory(prefix="bench-serve-") as name,
        _all(Path(name), size) as servers,
    ):
        table = _rounds(servers, size, given.rounds)
        crowd = [_crowd(server, tls=tls) for tls in (False, True) for server in servers]
        held = [_half_open(server) for server in servers]
    title = f"{given.size_mib} MiB from the page cache; medians of {given.rounds} rounds; {machine()}."
    parts = [title, "", *_speeds(table), "", *_crowds(crowd), "", *_delays(held)]
    report("bench_serve", "\n".join(parts), list(_rows(table)), given)


@contextlib.contextmanager
def _all(folder: Path, size: int) -> Iterator[Sequence[Server]]:
    blob = folder / "blob"
    block = os.urandom(1 << 20)
    with blob.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)
    authority(folder)
    with (
        nginx(folder / "one", blob, workers=1) as one,
        nginx(folder / "two", blob, workers=2) as two,
        airlift(folder, blob) as own,
    ):
        yield (one, two, own)


# --- speed ----------------------------------------------------------------------------


def _rounds(servers: Sequence[Server], size: int, rounds: int) -> Table:
    table: Table = {}
    kinds = [(tls, streams) for tls in (False, True) for streams in (1, 8)]
    for server in servers:
        for tls in (False, True):  # warms caches and interpreters; not counted
            _run(server, size, tls=tls, streams=1)
    for turn in range(rounds):
        order = servers if turn % 2 else servers[::-1]
        for tls, streams in kinds:
            title = f"{'TLS' if tls else 'plain'}, {streams} {'ranges' if streams > 1 else 'stream'}"
            for server in order:
                run = _run(server, size, tls=tls, streams=streams)
                table.setdefault((title, server.name), []).append(run)
    return table


def _run(server: Server, size: int, *, tls: bool, streams: int) -> Run:
    bounds = [size * n // streams for n in range(streams + 1)]
    cpu, begun = server.cpu_s(), time.perf_counter()
    _together([_fetching(server, part, tls=tls) for part in pairwise(bounds)])
    seconds = time.perf_counter() - begun
    return Run(rate=size / seconds, cpu=(server.cpu_s() - cpu) / (size / 1e9))


def _fetching(
    server: Server, part: tuple[int, int], *, tls: bool
) -> Callable[[], None]:
    return lambda: fetch(server, *part, tls=tls)


def _together(jobs: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def _speeds(table: Table) -> Iterator[str]:
    yield "| transfer | server | GB/s | CPU s per GB | rate to nginx | CPU to nginx |"
    yield "|---|---|--:|--:|--:|--:|"
    for (title, name), runs in table.items():
        base = table[title, PEER]
        rates = [own.rate / other.rate for own, other in zip(runs, base, strict=True)]
        costs = [own.cpu / other.cpu for own, other in zip(runs, base, strict=True)]
        yield (
            f"| {title} | {name} "
            f"| {statistics.median(run.rate for run in runs) / 1e9:.2f} "
            f"| {statistics.median(run.cpu for run in runs):.3f} "
            f"| {statistics.median(rates):.2f} | {statistics.median(costs):.2f} |"
        )


def _rows(table: Table) -> Iterator[Row]:
    for (title, name), runs in table.items():
        yield {
            "transfer": title,
            "server": name,
            "rate": statistics.median(run.rate for run in runs),
            "cpu": statistics.median(run.cpu for run in runs),
        }


# --- many at once ---------------------------------------------------------------------


def _crowd(server: Server, *, tls: bool) -> str:
    """Download with all clients at once; return a row with the memory it took."""
    server.forget_peak()
    begun = time.perf_counter()
    parts = [(n * 1000, n * 1000 + CLIENT_BYTES) for n in range(CLIENTS)]
    _together([_fetching(server, part, tls=tls) for part in parts])
    rate = CLIENTS * CLIENT_BYTES / (time.perf_counter() - begun) / 1e9
    title = "TLS" if tls else "plain"
    return f"| {title} | {server.name} | {rate:.2f} | {server.peak_mib(tls=tls):.0f} |"


def _crowds(rows: Sequence[str]) -> Iterator[str]:
    yield f"{CLIENTS} clients at once, {CLIENT_BYTES >> 20} MiB each; memory of all processes:"
    yield ""
    yield "| transfer | server | GB/s | peak MiB |"
    yield "|---|---|--:|--:|"
    yield from rows


def _half_open(server: Server) -> str:
    """Ask for 1 KiB, alone and beside half-open requests; return a row."""
    alone = _delay(server)
    with contextlib.ExitStack() as held:
        for _ in range(CLIENTS):
            sock = socket.create_connection(("127.0.0.1", server.port))
            held.enter_context(sock).sendall(HALF_OPEN)
        beside = _delay(server)
    return f"| {server.name} | {alone * 1e3:.2f} | {beside * 1e3:.2f} |"


def _delay(server: Server) -> float:
    seconds = []
    for _ in range(ASKED):
        begun = time.perf_counter()
        fetch(server, 0, 1024, tls=False)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def _delays(rows: Sequence[str]) -> Iterator[str]:
    yield f"A new connection that asks for 1 KiB, beside {CLIENTS} half-open requests:"
    yield ""
    yield "| server | alone, ms | beside them, ms |"
    yield "|---|--:|--:|"
    yield from rows


if __name__ == "__main__":
    main()
