"""Ollama models: exact bytes, each blob once, and nothing taken on trust."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airlift.artifact import Kind, Pinned, PinnedFile, Wish
from airlift.digest import Sha256
from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.fetch import Settings
from airlift.sources import ollama
from airlift.sources.ollama import Name, Ollama
from hubs.ollama_registry import IMAGE, OllamaRegistry, digest

WEIGHTS = b"GGUF" + bytes(range(256)) * 4000
LAYERS = [
    (f"{IMAGE}.model", WEIGHTS),
    (f"{IMAGE}.template", b"{{ .Prompt }}"),
    (f"{IMAGE}.license", b"MIT"),
    (f"{IMAGE}.license", b"MIT"),
]


@pytest.fixture
def registry() -> Iterator[OllamaRegistry]:
    """A registry with a small model in it."""
    with OllamaRegistry() as registry:
        registry.push("library/tiny:latest", LAYERS)
        yield registry


def source(registry: OllamaRegistry) -> Ollama:
    """Return the source set up for *registry*."""
    return Ollama(Settings(endpoints={"ollama": registry.url}))


def wish(name: str) -> Wish:
    """Return a wish for the model *name*."""
    return Wish(kind=Kind.OLLAMA, name=name)


def blob(registry: OllamaRegistry, kind: str, data: bytes) -> PinnedFile:
    """Return how the blob *data* must be pinned."""
    name = hashlib.sha256(data).hexdigest()
    return PinnedFile(
        path=f"blobs/sha256-{name}",
        size=len(data),
        sha256=Sha256(name),
        location=f"{registry.url}/v2/library/tiny/blobs/sha256:{name}",
        facts={"media-type": kind},
    )


def test_a_model_is_pinned_by_the_bytes_of_its_manifest(
    registry: OllamaRegistry,
) -> None:
    """``ollama list`` shows the digest of these bytes: users compare it."""
    manifest = registry.manifests["library/tiny:latest"]
    config = b'{"model_format":"gguf","architecture":"amd64","os":"linux"}'
    revision = hashlib.sha256(manifest).hexdigest()
    blobs = [
        blob(registry, "application/vnd.docker.container.image.v1+json", config),
        *(blob(registry, kind, data) for kind, data in LAYERS[:3]),
    ]
    encoded = base64.b64encode(manifest).decode()
    assert source(registry).resolve(wish("tiny")) == Pinned(
        kind=Kind.OLLAMA,
        name="library/tiny",
        revision=revision,
        files=(
            *sorted(blobs, key=lambda file: file.path),
            PinnedFile(
                path="manifest.json",
                size=len(manifest),
                sha256=Sha256(revision),
                location=f"data:application/json;base64,{encoded}",
            ),
        ),
        refs=("latest",),
        upstream={
            "endpoint": registry.url,
            "repository": "library/tiny",
            "requested": "latest",
        },
    )


def test_a_reviewed_lock_outlives_its_tag(registry: OllamaRegistry) -> None:
    """Registries keep no old manifests; the lock must not depend on them."""
    before = registry.manifests["library/tiny:latest"]
    pinned = source(registry).resolve(wish("tiny"))
    registry.push("library/tiny:latest", [(f"{IMAGE}.model", b"GGUF, other")])
    manifest = next(file for file in pinned.files if file.path == "manifest.json")
    with source(registry).read(manifest) as chunks:
        assert b"".join(chunks) == before


def test_the_redirect_to_the_cdn_carries_no_credentials(
    registry: OllamaRegistry,
) -> None:
    """A download address is signed by itself; who asks is nobody's business there."""
    fetching = source(registry)
    for file in fetching.resolve(wish("tiny")).files:
        with fetching.read(file) as chunks:
            b"".join(chunks)
    assert registry.cdn.seen
    for seen in registry.seen():
        assert not {"authorization", "cookie"} & set(seen.headers)


DEFAULT = "https://registry.ollama.ai"
NAMES = {
    "tiny": Name(
        registry=DEFAULT, path="library/tiny", tag="latest", served="library/tiny"
    ),
    "Acme/tiny:1b-Q4_K_M": Name(
        registry=DEFAULT, path="Acme/tiny", tag="1b-Q4_K_M", served="Acme/tiny"
    ),
    "registry.ollama.ai/library/tiny:1b": Name(
        registry=DEFAULT, path="library/tiny", tag="1b", served="library/tiny"
    ),
    "hub.example/acme/tiny-GGUF:Q8_0": Name(
        registry="https://hub.example",
        path="acme/tiny-GGUF",
        tag="Q8_0",
        served="hub.example/acme/tiny-GGUF",
    ),
    "models.plant:8443/acme/tiny": Name(
        registry="https://models.plant:8443",
        path="acme/tiny",
        tag="latest",
        served="models.plant_8443/acme/tiny",
    ),
}


@pytest.mark.parametrize("text", NAMES)
def test_a_name_means_what_ollama_takes_it_to_mean(text: str) -> None:
    """People paste what they type after ``ollama pull``."""
    assert ollama.parse_name(text) == NAMES[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a/b/c/d",
        "host.example/m",
        "m:",
        "m:a:b",
        "../m",
        "a/-m",
        "m:" + "t" * 81,
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    """Nothing odd may reach an address."""
    with pytest.raises(RequestError) as caught:
        ollama.parse_name(text)
    assert str(caught.value) == f"`{text}` is not an Ollama model's name"


def failure(registry: OllamaRegistry, name: str = "tiny") -> SourceError:
    """Return the error of resolving *name*."""
    with pytest.raises(SourceError) as caught:
        source(registry).resolve(wish(name))
    return caught.value


def test_a_missing_model_or_tag_is_said_to_be_missing(
    registry: OllamaRegistry,
) -> None:
    """A slip in a tag is the commonest of all."""
    where = registry.url.removeprefix("http://")
    assert (
        str(failure(registry, "tiny:2b")) == f"`tiny:2b` is not at {where} (tag `2b`)"
    )


def test_a_login_is_asked_for_in_plain_words(registry: OllamaRegistry) -> None:
    """A bare 401 would send people looking for a password nobody has."""
    registry.status = 401
    where = registry.url.removeprefix("http://")
    error = failure(registry)
    assert str(error) == f"{where} does not give `tiny` without a login"
    assert (
        error.hint == "airlift fetches what is public; carry a private one as a folder"
    )


def test_a_busy_registry_may_be_asked_again(registry: OllamaRegistry) -> None:
    """An outage upstream is no verdict on the model."""
    registry.status = 503
    assert isinstance(failure(registry), SourceBusyError)


def layer(**changes: Any) -> dict[str, Any]:
    """Return a layer with some keys changed."""
    good = {"mediaType": "a/x", "digest": digest(b""), "size": 0}
    return {key: v for key, v in (good | changes).items() if v is not None}


def manifest(**changes: Any) -> bytes:
    """Return a manifest with some keys changed."""
    good = {"schemaVersion": 2, "config": layer(), "layers": [layer()]}
    table = {key: v for key, v in (good | changes).items() if v is not None}
    return json.dumps(table).encode()


NOT_ONE = " is not that of one model"
WRONG = {
    "no JSON": (b"<html>", " is not JSON: Expecting value: line 1 column 1 (char 0)"),
    "no object": (b"[]", " is no manifest: `schemaVersion` is not 2"),
    "a list of platforms": (
        b'{"schemaVersion": 2, "manifests": []}',
        NOT_ONE,
    ),
    "no layers": (manifest(layers=[]), NOT_ONE),
    "a digest that climbs": (
        manifest(layers=[layer(digest="sha256:../../x")]),
        " does not name `layers[0]` by a SHA-256",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_manifest_that_is_not_one_is_refused(
    registry: OllamaRegistry, case: str
) -> None:
    """What is carried and signed is what the manifest says: it must say it well."""
    data, problem = WRONG[case]
    registry.manifests["library/tiny:latest"] = data
    assert str(failure(registry)).startswith(f"the manifest of tiny{problem}")


def test_a_manifest_without_end_is_cut_off(registry: OllamaRegistry) -> None:
    """Memory is bounded by constants, never by what upstream sends."""
    registry.manifests["library/tiny:latest"] = b" " * (ollama.MANIFEST_LIMIT + 1)
    assert str(failure(registry)).endswith(
        "/manifests/latest sends more than 1048576 bytes"
    )


def test_a_damaged_manifest_in_a_lock_is_an_error(registry: OllamaRegistry) -> None:
    """Locks are text that people merge."""
    file = PinnedFile(
        path="manifest.json", size=1, location="data:application/json;base64,?"
    )
    with (
        pytest.raises(SourceError) as caught,
        source(registry).read(file),
    ):
        pass
    assert str(caught.value).startswith("`manifest.json` of the lock is damaged: ")
