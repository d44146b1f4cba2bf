"""Ollama's pull against the real server: parts, drops, tokens, TLS, digests."""

import json
import random
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

import private_ca
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.access.credentials import Proof
from airlift.serve.access.ollama_key import parse_key
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.ollama import OllamaLibrary
from airlift.serve.http.settings import ServeSettings
from airlift.store.span import Span
from clients.ollama_client import Ollama, PullError
from cutting import cutting
from guarded import Door
from hubs.gguf_file import Gguf, number, string, tensor
from hubs.ollama_registry import OllamaRegistry
from served import World, serving
from shelves import MemoryShelf, cargo
from wire import ask, clock

WEIGHTS = random.Random(11).randbytes(6_000_000)
MODEL = Gguf(
    keys=[string("general.architecture", "llama"), number("general.file_type", 7)],
    tensors=[tensor("a", [len(WEIGHTS)], kind=24)],
).whole(WEIGHTS)
FILES = {"tiny-Q8_0.gguf": MODEL, "LICENSE": b"Terms\n", "params": b'{"top_k": 3}'}
IMAGE = "application/vnd.ollama.image."
TABLE = (Distribution([OllamaLibrary()]),)
PART = 1_000_000
SPLIT = {f"big-Q4_0-0000{n}-of-00002.gguf": MODEL for n in (1, 2)}


@pytest.fixture
def shelf(tmp_path: Path) -> MemoryShelf:
    """A plain GGUF, and an upstream model with its manifest's exact bytes."""
    with OllamaRegistry() as registry:
        name = "library/tiny:1b"
        manifest = registry.push(name, [(f"{IMAGE}model", MODEL[:2_000_000])])
        files = registry.files(name)
    (tmp_path / "shelf").mkdir()
    return MemoryShelf(
        tmp_path / "shelf",
        [
            cargo(Kind.GGUF, "Acme/Tiny-GGUF", FILES),
            cargo(Kind.GGUF, "Acme/Split-GGUF", SPLIT),
            cargo(
                Kind.OLLAMA,
                "library/tiny",
                files,
                revision=sha256(manifest),
                refs=["1b", "latest"],
            ),
        ],
    )


@pytest.fixture
def world(shelf: MemoryShelf) -> Iterator[World]:
    """A server of both."""
    with serving(shelf, ServeSettings(port=0), TABLE) as running:
        yield running


@pytest.fixture
def ollama(tmp_path: Path) -> Ollama:
    """A host with nothing pulled."""
    return Ollama(models=tmp_path / "models", least_part=PART)


def at(world: World) -> str:
    """Return host and port of *world*."""
    return world.url.partition("://")[2]


def test_an_upstream_model_is_pulled_byte_for_byte(
    world: World, ollama: Ollama, shelf: MemoryShelf
) -> None:
    """Manifest included: its digest is the id that `ollama list` shows."""
    manifest = ollama.pull(f"{at(world)}/library/tiny")
    (live,) = shelf.releases(frozenset({Kind.OLLAMA}))
    assert sha256(manifest.read_bytes()) == live.release.revision
    assert ollama.held(manifest)[f"{IMAGE}model"] == MODEL[:2_000_000]


def test_a_plain_gguf_is_pulled_in_parts(world: World, ollama: Ollama) -> None:
    """Model, parameters, licence and configuration, each checked by its digest."""
    manifest = ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:q8_0")
    held = ollama.held(manifest)
    assert held[f"{IMAGE}model"] == MODEL
    assert held[f"{IMAGE}params"] == FILES["params"]
    assert held[f"{IMAGE}license"] == FILES["LICENSE"]
    assert json.loads(held["application/vnd.docker.container.image.v1+json"]) == {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "6M",
        "file_type": "Q8_0",
        "architecture": "amd64",
        "os": "linux",
    }
    # A manifest, four blobs asked twice, and the parts: seven of the model, three more.
    statuses = [entry["status"] for entry in world.entries(1 + 8 + 10)]
    assert (statuses.count(206), len(statuses)) == (10, 19)
    assert list(ollama.models.glob("blobs/*-partial*")) == []


def test_a_cut_part_is_resumed_from_where_it_broke(
    world: World, ollama: Ollama
) -> None:
    """A model has 40 GB; beginning again would never end on a bad line."""
    ollama.least_part = 10_000_000
    with cutting(world.url, after=1_500_000, times=3) as cuts:
        manifest = ollama.pull(f"{cuts.url.partition('://')[2]}/Acme/Tiny-GGUF:Q8_0")
    assert cuts.made == 3
    assert ollama.held(manifest)[f"{IMAGE}model"] == MODEL
    model = [one for one in world.settled() if sha256(MODEL) in str(one["path"])]
    sent = [int(str(one["bytes"])) for one in model if one["status"] == 206]
    assert len(sent) == 4
    assert min(sent) <= len(MODEL) - 3 * 1_500_000


def test_a_pull_goes_on_in_the_next_run(world: World, ollama: Ollama) -> None:
    """What the first run left on the disk is not fetched again."""
    ollama.least_part, ollama.pause_s = 10_000_000, 0
    with (
        cutting(world.url, after=500_000, times=100) as cuts,
        pytest.raises(PullError, match="max retries exceeded"),
    ):
        ollama.pull(f"{cuts.url.partition('://')[2]}/Acme/Tiny-GGUF:Q8_0")
    (record,) = ollama.models.glob("blobs/*-partial-0")
    done = json.loads(record.read_bytes())["Completed"]
    assert done >= 500_000
    before = len(world.entries())
    manifest = ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:Q8_0")
    assert ollama.held(manifest)[f"{IMAGE}model"] == MODEL
    later = world.entries()[before:]
    model = [e for e in later if sha256(MODEL) in str(e["path"]) and e["status"] == 206]
    assert [entry["bytes"] for entry in model] == [len(MODEL) - done]


def test_a_second_pull_fetches_the_manifest_alone(world: World, ollama: Ollama) -> None:
    """The same manifest names the same blobs, which are there."""
    ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:Q8_0")
    before = len(world.settled())
    ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:Q8_0")
    assert [entry["path"] for entry in world.settled()[before:]] == [
        "/v2/Acme/Tiny-GGUF/manifests/Q8_0"
    ]


def test_a_wrong_byte_is_seen_by_the_client(
    world: World, ollama: Ollama, shelf: MemoryShelf, tmp_path: Path
) -> None:
    """The one client that checks what it pulls; the server must not defeat it."""
    wrong = tmp_path / "wrong"
    wrong.write_bytes(MODEL[:-1] + b"\0")
    shelf.replace_span(sha256(MODEL), Span(path=wrong, offset=0, length=len(MODEL)))
    with pytest.raises(PullError, match="digest mismatch"):
        ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:Q8_0")


def test_what_is_not_held_does_not_exist(world: World, ollama: Ollama) -> None:
    """The client's own words for a 404."""
    with pytest.raises(PullError, match="file does not exist"):
        ollama.pull(f"{at(world)}/Acme/Nothing")


def test_shards_end_in_a_line_that_says_what_to_do(
    world: World, ollama: Ollama
) -> None:
    """The client prints the status and the answer as it stands: that must be enough."""
    with pytest.raises(PullError) as caught:
        ollama.pull(f"{at(world)}/Acme/Split-GGUF")
    status, _, answer = str(caught.value).partition(": ")
    assert status == "400"
    assert json.loads(answer)["errors"][0]["message"] == (
        "`big-Q4_0-00001-of-00002.gguf` is one of 2 shards; Ollama takes one file: "
        "carry it merged by `llama-gguf-split --merge`, or run this one with "
        "`llama-server -hf`"
    )
    assert not (ollama.models / "manifests").exists()


# --- under access control -------------------------------------------------------------


@pytest.fixture
def door() -> Door:
    """Access control whose clock goes right, as signatures need."""
    return Door(now=clock())


def test_a_known_host_pulls_with_its_key_alone(
    shelf: MemoryShelf, ollama: Ollama, door: Door
) -> None:
    """401, a signed request for a token, the manifest, and parts from signed paths."""
    mark = parse_key(ollama.public_key).text
    door.know("gpu-1", Proof.OLLAMA_KEY, mark, "models:Acme/*")
    with serving(shelf, door.settings(), TABLE) as world:
        manifest = ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:q8_0")
        entries = world.entries(1 + 1 + 19)
    assert ollama.held(manifest)[f"{IMAGE}model"] == MODEL
    assert [entry["status"] for entry in entries[:3]] == [401, 200, 200]
    assert [entry["path"] for entry in entries[:3]] == [
        "/v2/Acme/Tiny-GGUF/manifests/q8_0",
        "/token",
        "/v2/Acme/Tiny-GGUF/manifests/q8_0",
    ]
    assert [entry["status"] for entry in entries].count(206) == 10


def test_a_known_host_gets_nothing_beyond_what_it_may_have(
    shelf: MemoryShelf, ollama: Ollama, door: Door
) -> None:
    """The client shows its user what the server says."""
    mark = parse_key(ollama.public_key).text
    door.know("gpu-1", Proof.OLLAMA_KEY, mark, "models:Other/*")
    with (
        serving(shelf, door.settings(), TABLE) as world,
        pytest.raises(PullError, match="credential `gpu-1` does not cover"),
    ):
        ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:q8_0")


def test_a_strange_host_gets_no_token(
    shelf: MemoryShelf, ollama: Ollama, door: Door
) -> None:
    """Its key must be let in first; the message names it by its fingerprint."""
    door.token("somebody", "*")
    fingerprint = parse_key(ollama.public_key).fingerprint
    with (
        serving(shelf, door.settings(), TABLE) as world,
        pytest.raises(PullError) as caught,
    ):
        ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:q8_0")
    assert f"the key {fingerprint} of this Ollama host is not known here" in str(
        caught.value
    )


def test_parts_are_refused_without_the_signed_path(
    shelf: MemoryShelf, ollama: Ollama, door: Door
) -> None:
    """What comes without a credential is from anyone."""
    mark = parse_key(ollama.public_key).text
    door.know("gpu-1", Proof.OLLAMA_KEY, mark, "models:Acme/*")
    path = f"/v2/Acme/Tiny-GGUF/blobs/sha256:{sha256(MODEL)}"
    with serving(shelf, door.settings(), TABLE) as world:
        assert ask(world.url, path, "Range: bytes=0-9").status == 401
        assert ask(world.url, f"{path}?sig=0", "Range: bytes=0-9").status == 401


# --- names and TLS --------------------------------------------------------------------


def test_a_private_authority_is_enough(
    shelf: MemoryShelf, ollama: Ollama, tmp_path: Path
) -> None:
    """Go reads `SSL_CERT_FILE`; then no `--insecure` is needed."""
    authority, context = private_ca.issue(tmp_path)
    ollama.insecure = False
    ollama.context = ssl.create_default_context(cafile=str(authority))
    with serving(shelf, ServeSettings(port=0, tls=context), TABLE) as world:
        manifest = ollama.pull(f"{at(world)}/Acme/Tiny-GGUF:Q8_0")
    assert ollama.held(manifest)[f"{IMAGE}model"] == MODEL


@pytest.mark.parametrize(
    ("name", "kind"),
    [("registry.ollama.ai/library/tiny", 2_000_000), ("hf.co/Acme/Tiny-GGUF:Q8_0", 0)],
)
def test_the_original_names_work_where_the_sites_dns_leads_here(
    shelf: MemoryShelf, ollama: Ollama, name: str, kind: int
) -> None:
    """Nobody has to change a Modelfile or a script."""
    names = frozenset({"registry.ollama.ai", "hf.co"})
    settings = ServeSettings(port=0, host_names=names)
    with serving(shelf, settings, TABLE) as world:
        host, _, port = at(world).partition(":")
        ollama.address = (host, int(port))
        manifest = ollama.pull(name)
    expected = MODEL[:kind] if kind else MODEL
    assert ollama.held(manifest)[f"{IMAGE}model"] == expected


@pytest.mark.parametrize(
    "name", ["h:1/a.b/c", "h:1/a", "h:1/a/b/c", "h:1/a/" + "x" * 81]
)
def test_the_client_refuses_names_that_the_alias_is_for(
    ollama: Ollama, name: str
) -> None:
    """Without a request: nothing a server answers could help."""
    with pytest.raises(PullError, match="invalid model name"):
        ollama.pull(name)
