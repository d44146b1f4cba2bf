"""nginx in front, as the documentation sets it up: the same answers, its own bytes."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.serve.dialect import Answer, Request, Shelf
from airlift.serve.http.accel import ASKS, Accel
from airlift.serve.http.forwarded import proxies
from airlift.serve.http.ranges import Cut
from airlift.serve.http.settings import ServeSettings
from airlift.serve.hub.huggingface import HuggingFace
from airlift.store.span import Span
from front import NAME, Front, front
from guarded import Door
from served import BIG, BIG_PATH, SMALL_PATH, World, serving, small_world
from wire import Got, ask

TAG = f'"{sha256(BIG)}"'
PREFIX = "/-/store/"
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="nginx is not installed"
)


class Mirror:
    """A dialect that says what it knows of a request."""

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer one path."""
        if request.path != "/mirror":
            return None
        text = json.dumps([request.client, request.base_url])
        return Answer(status=200, body=text.encode())


def settings(store: Path, prefix: str = "") -> ServeSettings:
    """Return settings of a server behind nginx."""
    return ServeSettings(
        port=0,
        prefix=prefix,
        host_names=frozenset({NAME}),
        proxies=proxies(["127.0.0.1"]),
        accel=Accel(prefix=PREFIX, root=store),
    )


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A server and the nginx before it."""

    world: World
    nginx: Front


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Serve the small model, with nginx in front."""
    store = tmp_path_factory.mktemp("store")
    table = (Mirror(), HuggingFace())
    with (
        serving(small_world(store), settings(store), table) as world,
        front(tmp_path_factory.mktemp("nginx"), world.url, store) as nginx,
    ):
        yield Pair(world=world, nginx=nginx)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, and whether nginx sends the body from the store."""

    fields: Mapping[str, str] = field(default_factory=dict)
    target: str = BIG_PATH
    method: str = "GET"
    handed_over: bool = False


REQUESTS = {
    "whole": Asked(handed_over=True),
    "head": Asked(method="HEAD"),
    "range": Asked(fields={"Range": "bytes=5-70000"}, handed_over=True),
    "one byte": Asked(fields={"Range": "bytes=0-0"}, handed_over=True),
    "rest": Asked(fields={"Range": "bytes=299999-"}, handed_over=True),
    "last": Asked(fields={"Range": "bytes=-7"}, handed_over=True),
    "more than all": Asked(fields={"Range": "bytes=-999999"}, handed_over=True),
    "beyond": Asked(fields={"Range": "bytes=10-99999999"}, handed_over=True),
    "spaced": Asked(fields={"Range": "bytes= 5-9"}, handed_over=True),
    "behind the end": Asked(fields={"Range": f"bytes={len(BIG)}-"}),
    "head of a range": Asked(method="HEAD", fields={"Range": "bytes=0-4"}),
    "several": Asked(fields={"Range": "bytes=0-1,5-6"}),
    "backwards": Asked(fields={"Range": "bytes=9-5"}),
    "malformed": Asked(fields={"Range": "bytes=a-b"}),
    "other unit": Asked(fields={"Range": "lines=1-2"}),
    "if range": Asked(fields={"Range": "bytes=0-9", "If-Range": TAG}),
    "if range, stale": Asked(fields={"Range": "bytes=0-9", "If-Range": '"x"'}),
    "if range, date": Asked(
        fields={"Range": "bytes=0-9", "If-Range": "Sun, 06 Nov 1994 08:49:37 GMT"}
    ),
    "unchanged": Asked(fields={"If-None-Match": TAG}),
    "changed": Asked(fields={"If-None-Match": '"x"'}, handed_over=True),
    "changed, range": Asked(
        fields={"If-None-Match": '"x"', "Range": "bytes=3-4"}, handed_over=True
    ),
    "match": Asked(fields={"If-Match": TAG}),
    "no match": Asked(fields={"If-Match": '"x"'}),
    "since": Asked(
        fields={"If-Modified-Since": "Fri, 01 Jan 2038 00:00:00 GMT"}, handed_over=True
    ),
    "not since": Asked(fields={"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}),
    "packed": Asked(target=SMALL_PATH),
    "packed range": Asked(target=SMALL_PATH, fields={"Range": "bytes=2-3"}),
    "empty": Asked(target=BIG_PATH.replace("model.safetensors", "empty.bin")),
    "odd name": Asked(target="/org/tiny/resolve/main/odd%20name%2B%C3%BC.txt"),
    "absent": Asked(target="/org/tiny/resolve/main/absent"),
    "page": Asked(target="/api/models/org/tiny"),
    "health": Asked(target="/healthz"),
}
OWN = ("connection", "date", "keep-alive", "server", "x-request-id")
"""What belongs to each hop or each request."""


def told(got: Got) -> tuple[int, dict[str, str], bytes]:
    """Return what two answers must agree in."""
    # nginx leaves the announcement of ranges out of an answer that is one.
    own = (*OWN, "accept-ranges") if got.status == 206 else OWN
    headers = {key: value for key, value in got.headers.items() if key not in own}
    return got.status, headers, got.body


@needs_nginx
@pytest.mark.parametrize("name", REQUESTS)
def test_nginx_changes_no_answer(pair: Pair, name: str) -> None:
    """Status, every header and every byte are as if nothing stood in front."""
    asked = REQUESTS[name]
    fields = [f"{key}: {value}" for key, value in asked.fields.items()]
    before = len(pair.world.entries())
    direct = ask(pair.world.url, asked.target, *fields, method=asked.method)
    passed = pair.nginx.ask(asked.target, asked.fields, asked.method)
    assert told(passed) == told(direct)
    entries = pair.world.entries(before + 2)[before:]
    handed = {one["id"]: "handed_over" in one for one in entries}
    assert handed.pop(passed.headers["x-request-id"]) == asked.handed_over
    assert list(handed.values()) == [False]


@needs_nginx
def test_a_file_handed_over_is_in_both_logs(pair: Pair) -> None:
    """Airlift's says who got which part of what; its own count of bytes is none."""
    before = len(pair.world.entries())
    pair.nginx.ask(BIG_PATH, {"Range": "bytes=5-99"})
    (entry,) = pair.world.entries(before + 1)[before:]
    shown = [entry.get(key) for key in ("status", "bytes", "range", "name")]
    assert shown == [200, 0, "5-99", "org/tiny"]


@needs_nginx
def test_nobody_reaches_the_store_past_airlift(pair: Pair) -> None:
    """What is withdrawn or not granted must not be had by its digest."""
    got = pair.nginx.ask(f"{PREFIX}{sha256(BIG)}")
    assert (got.status, BIG in got.body) == (404, False)


@needs_nginx
def test_links_lead_back_the_way_the_client_came(pair: Pair) -> None:
    """The client's scheme and address come from the proxy that is trusted."""
    lie = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher"}
    got = pair.nginx.ask("/mirror", lie)
    assert json.loads(got.body) == ["127.0.0.1", f"https://{NAME}"]


@needs_nginx
def test_credentials_pass_through(tmp_path: Path) -> None:
    """Nginx moves bytes; airlift alone decides whose."""
    door = Door()
    token = door.token("ci", "models:org/*")
    store, folder = tmp_path / "store", tmp_path / "nginx"
    store.mkdir()
    folder.mkdir()
    guarded = ServeSettings(
        port=0,
        host_names=frozenset({NAME}),
        access=door.access(),
        proxies=proxies(["127.0.0.1"]),
        accel=Accel(prefix=PREFIX, root=store),
    )
    with (
        serving(small_world(store), guarded) as world,
        front(folder, world.url, store) as nginx,
    ):
        assert nginx.ask(BIG_PATH).status == 401
        got = nginx.ask(BIG_PATH, {"Authorization": f"Bearer {token}"})
        assert (got.status, got.body) == (200, BIG)
        entries = world.entries(2)
        assert [entry.get("handed_over") for entry in entries] == [None, True]
        assert entries[1]["caller"] == "ci"


@needs_nginx
def test_a_prefix_and_an_old_protocol_change_nothing(tmp_path: Path) -> None:
    """An nginx speaks HTTP/1.0 to what is behind it unless told otherwise."""
    store, folder = tmp_path / "store", tmp_path / "nginx"
    store.mkdir()
    folder.mkdir()
    old = {"proxy_http_version 1.1;": "proxy_http_version 1.0;"}
    with (
        serving(small_world(store), settings(store, "/a/b")) as world,
        front(folder, world.url, store, old) as nginx,
    ):
        for target, fields in (
            (BIG_PATH, {}),
            (BIG_PATH, {"Range": "bytes=7-9"}),
            (BIG_PATH, {"Range": "bytes=7-9", "If-Range": TAG}),
            (SMALL_PATH, {}),
            ("/api/models/org/tiny", {}),
        ):
            pairs = [f"{key}: {value}" for key, value in fields.items()]
            root = world.url.removesuffix("/a/b")
            direct = ask(root, f"/a/b{target}", *pairs)
            assert direct.status in (200, 206)
            assert told(nginx.ask(f"/a/b{target}", fields)) == told(direct)


@needs_nginx
def test_a_blob_nginx_cannot_find_is_an_error_not_an_absence(tmp_path: Path) -> None:
    """Clients remember a 404 for good, and retry a 503."""
    store, folder = tmp_path / "store", tmp_path / "nginx"
    store.mkdir()
    folder.mkdir()
    with (
        serving(small_world(store), settings(store)) as world,
        front(folder, world.url, tmp_path / "elsewhere") as nginx,
    ):
        assert nginx.ask(BIG_PATH).status == 503


# --- who is handed what, without nginx ---------------------------------------------------


def test_a_program_that_asks_airlift_itself_gets_the_bytes(tmp_path: Path) -> None:
    """An empty file with status 200 would be taken for the model."""
    with serving(small_world(tmp_path), settings(tmp_path)) as world:
        assert ask(world.url, BIG_PATH).body == BIG
    untrusting = ServeSettings(
        port=0,
        proxies=proxies(["192.0.2.1"]),
        accel=Accel(prefix=PREFIX, root=tmp_path),
    )
    (tmp_path / "b").mkdir()
    with serving(small_world(tmp_path / "b"), untrusting) as world:
        assert ask(world.url, BIG_PATH, f"{ASKS}: {PREFIX}").body == BIG


WHOLE = Cut(status=200, stop=4)


@pytest.mark.parametrize(
    ("span", "fields", "cut", "location"),
    [
        ((0, 4), {}, WHOLE, "/-/store/a%20b/%23%3F"),
        ((0, 4), {"range": "bytes=1-2"}, Cut(status=206, start=1, stop=3), "same"),
        ((0, 4), {"range": "bytes=9-1"}, WHOLE, ""),
        ((0, 4), {"if-range": TAG}, WHOLE, ""),
        ((0, 4), {ASKS: "/other/"}, WHOLE, ""),
        ((0, 4), {}, Cut(status=304), ""),
        ((0, 3), {}, WHOLE, ""),
        ((1, 3), {}, WHOLE, ""),
        ((0, 5), {}, WHOLE, ""),
    ],
)
def test_only_what_nginx_would_cut_alike_is_handed_over(
    tmp_path: Path,
    span: tuple[int, int],
    fields: dict[str, str],
    cut: Cut,
    location: str,
) -> None:
    """A part of a pack, or a file shorter than it should be, would go out whole."""
    path = tmp_path / "a b" / "#?"
    path.parent.mkdir()
    path.write_bytes(b"1234")
    accel = Accel(prefix=PREFIX, root=tmp_path)
    place = Span(path=path, offset=span[0], length=span[1])
    expected = "/-/store/a%20b/%23%3F" if location == "same" else location
    assert accel.location(place, {ASKS: PREFIX, **fields}, cut) == expected


def test_a_blob_outside_the_store_is_not_handed_over(tmp_path: Path) -> None:
    """The location would name another file, or none."""
    accel = Accel(prefix=PREFIX, root=tmp_path / "store")
    (tmp_path / "file").write_bytes(b"1234")
    for name in ("file", "absent"):
        place = Span(path=tmp_path / name, offset=0, length=4)
        assert accel.location(place, {ASKS: PREFIX}, WHOLE) == ""
