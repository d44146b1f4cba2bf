"""What Ollama pulls, asked without a socket: names, tags, manifests, blobs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.payload import ollama_names
from airlift.serve.dialect import Answer, BlobBody, Caller, JoinedBody, Request
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.ollama import OllamaLibrary
from hubs.gguf_file import Gguf, number, string, tensor
from hubs.ollama_registry import OllamaRegistry
from shelves import MemoryShelf, cargo

COMMIT = "c" * 40
OLD = "d" * 40
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCTETS = "application/octet-stream"
LONG = "black.forest/" + "x" * 90


def gguf(name: str, weights: int = 8192) -> bytes:
    """Return a small model of its own bytes."""
    keys = [
        string("general.architecture", "llama"),
        string("general.name", name),
        number("general.file_type", 7),
        number("general.sampling.top_k", 20),
    ]
    file = Gguf(keys=keys, tensors=[tensor("a", [weights], kind=24)])
    return file.whole(bytes(weights))


FILES = {
    "tiny-Q4_K_M.gguf": gguf("four"),
    "tiny-Q8_0.gguf": gguf("eight"),
    "tiny-F16-00001-of-00002.gguf": gguf("first half"),
    "tiny-F16-00002-of-00002.gguf": gguf("other half"),
    "mmproj-F16.gguf": Gguf(keys=[string("general.architecture", "clip")]).whole(b""),
    "LICENSE": b"Terms\n",
    "config.json": b"{}",
}
EARLIER = {"tiny-Q4_K_M.gguf": gguf("earlier"), "LICENSE": b"Old terms\n"}


@dataclass(frozen=True, kw_only=True)
class World:
    """A shelf, the dialect asked, and what upstream's manifests were."""

    shelf: MemoryShelf
    dialect: Distribution
    upstream: Mapping[str, bytes]

    def ask(self, target: str, *, method: str = "GET", **headers: str) -> Answer:
        """Return the answer to a request for *target*."""
        request = Request(
            method=method,
            path=target,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            base_url="http://models:8484",
        )
        answer = self.dialect.answer(request, self.shelf)
        assert answer is not None
        return answer

    def manifest(self, name: str, tag: str = "latest", **headers: str) -> Any:
        """Return the manifest of *name*, decoded."""
        answer = self.ask(f"/v2/{name}/manifests/{tag}", **headers)
        assert isinstance(answer.body, bytes)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def fetch(self, name: str, digest: str) -> bytes:
        """Return the blob of *name*, read from where the answer says it is."""
        answer = self.ask(f"/v2/{name}/blobs/{digest}")
        assert answer.status == 200
        if isinstance(answer.body, BlobBody):
            found = self.shelf.read(answer.body.sha256, 0, answer.body.size)
            assert found is not None
            return found
        assert isinstance(answer.body, JoinedBody)
        return b"".join(one for one in answer.body.pieces if isinstance(one, bytes))

    def model(self, name: str, tag: str = "latest", **headers: str) -> bytes:
        """Return the bytes of the model's layer."""
        layers = self.manifest(name, tag, **headers)["layers"]
        (layer,) = [one for one in layers if one["mediaType"].endswith(".model")]
        return self.fetch(name, layer["digest"])


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Plain GGUF files under odd names, and upstream models of two registries."""
    upstream, cargoes = {}, []
    with OllamaRegistry() as registry:
        for name, tag, counter in (
            ("library/llama3.2", "1b", 1),
            ("library/llama3.2", "latest", 2),
            ("library/only", "7B", 1),
            ("reg.example_5000/team/bot", "v1", 1),
        ):
            key = f"{name}:{tag}"
            model = ("application/vnd.ollama.image.model", gguf(key))
            upstream[key] = registry.push(key, [model])
            cargoes.append(
                cargo(
                    Kind.OLLAMA,
                    name,
                    registry.files(key),
                    revision=sha256(upstream[key]),
                    counter=counter,
                    refs=[tag],
                )
            )
    cargoes += [
        cargo(Kind.GGUF, "Acme/Tiny-GGUF", FILES, revision=COMMIT, counter=2),
        cargo(Kind.GGUF, "Acme/Tiny-GGUF", EARLIER, revision=OLD, counter=1),
        cargo(Kind.FOLDER, "site-model", {"m.gguf": gguf("folder")}),
        cargo(Kind.MODEL, LONG, {"x-Q8_0.gguf": gguf("long")}),
        cargo(Kind.MODEL, "org/weights", {"model.safetensors": b"weights"}),
        cargo(Kind.GGUF, "org/broken", {"b-Q8_0.gguf": b"not a model"}),
    ]
    return World(
        shelf=MemoryShelf(tmp_path, cargoes),
        dialect=Distribution([OllamaLibrary()]),
        upstream=upstream,
    )


def refusal(answer: Answer) -> tuple[int, str, str]:
    """Return status, code and message of an answer that gives nothing."""
    assert isinstance(answer.body, bytes)
    (error,) = json.loads(answer.body)["errors"]
    return answer.status, error["code"], error["message"]


# --- upstream models ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tag", "key"),
    [
        ("library/llama3.2", "latest", "library/llama3.2:latest"),
        ("library/llama3.2", "1b", "library/llama3.2:1b"),
        ("library/llama3.2", "1B", "library/llama3.2:1b"),
        ("Library/LLAMA3.2", "1b", "library/llama3.2:1b"),
        ("library/only", "7B", "library/only:7B"),
        ("library/only", "7b", "library/only:7B"),
        ("library/only", "latest", "library/only:7B"),
        ("reg.example_5000/team/bot", "v1", "reg.example_5000/team/bot:v1"),
    ],
)
def test_upstreams_manifest_goes_out_byte_for_byte(
    world: World, name: str, tag: str, key: str
) -> None:
    """The id that `ollama list` shows is the digest of these bytes."""
    answer = world.ask(f"/v2/{name}/manifests/{tag}")
    assert answer.body == world.upstream[key]
    assert dict(answer.headers)["Content-Type"] == DOCKER
    digest = f"sha256:{sha256(world.upstream[key])}"
    assert dict(answer.headers)["Docker-Content-Digest"] == digest
    assert world.ask(f"/v2/{name}/manifests/{digest}").body == answer.body


def test_every_blob_of_an_upstream_model_is_served(world: World) -> None:
    """By digest, and nothing else under its name."""
    manifest = world.manifest("library/llama3.2", "1b")
    for layer in (manifest["config"], *manifest["layers"]):
        found = world.fetch("library/llama3.2", layer["digest"])
        assert f"sha256:{sha256(found)}" == layer["digest"]
    foreign = world.manifest("library/only", "7b")["layers"][0]["digest"]
    answer = world.ask(f"/v2/library/llama3.2/blobs/{foreign}")
    assert refusal(answer)[:2] == (404, "BLOB_UNKNOWN")


def test_latest_is_not_guessed_among_several_tags(world: World, tmp_path: Path) -> None:
    """Another size of a model is another model."""
    (tmp_path / "two").mkdir()
    manifest = {"manifest.json": world.upstream["library/only:7B"]}
    two = [
        cargo(Kind.OLLAMA, "library/two", manifest, counter=n, refs=[tag])
        for n, tag in ((1, "7b"), (2, "70b"))
    ]
    other = World(
        shelf=MemoryShelf(tmp_path / "two", two), dialect=world.dialect, upstream={}
    )
    answer = other.ask("/v2/library/two/manifests/latest")
    assert refusal(answer)[:2] == (404, "MANIFEST_UNKNOWN")
    assert other.ask("/v2/library/two/manifests/70b").status == 200


def test_a_model_of_another_registry_has_a_name_ollama_can_ask_for(
    world: World,
) -> None:
    """Ollama sends two parts; which registry is meant says the alias or the host."""
    alias = ollama_names.pulled_as("reg.example_5000/team/bot")
    body = world.upstream["reg.example_5000/team/bot:v1"]
    assert world.ask(f"/v2/{alias}/manifests/v1").body == body
    own = world.ask("/v2/team/bot/manifests/v1", host="reg.example:5000")
    assert own.body == body
    assert world.ask("/v2/team/bot/manifests/v1", host="models:8484").status == 404


# --- plain GGUF files -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tag", "content"),
    [
        ("Acme/Tiny-GGUF", "Q8_0", FILES["tiny-Q8_0.gguf"]),
        ("Acme/Tiny-GGUF", "q8_0", FILES["tiny-Q8_0.gguf"]),
        ("acme/tiny-gguf", "q8_0", FILES["tiny-Q8_0.gguf"]),
        ("Acme/Tiny-GGUF", "latest", FILES["tiny-Q4_K_M.gguf"]),
        ("Acme/Tiny-GGUF", "tiny-Q8_0.gguf", FILES["tiny-Q8_0.gguf"]),
        ("library/site-model", "latest", gguf("folder")),
        (ollama_names.pulled_as(LONG), "latest", gguf("long")),
        (ollama_names.pulled_as(LONG).upper(), "q8_0", gguf("long")),
    ],
)
def test_a_plain_gguf_is_a_model_under_its_quantisation(
    world: World, name: str, tag: str, content: bytes
) -> None:
    """In any case, under the hub's name, and by an alias where Ollama refuses that."""
    assert world.model(name, tag) == content


def test_every_layer_of_a_plain_gguf_is_served(world: World) -> None:
    """Also those that no file holds: they are made again from the digest alone."""
    manifest = world.manifest("Acme/Tiny-GGUF", "Q8_0")
    kinds = [one["mediaType"].rpartition(".")[2] for one in manifest["layers"]]
    assert kinds == ["model", "projector", "params", "license"]
    fresh = World(
        shelf=world.shelf, dialect=Distribution([OllamaLibrary()]), upstream={}
    )
    for layer in (manifest["config"], *manifest["layers"]):
        found = fresh.fetch("Acme/Tiny-GGUF", layer["digest"])
        assert f"sha256:{sha256(found)}" == layer["digest"]
        assert len(found) == layer["size"]


def test_a_manifest_is_the_same_on_every_server(world: World) -> None:
    """Ids must not change at a restart, or every host would pull again."""
    target = "/v2/Acme/Tiny-GGUF/manifests/Q8_0"
    fresh = Distribution([OllamaLibrary()])
    again = World(shelf=world.shelf, dialect=fresh, upstream={})
    first = world.ask(target)
    assert first == again.ask(target)
    digest = dict(first.headers)["Docker-Content-Digest"]
    by_digest = again.ask(f"/v2/Acme/Tiny-GGUF/manifests/{digest}")
    assert by_digest.body == first.body


def test_a_pull_ends_though_main_has_moved(world: World) -> None:
    """Layers of the release before are still there while it is live."""
    digest = f"sha256:{sha256(EARLIER['tiny-Q4_K_M.gguf'])}"
    assert world.fetch("Acme/Tiny-GGUF", digest) == EARLIER["tiny-Q4_K_M.gguf"]


def test_a_blob_is_answered_with_where_its_parts_are(world: World) -> None:
    """Ollama ends with `no Location header in response` otherwise."""
    digest = f"sha256:{sha256(FILES['tiny-Q8_0.gguf'])}"
    target = f"/v2/Acme/Tiny-GGUF/blobs/{digest}"
    answer = world.ask(target)
    assert answer.status == 200
    assert dict(answer.headers)["Location"] == target
    assert dict(answer.headers)["Content-Type"] == OCTETS
    assert world.ask(target, method="HEAD") == answer


def test_shards_are_refused_with_the_reason(world: World) -> None:
    """Ollama takes one file. It shows its user the text of a 400, not of a 404."""
    answer = world.ask("/v2/Acme/Tiny-GGUF/manifests/F16")
    message = (
        "`tiny-F16-00001-of-00002.gguf` is one of 2 shards; Ollama takes one file: "
        "pull Q4_K_M or Q8_0, or run this one with `llama-server -hf`"
    )
    assert refusal(answer) == (400, "UNSUPPORTED", message)


def test_a_quantisation_that_is_not_held_is_named_with_those_that_are(
    world: World,
) -> None:
    """The next attempt should be the last."""
    answer = world.ask("/v2/Acme/Tiny-GGUF/manifests/Q5_K_M")
    message = "Acme/Tiny-GGUF has no Q5_K_M; there are: F16, Q4_K_M, Q8_0, latest"
    assert refusal(answer) == (404, "MANIFEST_UNKNOWN", message)


def test_a_repository_without_gguf_says_so(world: World) -> None:
    """Most models are carried as safetensors, which Ollama does not run."""
    answer = world.ask("/v2/org/weights/manifests/latest")
    message = "org/weights holds no GGUF file, which is what Ollama runs"
    assert refusal(answer) == (400, "UNSUPPORTED", message)


def test_a_file_that_only_looks_like_gguf_is_refused(world: World) -> None:
    """A client would pull it whole and then fail in its runtime."""
    answer = world.ask("/v2/org/broken/manifests/latest")
    assert refusal(answer)[:2] == (400, "UNSUPPORTED")
    assert "does not begin with `GGUF`" in refusal(answer)[2]


def test_names_and_tags_are_listed_as_ollama_would_write_them(world: World) -> None:
    """What a list shows works when it is typed."""
    answer = world.ask("/v2/_catalog")
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["repositories"] == sorted(
        [
            "Acme/Tiny-GGUF",
            "library/llama3.2",
            "library/only",
            "library/site-model",
            "org/broken",
            ollama_names.pulled_as(LONG),
            ollama_names.pulled_as("reg.example_5000/team/bot"),
        ]
    )
    tags = world.ask("/v2/acme/tiny-gguf/tags/list")
    assert isinstance(tags.body, bytes)
    assert json.loads(tags.body)["tags"] == ["F16", "Q4_K_M", "Q8_0", "latest"]


# --- under the names of public registries ----------------------------------------------------


@pytest.mark.parametrize(
    ("host", "name", "status"),
    [
        ("registry.ollama.ai", "library/llama3.2", 200),
        ("registry.ollama.ai", "library/site-model", 200),
        ("registry.ollama.ai", "Acme/Tiny-GGUF", 404),
        ("hf.co", "Acme/Tiny-GGUF", 200),
        ("huggingface.co:443", "Acme/Tiny-GGUF", 200),
        ("hf.co", "library/llama3.2", 404),
        ("models:8484", "library/llama3.2", 200),
    ],
)
def test_a_public_name_gives_only_what_comes_from_there(
    world: World, host: str, name: str, status: int
) -> None:
    """`x/y` of one registry is never taken for `x/y` of another."""
    answer = world.ask(f"/v2/{name}/manifests/latest", host=host)
    assert answer.status == status


# --- llama.cpp and its relatives ---------------------------------------------------------------


def test_llama_cpp_is_told_the_file_of_a_quantisation(world: World) -> None:
    """node-llama-cpp and ramalama ask so; ramalama wants the digest's prefix."""
    shape = world.manifest("Acme/Tiny-GGUF", "q8_0", user_agent="llama-cpp")
    assert shape["ggufFile"] == {
        "rfilename": "tiny-Q8_0.gguf",
        "blobId": f"sha256:{sha256(FILES['tiny-Q8_0.gguf'])}",
        "size": len(FILES["tiny-Q8_0.gguf"]),
    }
    assert shape["mmprojFile"]["rfilename"] == "mmproj-F16.gguf"
    assert "config" in shape
    plain = world.manifest("Acme/Tiny-GGUF", "q8_0", user_agent="ollama/0.32.15")
    assert plain == {
        key: value
        for key, value in shape.items()
        if key not in ("ggufFile", "mmprojFile")
    }


def test_llama_cpp_is_told_the_first_of_the_shards(world: World) -> None:
    """It loads the others by their numbers."""
    shape = world.manifest("Acme/Tiny-GGUF", "F16", user_agent="llama-cpp")
    assert shape["ggufFile"]["rfilename"] == "tiny-F16-00001-of-00002.gguf"


# --- under access control ------------------------------------------------------------------------


def test_who_may_sign_in_is_asked_to(world: World) -> None:
    """Ollama then signs a request for a token with its host's key."""
    request = Request(
        method="GET",
        path="/v2/secret/model/manifests/latest",
        base_url="http://models:8484",
        caller=Caller(may_sign_in=True),
    )
    answer = world.dialect.answer(request, world.shelf)
    assert answer is not None
    assert answer.status == 401
    assert dict(answer.headers)["WWW-Authenticate"] == (
        'Bearer realm="http://models:8484/token",service="models:8484",'
        'scope="repository:secret/model:pull"'
    )


def test_parts_are_fetched_from_a_signed_path(world: World) -> None:
    """Ollama fetches them without its token."""
    digest = Sha256(sha256(FILES["tiny-Q8_0.gguf"]))
    path = f"/v2/Acme/Tiny-GGUF/blobs/sha256:{digest}"
    request = Request(
        method="GET",
        path=path,
        base_url="http://models:8484/airlift",
        sign=lambda path: f"{path}?sig=s",
    )
    answer = world.dialect.answer(request, world.shelf)
    assert answer is not None
    assert dict(answer.headers)["Location"] == f"/airlift{path}?sig=s"
