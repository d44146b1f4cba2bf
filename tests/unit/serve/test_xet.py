"""The content-addressed store made of plain files, read back as its client would."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import wire
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.access.scope import parse_all
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.dialect import (
    Answer,
    BlobBody,
    Caller,
    JoinedBody,
    Pass,
    Request,
    Shelf,
)
from airlift.serve.http.settings import ServeSettings
from airlift.serve.hub.huggingface import HuggingFace
from airlift.serve.hub.xet import CHUNK_BYTES, XORB_BYTES, Xet
from served import grow, serving, small_world
from shelves import MemoryShelf, cargo

COMMIT = "a" * 40
WEIGHTS = random.Random(7).randbytes(XORB_BYTES + 3 * CHUNK_BYTES + 5)
"""Two pseudo-xorbs; the second has three full chunks and one of five bytes."""
SMALL = random.Random(8).randbytes(2000)
URL = "http://models:8484/mirror"
PYTHON = {"user-agent": "unknown/None; hf_hub/2.4.0; python/3.11.7"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> MemoryShelf:
    """A model with a large, a small and a tiny file."""
    files = {"big.bin": WEIGHTS, "small.bin": SMALL, "config.json": b"{}"}
    release = cargo(Kind.MODEL, "org/big", files, revision=COMMIT, refs=["main"])
    return MemoryShelf(tmp_path_factory.mktemp("shelf"), [release])


def ask(shelf: Shelf, path: str, **more: Any) -> Answer:
    """Return the store's answer to a GET of *path*, which must be its own."""
    request = Request(**{"method": "GET", "path": path, "base_url": URL, **more})
    answer = Xet().answer(request, shelf)
    assert answer is not None
    return answer


def plan(shelf: Shelf, content: bytes, wanted: str = "") -> Answer:
    """Return the answer to how *content* is to be put together."""
    headers = {"range": wanted} if wanted else {}
    path = f"/xet/v1/reconstructions/{sha256(content)}"
    return ask(shelf, path, headers=headers)


def rebuilt(shelf: MemoryShelf, planned: Mapping[str, Any], length: int) -> bytes:
    """Put the bytes together as the client does: by term, chunk and offset."""
    found = bytearray()
    for term in planned["terms"]:
        (fetch,) = planned["fetch_info"][term["hash"]]
        assert fetch["range"] == term["range"]
        span = fetch["url_range"]
        body = ask(shelf, fetch["url"].removeprefix(URL)).body
        assert isinstance(body, JoinedBody)
        assert span["end"] < body.size
        chunks = unpacked(read(shelf, body, span["start"], span["end"] + 1))
        assert len(chunks) == term["range"]["end"] - term["range"]["start"]
        assert sum(map(len, chunks)) == term["unpacked_length"]
        found += b"".join(chunks)
    skipped = planned["offset_into_first_range"]
    return bytes(found[skipped : skipped + length])


def read(shelf: MemoryShelf, body: JoinedBody, start: int, stop: int) -> bytes:
    """Return the bytes of *body* from *start* up to *stop*."""
    found, at = bytearray(), 0
    for piece in body.pieces:
        long = len(piece) if isinstance(piece, bytes) else piece.stop - piece.start
        low, high = max(start - at, 0), min(stop - at, long)
        at += long
        if low >= high:
            continue
        if isinstance(piece, bytes):
            found += piece[low:high]
        else:
            begins = piece.start
            found += shelf.read(piece.sha256, begins + low, begins + high) or b""
    return bytes(found)


def unpacked(packed: bytes) -> list[bytes]:
    """Return the chunks of a stretch of a xorb, each stored as it is."""
    chunks, at = [], 0
    while at < len(packed):
        head = packed[at : at + 8]
        stored, plain = (int.from_bytes(head[n : n + 3], "little") for n in (1, 5))
        assert (head[0], head[4], stored) == (0, 0, plain)
        chunks.append(packed[at + 8 : at + 8 + plain])
        at += 8 + plain
    assert at == len(packed)
    return chunks


# --- putting a file together ----------------------------------------------------------


@pytest.mark.parametrize("content", [WEIGHTS, SMALL, b"{}"], ids=len)
def test_a_whole_file_comes_back_byte_for_byte(
    shelf: MemoryShelf, content: bytes
) -> None:
    """The client checks nothing, so every byte is this server's word."""
    answer = plan(shelf, content)
    assert isinstance(answer.body, bytes)
    assert rebuilt(shelf, json.loads(answer.body), len(content)) == content


BOUNDARIES = [0, 1, CHUNK_BYTES, XORB_BYTES, len(WEIGHTS)]
positions = st.one_of(
    st.integers(0, len(WEIGHTS) - 1),
    st.builds(
        lambda at, by: min(max(at + by, 0), len(WEIGHTS) - 1),
        st.sampled_from(BOUNDARIES),
        st.integers(-2, 2),
    ),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=positions, length=st.integers(1, 3 * CHUNK_BYTES))
@example(first=XORB_BYTES - 1, length=2)
@example(first=XORB_BYTES, length=1)
@example(first=0, length=XORB_BYTES)
def test_any_range_of_a_file_comes_back_byte_for_byte(
    shelf: MemoryShelf, first: int, length: int
) -> None:
    """A cut download goes on anywhere; the offset counts inside the first chunk."""
    answer = plan(shelf, WEIGHTS, f"bytes={first}-{first + length - 1}")
    assert isinstance(answer.body, bytes)
    wanted = WEIGHTS[first : first + length]
    assert rebuilt(shelf, json.loads(answer.body), len(wanted)) == wanted


def test_a_plan_names_parts_of_64_mib_at_addresses_of_this_server(
    shelf: MemoryShelf,
) -> None:
    """The exact shape the client reads; it fetches the parts side by side."""
    answer = plan(shelf, WEIGHTS, f"bytes={XORB_BYTES - 10}-{len(WEIGHTS) + 99}")
    assert isinstance(answer.body, bytes)
    planned = json.loads(answer.body)
    one, two = (term["hash"] for term in planned["terms"])
    name = sha256(WEIGHTS)
    assert planned == {
        "offset_into_first_range": CHUNK_BYTES - 10,
        "terms": [
            {
                "hash": one,
                "unpacked_length": CHUNK_BYTES,
                "range": {"start": 511, "end": 512},
            },
            {
                "hash": two,
                "unpacked_length": 3 * CHUNK_BYTES + 5,
                "range": {"start": 0, "end": 4},
            },
        ],
        "fetch_info": {
            one: [
                {
                    "range": {"start": 511, "end": 512},
                    "url": f"{URL}/xet/xorbs/{name}/0",
                    "url_range": {
                        "start": 511 * (CHUNK_BYTES + 8),
                        "end": 512 * (CHUNK_BYTES + 8) - 1,
                    },
                }
            ],
            two: [
                {
                    "range": {"start": 0, "end": 4},
                    "url": f"{URL}/xet/xorbs/{name}/1",
                    "url_range": {"start": 0, "end": 3 * CHUNK_BYTES + 5 + 4 * 8 - 1},
                }
            ],
        },
    }


def test_parts_of_different_bytes_have_different_names(shelf: MemoryShelf) -> None:
    """The client keeps parts on disk by name: one name for two would mix models."""
    names = set()
    for content in (WEIGHTS, SMALL, b"{}"):
        answer = plan(shelf, content)
        assert isinstance(answer.body, bytes)
        names |= {term["hash"] for term in json.loads(answer.body)["terms"]}
    assert len(names) == 4
    assert not names & {sha256(WEIGHTS), sha256(SMALL), sha256(b"{}")}


@pytest.mark.parametrize("wanted", ["bytes=2000-", "bytes=2000-2001", "bytes=9-8"])
def test_a_range_beyond_the_file_is_refused(shelf: MemoryShelf, wanted: str) -> None:
    """The client asks on until it is told that there is no more."""
    assert plan(shelf, SMALL, wanted).status == 416


@pytest.mark.parametrize("wanted", ["bytes=-5", "bytes=a-b", "bytes=0-1,4-5", "x"])
def test_a_range_that_is_not_understood_is_ignored(
    shelf: MemoryShelf, wanted: str
) -> None:
    """As HTTP has it."""
    assert plan(shelf, SMALL, wanted) == plan(shelf, SMALL)


def test_a_file_of_51_gb_is_planned_at_once(tmp_path: Path) -> None:
    """What the store is for: nothing of the file is read to answer."""
    held = small_world(tmp_path)
    size = 51_000_000_000
    grow(held, size)
    (release,) = held.releases(frozenset([Kind.MODEL]))
    file = held.file(release.id, "model.safetensors")
    assert file is not None
    answer = ask(held, f"/xet/v1/reconstructions/{file.sha256}")
    assert isinstance(answer.body, bytes)
    terms = json.loads(answer.body)["terms"]
    assert sum(term["unpacked_length"] for term in terms) == size
    assert len(terms) == 760
    last = ask(held, f"/xet/xorbs/{file.sha256}/759").body
    assert isinstance(last, JoinedBody)
    rest = b"".join(unpacked(read(held, last, 0, last.size)))
    assert rest == b"\0" * (size - 759 * XORB_BYTES)


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        f"/xet/v1/reconstructions/{'0' * 64}",
        "/xet/v1/reconstructions/nope",
        "/xet/v1/reconstructions/%2e%2e",
        f"/xet/v1/reconstructions/{sha256(SMALL).upper()}",
        f"/xet/v2/reconstructions/{sha256(SMALL)}",
        f"/xet/xorbs/{'0' * 64}/0",
        f"/xet/xorbs/{sha256(SMALL)}/1",
        f"/xet/xorbs/{sha256(SMALL)}/-1",
        f"/xet/xorbs/{sha256(SMALL)}/00",
        f"/xet/xorbs/{sha256(SMALL)}/\u0661",
        f"/xet/xorbs/{sha256(SMALL)}/9999999999999999999999",
        "/xet/v1/telemetry",
        "/xet/v1/",
    ],
)
def test_what_is_not_here_is_a_404(shelf: MemoryShelf, path: str) -> None:
    """The second version of the protocol too: the client then asks by the first."""
    assert ask(shelf, path).status == 404


@pytest.mark.parametrize(
    "path", ["/xet", "/xet/", "/xet/tiny/resolve/main/f", "/xets/v1/x", "/v1/telemetry"]
)
def test_paths_of_others_are_left_to_others(shelf: MemoryShelf, path: str) -> None:
    """An organisation may be called `xet`."""
    assert Xet().answer(Request(method="GET", path=path), shelf) is None


def test_what_a_caller_may_not_have_is_not_here(shelf: MemoryShelf) -> None:
    """A digest is no permission: strangers sign in, others learn nothing."""
    nothing = ScopedShelf(shelf, parse_all(["models:other/*"]))
    name = sha256(WEIGHTS)
    for path in (f"/xet/v1/reconstructions/{name}", f"/xet/xorbs/{name}/0"):
        known, stranger = Caller(name="bob"), Caller(may_sign_in=True)
        assert ask(nothing, path, caller=known).status == 404
        assert ask(nothing, path, caller=stranger).status == 401


def test_addresses_of_parts_are_signed(shelf: MemoryShelf) -> None:
    """The client fetches them without its credential."""
    path = f"/xet/v1/reconstructions/{sha256(SMALL)}"
    answer = ask(shelf, path, sign=lambda path: f"{path}?sig=x")
    assert isinstance(answer.body, bytes)
    (fetch,) = next(iter(json.loads(answer.body)["fetch_info"].values()))
    assert fetch["url"] == f"{URL}/xet/xorbs/{sha256(SMALL)}/0?sig=x"


# --- how clients are sent here ----------------------------------------------------------


def hub(shelf: Shelf, path: str, least: int = 1000, **more: Any) -> Answer:
    """Return the hub's answer where the store is served beside it."""
    request = Request(**{"method": "HEAD", "path": path, "base_url": URL, **more})
    answer = HuggingFace(http_limit_bytes=10**7, xet=True, xet_least_bytes=least)
    got = answer.answer(request, shelf)
    assert got is not None
    return got


def advertised(answer: Answer) -> dict[str, str]:
    """Return the headers that send a client to the store."""
    return {k: v for k, v in answer.headers if k in ("X-Xet-Hash", "Link")}


def test_pythons_client_is_sent_to_the_store_and_told_the_size(
    shelf: MemoryShelf,
) -> None:
    """Its xet library needs the size, also above what it takes over plain HTTP."""
    got = hub(shelf, "/org/big/resolve/main/big.bin", headers=PYTHON)
    route = f"{URL}/api/models/org/big/xet-read-token/{COMMIT}"
    assert advertised(got) == {
        "X-Xet-Hash": sha256(WEIGHTS),
        "Link": f'<{route}>; rel="xet-auth"',
    }
    assert got.body == BlobBody(
        sha256=sha256(WEIGHTS), size=len(WEIGHTS), etag=sha256(WEIGHTS)
    )


@pytest.mark.parametrize(
    ("path", "headers", "least"),
    [
        ("/org/big/resolve/main/big.bin", {"user-agent": "llama-cpp"}, 1000),
        ("/org/big/resolve/main/big.bin", {}, 1000),
        ("/org/big/resolve/main/big.bin", PYTHON, len(WEIGHTS) + 1),
        ("/org/big/resolve/main/config.json", PYTHON, 1000),
        ("/org/big/raw/main/big.bin", PYTHON, 1000),
    ],
)
def test_others_and_small_files_are_served_plainly(
    shelf: MemoryShelf, path: str, headers: Mapping[str, str], least: int
) -> None:
    """A client that cannot speak it would fail without falling back."""
    assert advertised(hub(shelf, path, least, headers=headers)) == {}


def test_an_empty_file_is_served_plainly(tmp_path: Path) -> None:
    """There is no chunk to name."""
    held = MemoryShelf(tmp_path, [cargo(Kind.MODEL, "o/m", {"empty": b""})])
    assert advertised(hub(held, "/o/m/resolve/main/empty", 0, headers=PYTHON)) == {}


def test_listings_never_name_it(shelf: MemoryShelf) -> None:
    """One field there makes every client skip the headers that say whether it may."""
    for path in (
        "/api/models/org/big/tree/main",
        "/api/models/org/big",
        "/api/models/org/big/revision/main",
    ):
        query = (("recursive", "true"), ("blobs", "true"), ("expand", "true"))
        got = hub(shelf, path, headers=PYTHON, query=query)
        assert b"xet" not in repr(got).lower().encode()


def test_a_token_says_where_the_store_is(shelf: MemoryShelf) -> None:
    """In headers for the client, in JSON for its xet library, which asks later."""
    path = f"/api/models/org/big/xet-read-token/{COMMIT}"
    issued = Pass(bearer="short-lived", expires=1_800_000_000)
    got = hub(shelf, path, issue=lambda: issued)
    headers = dict(got.headers)
    assert isinstance(got.body, bytes)
    assert json.loads(got.body) == {
        "casUrl": f"{URL}/xet",
        "exp": 1_800_000_000,
        "accessToken": "short-lived",
    }
    assert headers["X-Xet-Cas-Url"] == f"{URL}/xet"
    assert headers["X-Xet-Access-Token"] == "short-lived"
    assert headers["X-Xet-Token-Expiration"] == "1800000000"
    assert headers["Cache-Control"] == "no-store"


def test_a_token_is_for_a_repository_the_caller_may_have(shelf: MemoryShelf) -> None:
    """The route answers about repositories like every other."""
    nothing = ScopedShelf(shelf, parse_all(["models:other/*"]))
    path = f"/api/models/org/big/xet-read-token/{COMMIT}"
    for caller, status in (
        (Caller(may_sign_in=True), 401),
        (Caller(name="bob"), 403),
    ):
        assert hub(nothing, path, caller=caller).status == status
    missing = "/api/models/org/big/xet-read-token/nope"
    assert dict(hub(shelf, missing).headers)["X-Error-Code"] == "RevisionNotFound"


def test_a_part_goes_out_with_ranges(shelf: MemoryShelf) -> None:
    """Over the wire: headers of chunks and bytes of the file, cut anywhere."""
    with serving(shelf, ServeSettings(port=0), [Xet()]) as world:
        target = f"/xet/xorbs/{sha256(WEIGHTS)}/1"
        whole = wire.ask(world.url, target)
        part = wire.ask(world.url, target, "Range: bytes=5-131090")
    assert b"".join(unpacked(whole.body)) == WEIGHTS[XORB_BYTES:]
    assert (part.status, part.body) == (206, whole.body[5:131_091])
    assert part.headers["content-range"] == f"bytes 5-131090/{len(whole.body)}"
