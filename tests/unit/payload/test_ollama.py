"""Names that Ollama accepts, its manifests, and making one for a plain GGUF."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.payload import gguf, gguf_facts, gguf_repo, ollama, ollama_names
from airlift.payload.ollama import Image, Layer
from hubs.gguf_file import Gguf, number, string, tensor

LLAMA = Gguf(
    keys=[string("general.architecture", "llama"), number("general.file_type", 7)],
    tensors=[tensor("a", [1024, 8], kind=24)],
).whole(bytes(8192))
CLIP = Gguf(keys=[string("general.architecture", "clip")]).whole(b"")


def image(contents: Mapping[str, bytes], tag: str = "latest") -> Image:
    """Return the image of the model that *tag* means among *contents*."""
    files = [
        ReleaseFile(path=path, size=len(data), sha256=sha256(data))
        for path, data in sorted(contents.items())
    ]
    source = ollama.Source(
        facts=lambda file: gguf_facts.of(
            gguf.read(contents[file.path], name=file.path)
        ),
        text=lambda file: contents[file.path],
    )
    (model,) = gguf_repo.choose(gguf_repo.models(files), tag)
    whole = ollama.layer_of(model.first, "model")
    return ollama.compose(model, files, source, whole)


def layers(made: Image) -> dict[str, list[tuple[Sha256, bytes | None]]]:
    """Return digest and content of the layers by what they are for."""
    found: dict[str, list[tuple[Sha256, bytes | None]]] = {}
    for one in made.layers:
        kind = one.media_type.removeprefix("application/vnd.ollama.image.")
        found.setdefault(kind, []).append((one.sha256, one.content))
    return found


# --- names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pulled"),
    [
        ("acme/Tiny-GGUF", "acme/Tiny-GGUF"),
        ("library/llama3.2", "library/llama3.2"),
        ("site-model", "library/site-model"),
        ("black.forest/flux", "black-forest/flux-b5772e657c94"),
        ("hf.co/u/r", "hf-co-u/r-2ff9ceb5644e"),
        ("a/b/c/d", "a-b-c/d-69b3db0fc351"),
    ],
)
def test_every_artifact_has_a_name_that_ollama_accepts(name: str, pulled: str) -> None:
    """Ollama refuses dots in the namespace and a third part; the alias never changes."""
    assert ollama_names.pulled_as(name) == pulled
    assert ollama_names.is_name(pulled)
    assert ollama_names.could_be_alias(pulled) == (pulled.count("-") > 1)


def test_a_name_too_long_for_ollama_is_cut_and_still_its_own() -> None:
    """Parts may have 80 characters; names that differ at the end stay apart."""
    one, two = ("org/" + "x" * 90 + end for end in "ab")
    first, second = map(ollama_names.pulled_as, (one, two))
    assert first != second
    assert [len(part) for part in first.split("/")] == [3, 80]


parts = st.text(st.sampled_from("aZ09._-+ ü@"), min_size=1, max_size=100)


@given(st.lists(parts, min_size=1, max_size=4).map("/".join))
def test_whatever_an_artifact_is_called_ollama_can_ask_for_it(name: str) -> None:
    """No name may leave an artifact out of reach."""
    assert ollama_names.is_name(ollama_names.pulled_as(name))


def test_a_command_names_the_tag_only_where_it_matters() -> None:
    """What a page shows is what people type."""
    assert ollama_names.command_name("a/b") == "a/b"
    assert ollama_names.command_name("tiny", "Q8_0") == "library/tiny:Q8_0"


# --- making -----------------------------------------------------------------------------


def test_a_plain_gguf_is_a_model_layer_and_a_configuration() -> None:
    """The whole manifest, byte for byte: any change is a new id at every site."""
    made = image({"tiny-Q8_0.gguf": LLAMA})
    config = (
        b'{"model_format":"gguf","model_family":"llama","model_families":["llama"],'
        b'"model_type":"8K","file_type":"Q8_0","architecture":"amd64","os":"linux"}'
    )
    assert made.config.content == config
    assert made.manifest == (
        b'{"schemaVersion":2,"mediaType":'
        b'"application/vnd.docker.distribution.manifest.v2+json",'
        b'"config":{"mediaType":"application/vnd.docker.container.image.v1+json",'
        b'"digest":"sha256:%s","size":%d},'
        b'"layers":[{"mediaType":"application/vnd.ollama.image.model",'
        b'"digest":"sha256:%s","size":%d}]}'
        % (sha256(config).encode(), len(config), sha256(LLAMA).encode(), len(LLAMA))
    )


def test_what_lies_in_the_repository_becomes_layers_byte_for_byte() -> None:
    """Projector, template, system prompt, parameters and licences."""
    contents = {
        "tiny-Q8_0.gguf": LLAMA,
        "mmproj-F16.gguf": CLIP,
        "template": b"{{ .Prompt }}",
        "system": b"Be brief.",
        "params": b'{"temperature": 0.3}\n',
        "LICENSE": b"Terms",
        "LICENSE.txt": b"Terms",
        "USE_POLICY.md": b"Policy",
        "README.md": b"# Tiny",
        "sub/LICENSE": b"another's",
    }
    made = image(contents)
    assert layers(made) == {
        "model": [(sha256(LLAMA), None)],
        "projector": [(sha256(CLIP), None)],
        "template": [(sha256(b"{{ .Prompt }}"), None)],
        "system": [(sha256(b"Be brief."), None)],
        "params": [(sha256(contents["params"]), None)],
        "license": [(sha256(b"Terms"), None), (sha256(b"Policy"), None)],
    }
    assert made.config.content is not None
    assert json.loads(made.config.content)["model_families"] == ["llama", "clip"]


def test_parameters_that_ollama_could_not_read_are_left_out() -> None:
    """It would pull them and then fail at each start of the model."""
    contents = {"a-Q8_0.gguf": LLAMA, "params": b"temperature 0.3"}
    assert list(layers(image(contents))) == ["model"]
    assert list(layers(image({**contents, "params": b"[1]"}))) == ["model"]


def test_what_the_header_recommends_becomes_layers() -> None:
    """Where the repository holds no files for it."""
    keys = [
        string("general.architecture", "llama"),
        string("general.license", "gemma"),
        number("general.sampling.top_k", 20),
    ]
    made = layers(image({"a.gguf": Gguf(keys=keys).whole(b"")}))
    assert [content for _, content in made["params"]] == [b'{"top_k":20}']
    assert [content for _, content in made["license"]] == [b"gemma\n"]


def test_architectures_that_ollama_speaks_itself_are_named_as_it_would() -> None:
    """It sets these when it creates a model and does not find them after a pull."""
    made = image(
        {"a.gguf": Gguf(keys=[string("general.architecture", "gemma4")]).whole(b"")}
    )
    assert made.config.content is not None
    shape = json.loads(made.config.content)
    assert (shape["renderer"], shape["parser"]) == ("gemma4", "gemma4")
    assert layers(made)["params"][0][1] == b'{"stop":["<turn|>"]}'


def test_a_file_that_is_no_model_by_itself_is_refused() -> None:
    """An adapter would pull, and then fail in the runtime."""
    keys = [string("general.type", "adapter")]
    with pytest.raises(FormatError) as caught:
        image({"lora.gguf": Gguf(keys=keys).whole(b"")})
    assert str(caught.value) == "`lora.gguf` is of type `adapter`, not a model"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (999, "999"),
        (125_000, "125K"),
        (134_515_008, "134.52M"),
        (7_000_000, "7M"),
        (1_240_000_000, "1.2B"),
        (8_030_000_000, "8.0B"),
        (7_000_000_000, "7B"),
    ],
)
def test_counts_are_written_as_ollama_writes_them(count: int, text: str) -> None:
    """They stand in `ollama show` beside those of upstream models."""
    assert ollama.human_number(count) == text


# --- upstream's ---------------------------------------------------------------------------


def test_a_manifest_made_here_is_read_back_as_it_was() -> None:
    """Direct installs and the server read both kinds with one function."""
    made = image({"tiny-Q8_0.gguf": LLAMA})
    bare = [
        Layer(media_type=one.media_type, sha256=one.sha256, size=one.size)
        for one in made.blobs
    ]
    assert ollama.decode(made.manifest) == Image(
        manifest=made.manifest,
        media_type=ollama.MEDIA_TYPE,
        config=bare[0],
        layers=tuple(bare[1:]),
    )


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[]",
        b"{}",
        b'{"config": {"digest": "sha256:00", "size": 1}, "layers": []}',
        b'{"config": {"digest": "sha256:%s", "size": "1"}, "layers": []}' % (b"0" * 64),
    ],
)
def test_a_damaged_manifest_is_an_error_of_ours(damaged: bytes) -> None:
    """Never a crash: the caller shows what to do."""
    with pytest.raises(FormatError) as caught:
        ollama.decode(damaged)
    assert str(caught.value).startswith("an Ollama manifest is damaged: ")


def test_blobs_lie_where_the_export_put_them() -> None:
    """One spelling on both sides of the gap."""
    path = PurePosixPath(ollama.blob_path(Sha256("ab" * 32)))
    assert (str(path.parent), path.name) == ("blobs", "sha256-" + "ab" * 32)
