"""What a page offers is served: its commands and links, asked of the other dialects."""

import hashlib
import json
import shlex
from collections.abc import Iterator

import pytest

from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.serve.dialect import Answer, BlobBody, Dialect, JoinedBody, Request, Shelf
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.oci import libraries
from airlift.serve.distribution.ollama import OllamaLibrary
from airlift.serve.hub.huggingface import HuggingFace
from airlift.serve.wheels.simple_index import SimpleIndex
from hubs import gguf_file
from page_world import DATA, GGUF, LLM, WHEELS, World, document, small_site

TINY = gguf_file.model(500)
LAYER = sha256(TINY)
LONG = "dotted.org/" + "x" * 90
DIGEST = {"digest": f"sha256:{LAYER}", "size": len(TINY)}
MODEL = {"mediaType": "application/vnd.ollama.image.model", **DIGEST}
CONFIG = {"mediaType": "application/vnd.docker.container.image.v1+json", **DIGEST}
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": CONFIG,
        "layers": [MODEL],
    }
).encode()


class Ready:
    """Digests of layers, computed when they are asked for."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def sha256(self, body: JoinedBody) -> Sha256:
        """Return the digest of *body*'s bytes."""
        hasher = hashlib.sha256()
        for one in body.pieces:
            if isinstance(one, bytes):
                hasher.update(one)
            else:
                hasher.update(self._shelf.read(one.sha256, one.start, one.stop) or b"")
        return Sha256(hasher.hexdigest())

    def done(self, body: JoinedBody) -> int:
        """Return how far it is: to the end."""
        return body.size


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A site with models that clients can really load, and odd names."""
    one = small_site(tmp_path_factory.mktemp("full"))
    one.site.hold(TINY, MANIFEST)
    quants = {"m-Q4_K_M.gguf": TINY, "m-Q8_0.gguf": TINY}
    verbatim = {"manifest.json": MANIFEST, f"blobs/sha256-{LAYER}": TINY}
    shards = {f"m-Q4_K_M-0000{n}-of-00002.gguf": TINY for n in (1, 2)}
    one.bring(
        document(Kind.GGUF, "Org/Model-GGUF", quants),
        document(Kind.GGUF, LONG, quants),
        document(Kind.FOLDER, "inhouse", quants),
        document(Kind.GGUF, "org/split", shards),
        *(
            document(kind, name, verbatim, refs=["270m"], revision=sha256(MANIFEST))
            for kind, name in (
                (Kind.OLLAMA, "library/tiny"),
                (Kind.OLLAMA, "host_5000/ns/tiny"),
                (Kind.OCI, "ghcr.example/ns/kit"),
            )
        ),
        document(Kind.MODEL, "Same/Name", {"config.json": b"{}"}),
        document(Kind.MODEL, "same/name", {"config.json": b"{}"}),
    )
    return one


def names(one: World) -> list[tuple[str, str]]:
    """Return the path of the page of every live release, with its name."""
    return [
        (f"/-/releases/{held.id}", held.release.name)
        for held in one.site.registry.releases()
        if held.state == "live"
    ]


def served(one: World, path: str) -> Answer | None:
    """Return what the other dialects answer to a GET of *path*."""
    libraries_ = (OllamaLibrary(), *libraries(Ready(one.shelf)))
    table: tuple[Dialect, ...] = (
        SimpleIndex(),
        Distribution(libraries_),
        HuggingFace(),
    )
    headers = {"host": "models:8484", "accept": "*/*"}
    request = Request(
        method="GET", path=path, base_url="http://models:8484", headers=headers
    )
    return next(filter(None, (each.answer(request, one.shelf) for each in table)), None)


def asked_first(words: list[str]) -> Iterator[str]:
    """Yield the paths that the client of a command asks for first."""
    match words:
        case ["export", *_] | ["ollama", "run", _]:
            return
        case ["hf", "download", "--repo-type", "dataset", name, "--revision", commit]:
            yield f"/api/datasets/{name}/revision/{commit}"
        case ["hf" | "vllm", "download" | "serve", name, "--revision", commit]:
            yield f"/api/models/{name}/revision/{commit}"
        case ["llama-server", "-hf", wanted]:
            name, _, tag = wanted.partition(":")
            yield f"/api/models/{name}/refs"
            yield f"/v2/{name}/manifests/{tag or 'latest'}"
        case ["ollama" | "podman" | "oras", "pull", *_, reference]:
            host, _, rest = reference.partition("/")
            name, _, tag = rest.rpartition(":") if ":" in rest else (rest, "", "latest")
            assert host == "models:8484"
            yield f"/v2/{name}/manifests/{tag}"
        case ["pip" | "uv", *_, wanted]:
            yield f"/simple/{wanted.partition('==')[0].replace('_', '-')}/"
        case _:
            pytest.fail(f"a command nobody here understands: {words}")


def test_every_command_asks_for_something_that_is_served(full: World) -> None:
    """A catalogue that promises what the next command refuses is not believed again."""
    clients: set[str] = set()
    for page, name in names(full):
        found = full.read(page)
        texts = zip(found.said("h3"), found.by_tag.get("pre", []), strict=True)
        for client, text in texts:
            if "Python" in client or "volume" in client:
                continue
            clients.add(client)
            if (client, name) == ("llama.cpp", "org/split"):
                continue  # a manifest is one file; llama.cpp reads the tree instead
            if (
                client in ("llama.cpp", "Ollama") and name == GGUF
            ) or name == "ns/chat":
                continue  # these are not real inside
            for line in text.splitlines():
                for path in asked_first(shlex.split(line)):
                    answer = served(full, path)
                    assert answer is not None, (name, path)
                    assert answer.status == 200, (name, path, answer.body)
    assert clients == {
        *("hf", "vLLM", "llama.cpp", "Ollama", "podman", "oras", "pip", "uv")
    }


def test_what_a_client_cannot_name_is_not_offered_to_it(full: World) -> None:
    """Two names that are one to container tools; a model in two files to Ollama."""
    for name, gone in (
        ("Same/Name", {"podman", "oras", "Kubernetes image volume"}),
        ("org/split", {"Ollama"}),
        (LLM, {"llama.cpp", "Ollama"}),
        (DATA, {"vLLM", "podman", "llama.cpp"}),
        (WHEELS, {"hf", "podman"}),
        ("inhouse", {"llama.cpp"}),
    ):
        held = full.site.registry.releases(name=name)[0]
        offered = set(full.read(f"/-/releases/{held.id}").said("h3"))
        assert offered & gone == set(), name
        assert offered, name


def test_every_link_of_a_file_serves_that_file(full: World) -> None:
    """Whoever compares a digest by hand must get the bytes it stands beside."""
    count = 0
    for page, name in names(full):
        found = full.read(page)
        links = [one for one in found.links if not one.startswith(("/-/", "#"))]
        files = full.shelf.files(Sha256(page.rpartition("/")[2]))
        by_path = {file.path: file.sha256 for file in files}
        assert len(links) >= 1, name
        for link in links:
            if link == "/":
                continue
            answer = served(full, link)
            assert answer is not None, (name, link)
            if name == "ns/chat":
                continue  # it names blobs by other digests than their own
            assert answer.status == 200, (name, link, answer.body)
            if isinstance(answer.body, BlobBody):
                assert answer.body.sha256 in by_path.values(), (name, link)
            else:
                assert isinstance(answer.body, bytes)
                assert sha256(answer.body) in by_path.values(), (name, link)
            count += 1
    assert count == 25


def test_the_test_would_notice_a_wrong_path(full: World) -> None:
    """A check that lets everything pass is none."""
    for path in ("/v2/org/none/manifests/latest", "/simple/none/"):
        answer = served(full, path)
        assert answer is not None
        assert answer.status == 404
