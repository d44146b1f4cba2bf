"""Rust's hf-hub: version 1 inside a published package, version 0.4 by its requests."""

import json
import math
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import private_ca
import venvs
import wire
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.http.settings import ServeSettings
from clients import minilm
from cutting import cutting
from guarded import Door
from served import World, serving
from shelves import MemoryShelf, cargo, git_oid
from wire import clock

pytestmark = pytest.mark.clients

PACKAGE = "embed-anything==0.7.1"
COMMIT = "a" * 40
SENTENCES = [
    "A cat sits on the mat.",
    "A kitten is resting on a rug.",
    "The central bank raised interest rates.",
]
_CODE = """
import json, sys, embed_anything
from embed_anything import EmbeddingModel
model = EmbeddingModel.from_pretrained_hf(sys.argv[1])
found = embed_anything.embed_query(json.loads(sys.argv[2]), embedder=model)
print(json.dumps([one.embedding for one in found]))
"""


@pytest.fixture(scope="module")
def files(environments: Path) -> Mapping[str, bytes]:
    """The model's files."""
    return minilm.files(environments)


@pytest.fixture(scope="module")
def shelf(
    files: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> MemoryShelf:
    """The model, live."""
    folder = tmp_path_factory.mktemp("shelf")
    release = cargo(Kind.MODEL, minilm.NAME, files, revision=COMMIT, refs=["main"])
    return MemoryShelf(folder, [release])


@pytest.fixture(scope="module")
def world(shelf: MemoryShelf) -> Iterator[World]:
    """A server below a path prefix."""
    with serving(shelf, ServeSettings(port=0, prefix="/mirror/hf")) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Rust:
    """The package, with a cache of its own."""

    bins: Path
    home: Path
    url: str

    def embed(self, sentences: Sequence[str], **more: str) -> list[list[float]]:
        """Return the vector of each sentence."""
        done = subprocess.run(
            [self.bins / "python", "-c", _CODE, minilm.NAME, json.dumps(sentences)],
            env={
                "PATH": os.defpath,
                "HOME": str(self.home),
                "HF_HOME": str(self.home / "hf"),
                "HF_ENDPOINT": self.url,
                **more,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: list[list[float]] = json.loads(done.stdout.splitlines()[-1])
        return found

    def cached(self) -> dict[str, bytes]:
        """Return the files of the snapshot in the cache, by path."""
        root = self.home / "hf/hub/models--sentence-transformers--all-MiniLM-L6-v2"
        snapshot = root / "snapshots" / COMMIT
        return {
            path.relative_to(snapshot).as_posix(): path.read_bytes()
            for path in snapshot.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def rust(environments: Path, tmp_path: Path, world: World) -> Rust:
    """A client of the shared server with an empty cache."""
    bins = venvs.make(environments, PACKAGE)
    return Rust(bins=bins, home=tmp_path, url=world.url)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of the angle between two vectors."""
    product = sum(x * y for x, y in zip(one, other, strict=True))
    return product / math.sqrt(sum(x * x for x in one) * sum(y * y for y in other))


def test_a_model_is_loaded_and_means_something(
    rust: Rust, files: Mapping[str, bytes]
) -> None:
    """Real weights, byte for byte, and vectors that tell like from unlike."""
    cat, kitten, bank = rust.embed(SENTENCES)
    assert len(cat) == 384
    assert cosine(cat, kitten) > cosine(cat, bank) + 0.3
    cached = rust.cached()
    assert "model.safetensors" in cached
    assert {path: files[path] for path in cached} == cached


def test_a_token_opens_what_is_closed(rust: Rust, shelf: MemoryShelf) -> None:
    """The variable is that of Python's client."""
    door = Door(clock())
    token = door.token("alice", "models:sentence-transformers/*")
    with serving(shelf, ServeSettings(port=0, access=door.access())) as closed:
        mine = replace(rust, url=closed.url)
        with pytest.raises(AssertionError, match="set HF_TOKEN to a token"):
            mine.embed(SENTENCES[:1])
        assert len(mine.embed(SENTENCES[:1], HF_TOKEN=token)) == 1


def test_a_private_authority_is_trusted_by_one_variable(
    rust: Rust, shelf: MemoryShelf, tmp_path: Path
) -> None:
    """As for Python's client."""
    ca, context = private_ca.issue(tmp_path)
    with serving(shelf, ServeSettings(port=0, tls=context)) as world:
        mine = replace(rust, url=world.url)
        assert len(mine.embed(SENTENCES[:1], SSL_CERT_FILE=str(ca))) == 1


def test_a_cut_download_never_leaves_a_short_file(
    rust: Rust, world: World, files: Mapping[str, bytes]
) -> None:
    """It may fail or go on; what is in the cache afterwards is whole."""
    with cutting(world.url, after=30_000_000, times=1) as cuts:
        mine = replace(rust, url=cuts.url)
        try:
            mine.embed(SENTENCES[:1])
        except AssertionError:
            mine.embed(SENTENCES[:1])
        assert cuts.made == 1
    cached = rust.cached()
    assert {path: files[path] for path in cached} == cached


# --- hf-hub 0.4, as text-embeddings-inference has it ------------------------------------


def test_the_requests_of_version_0_4_are_answered(
    world: World, files: Mapping[str, bytes]
) -> None:
    """First one byte, then parts side by side, the last one byte beyond the end.

    Its program is in no package index; these are the requests of its source: the
    commit, a tag and the size come out of the first, and the file of the others.
    """
    part = 10_000_000
    for path in ("config.json", "model.safetensors"):
        content = files[path]
        target = f"/mirror/hf/{minilm.NAME}/resolve/main/{path}"
        first = wire.ask(world.url, target, "Range: bytes=0-0")
        size = int(first.headers["content-range"].rpartition("/")[2])
        tag = sha256(content) if size >= 1000 else git_oid(content)
        assert first.headers["x-repo-commit"] == COMMIT
        assert first.headers["etag"].strip('"') == tag
        found = bytearray()
        for start in range(0, size, part):
            wanted = f"Range: bytes={start}-{min(start + part, size)}"
            got = wire.ask(world.url, target, wanted)
            assert got.status == 206
            found[start:] = got.body[: size - start]
        assert bytes(found) == content
