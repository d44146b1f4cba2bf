"""What an attacker on the network tries, and how often it works: never.

One test for each kind of attack on a registry, over every dialect where it matters.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.http.settings import Limits, ServeSettings
from guarded import Door, bearer
from served import (
    BIG,
    BIG_PATH,
    COMMIT,
    SMALL,
    SMALL_PATH,
    World,
    grow,
    serving,
    small_world,
)
from shelves import MemoryShelf, cargo
from sites import Site
from wire import ask, connect, everything, head

WHEEL = "foo-1.0-py3-none-any.whl"
EVIL = "<script>alert(1)</script>"
MANIFEST = b'{"schemaVersion":2,"config":{},"layers":[]}'
CANARY = b"canary: no request may ever get this\n"


def shelf(folder: Path) -> MemoryShelf:
    """Return a shelf with a release of every kind that is served."""
    contents = {"config.json": SMALL, "model.safetensors": BIG}
    blob = f"blobs/sha256-{sha256(MANIFEST)}"
    ollama = {"manifest.json": MANIFEST, blob: MANIFEST}
    return MemoryShelf(
        folder,
        [
            cargo(Kind.MODEL, "org/tiny", contents, revision=COMMIT, refs=["v1"]),
            cargo(Kind.DATASET, "org/data", {"a.jsonl": b"{}\n"}, revision=COMMIT),
            cargo(Kind.WHEELS, "set", {WHEEL: b"w", f"{WHEEL}.metadata": b"m"}),
            cargo(Kind.OLLAMA, "library/tiny", ollama, refs=["latest"]),
        ],
    )


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """A server of every kind of release; beside its store lies a file with a canary."""
    (tmp_path / "shelf").mkdir()
    (tmp_path / "canary").write_bytes(CANARY)
    with serving(shelf(tmp_path / "shelf"), ServeSettings(port=0)) as running:
        yield running


# --- names that are paths ------------------------------------------------------------------

BASES = (
    "/",
    "/-/",
    "/-/assets/",
    "/org/tiny/resolve/main/",
    f"/org/tiny/raw/{COMMIT}/",
    "/api/models/org/tiny/tree/main/",
    "/api/datasets/",
    "/simple/",
    f"/simple/-/files/{'a' * 64}/",
    "/v2/library/tiny/manifests/",
    "/v2/library/tiny/blobs/sha256:",
    "/v2/library/tiny/blobs/sha256-",
    "/v2/",
)
CLIMBS = (
    "../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "..%5c..%5c..%5cetc%5cpasswd",
    "....//....//....//etc/passwd",
    "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "..;/..;/etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "..%00/etc/passwd",
    "%2e%2e%2fcanary",
    "../canary",
    "..%2f..%2fcanary",
    "proc/self/environ",
    "..%2f" * 12 + "etc%2fpasswd",
    "%ff%fe..%2f..%2fcanary",
    "a" * 3000,
)


def test_no_name_is_ever_a_path(world: World) -> None:
    """Bytes are found by digest in records; not one of 234 names reaches a file."""
    targets = [base + climb for base in BASES for climb in CLIMBS]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda target: ask(world.url, target), targets))
    assert len(answers) == 234
    assert [got for got in answers if b"root:" in got.body or CANARY in got.body] == []
    assert {got.status for got in answers} <= {301, 400, 404}
    assert [entry for entry in world.entries(234) if "bug" in entry] == []


def test_a_digest_has_one_shape(world: World) -> None:
    """Any other spelling of a digest that exists is not found."""
    good = sha256(MANIFEST)
    at = "/v2/library/tiny/blobs/"
    for wrong in (
        *(f"sha256-{good}", f"sha256:{good.upper()}", f"sha256:{good}0", good),
        *(f"sha256:{good[:-1]}", f"sha512:{good}", f"sha256:%20{good}", "sha256:"),
        *(f"SHA256:{good}", f"sha256:{good}%00", f"sha256:..%2f{good}"),
    ):
        assert ask(world.url, at + wrong).status == 404, wrong


# --- requests that are two -------------------------------------------------------------------

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADES = {
    "http2 with prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "options": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "trace": b"TRACE /x HTTP/1.1\r\nHost: localhost\r\nX: canary\r\n\r\n",
    "put": b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "two authorizations": b"GET /x HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" + SMUGGLED,
    "length in an authorization": b"GET /x HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer a\r\n Content-Length: 45\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("name", UPGRADES)
def test_nothing_behind_a_refused_request_is_served(world: World, name: str) -> None:
    """The connection ends with the refusal; see also the raw requests of the server."""
    answer = everything(world.url, UPGRADES[name])
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer.split(b" ")[1][:1] == b"4"
    assert b"canary" not in answer
    assert [e for e in world.entries(1) if e.get("path") == "/smuggled"] == []


def test_no_other_protocol_is_switched_to(world: World) -> None:
    """Behind a proxy, what is said after a switch would be seen by nobody."""
    for to in ("h2c", "websocket"):
        fields = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {to}")
        got = ask(world.url, SMALL_PATH, *fields, "HTTP2-Settings: AAMAAABkAAQAoAAA")
        assert (got.status, got.body) == (200, SMALL)


def test_a_refusal_of_a_stranger_ends_no_honest_connection(tmp_path: Path) -> None:
    """Requests that need a token are refused one by one, on a connection that stays."""
    door = Door()
    token = door.token("ci", "*")
    (tmp_path / "shelf").mkdir()
    with serving(shelf(tmp_path / "shelf"), door.settings()) as site:
        raw = head(site.url, SMALL_PATH) + head(site.url, SMALL_PATH, bearer(token))
        answer = everything(site.url, raw)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(SMALL)


# --- too much of everything -------------------------------------------------------------------

RANGES = [
    *("bytes=0-,0-", "bytes=0-0,-1", "bytes=" + "0-1," * 999 + "0-1", "bytes=5-1"),
    *("bytes=-0", "bytes=--1", "bytes=0x0-1", "bytes=a-b", "bytes=0-1;2-3", "bytes="),
    *("bytes", "bytes 0-1", "BYTES=0-1", "bytes=0-1 ", "bytes = 0-1", "items=0-1"),
    *(f"bytes={'9' * n}-" for n in (1, 6, 7, 18, 19, 20, 40, 99, 101, 4301)),
    *(f"bytes=0-{'9' * n}" for n in (1, 6, 19, 20, 99, 4301)),
    *(f"bytes=-{'9' * n}" for n in (1, 6, 19, 20, 99, 4301)),
    *("bytes=1-1", "bytes=1-0", "bytes=300006-", "bytes=300007-", "bytes=-1"),
    *(
        "bytes=0-0, 1-1",
        "bytes=,",
        "bytes=-",
        "bytes=0--1",
        "bytes=1.5-2",
        "bytes=+0-1",
    ),
    *("bytes=0-1\t", "none"),
]


@pytest.mark.parametrize("path", [BIG_PATH, f"/simple/-/files/{sha256(b'w')}/{WHEEL}"])
def test_no_range_costs_more_than_the_file(world: World, path: str) -> None:
    """One range at most, and never one byte more than there are."""
    size = len(ask(world.url, path).body)
    assert len(RANGES) >= 50
    for text in RANGES:
        got = ask(world.url, path, f"Range: {text}")
        assert got.status in (200, 206, 416), text
        assert len(got.body) <= size
        if got.status == 206:
            assert "multipart" not in got.headers["content-type"]


def test_many_large_downloads_at_once_take_no_memory(tmp_path: Path) -> None:
    """64 of 1 GiB each, held open half-read: memory stays, others are answered."""
    held = small_world(tmp_path)
    with serving(held, ServeSettings(port=0, limits=Limits(stall_s=60))) as world:
        grow(held, 1 << 30)
        ask(world.url, SMALL_PATH)
        before, socks = _resident(), []
        for _ in range(64):
            sock = connect(world.url)
            sock.sendall(head(world.url, BIG_PATH))
            sock.recv(1 << 16)
            socks.append(sock)
        waits = []
        for _ in range(50):
            begun = time.monotonic()
            assert ask(world.url, SMALL_PATH).body == SMALL
            waits.append(time.monotonic() - begun)
        grown = _resident() - before
        for sock in socks:
            sock.close()
    # 64 KiB for each would be 4 MiB; a buffer of each body would be 64 GiB.
    assert grown < 64 << 20
    assert sorted(waits)[48] < 2


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


# --- other names, other types ------------------------------------------------------------------

HOSTS = (
    *("evil.example", "evil.example:8484", "localhost.evil.example", "xlocalhost"),
    *("127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0", "169.254.169.254", "[::2]"),
    *("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost%00.evil", "a b"),
    *("localhost@evil.example", "localhost/evil", "evil.example#localhost", "", "."),
)


@pytest.mark.parametrize("path", [SMALL_PATH, "/simple/", "/v2/", "/", "/healthz"])
def test_under_a_foreign_name_nothing_is_served(world: World, path: str) -> None:
    """A web page that rebinds its name to this host must read nothing: 20 names."""
    assert len(HOSTS) == 20
    for host in HOSTS:
        got = ask(world.url, path, f"Host: {host}")
        assert got.status in (400, 421), host
        assert SMALL not in got.body


ROUTES = {
    SMALL_PATH: "application/octet-stream",
    f"/org/tiny/raw/{COMMIT}/model.safetensors": "text/plain; charset=utf-8",
    "/org/tiny/resolve/main/nothing": "application/json; charset=utf-8",
    "/api/models": "application/json; charset=utf-8",
    "/api/models/org/tiny": "application/json; charset=utf-8",
    "/api/nothing": "application/json; charset=utf-8",
    "/simple/": "text/html; charset=utf-8",
    "/simple/foo/": "text/html; charset=utf-8",
    "/simple/nothing/": "text/plain; charset=utf-8",
    f"/simple/-/files/{sha256(b'w')}/{WHEEL}": "application/octet-stream",
    "/healthz": "application/json",
    "/no/such/path": "",
}


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_states_its_type_and_forbids_guessing(
    world: World, path: str
) -> None:
    """A browser must not take a model's bytes for a page, nor a cache a file for another."""
    got = ask(world.url, path)
    assert got.headers["x-content-type-options"] == "nosniff"
    if ROUTES[path]:
        assert got.headers["content-type"] == ROUTES[path]
    if got.status == 200 and path != "/healthz":
        tag = got.headers["etag"]
        assert tag.startswith('"')
        again = ask(world.url, path, f"If-None-Match: {tag}")
        assert (again.status, again.body) == (304, b"")
    if got.headers["content-type"].startswith("text/html"):
        assert "default-src 'none'" in got.headers["content-security-policy"]


REFLECTED = (
    f"/simple/{EVIL}/",
    f"/{EVIL}/resolve/main/x",
    f"/org/tiny/resolve/{EVIL}/x",
    f"/org/tiny/resolve/main/{EVIL}",
    f"/api/models/{EVIL}",
    f"/v2/{EVIL}/manifests/x",
    f"/v2/library/tiny/manifests/{EVIL}",
    f"/{EVIL}",
    f"/?q={EVIL}",
)


@pytest.mark.parametrize("path", REFLECTED)
def test_what_was_asked_never_comes_back_as_markup(world: World, path: str) -> None:
    """A link somebody follows must not run in the name of this host."""
    for target in (path, path.replace("<", "%3C").replace(">", "%3E")):
        got = ask(world.url, target)
        if got.headers.get("content-type", "").startswith("text/html"):
            assert EVIL.encode() not in got.body
        else:
            assert got.headers["x-content-type-options"] == "nosniff"


# --- what is not, or no longer, live ------------------------------------------------------------


@contextlib.contextmanager
def polling(url: str, path: str) -> Iterator[list[tuple[int, bytes]]]:
    """Ask for *path* all the while; give the list of answers, complete at the end."""
    done = threading.Event()
    seen: list[tuple[int, bytes]] = []

    def poll() -> None:
        while not done.is_set():
            got = ask(url, path)
            seen.append((got.status, got.body if got.status == 200 else b""))

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        yield seen
    finally:
        done.set()
        poller.join()


def test_nothing_is_served_before_it_is_live_or_after_it_was_denied(
    tmp_path: Path,
) -> None:
    """Clients ask all the while: each answer is whole and of its time."""
    site = Site(tmp_path)
    contents = [f'{{"n": {n}}}'.encode() for n in range(6)]
    path, expected = "/org/m/resolve/main/file-0.json", [(404, b"")]
    shown = site.registry.shelf(site.store)
    with (
        serving(shown, ServeSettings(port=0)) as world,  # type: ignore[arg-type] # a registry's
        polling(world.url, path) as seen,
    ):
        site.model("org/m", contents[0], live=False)
        assert ask(world.url, path).status == 404
        for counter, content in enumerate(contents[1:], 2):
            site.model("org/m", content, counter=counter)
            assert ask(world.url, path).body == content
            expected.append((200, content))
        everything_of_it = [sha256(content) for content in contents]
        day = "2026-04-01T12:00:00Z"
        site.registry.deny(everything_of_it, why="test", now=day, actor="test")
        assert ask(world.url, path).status == 404
    # The poller saw the same, in the same order, and nothing else.
    runs = [key for key, _ in itertools.groupby(seen)]
    assert set(runs) <= set(expected)
    places = [expected.index(one) for one in runs if one[0] == 200]
    assert places == sorted(set(places))
