"""Models and datasets of a hub: pinned exactly, narrowed as asked, refused clearly."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from airlift.artifact import Json, Kind, Pinned, PinnedFile, Wish
from airlift.digest import sha256
from airlift.errors import (
    RequestError,
    SourceBusyError,
    SourceError,
    SourceGatedError,
    SourceGoneError,
)
from airlift.fetch import Settings
from airlift.fetch.hub import Snapshot
from airlift.sources.huggingface import HuggingFace, choose, precision_of
from hubs.faults import Fault
from hubs.hub import STRANGER, TOKEN, Hub
from hubs.repository import Repo, git_oid

WEIGHTS = b"weights" * 1000
ACCEPT = (
    "accept its terms in a browser at {}, then set HF_TOKEN to a token of the same"
    " account"
)
CONFIG = b'{"a": 1}'


def source(hub: Hub, token: str = "") -> HuggingFace:
    """Return a source that asks *hub*."""
    return HuggingFace(Settings(endpoints={"huggingface": hub.url}, token=token))


def wish(
    name: str = "org/tiny", *, kind: Kind = Kind.MODEL, revision: str = "main"
) -> Wish:
    """Return a wish for a repository."""
    return Wish(kind=kind, name=name, options={"revision": revision})


@pytest.fixture
def repo() -> Repo:
    """A repository with two commits, the first of them tagged."""
    repo = Repo(
        "org/tiny",
        card={"license": "apache-2.0", "base_model": ["org/base"]},
        tags=["license:apache-2.0"],
        security={"model.safetensors": "unsafe"},
    )
    repo.git_tags["v1"] = repo.commit({"config.json": b"{}"})
    repo.commit({"config.json": CONFIG, "model.safetensors": WEIGHTS})
    return repo


@pytest.fixture
def hub(repo: Repo) -> Iterator[Hub]:
    """A hub with that repository and a gated and a private one."""
    gated = Repo("org/gated", gated=True)
    private = Repo("org/private", private=True)
    dataset = Repo("org/tiny", kind="datasets")
    for other in (gated, private, dataset):
        other.commit({"data.json": CONFIG})
    with Hub(repo, gated, private, dataset) as hub:
        yield hub


def paths(pinned: Pinned) -> list[str]:
    """Return the paths of an artifact."""
    return [file.path for file in pinned.files]


# --- pinning ------------------------------------------------------------------------


def test_a_pin_is_exact_and_says_where_it_came_from(hub: Hub, repo: Repo) -> None:
    """What is signed must name one commit, every digest and no date of today."""
    commit = repo.branches["main"]
    base = f"{hub.url}/org/tiny/resolve/{commit}"
    assert source(hub).resolve(wish()) == Pinned(
        kind=Kind.MODEL,
        name="org/tiny",
        revision=commit,
        files=(
            PinnedFile(
                path="config.json",
                size=len(CONFIG),
                git_oid=git_oid(CONFIG),
                location=f"{base}/config.json",
                facts={"security": "safe"},
            ),
            PinnedFile(
                path="model.safetensors",
                size=len(WEIGHTS),
                sha256=sha256(WEIGHTS),
                location=f"{base}/model.safetensors",
                facts={"security": "unsafe"},
            ),
        ),
        refs=("main",),
        upstream={
            "endpoint": hub.url,
            "repository": "org/tiny",
            "requested": "main",
            "modified": "2024-05-06T07:08:09Z",
        },
        licence="apache-2.0",
        base_models=("org/base",),
    )


def test_every_name_of_the_commit_is_kept(hub: Hub, repo: Repo) -> None:
    """Clients behind the gap ask by branch or tag, not by commit."""
    repo.git_tags["stable"] = repo.branches["main"]
    repo.branches["release/2"] = repo.branches["main"]
    assert source(hub).resolve(wish()).refs == ("main", "release/2", "stable")
    assert source(hub).resolve(wish(revision="v1")).refs == ("v1",)
    commit = repo.branches["main"]
    pinned = source(hub).resolve(wish(revision=commit))
    assert (pinned.revision, pinned.refs) == (commit, ("main", "release/2", "stable"))


def test_which_names_are_tags_is_kept(hub: Hub, repo: Repo) -> None:
    """A hub lists tags apart from branches; a name that is both is a branch."""
    repo.git_tags |= {"stable": repo.branches["main"], "main": repo.branches["main"]}
    assert source(hub).resolve(wish()).upstream["tags"] == ("stable",)
    assert source(hub).resolve(wish(revision="v1")).upstream["tags"] == ("v1",)


def test_a_tag_gives_the_files_of_its_own_commit(hub: Hub) -> None:
    """The branch may have moved on."""
    assert paths(source(hub).resolve(wish(revision="v1"))) == ["config.json"]


def test_a_listing_of_many_pages_is_whole(hub: Hub, repo: Repo) -> None:
    """A page that is not asked for is a file that is not carried."""
    files = {f"part/{n:04}.json": b"%d" % n for n in range(37)}
    repo.commit(files)
    hub.page_size = 5
    assert paths(source(hub).resolve(wish())) == sorted(files)


def test_a_dataset_is_not_taken_for_a_model(hub: Hub) -> None:
    """Both kinds may have the same name."""
    pinned = source(hub).resolve(wish(kind=Kind.DATASET))
    assert paths(pinned) == ["data.json"]
    assert "/datasets/org/tiny/resolve/" in pinned.files[0].location


def test_card_tags_stand_in_for_a_missing_card(hub: Hub, repo: Repo) -> None:
    """Old repositories state their licence as a tag only."""
    repo.card = {}
    repo.tags = ["license:mit", "base_model:org/b", "base_model:quantized:org/b"]
    pinned = source(hub).resolve(wish())
    assert (pinned.licence, pinned.base_models) == ("mit", ("org/b",))


# --- refusals -----------------------------------------------------------------------


def refused(hub: Hub, asked: Wish, token: str = "") -> tuple[type[Exception], str, str]:
    """Return the error that resolving gives: its kind, its text, its hint."""
    with pytest.raises((RequestError, SourceError)) as caught:
        source(hub, token).resolve(asked)
    return type(caught.value), str(caught.value), caught.value.hint


def test_a_missing_and_a_private_repository_look_the_same(hub: Hub) -> None:
    """The hub does not tell which; the hint covers both."""
    for name in ("org/none", "org/private"):
        assert refused(hub, wish(name)) == (
            SourceGoneError,
            f"model `{name}` is not at {hub.url}, or is private",
            "check its spelling; for a private one, set HF_TOKEN",
        )
    assert paths(source(hub, TOKEN).resolve(wish("org/private"))) == ["data.json"]


def test_a_repository_that_the_hub_switched_off_is_gone(hub: Hub, repo: Repo) -> None:
    """No token helps; a site that holds it should know."""
    repo.disabled = True
    assert refused(hub, wish(), TOKEN) == (
        SourceGoneError,
        f"model `org/tiny` was switched off by {hub.url}",
        "ask its owner, or the hub",
    )


def test_a_gated_repository_is_found_out_before_its_files(hub: Hub) -> None:
    """Its listing is public; only the download would fail, hours later."""
    for token in ("", STRANGER):
        assert refused(hub, wish("org/gated"), token) == (
            SourceGatedError,
            "model `org/gated` is gated: its terms must be accepted",
            ACCEPT.format(hub.url),
        )
    pinned = source(hub, TOKEN).resolve(wish("org/gated"))
    assert pinned.upstream["gated"] == "manual"


def test_access_that_was_lost_is_said_when_a_file_is_read(hub: Hub) -> None:
    """A lock may be older than the permission."""
    file = source(hub, TOKEN).resolve(wish("org/gated")).files[0]
    with pytest.raises(SourceError) as caught, source(hub).read(file):
        pass
    assert str(caught.value) == f"{file.location} is gated: its terms must be accepted"


def test_a_bad_token_is_named_as_the_cause(hub: Hub) -> None:
    """Else people look for the repository."""
    kind, text, hint = refused(hub, wish(), "hf_old")
    assert (kind, hint) == (
        SourceError,
        "check HF_TOKEN: the hub does not know it, or it may not read this",
    )
    assert text == (
        f"{hub.url} refused model `org/tiny` with 401: Invalid credentials in"
        " Authorization header"
    )


def test_a_missing_revision_is_a_wrong_request(hub: Hub) -> None:
    """The repository is there; what was asked of it is not."""
    assert refused(hub, wish(revision="v9")) == (
        RequestError,
        "model `org/tiny` has no revision `v9`",
        "name a branch, a tag or a full commit; most have `main`",
    )


def test_a_busy_hub_says_when_to_come_back(hub: Hub) -> None:
    """The library would sleep for as long as it is told, without a word."""
    fault = Fault(status=429, headers=(("Retry-After", "33"),))
    path = "/api/models/org/tiny/revision/main"
    hub.api.refusals[path] = fault
    with pytest.raises(SourceBusyError) as caught:
        source(hub).resolve(wish())
    assert caught.value.retry_after_s == 33.0


def test_a_listing_without_digests_is_refused() -> None:
    """Then nothing would tell a good download from a bad one."""

    class Careless(Repo):
        def entry(self, *args: object, **kwargs: object) -> dict[str, object]:
            return {"type": "file", "path": "x\x1b", "size": 3, "oid": "none"}

    careless = Careless("org/careless")
    careless.commit({"x": b"abc"})
    with Hub(careless) as other:
        assert refused(other, wish("org/careless"))[:2] == (
            SourceError,
            "the hub states no digest or size for `x\\x1b`",
        )


def test_answers_that_are_not_the_hubs_are_refused() -> None:
    """A proxy's login page comes with status 200."""

    class Odd(Repo):
        def info(self, commit: str, *, blobs: bool) -> dict[str, object]:
            return {"sha": commit}

    odd = Odd("org/odd")
    odd.commit({"x": b"abc"})
    with Hub(odd) as hub:
        assert refused(hub, wish("org/odd"))[:2] == (
            SourceError,
            f"{hub.url} answers oddly about model `org/odd` (KeyError: 'id')",
        )


def test_the_token_goes_to_the_endpoint_and_nowhere_else(hub: Hub) -> None:
    """Large files come from other hosts, which have no business with it."""
    asked = source(hub, TOKEN)
    for file in asked.resolve(wish()).files:
        with asked.read(file) as chunks:
            assert b"".join(chunks) in (CONFIG, WEIGHTS)
    assert {seen.headers.get("authorization") for seen in hub.api.seen} == {
        f"Bearer {TOKEN}"
    }
    assert [seen.headers.get("authorization") for seen in hub.cdn.seen] == [None]
    assert {seen.headers["user-agent"].split("/")[0] for seen in hub.cdn.seen} == {
        "airlift"
    }


# --- choosing -----------------------------------------------------------------------


def chosen(names: list[str], options: Mapping[str, Json], known: str = "") -> list[str]:
    """Return which of *names* a wish with *options* takes."""
    files = tuple(PinnedFile(path=name, size=1) for name in sorted(names))
    snapshot = Snapshot(
        repository="org/tiny",
        commit="0" * 40,
        files=files,
        refs=(),
        facts={},
        licence="",
        base_models=(),
        precisions=frozenset({known} - {""}),
    )
    asked = Wish(kind=Kind.MODEL, name="org/tiny", options=options)
    return [file.path for file in choose(asked, snapshot)]


TRANSFORMERS = [
    "README.md",
    "config.json",
    "flax_model.msgpack",
    "model.fp16.safetensors",
    "model.safetensors",
    "onnx/model.onnx",
    "onnx/model.onnx_data",
    "onnx/model_fp16.onnx",
    "onnx/model_quantized.onnx",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",
    "training_args.bin",
]
DIFFUSERS = [
    "model_index.json",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "v1-5-pruned.safetensors",
]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, TRANSFORMERS),
        ({"include": ("*.json",)}, ["config.json", "pytorch_model.bin.index.json"]),
        (
            {"include": ("onnx/",), "exclude": ("*data",)},
            TRANSFORMERS[5:6] + TRANSFORMERS[7:9],
        ),
        ({"exclude": ("*model*", "*.bin")}, ["README.md", "config.json"]),
        (
            {"format": "safetensors"},
            [*TRANSFORMERS[:2], *TRANSFORMERS[3:5], "training_args.bin"],
        ),
        (
            {"variant": "fp16"},
            [*TRANSFORMERS[:2], TRANSFORMERS[3], TRANSFORMERS[7], "training_args.bin"],
        ),
        (
            {"variant": "FP16", "format": "safetensors"},
            [*TRANSFORMERS[:2], TRANSFORMERS[3], "training_args.bin"],
        ),
        (
            {"variant": "int8"},
            [*TRANSFORMERS[:2], TRANSFORMERS[8], "training_args.bin"],
        ),
    ],
)
def test_a_repository_is_narrowed_as_asked(
    options: Mapping[str, Json], kept: list[str]
) -> None:
    """Several copies of the same weights fill several media."""
    assert chosen(TRANSFORMERS, options) == kept


def test_a_pipeline_stays_whole_in_a_variant() -> None:
    """It does not load when one of its models is left out."""
    assert chosen(DIFFUSERS, {"variant": "fp16"}) == [
        "model_index.json",
        "safety_checker/config.json",
        "safety_checker/model.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    ]
    assert chosen(DIFFUSERS, {"variant": "non_ema"})[-1] == (
        "unet/diffusion_pytorch_model.non_ema.safetensors"
    )


def test_another_variants_folder_is_left_out_whole() -> None:
    """Its configuration would only confuse."""
    files = ["config.json", "fp16/config.json", "fp16/model.bin", "int8/config.json"]
    assert chosen([*files, "int8/model.bin"], {"variant": "fp16"}) == files[:3]


def test_what_the_hub_knows_of_plain_files_counts() -> None:
    """A repository of one precision has it in no file name."""
    files = ["config.json", "model.safetensors"]
    assert chosen(files, {"variant": "awq"}, "awq") == files
    assert chosen(files, {"variant": "bfloat16"}, "bf16") == files


def test_a_variant_that_is_not_there_is_refused_with_what_is() -> None:
    """Carrying another one in silence would be noticed on the wrong side."""
    with pytest.raises(RequestError) as caught:
        chosen(TRANSFORMERS, {"variant": "bf16"}, "f32")
    assert str(caught.value) == (
        "`org/tiny` has no variant `bf16`; there are: `fp16`, `fp32`, `int8`"
    )
    with pytest.raises(RequestError) as caught:
        chosen(["config.json", "model.bin"], {"variant": "fp16"})
    assert str(caught.value) == (
        "`org/tiny` has no variant `fp16`; there are: none by name"
    )


def test_patterns_that_leave_nothing_are_refused() -> None:
    """An empty artifact looks like a success."""
    with pytest.raises(RequestError) as caught:
        chosen(TRANSFORMERS, {"include": ("*.gguf",)})
    assert str(caught.value) == "none of the 13 files of `org/tiny` is asked for"
    with pytest.raises(RequestError) as caught:
        chosen(TRANSFORMERS, {"format": "onnx"})
    assert str(caught.value) == (
        "`org/tiny`: format `onnx` is not one of `all`, `safetensors`"
    )


def test_a_format_that_is_not_there_leaves_all() -> None:
    """`safetensors` prefers; it does not leave a model without weights."""
    files = ["config.json", "pytorch_model.bin"]
    assert chosen(files, {"format": "safetensors"}) == files


@pytest.mark.parametrize(
    ("path", "precision"),
    [
        ("model.safetensors", ""),
        ("model.fp16.safetensors", "fp16"),
        ("model.fp16-00001-of-00002.safetensors", "fp16"),
        ("model.safetensors.index.fp16.json", "fp16"),
        ("onnx/model_q4f16.onnx", "q4f16"),
        ("onnx/model_quantized.onnx", "int8"),
        ("int8/model.bin", "int8"),
        ("int8/model_float16.onnx", "fp16"),
        ("halfway/model.bin", ""),
    ],
)
def test_precisions_are_read_from_names(path: str, precision: str) -> None:
    """Each library has its own way to say the same."""
    assert precision_of(path) == precision


# --- the double ---------------------------------------------------------------------


def test_the_hubs_own_library_downloads_from_the_double(
    hub: Hub, tmp_path: Path
) -> None:
    """A double that the real client does not believe proves nothing."""
    code = (
        "import huggingface_hub, sys;"
        "print(huggingface_hub.snapshot_download('org/tiny', token=False))"
    )
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    folder = Path(run.stdout.strip())
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        "config.json": CONFIG,
        "model.safetensors": WEIGHTS,
    }
    (listing,) = folder.parent.parent.glob("trees/*.json")
    assert set(json.loads(listing.read_text())["files"]) == {
        "config.json",
        "model.safetensors",
    }
