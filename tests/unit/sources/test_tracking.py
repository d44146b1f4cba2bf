"""What a manifest leaves open, asked of doubles: the newest that fits, or a refusal."""

from collections.abc import Iterator, Mapping

import pytest

from airlift.artifact import Json, Kind, Pinned, Wish
from airlift.errors import RequestError, SourceError
from airlift.fetch import Settings
from airlift.sources import connect
from hubs import gguf_file
from hubs.hub import Hub
from hubs.ollama_registry import IMAGE, OllamaRegistry
from hubs.registry import CONFIG, LAYER, Registry
from hubs.repository import Repo

SMALL, LARGE = b"s" * 1000, b"l" * 3000


def ask(
    settings: Settings, kind: Kind, name: str, options: Mapping[str, Json]
) -> Pinned:
    """Resolve a wish at a double."""
    return connect(kind, settings).resolve(Wish(kind=kind, name=name, options=options))


def refusal(
    settings: Settings, kind: Kind, name: str, options: Mapping[str, Json]
) -> tuple[str, str]:
    """Return what is said to a wish, and the hint."""
    with pytest.raises((RequestError, SourceError)) as caught:
        ask(settings, kind, name, options)
    return str(caught.value), caught.value.hint


def at(hub: Hub) -> Settings:
    """Return settings that ask *hub*."""
    return Settings(endpoints={"huggingface": hub.url}, token="")


@pytest.fixture
def repo() -> Repo:
    """A repository with tags; main is ahead of all of them."""
    repo = Repo("org/tiny", card={"license": "mit"})
    for tag in ("v1.0", "v1.9", "v1.10", "v2.0"):
        files = {"config.json": tag.encode(), "model.safetensors": SMALL}
        repo.git_tags[tag] = repo.commit(files)
    repo.git_tags["newest"] = repo.commit({"config.json": b"main"})
    return repo


@pytest.mark.parametrize("kind", [Kind.MODEL, Kind.DATASET])
def test_the_newest_tag_of_a_repository_is_taken(kind: Kind, repo: Repo) -> None:
    """Version 1.10 is newer than 1.9, and 2.0 is not compatible with `~=1.0`."""
    repo.kind = "models" if kind is Kind.MODEL else "datasets"
    with Hub(repo) as hub:
        pinned = ask(at(hub), kind, "org/tiny", {"version": "~=1.0"})
    assert pinned.revision == repo.git_tags["v1.10"]
    assert pinned.refs == ("v1.10",)
    assert pinned.upstream["requested"] == "v1.10"
    assert pinned.notes == ()


def test_a_tag_that_does_not_fit_is_passed_over_and_named(repo: Repo) -> None:
    """A newer version that does not fit must not look as if there were none."""
    files = {"config.json": b"{}", "model.safetensors": LARGE}
    repo.git_tags["v1.11"] = repo.commit(files)
    with Hub(repo) as hub:
        options: Mapping[str, Json] = {"version": "~=1.0", "max-size": "2KB"}
        pinned = ask(at(hub), Kind.MODEL, "org/tiny", options)
    assert pinned.revision == repo.git_tags["v1.10"]
    assert pinned.notes == (
        (
            "v1.11 is newer and does not fit: `org/tiny` has 3002 bytes, "
            "`max-size` allows 2KB"
        ),
    )


def test_no_tag_within_the_range_is_an_error_that_lists_them(repo: Repo) -> None:
    """A typing error in a range must not carry the branch instead."""
    with Hub(repo) as hub:
        said = refusal(at(hub), Kind.MODEL, "org/tiny", {"version": ">=3"})
    assert said == (
        "none of the 5 tags of `org/tiny` is within `>=3`",
        "there are: `newest`, `v1.0`, `v1.10`, `v1.9`, `v2.0`",
    )


def test_where_no_tag_fits_the_newest_says_why(repo: Repo) -> None:
    """The reason of the newest is the one that its reader can act on."""
    with Hub(repo) as hub:
        options: Mapping[str, Json] = {"version": "~=1.0", "licences": ("bsd",)}
        said = refusal(at(hub), Kind.MODEL, "org/tiny", options)
    assert said == (
        "none of the 3 tags of `org/tiny` within `~=1.0` fits",
        "v1.10 does not fit: `org/tiny` is under `mit`; `licences` allows bsd",
    )


def test_a_branch_under_another_licence_is_refused(repo: Repo) -> None:
    """Weights under a licence nobody read are not carried because a branch moved."""
    with Hub(repo) as hub:
        options: Mapping[str, Json] = {"revision": "main", "licences": ("bsd",)}
        said = refusal(at(hub), Kind.MODEL, "org/tiny", options)
    assert said == (
        "`org/tiny` is under `mit`; `licences` allows bsd",
        "read the licence, then allow it in the manifest or keep what is held",
    )


ONNX = {
    "config.json": b"{}",
    "onnx/model.onnx": b"0" * 4000,
    "onnx/model_fp16.onnx": b"0" * 2000,
    "onnx/model_int8.onnx": b"0" * 1000,
}


@pytest.mark.parametrize(
    ("room", "paths"),
    [
        ("8KB", sorted(ONNX)),
        ("5KB", ["config.json", "onnx/model.onnx"]),
        ("3KB", ["config.json", "onnx/model_fp16.onnx"]),
        ("1.002KB", ["config.json", "onnx/model_int8.onnx"]),
    ],
)
def test_the_largest_precision_that_fits_is_taken(room: str, paths: list[str]) -> None:
    """Who says how much room there is wants the best model that goes in."""
    repo = Repo("org/tiny")
    repo.commit(ONNX)
    with Hub(repo) as hub:
        pinned = ask(at(hub), Kind.MODEL, "org/tiny", {"max-size": room})
    assert [file.path for file in pinned.files] == paths


def test_where_no_precision_fits_the_smallest_is_named() -> None:
    """One byte short is short: nothing is carried in part."""
    repo = Repo("org/tiny")
    repo.commit(ONNX)
    with Hub(repo) as hub:
        said = refusal(at(hub), Kind.MODEL, "org/tiny", {"max-size": "1.001KB"})
    assert said[0] == "`org/tiny` has 1002 bytes, `max-size` allows 1.001KB"


GGUF = {
    "tiny-Q8_0.gguf": gguf_file.model(8000),
    "tiny-Q4_K_M.gguf": gguf_file.model(4000),
    "mmproj-f16.gguf": b"GGUF" + bytes(996),
}


def test_the_largest_quantisation_that_fits_is_taken_with_its_projector() -> None:
    """The projector travels along, so it counts."""
    repo = Repo("org/tiny")
    repo.commit(GGUF)
    large = len(GGUF["tiny-Q8_0.gguf"])
    with Hub(repo) as hub:
        for room, best in ((large + 1000, "Q8_0"), (large + 999, "Q4_K_M")):
            options = {"max-size": f"{room / 1000:.3f}KB"}
            pinned = ask(at(hub), Kind.GGUF, "org/tiny", options)
            assert pinned.upstream["quantisation"] == best
            assert pinned.upstream["projector"] == "mmproj-f16.gguf"
        said = refusal(at(hub), Kind.GGUF, "org/tiny", {"max-size": "1KB"})
    small = len(GGUF["tiny-Q4_K_M.gguf"])
    assert said == (
        f"no quantisation of `org/tiny` fits in 1KB; the smallest has {small} bytes",
        "allow more `max-size`, or leave the projector with `projector = false`",
    )


def test_a_gguf_of_a_range_of_versions_is_the_newest_that_has_the_quantisation() -> (
    None
):
    """A release without the quantisation that was asked for is no update."""
    repo = Repo("org/tiny")
    repo.git_tags["v1"] = repo.commit(GGUF)
    repo.git_tags["v2"] = repo.commit({"tiny-Q8_0.gguf": gguf_file.model(9000)})
    with Hub(repo) as hub:
        options = {"version": ">=1", "quant": "Q4_K_M"}
        pinned = ask(at(hub), Kind.GGUF, "org/tiny", options)
    assert pinned.revision == repo.git_tags["v1"]
    assert pinned.notes == (
        (
            "v2 is newer and does not fit: `org/tiny` has no quantisation `Q4_K_M`; "
            "there are: `Q8_0`"
        ),
    )


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that gives nothing without a token, and lists two tags a page."""
    with Registry() as registry:
        registry.guarded, registry.page_size = True, 2
        for tag in ("1.0", "1.2", "1.10", "1.11", "2.0", "latest"):
            layer = LARGE if tag == "1.11" else SMALL
            image = registry.image([(LAYER, layer)], (CONFIG, tag.encode()))
            registry.put("acme/tool", image, tag)
        yield registry


def test_the_newest_tag_of_an_image_is_taken(registry: Registry) -> None:
    """Over pages, behind a token, and with the size held."""
    settings, name = Settings(endpoints={"oci": registry.url}), "acme/tool"
    full = f"{registry.host}/{name}"
    plain = ask(settings, Kind.OCI, full, {"version": "<2"})
    assert plain.refs == ("1.11",)
    sized = ask(settings, Kind.OCI, full, {"version": "<2", "max-size": "2KB"})
    assert sized.refs == ("1.10",)
    assert [note.partition(":")[0] for note in sized.notes] == [
        "1.11 is newer and does not fit"
    ]


def test_a_registry_that_lists_no_tags_is_named(registry: Registry) -> None:
    """Ollama's own registry lists none: the manifest has to name them."""
    registry.listing = False
    settings = Settings(endpoints={"oci": registry.url})
    full = f"{registry.host}/acme/tool"
    assert refusal(settings, Kind.OCI, full, {"version": "<2"}) == (
        f"{registry.host} lists no tags of `{full}`",
        "name the tag, or several, in the manifest",
    )


def test_the_largest_of_several_ollama_tags_is_taken() -> None:
    """A registry of models names sizes in tags; which fits is a question of bytes."""
    with OllamaRegistry() as registry:
        for tag, data in (("1b", SMALL), ("3b", LARGE)):
            registry.push(f"library/tiny:{tag}", [(f"{IMAGE}.model", data)])
        registry.listing = False
        settings = Settings(endpoints={"ollama": registry.url})
        for room, tag in (("1MB", "3b"), ("2KB", "1b")):
            options: Mapping[str, Json] = {"tags": ("1b", "3b"), "max-size": room}
            assert ask(settings, Kind.OLLAMA, "tiny", options).refs == (tag,)
        options = {"tags": ("1b", "3b"), "max-size": "1KB"}
        said = refusal(settings, Kind.OLLAMA, "tiny", options)
    assert said[0].startswith("`tiny` has ")
    assert said[0].endswith(" bytes, `max-size` allows 1KB")


def test_an_ollama_model_follows_a_range_where_tags_are_listed() -> None:
    """Registries of one's own list their tags as any other does."""
    with OllamaRegistry() as registry:
        for tag in ("1.0", "1.1", "8b"):
            registry.push(f"library/tiny:{tag}", [(f"{IMAGE}.model", tag.encode())])
        settings = Settings(endpoints={"ollama": registry.url})
        pinned = ask(settings, Kind.OLLAMA, "tiny", {"version": ">=1"})
    assert pinned.refs == ("1.1",)
