"""The server on a real socket: what goes over the wire, byte by byte."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import private_ca
from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.serve.http.server import running
from airlift.serve.http.settings import Limits, ServeSettings
from airlift.store.span import Span
from served import (
    BIG,
    BIG_PATH,
    COMMIT,
    CONTENTS,
    SMALL,
    SMALL_PATH,
    World,
    grow,
    serving,
    small_world,
)
from shelves import MemoryShelf, cargo, git_oid
from wire import ask, clock, connect, everything, head, read

# --- whole files and parts of them ---------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_header_of_a_file_is_as_clients_need_it(
    world: World, method: str
) -> None:
    """One missing header breaks one client; HEAD and GET must not differ."""
    got = ask(world.url, BIG_PATH, method=method)
    changing = ("date", "x-request-id")
    headers = {k: v for k, v in got.headers.items() if k not in changing}
    assert (got.status, headers) == (
        200,
        {
            "server": "airlift",
            "x-content-type-options": "nosniff",
            "x-repo-commit": COMMIT,
            "cache-control": "no-cache",
            "content-type": "application/octet-stream",
            "etag": f'"{sha256(BIG)}"',
            "accept-ranges": "bytes",
            "content-length": str(len(BIG)),
        },
    )
    assert got.body == (BIG if method == "GET" else b"")


def test_a_small_file_is_named_by_git_and_read_out_of_a_pack(world: World) -> None:
    """Clients expect git's id as its tag; its bytes start in the middle of a file."""
    span = world.shelf.span(sha256(SMALL))
    assert span is not None
    got = ask(world.url, SMALL_PATH)
    assert (got.body, got.headers["etag"]) == (SMALL, f'"{git_oid(SMALL)}"')
    part = ask(world.url, SMALL_PATH, "Range: bytes=2-5")
    assert (part.status, part.body) == (206, SMALL[2:6])


def test_an_empty_file_is_empty(world: World) -> None:
    """To asyncio, sendfile with a count of zero means the whole file."""
    target = f"/org/tiny/resolve/{COMMIT}/empty.bin"
    for fields in ([], ["Range: bytes=0-"]):
        got = ask(world.url, target, *fields)
        assert (got.status, got.headers["content-length"], got.body) == (200, "0", b"")


@pytest.mark.parametrize(
    ("field", "start", "stop"),
    [
        ("0-0", 0, 1),
        ("0-", 0, len(BIG)),
        ("65536-131071", 65536, 131072),
        ("299999-", 299999, len(BIG)),
        ("-7", len(BIG) - 7, len(BIG)),
        (f"300000-{len(BIG)}", 300000, len(BIG)),
        ("1-99999999999", 1, len(BIG)),
    ],
)
def test_a_range_gives_exactly_its_bytes(
    world: World, field: str, start: int, stop: int
) -> None:
    """Resume writes these bytes behind those it has; one off is a corrupt model."""
    got = ask(world.url, BIG_PATH, f"Range: bytes={field}")
    assert got.status == 206
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BIG)}"
    assert got.headers["content-length"] == str(stop - start)
    assert got.headers["x-repo-commit"] == COMMIT
    assert got.body == BIG[start:stop]


def test_a_range_behind_the_end_says_how_long_the_file_is(world: World) -> None:
    """A client that has the whole file learns so."""
    got = ask(world.url, BIG_PATH, f"Range: bytes={len(BIG)}-")
    assert (got.status, got.headers["content-range"], got.body) == (
        416,
        f"bytes */{len(BIG)}",
        b"",
    )


@pytest.mark.parametrize(
    "fields",
    [
        ["Range: bytes=0-1,5-6"],
        ["Range: bytes=" + ",".join(f"{n}-" for n in range(1000))],
        ["Range: bytes=0-1", "Range: bytes=5-6"],
        ["Range: bytes=9-5"],
        ["Range: bytes=0-1", 'If-Range: "other"'],
        ["Range: bytes=0-1", "If-Range: Sun, 06 Nov 1994 08:49:37 GMT"],
        ["Range: bytes=0-1", f'If-Range: W/"{sha256(BIG)}"'],
    ],
)
def test_what_is_not_one_valid_range_gets_the_file_once(
    world: World, fields: list[str]
) -> None:
    """Many ranges must not multiply the bytes, a stale one must not be joined."""
    got = ask(world.url, BIG_PATH, *fields)
    assert (got.status, got.body) == (200, BIG)


def test_what_is_unchanged_is_not_sent_again(world: World) -> None:
    """Validators spare the transfer, for files and for pages."""
    tag = f'"{sha256(BIG)}"'
    got = ask(world.url, BIG_PATH, f"If-None-Match: {tag}")
    assert (got.status, got.headers["etag"], got.body) == (304, tag, b"")
    page = ask(world.url, "/api/models/org/tiny")
    again = ask(
        world.url, "/api/models/org/tiny", f"If-None-Match: {page.headers['etag']}"
    )
    assert (page.status, again.status, again.body) == (200, 304, b"")


def test_one_connection_carries_many_requests(world: World) -> None:
    """Lengths are exact: what follows a body is the next answer, nothing else."""
    with connect(world.url) as sock:
        for target, body in ((BIG_PATH, BIG), (SMALL_PATH, SMALL)) * 3:
            sock.sendall(head(world.url, target))
            assert read(sock).body == body


def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    """A request that arrives during a transfer must not mix with its body."""
    with connect(world.url) as sock:
        sock.sendall(head(world.url, BIG_PATH) + head(world.url, SMALL_PATH))
        stream = sock.makefile("rb")
        bodies = []
        for _ in range(2):
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            bodies.append(stream.read(length))
        stream.close()
    assert bodies == [BIG, SMALL]


# --- never a short or a wrong file -----------------------------------------------------


def test_a_blob_the_store_lost_is_an_error_not_an_absence(world: World) -> None:
    """Clients remember a 404 for good, and retry a 500."""
    world.shelf.replace_span(sha256(BIG), None)
    got = ask(world.url, BIG_PATH)
    assert (got.status, got.headers.get("x-error-code")) == (500, None)
    assert world.entries(1)[-1]["problem"] == (
        f"blob {sha256(BIG)} is missing from the store"
    )


@pytest.mark.parametrize("length", [len(BIG) - 1, len(BIG) + 1])
def test_a_blob_of_another_length_is_not_served(world: World, length: int) -> None:
    """Hub clients check nothing but the length; the server must not lie about it."""
    span = world.shelf.span(sha256(BIG))
    assert span is not None
    world.shelf.replace_span(sha256(BIG), replace(span, length=length))
    got = ask(world.url, BIG_PATH)
    assert got.status == 500
    assert world.entries(1)[-1]["problem"] == (
        f"blob {sha256(BIG)} has {length} bytes in the store,"
        f" its release says {len(BIG)}"
    )


def test_a_file_cut_short_on_disk_is_not_served(world: World) -> None:
    """A truncated file is refused before a byte of it is sent."""
    span = world.shelf.span(sha256(BIG))
    assert span is not None
    os.truncate(span.path, 1000)
    got = ask(world.url, BIG_PATH)
    assert got.status == 500
    assert world.entries(1)[-1]["problem"] == (
        f"blob {sha256(BIG)}: {span.path} has 1000 bytes, expected {len(BIG)}"
    )


def test_a_pack_that_moves_is_asked_for_again(tmp_path: Path) -> None:
    """A collection replaces packs while the server runs."""

    class Moving(MemoryShelf):
        """A shelf that gives an old place once for each blob."""

        def span(self, sha256: Sha256) -> Span | None:
            """Return the new place, after a place that is gone."""
            asked.append(sha256)
            found = super().span(sha256)
            assert found is not None
            old = asked.count(sha256) == 1
            return replace(found, path=tmp_path / "gone") if old else found

    asked: list[Sha256] = []
    model = cargo(Kind.MODEL, "org/tiny", CONTENTS, revision=COMMIT)
    with serving(Moving(tmp_path, [model]), ServeSettings(port=0)) as world:
        assert ask(world.url, SMALL_PATH).body == SMALL
        assert len(asked) == 2


def test_over_tls_bytes_are_the_same(tmp_path: Path) -> None:
    """There the kernel cannot copy: 1 MiB at a time is read and encrypted."""
    ca, context = private_ca.issue(tmp_path)
    trusting = ssl.create_default_context(cafile=str(ca))
    big = random.Random(7).randbytes(9_000_001)
    model = cargo(Kind.MODEL, "o/m", {"a.txt": b"small", "big": big}, revision=COMMIT)
    settings = ServeSettings(port=0, tls=context)
    with serving(MemoryShelf(tmp_path, [model]), settings) as world:
        port = int(world.url.rsplit(":", 1)[1])
        for headers, body in (
            ({}, big),
            ({"Range": "bytes=1048575-3145729"}, big[1048575:3145730]),
        ):
            link = http.client.HTTPSConnection("localhost", port, context=trusting)
            link.request("GET", f"/o/m/resolve/{COMMIT}/big", headers=headers)
            assert link.getresponse().read() == body
            link.close()
        assert world.url.startswith("https://127.0.0.1:")


def test_a_file_that_shrinks_during_a_transfer_breaks_the_connection(
    tmp_path: Path,
) -> None:
    """The client sees a short body and retries; nothing is padded."""
    shelf = small_world(tmp_path)
    size = 256 << 20
    with serving(shelf, ServeSettings(port=0)) as world:
        sparse = grow(world.shelf, size)
        with connect(world.url) as sock:
            sock.sendall(head(world.url, BIG_PATH))
            sock.recv(1000)
            os.truncate(sparse, 1 << 20)
            received = [1000]
            with contextlib.suppress(ConnectionResetError):
                _drain(sock, received)
        assert sum(received) < size
        (entry,) = world.entries(1)
        assert entry["aborted"] is True
        assert str(entry["problem"]).startswith(f"{sparse} ended early, at byte ")


# --- hostile requests -------------------------------------------------------------------

HOST = b"Host: localhost\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
RAW = {
    "length and chunked": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "chunked and length": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "two lengths": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 0\r\nContent-Length: 45\r\n\r\n"
    + SMUGGLED,
    "two equal lengths": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
    + SMUGGLED,
    "length list": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 3, 3\r\n\r\nabc"
    + SMUGGLED,
    "signed length": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: +3\r\n\r\nabc"
    + SMUGGLED,
    "negative length": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: -1\r\n\r\n"
    + SMUGGLED,
    "hex length": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 0x3\r\n\r\nabc"
    + SMUGGLED,
    "length with space before colon": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length : 3\r\n\r\nabc"
    + SMUGGLED,
    "huge length": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 99999999999999999999\r\n\r\n"
    + SMUGGLED,
    "body on get": b"GET /x HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 45\r\n\r\n"
    + SMUGGLED,
    "chunked get": b"GET /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "chunked head": b"HEAD /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "identity coding": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc"
    + SMUGGLED,
    "chunked twice": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "unknown coding": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "coding with vertical tab": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "chunk size overflow": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"
    + SMUGGLED,
    "chunk size with sign": b"POST /x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"
    + SMUGGLED,
    "bare line feeds": b"GET /x HTTP/1.1\nHost: localhost\n\n" + SMUGGLED,
    "folded field": b"GET /x HTTP/1.1\r\n"
    + HOST
    + b"X: a\r\n Content-Length: 45\r\n\r\n",
    "nul in a field": b"GET /x HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n" + SMUGGLED,
    "carriage return in a field": b"GET /x HTTP/1.1\r\n"
    + HOST
    + b"X: a\rTransfer-Encoding: chunked\r\n\r\n"
    + SMUGGLED,
    "space in the target": b"GET /x y HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "no version": b"GET /x\r\n\r\n" + SMUGGLED,
    "unknown version": b"GET /x HTTP/9.9\r\n" + HOST + b"\r\n" + SMUGGLED,
    "field without colon": b"GET /x HTTP/1.1\r\n" + HOST + b"broken\r\n\r\n" + SMUGGLED,
    "two hosts": b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + SMUGGLED,
    "no host": b"GET /x HTTP/1.1\r\n\r\n" + SMUGGLED,
    "absolute target": b"GET http://localhost/x HTTP/1.1\r\n"
    + HOST
    + b"\r\n"
    + SMUGGLED,
    "connect": b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "binary": bytes(range(256)) + b"\r\n\r\n" + SMUGGLED,
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "a line of 64 KiB": b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a field of 64 KiB": b"GET /x HTTP/1.1\r\n"
    + HOST
    + b"X: "
    + b"a" * 65536
    + b"\r\n\r\n",
    "5,000 fields": b"GET /x HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 5000 + b"\r\n",
}


@pytest.mark.parametrize("name", RAW)
def test_an_ambiguous_request_is_refused_and_nothing_behind_it_is_served(
    world: World, name: str
) -> None:
    """What follows on the connection could be a request another client never sent."""
    answer = everything(world.url, RAW[name])
    assert answer.count(b"HTTP/1.1 ") + answer.count(b"HTTP/1.0 ") <= 1
    if answer:
        assert answer.split(b" ")[1][:1] == b"4"
        assert b"server: airlift\r\n" in answer.lower()
    assert len(world.entries()) == (1 if answer else 0)
    assert [e for e in world.entries() if "bug" in e or e["path"] == "/smuggled"] == []
    assert ask(world.url, SMALL_PATH).body == SMALL


TRAVERSALS = [
    f"{base}{climb}"
    for base in (
        "/",
        "/org/tiny/resolve/main/",
        f"/org/tiny/raw/{COMMIT}/",
        "/simple/-/files/",
        f"/simple/-/files/{'a' * 64}/",
        "/api/models/",
        "/api/models/org/tiny/tree/main/",
    )
    for climb in (
        "../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%252e%252e%252fetc%252fpasswd",
        "..%5c..%5cetc%5cpasswd",
        "....//....//etc/passwd",
        "%00",
        "config.json%00.txt",
        "/etc/passwd",
        "//etc/passwd",
        ".",
        "%c0%ae%c0%ae/etc/passwd",
        "%ff%fe",
        "a" * 3000,
        "%0d%0aX-Injected:%201",
        "..;/etc/passwd",
        "~root/.bashrc",
        "proc/self/environ",
        "\udcff\udcfe",
    )
]


def test_no_path_reaches_a_file_outside_the_store(world: World) -> None:
    """Bytes are found by digest in records; no path is ever built from a request."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda target: ask(world.url, target), TRAVERSALS))
    assert {got.status for got in answers} <= {404, 400, 301}
    assert not any(b"root:" in got.body for got in answers)
    assert not any("x-injected" in got.headers for got in answers)
    assert [e for e in world.entries() if "bug" in e] == []
    assert len(TRAVERSALS) == 133


def test_a_body_above_the_limit_is_refused_before_it_is_read(world: World) -> None:
    """Memory is bounded by the server, not by what a client says."""
    target = "/api/models/org/tiny/paths-info/main"
    raw = head(world.url, target, "Content-Length: 1048577", method="POST")
    assert everything(world.url, raw).startswith(b"HTTP/1.1 413 ")
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    raw = head(world.url, target, "Transfer-Encoding: chunked", method="POST")
    assert everything(world.url, raw + chunk * 20).startswith(b"HTTP/1.1 413 ")


def test_a_foreign_host_gets_nothing_and_is_told_what_to_do(world: World) -> None:
    """DNS rebinding is stopped; a legitimate new name is one flag away."""
    got = ask(world.url, SMALL_PATH, "Host: models.example")
    problem = (
        "host `models.example` is not a name of this server;"
        " allow it with `airlift serve --host-name models.example`"
    )
    assert (got.status, got.body) == (421, f"{problem}\n".encode())
    assert got.headers["x-error-message"] == problem


def test_a_name_the_operator_gave_is_served(tmp_path: Path) -> None:
    """Behind a proxy the server goes by another name."""
    settings = ServeSettings(port=0, host_names=frozenset({"models.example"}))
    with serving(small_world(tmp_path), settings) as world:
        assert ask(world.url, SMALL_PATH, "Host: models.example").body == SMALL


def test_half_open_requests_do_not_slow_an_honest_client(tmp_path: Path) -> None:
    """Slow-loris: 200 connections that send one byte hold no thread and are closed."""
    limits = Limits(head_s=1.0)
    with serving(small_world(tmp_path), ServeSettings(port=0, limits=limits)) as world:
        held = [connect(world.url) for _ in range(200)]
        for sock in held:
            sock.sendall(b"GET /x HTTP/1.1\r\nHost: local")
        begun = time.monotonic()
        assert ask(world.url, BIG_PATH).body == BIG
        assert time.monotonic() - begun < 0.5
        for sock in held:
            sock.settimeout(5)
            assert sock.recv(100) == b""  # closed by the deadline
            sock.close()


def test_a_dripping_head_does_not_renew_its_deadline(tmp_path: Path) -> None:
    """One byte now and then must not hold a connection for ever."""
    limits = Limits(head_s=0.5)
    with serving(small_world(tmp_path), ServeSettings(port=0, limits=limits)) as world:
        begun = time.monotonic()
        with connect(world.url) as sock, pytest.raises(ConnectionError):
            _drip(sock)
        assert 0.4 < time.monotonic() - begun < 3


def _drip(sock: socket.socket) -> None:
    sock.sendall(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(100):
        sock.sendall(b"X")
        time.sleep(0.05)


def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    """A client that keeps connections open without using them gives them back."""
    limits = Limits(idle_s=0.3)
    with (
        serving(small_world(tmp_path), ServeSettings(port=0, limits=limits)) as world,
        connect(world.url) as sock,
    ):
        sock.sendall(head(world.url, SMALL_PATH))
        assert read(sock).body == SMALL
        assert sock.recv(100) == b""


def test_a_body_that_never_arrives_times_out(tmp_path: Path) -> None:
    """The same deadline holds for the body of a POST."""
    limits = Limits(head_s=0.3)
    with serving(small_world(tmp_path), ServeSettings(port=0, limits=limits)) as world:
        target = "/api/models/org/tiny/paths-info/main"
        with connect(world.url) as sock:
            sock.sendall(head(world.url, target, "Content-Length: 9", method="POST"))
            assert read(sock, "POST").status == 408


def test_a_client_that_stops_reading_is_cut_off(tmp_path: Path) -> None:
    """It would hold an open file and a connection for ever."""
    shelf = small_world(tmp_path)
    limits = Limits(stall_s=0.3)
    with serving(shelf, ServeSettings(port=0, limits=limits)) as world:
        grow(world.shelf, 64 << 20)
        with connect(world.url) as sock:
            sock.sendall(head(world.url, BIG_PATH))
            (entry,) = world.entries(1)
        assert (entry["problem"], entry["aborted"]) == ("client stalled", True)


def _drain(sock: socket.socket, received: list[int]) -> None:
    """Add the length of each piece that comes to *received*, to the end."""
    while piece := sock.recv(1 << 20):
        received.append(len(piece))


def test_connections_above_the_cap_are_told_to_come_back(tmp_path: Path) -> None:
    """File descriptors do not run out; who holds them all starves only itself."""
    limits = Limits(connections=6, connections_per_client=3)
    with serving(small_world(tmp_path), ServeSettings(port=0, limits=limits)) as world:
        held = [connect(world.url) for _ in range(3)]
        for sock in held:
            sock.sendall(head(world.url, SMALL_PATH))
            assert read(sock).body == SMALL
        with connect(world.url) as sock:
            got = read(sock)
            assert (got.status, got.headers["retry-after"]) == (503, "1")
        for sock in held:
            sock.close()
        time.sleep(0.1)
        assert ask(world.url, SMALL_PATH).body == SMALL


def test_many_clients_at_once_get_their_own_bytes(world: World) -> None:
    """200 parallel ranges: no answer is another client's."""

    def fetch(number: int) -> bool:
        start = number * 1000
        got = ask(world.url, BIG_PATH, f"Range: bytes={start}-{start + 4095}")
        return got.body == BIG[start : start + 4096]

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(fetch, range(200))) == [True] * 200


# --- operation ----------------------------------------------------------------------------


def test_health_names_the_live_generation(world: World) -> None:
    """A monitor sees at once that the server answers, and from which set."""
    got = ask(world.url, "/healthz")
    assert json.loads(got.body) == {"ok": True, "generation": 1}
    world.shelf.add()
    assert json.loads(ask(world.url, "/healthz").body)["generation"] == 2


def test_a_prefix_moves_everything(tmp_path: Path) -> None:
    """Sites put airlift below a path of an existing server."""
    with serving(small_world(tmp_path), ServeSettings(port=0, prefix="/a/b")) as world:
        root = world.url.removesuffix("/a/b")
        assert root != world.url
        assert ask(root, f"/a/b{SMALL_PATH}").body == SMALL
        assert ask(root, "/a/b/healthz").status == 200
        assert ask(root, "/healthz").status == 200
        for target in (SMALL_PATH, f"/a/bc{SMALL_PATH}", "/a/b", "/a", "/"):
            assert ask(root, target).status == 404


def test_the_log_says_who_got_what_and_no_secret(world: World) -> None:
    """It is what an auditor reads, in a terminal; tokens must not be in it."""
    target = "/org/tiny/resolve/v1/config.json?token=CANARY"
    secrets = ("Authorization: Bearer CANARY", "Cookie: CANARY", "User-Agent: CANARY/1")
    told = ask(world.url, target, *secrets, "Range: bytes=3-5").headers["x-request-id"]
    ask(world.url, "/a%1b]0;x", "User-Agent: unknown/None; hf_hub/2.4.0; python/3.11")
    first, second = world.entries(2)
    assert isinstance(first.pop("seconds"), float)
    assert str(first.pop("time")).endswith("Z")
    (live,) = world.shelf._live
    assert first == {
        "id": told,
        "client": "127.0.0.1",
        "agent": "other",
        "method": "GET",
        "path": "/org/tiny/resolve/v1/config.json",
        "range": "3-5",
        "status": 206,
        "bytes": 3,
        "release": live,
        "name": "org/tiny",
    }
    assert (second["path"], second["agent"]) == ("/a%1b]0;x", "hf_hub")
    assert "CANARY" not in world.log.getvalue()


def test_an_unforeseen_error_is_logged_whole_and_shown_not_at_all(world: World) -> None:
    """The user gets a 500 without insides, the operator the place it happened."""
    (live,) = world.shelf._live
    del world.shelf._files[live]["config.json"]
    broken = world.shelf._files[live]
    broken["config.json"] = None  # type: ignore[assignment] # what no shelf may hold
    got = ask(world.url, "/api/models/org/tiny")
    assert (got.status, got.body) == (500, b"error inside airlift\n")
    (bug,) = [entry for entry in world.entries(1) if "bug" in entry]
    assert bug["bug"] == "AttributeError"


def test_an_address_in_use_is_a_request_error(world: World) -> None:
    """The operator is told which address, and what to change."""
    port = int(world.url.rsplit(":", 1)[1])
    settings = ServeSettings(port=port)
    with (
        pytest.raises(RequestError) as caught,
        running(world.shelf, settings, log=world.log, clock=clock),
    ):
        pass
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1 port {port}: address already in use"
    )


PROGRAM = """
import sys
from pathlib import Path
from airlift.serve.http.server import Host, serve
from airlift.serve.http.settings import Limits, ServeSettings
from served import grow, small_world
shelf = small_world(Path(sys.argv[1]))
grow(shelf, 64 << 20)
serve(
    shelf,
    ServeSettings(port=0, limits=Limits(drain_s=float(sys.argv[2]))),
    Host(
        log=sys.stderr,
        clock=lambda: "2026-01-01T00:00:00Z",
        ready=lambda url: print(url, flush=True),
    ),
)
print("stopped", flush=True)
"""


@pytest.mark.parametrize(("drain_s", "whole"), [(20, True), (0.2, False)])
def test_a_stop_lets_transfers_finish_up_to_the_deadline(
    tmp_path: Path, drain_s: float, *, whole: bool
) -> None:
    """A restart must not cut everybody's downloads, nor wait for ever for one."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    program = [sys.executable, "-c", PROGRAM, str(tmp_path), str(drain_s)]
    with subprocess.Popen(
        program,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        with socket.socket() as sock:
            # A small window, so that most of the body waits in the server.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", int(url.rsplit(":", 1)[1])))
            sock.sendall(head(url, BIG_PATH))
            received = [len(sock.recv(4096))]
            server.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            with pytest.raises(OSError, match="refused"):
                connect(url)
            with contextlib.suppress(ConnectionResetError):
                _drain(sock, received)
        assert server.wait(10) == 0
        assert server.stdout.read() == "stopped\n"
    assert (sum(received) > 64 << 20) is whole


def test_two_servers_run_beside_each_other(tmp_path: Path) -> None:
    """Nothing of a server is global to the process."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        serving(small_world(tmp_path / "a"), ServeSettings(port=0)) as one,
        serving(small_world(tmp_path / "b"), ServeSettings(port=0)) as two,
    ):
        assert ask(one.url, SMALL_PATH).body == ask(two.url, SMALL_PATH).body
    assert [t.name for t in threading.enumerate() if t.name.startswith("air")] == []
