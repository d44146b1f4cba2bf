"""llama-server, node-llama-cpp and ramalama: choose, resume, sign in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import venvs
from airlift.artifact import Kind
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.ollama import OllamaLibrary
from airlift.serve.hub.huggingface import HuggingFace
from clients import of_llama
from clients.llama_host import Llama
from clients.matrix import Failed, Place, run
from cutting import cutting
from guarded import Door
from hubs.gguf_file import Gguf, number, string, tensor
from served import World, serving
from shelves import MemoryShelf, cargo

pytestmark = pytest.mark.clients

TABLE = (Distribution([OllamaLibrary()]), HuggingFace())


def noise(name: str, size: int = 4_000_000) -> bytes:
    """Return a GGUF file whose weights are not worth loading."""
    keys = [string("general.architecture", "llama"), string("general.name", name)]
    keys.append(number("general.file_type", 7))
    file = Gguf(keys=keys, tensors=[tensor("token_embd.weight", [size], kind=24)])
    return file.whole(bytes(size))


TINY = {
    "tiny-Q2_K.gguf": noise("two"),
    "tiny-Q4_K_M.gguf": noise("four"),
    "tiny-Q8_0.gguf": noise("eight"),
    "sub/big-F16-00001-of-00002.gguf": noise("one of two"),
    "sub/big-F16-00002-of-00002.gguf": noise("two of two"),
}
EIGHTS = {"a-Q6_K.gguf": noise("six"), "a-Q8_0.gguf": noise("eight")}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> MemoryShelf:
    """Two repositories of noise in several quantisations."""
    return MemoryShelf(
        tmp_path_factory.mktemp("shelf"),
        [
            cargo(Kind.GGUF, "Acme/Tiny-GGUF", TINY, refs=["main"]),
            cargo(Kind.GGUF, "Acme/Eights-GGUF", EIGHTS, refs=["main"]),
        ],
    )


@pytest.fixture
def door() -> Door:
    """Access control, off until somebody is let in."""
    return Door()


@pytest.fixture
def world(shelf: MemoryShelf, door: Door) -> Iterator[World]:
    """A server of the noise."""
    with serving(shelf, door.settings(), TABLE) as running:
        yield running


@pytest.fixture
def llama(environments: Path, tmp_path: Path) -> Llama:
    """A host with an empty cache."""
    return Llama(environments=environments, home=tmp_path)


# --- llama-server ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "file"),
    [
        ("Acme/Tiny-GGUF:Q8_0", "tiny-Q8_0.gguf"),
        ("Acme/Tiny-GGUF:q8_0", "tiny-Q8_0.gguf"),
        ("acme/tiny-gguf:Q2_K", "tiny-Q2_K.gguf"),
        ("Acme/Tiny-GGUF", "tiny-Q4_K_M.gguf"),
        ("Acme/Eights-GGUF", "a-Q8_0.gguf"),
    ],
)
def test_llama_server_chooses_a_quantisation(
    world: World, llama: Llama, wanted: str, file: str
) -> None:
    """In any case; without one Q4_K_M, else Q8_0. Nothing else is downloaded."""
    got = llama.fetch(Place(url=world.url), wanted)
    assert list(got) == [file]
    assert got[file] == {**TINY, **EIGHTS}[file]


def test_llama_server_takes_every_shard(world: World, llama: Llama) -> None:
    """The first names the others by their numbers."""
    got = llama.fetch(Place(url=world.url), "Acme/Tiny-GGUF:F16")
    assert got == {path: data for path, data in TINY.items() if "sub/" in path}


def test_llama_server_goes_on_after_a_drop(world: World, llama: Llama) -> None:
    """In the same run, from where it broke."""
    with cutting(world.url, after=1_500_000, times=2) as cuts:
        got = llama.fetch(Place(url=cuts.url), "Acme/Tiny-GGUF:Q8_0")
    assert got == {"tiny-Q8_0.gguf": TINY["tiny-Q8_0.gguf"]}
    assert cuts.made == 2
    assert [entry["status"] for entry in world.entries()].count(206) == 2


def test_llama_server_signs_in_with_a_token(
    world: World, llama: Llama, door: Door
) -> None:
    """It drops tokens of any other shape than the hub's, so ours have that shape."""
    token = door.token("gpu-host", "models:Acme/*")
    assert llama.fetch(Place(url=world.url), "Acme/Tiny-GGUF:Q8_0") == {}
    got = llama.fetch(Place(url=world.url, token=token), "Acme/Tiny-GGUF:Q8_0")
    assert got == {"tiny-Q8_0.gguf": TINY["tiny-Q8_0.gguf"]}


# --- node-llama-cpp -------------------------------------------------------------------------


def node(environments: Path, home: Path, place: Place, uri: str) -> bytes:
    """Return the bytes that node-llama-cpp resolves *uri* to."""
    packages = venvs.node(environments, of_llama.NODE)
    script = packages / "resolve.mjs"
    script.write_text(of_llama.RESOLVE)
    words: list[str | Path] = ["node", script, uri, home / "models"]
    printed = run(words, of_llama.told(place, home), home=home)
    return Path(printed.splitlines()[-1]).read_bytes()


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("hf:Acme/Tiny-GGUF:q8_0", "tiny-Q8_0.gguf"),
        ("hf:Acme/Tiny-GGUF", "tiny-Q4_K_M.gguf"),
        ("hf:Acme/Tiny-GGUF/tiny-Q2_K.gguf", "tiny-Q2_K.gguf"),
    ],
)
def test_node_llama_cpp_finds_a_model(
    world: World, environments: Path, tmp_path: Path, uri: str, file: str
) -> None:
    """By quantisation, by default and by file; it asks for manifests as Ollama does."""
    found = node(environments, tmp_path, Place(url=world.url), uri)
    assert found == TINY[file]


def test_node_llama_cpp_goes_on_after_a_drop(
    world: World, environments: Path, tmp_path: Path
) -> None:
    """It fetches ranges on several connections; each is asked for again."""
    with cutting(world.url, after=1_000_000, times=2) as cuts:
        place = Place(url=cuts.url)
        found = node(environments, tmp_path, place, "hf:Acme/Tiny-GGUF:q8_0")
    assert found == TINY["tiny-Q8_0.gguf"]
    assert cuts.made == 2


def test_node_llama_cpp_says_that_a_quantisation_is_not_held(
    world: World, environments: Path, tmp_path: Path
) -> None:
    """Its own words for a 404; anything else would read like a broken server."""
    with pytest.raises(Failed, match='Cannot get quantization "Q5_K_M"'):
        node(environments, tmp_path, Place(url=world.url), "hf:Acme/Tiny-GGUF:Q5_K_M")


# --- ramalama ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "file"),
    [
        ("hf://Acme/Tiny-GGUF:Q8_0", "tiny-Q8_0.gguf"),
        ("hf://Acme/Tiny-GGUF", "tiny-Q4_K_M.gguf"),
        ("hf://Acme/Tiny-GGUF/tiny-Q2_K.gguf", "tiny-Q2_K.gguf"),
    ],
)
def test_ramalama_pulls_a_model(
    world: World, environments: Path, tmp_path: Path, model: str, file: str
) -> None:
    """Its first request of each file is a range of all of it."""
    bins = venvs.make(environments, of_llama.RAMALAMA)
    words: list[str | Path] = [bins / "ramalama", "--nocontainer"]
    words += ["--store", tmp_path / "store", "pull", model]
    run(words, of_llama.told(Place(url=world.url), tmp_path), home=tmp_path)
    found = list(tmp_path.glob(f"store/store/huggingface/**/snapshots/*/{file}"))
    assert [path.read_bytes() for path in found] == [TINY[file]]
