"""The hub's dialect over a real socket: what clients read of a response's head.

Each header here was taken away once and broke a client.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import wire
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.http.settings import ServeSettings
from airlift.serve.hub.huggingface import HuggingFace
from served import World, serving
from shelves import MemoryShelf, cargo, git_oid
from wire import Got

COMMIT = "a" * 40
WEIGHTS = random.Random(51).randbytes(70_001)
CONFIG = b'{"hidden_size": 64}\n'
FILES = {
    "config.json": CONFIG,
    "model.safetensors": WEIGHTS,
    "empty.bin": b"",
    **{f"many/{n:04}.txt": b"%d" % n for n in range(2000)},
}
PREFIX = "/mirror/hf"
AT = f"{PREFIX}/org/tiny/resolve/{COMMIT}"
API = f"{PREFIX}/api/models/org/tiny"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A model of 2,003 files, served below a prefix."""
    release = cargo(Kind.MODEL, "org/tiny", FILES, revision=COMMIT, refs=["main"])
    shelf = MemoryShelf(tmp_path_factory.mktemp("shelf"), [release])
    with serving(shelf, ServeSettings(port=0, prefix=PREFIX)) as running:
        yield running


def named(got: Got, *names: str) -> dict[str, str | None]:
    """Return the headers *names* of a response; None for one that is absent."""
    return {name: got.headers.get(name) for name in names}


TAGS = {
    "config.json": git_oid(CONFIG),
    "model.safetensors": sha256(WEIGHTS),
    "empty.bin": git_oid(b""),
}


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("path", TAGS)
def test_every_answer_has_all_that_any_client_reads(
    world: World, method: str, path: str
) -> None:
    """No commit: downloads fail. No tag: they fail. No length: 0.36 fails.

    No ``Accept-Ranges``: llama.cpp begins again after each drop. A redirect: 2.x
    reads the commit on the last hop only, 0.36 stores an empty file.
    """
    got = wire.ask(
        world.url, f"{AT}/{path}", "Accept-Encoding: gzip, deflate, br", method=method
    )
    assert got.status == 200
    names = ("x-repo-commit", "etag", "content-length", "accept-ranges")
    assert named(got, *names, "content-encoding", "location", "connection") == {
        "x-repo-commit": COMMIT,
        "etag": f'"{TAGS[path]}"',
        "content-length": str(len(FILES[path])),
        "accept-ranges": "bytes",
        "content-encoding": None,
        "location": None,
        "connection": None,
    }
    assert got.body == (FILES[path] if method == "GET" else b"")


def test_one_byte_describes_a_file(world: World) -> None:
    """Rust's hf-hub 0.4 and both JavaScript clients ask for it instead of a HEAD."""
    got = wire.ask(world.url, f"{AT}/model.safetensors", "Range: bytes=0-0")
    assert (got.status, got.body) == (206, WEIGHTS[:1])
    assert named(got, "content-range", "x-repo-commit", "etag", "content-length") == {
        "content-range": f"bytes 0-0/{len(WEIGHTS)}",
        "x-repo-commit": COMMIT,
        "etag": f'"{sha256(WEIGHTS)}"',
        "content-length": "1",
    }


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        (f"bytes=69000-{len(WEIGHTS)}", 69_000, len(WEIGHTS)),
        ("bytes=41000-", 41_000, len(WEIGHTS)),
        ("bytes=0-", 0, len(WEIGHTS)),
        ("bytes=5-9", 5, 10),
    ],
    ids=["end-is-the-size", "resume", "ramalama", "part"],
)
def test_a_range_is_kept_to_the_file(
    world: World, wanted: str, start: int, stop: int
) -> None:
    """Rust's hf-hub 0.4 asks for one byte more than there is; a 416 would end it."""
    got = wire.ask(world.url, f"{AT}/model.safetensors", f"Range: {wanted}")
    assert (got.status, got.body) == (206, WEIGHTS[start:stop])
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(WEIGHTS)}"


def test_the_first_byte_of_an_empty_file_says_that_there_is_none(world: World) -> None:
    """JavaScript's client reads the size in this field, on a 200 as well."""
    got = wire.ask(world.url, f"{AT}/empty.bin", "Range: bytes=0-0")
    assert (got.status, got.body) == (200, b"")
    assert got.headers["content-range"] == "bytes */0"
    plain = wire.ask(world.url, f"{AT}/empty.bin")
    assert "content-range" not in plain.headers


def test_one_connection_serves_the_whole_exchange(world: World) -> None:
    """Clients open a model of a thousand files over a few connections."""
    with wire.connect(world.url) as sock:
        for path in TAGS:
            for method in ("HEAD", "GET"):
                target = f"{AT}/{path}"
                sock.sendall(wire.head(world.url, target, method=method))
                assert wire.read(sock, method).status == 200


def test_a_tree_comes_in_one_page(world: World) -> None:
    """llama.cpp does not follow pages: it then says that there are no files."""
    got = wire.ask(world.url, f"{API}/tree/main?recursive=true&limit=50")
    assert "link" not in got.headers
    assert len(json.loads(got.body)) == len(FILES) + 1


@pytest.mark.parametrize(
    "target",
    [
        f"{API}?expand=xetEnabled&expand=sha&whatever=1",
        f"{API}/revision/main?expand=xetEnabled",
        f"{API}/tree/main?cursor=abc&whatever",
        f"{API}/refs?include_prs=1&x=y",
        f"{AT}/config.json?download=true&x=y",
    ],
)
def test_unknown_queries_are_ignored(world: World, target: str) -> None:
    """A mirror that refused a new one broke every client that had learnt it."""
    assert wire.ask(world.url, target).status == 200


@pytest.mark.parametrize(
    ("target", "status", "code", "commit"),
    [
        (f"{AT}/nope", 404, "EntryNotFound", COMMIT),
        (f"{API}/tree/main/nope", 404, "EntryNotFound", COMMIT),
        (f"{PREFIX}/org/tiny/resolve/nope/x", 404, "RevisionNotFound", None),
        (f"{PREFIX}/org/nope/resolve/main/x", 404, "RepoNotFound", None),
        (f"{PREFIX}/spaces/org/app/resolve/main/x", 404, "RepoNotFound", None),
        (f"{PREFIX}/api/spaces/org/app", 404, "RepoNotFound", None),
        (f"{PREFIX}/api/models/org/nope/refs", 404, "RepoNotFound", None),
        (f"{PREFIX}/api/trending", 404, None, None),
        (f"{PREFIX}/api/models/org/tiny/discussions", 404, None, None),
    ],
)
def test_what_is_missing_is_told_by_code(
    world: World, target: str, status: int, code: str | None, commit: str | None
) -> None:
    """Over plain HTTP the code is all that clients go by; the rest is never a 400."""
    for method in ("GET", "HEAD"):
        got = wire.ask(world.url, target, method=method)
        assert got.status == status
        assert named(got, "x-error-code", "x-repo-commit") == {
            "x-error-code": code,
            "x-repo-commit": commit,
        }
        assert got.headers["x-error-message"]


def test_a_file_whose_size_is_withheld_is_whole(world: World) -> None:
    """2.x fetches what it would refuse above 50 GB if it is not told the size."""
    agent = "User-Agent: unknown/None; hf_hub/2.4.0; python/3.11.7"
    table = [HuggingFace(http_limit_bytes=1000)]
    target = f"/org/tiny/resolve/{COMMIT}/model.safetensors"
    with serving(world.shelf, ServeSettings(port=0), table) as running:
        head = wire.ask(running.url, target, agent, method="HEAD")
        whole = wire.ask(running.url, target, agent)
        old = wire.ask(running.url, target, "User-Agent: hf_hub/0.36.2", method="HEAD")
    assert "content-length" not in head.headers
    assert head.headers["x-repo-commit"] == COMMIT
    assert whole.body == WEIGHTS
    assert whole.headers["content-length"] == str(len(WEIGHTS))
    assert old.headers["content-length"] == str(len(WEIGHTS))


def test_a_moving_branch_never_mixes_two_commits(tmp_path: Path) -> None:
    """Transformers lists by branch what it fetches by commit; old commits stay."""
    first = cargo(Kind.MODEL, "o/m", {"a": b"1"}, revision=COMMIT, refs=["main"])
    shelf = MemoryShelf(tmp_path, [first])
    with serving(shelf, ServeSettings(port=0)) as running:
        before = json.loads(wire.ask(running.url, "/api/models/o/m").body)
        second = cargo(
            Kind.MODEL, "o/m", {"b": b"2"}, revision="b" * 40, counter=2, refs=["main"]
        )
        shelf.add(second)
        listed = json.loads(wire.ask(running.url, "/api/models/o/m/tree/main").body)
        old = wire.ask(running.url, f"/o/m/resolve/{before['sha']}/a")
        new = wire.ask(running.url, f"/o/m/resolve/{before['sha']}/b")
    assert [one["path"] for one in listed] == ["b"]
    assert (old.status, old.body) == (200, b"1")
    assert (new.status, new.headers["x-error-code"]) == (404, "EntryNotFound")
