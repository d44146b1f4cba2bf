"""The servers ``bench_serve`` compares, and the client that costs almost nothing."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMMIT = "a" * 40
TARGET = f"/org/bench/resolve/{COMMIT}/model.bin"
NGINX = """
daemon off; worker_processes {workers}; pid {folder}/nginx.pid; user {user};
error_log {folder}/error.log; events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 2m;
  client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location = {target} {{ alias {blob}; }}
  }}
}}
"""
AIRLIFT = """
import ssl, sys
from pathlib import Path
from airlift.artifact import Kind, LiveRelease, Release, ReleaseFile
from airlift.serve.http.server import Host, serve
from airlift.serve.http.settings import ServeSettings
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
    def read(self, sha256, start, stop): return self.place.read(start, stop)
    def withheld(self, kinds, name): return False

tls = None
if len(sys.argv) > 4:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[4], sys.argv[5])
serve(OneFile(Path(sys.argv[1])), ServeSettings(port=int(sys.argv[2]), tls=tls),
      Host(log=open("/dev/null", "w"), clock=lambda: "", ready=lambda url: None))
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server under test.

    Attributes:
        port: Where it speaks plain HTTP.
        tls_port: Where it speaks HTTPS.
        plain: The process that answers at *port*; its children count with it.
        tls: The process that answers at *tls_port*; may be the same.
    """

    name: str
    port: int
    tls_port: int
    plain: int
    tls: int

    def cpu_s(self) -> float:
        """Return the seconds all threads of all processes have run so far."""
        # In nanoseconds; ticks may miss a server that sleeps whenever one comes.
        return (
            sum(
                int((task / "schedstat").read_text().split()[0])
                for process in self._processes({self.plain, self.tls})
                for task in Path(f"/proc/{process}/task").iterdir()
            )
            / 1e9
        )

    def forget_peak(self) -> None:
        """Let the peak of memory begin at what is used now."""
        for process in self._processes({self.plain, self.tls}):
            Path(f"/proc/{process}/clear_refs").write_text("5")

    def peak_mib(self, *, tls: bool) -> float:
        """Return the peak of resident memory since it was forgotten, in MiB."""
        found = 0
        for process in self._processes({self.tls if tls else self.plain}):
            status = Path(f"/proc/{process}/status").read_text()
            found += int(status.split("VmHWM:")[1].split()[0])
        return found / 1024

    def _processes(self, roots: set[int]) -> Iterator[int]:
        for root in roots:
            yield root
            listed = Path(f"/proc/{root}/task/{root}/children").read_text()
            yield from map(int, listed.split())


def authority(folder: Path) -> None:
    """Write a certificate and its key for loopback below *folder*."""
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        " -subj /CN=localhost -days 2 -keyout server.key -out server.crt"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


@contextlib.contextmanager
def nginx(folder: Path, blob: Path, *, workers: int) -> Iterator[Server]:
    """Run nginx with *workers* processes."""
    folder.mkdir()
    plain, tls = _free_port(), _free_port()
    text = NGINX.format(
        folder=folder,
        plain=plain,
        tls=tls,
        blob=blob,
        target=TARGET,
        workers=workers,
        user="root" if os.getuid() == 0 else "nobody",
        certificate=folder.parent / "server.crt",
        key=folder.parent / "server.key",
    )
    (folder / "nginx.conf").write_text(text)
    command = ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with _process(command, plain) as process:
        name = f"nginx, {workers} worker{'s' if workers > 1 else ''}"
        yield Server(name=name, port=plain, tls_port=tls, plain=process, tls=process)


@contextlib.contextmanager
def airlift(folder: Path, blob: Path) -> Iterator[Server]:
    """Run airlift, one process for plain HTTP and one for HTTPS."""
    plain, tls = _free_port(), _free_port()
    base = [sys.executable, "-c", AIRLIFT, str(blob)]
    pair = [str(folder / "server.crt"), str(folder / "server.key")]
    with (
        _process([*base, str(plain), COMMIT], plain) as one,
        _process([*base, str(tls), COMMIT, *pair], tls) as two,
    ):
        yield Server(name="airlift", port=plain, tls_port=tls, plain=one, tls=two)


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


def fetch(server: Server, start: int, stop: int, *, tls: bool) -> None:
    """Download bytes *start* to *stop* and throw them away."""
    head = (
        f"GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Range: bytes={start}-{stop - 1}\r\n\r\n"
    ).encode()
    with socket.create_connection(
        ("127.0.0.1", server.tls_port if tls else server.port)
    ) as sock:
        if tls:
            _fetch_encrypted(sock, head, stop - start)
        else:
            sock.sendall(head)
            answer = sock.recv(65536)
            status, _, body = answer.partition(b"\r\n\r\n")
            _check(status)
            _discard(sock, stop - start - len(body))


def _fetch_encrypted(sock: socket.socket, head: bytes, size: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(sock.dup(), server_hostname="localhost") as secure:
        secure.sendall(head)
        status, _, body = secure.recv(65536).partition(b"\r\n\r\n")
        _check(status)
        # The rest is longer than what it encrypts, by a thousandth.
        _discard(sock, size - len(body))


def _check(status: bytes) -> None:
    if not status.startswith(b"HTTP/1.1 206"):
        sys.exit(f"unexpected answer: {status[:200]!r}")


def _discard(sock: socket.socket, left: int) -> None:
    space = bytearray(4 << 20)
    while left > 0:
        taken = sock.recv_into(space, 0, socket.MSG_TRUNC)
        if not taken:
            sys.exit(f"{left} bytes are missing")
        left -= taken
