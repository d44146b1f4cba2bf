"""Choosing GGUF files: by name, by quantisation, by memory; whole or not at all."""

from collections.abc import Mapping

import pytest

from airlift.artifact import Json, Kind, Pinned, PinnedFile, Wish
from airlift.errors import RequestError, SourceError
from airlift.fetch import Settings
from airlift.format.ranges import size_bytes
from airlift.sources.gguf import Gguf, candidates_of
from hubs import gguf_file
from hubs.hub import Hub
from hubs.repository import Repo

MIB = 1 << 20
FIXED = 400 * MIB
TINY = gguf_file.model(100)

NAMES = [
    "README.md",
    "imatrix.gguf",
    "thing-F16.gguf",
    "thing-UD-IQ2_XXS.gguf",
    "thing.Q4_K_M.gguf",
    "Q8_0/thing-Q8_0-00001-of-00003.gguf",
    "Q8_0/thing-Q8_0-00002-of-00003.gguf",
    "Q8_0/thing-Q8_0-00003-of-00003.gguf",
    "mmproj-F32.gguf",
    "mmproj-thing-f16.gguf",
    "thing.mmproj-Q8_0.gguf",
]

MODELS = sorted([NAMES[5], *NAMES[2:5]])


def resolved(files: Mapping[str, bytes], options: Mapping[str, Json]) -> Pinned:
    """Return what a wish with *options* gives from a repository of *files*."""
    repo = Repo("org/thing-GGUF")
    repo.commit(dict(files))
    with Hub(repo) as hub:
        settings = Settings(endpoints={"huggingface": hub.url}, token="")
        wish = Wish(kind=Kind.GGUF, name="org/thing-GGUF", options=options)
        return Gguf(settings).resolve(wish)


def chosen(options: Mapping[str, Json], names: list[str] = NAMES) -> list[str]:
    """Return the paths that a wish with *options* takes from *names*."""
    pinned = resolved(dict.fromkeys(names, TINY), options)
    return [file.path for file in pinned.files]


def refused(options: Mapping[str, Json], names: list[str] = NAMES) -> tuple[str, str]:
    """Return what is said to a wish with *options*, and the hint."""
    with pytest.raises((RequestError, SourceError)) as caught:
        chosen(options, names)
    return str(caught.value), caught.value.hint


# --- names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "base", "quant"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", "Qwen3-8B", "Q4_K_M"),
        ("mistral-7b-v0.1.Q5_0.gguf", "mistral-7b-v0.1", "Q5_0"),
        ("a/b/Llama-3-IQ3_XXS.gguf", "Llama-3", "IQ3_XXS"),
        ("x-UD-Q4_K_XL.gguf", "x", "UD-Q4_K_XL"),
        ("x-bf16.gguf", "x", "BF16"),
        ("gpt-oss-20b-mxfp4.gguf", "gpt-oss-20b", "MXFP4"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", "gpt-oss-20b", "MXFP4_MOE"),
        ("x-TQ1_0.gguf", "x", "TQ1_0"),
        ("x-Q8_0-00001-of-00001.gguf", "x", "Q8_0"),
        ("f16.gguf", "", "F16"),
        ("ggml-model.gguf", "ggml-model", ""),
        ("IQ-model-v2.gguf", "IQ-model-v2", ""),
    ],
)
def test_names_are_read_as_llama_cpp_reads_them(
    name: str, base: str, quant: str
) -> None:
    """The client behind the gap chooses by the same names."""
    (found,) = candidates_of([PinnedFile(path=name, size=1)])
    assert (found.base, found.quant) == (base, quant)


def test_what_is_beside_a_model_is_no_model() -> None:
    """A projector or an importance matrix would be loaded as the model."""
    files = [PinnedFile(path=name, size=1) for name in NAMES]
    assert sorted(one.quant for one in candidates_of(files)) == [
        "F16",
        "Q4_K_M",
        "Q8_0",
        "UD-IQ2_XXS",
    ]


# --- by name and quantisation -------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ({"quant": "Q4_K_M"}, ["mmproj-thing-f16.gguf", "thing.Q4_K_M.gguf"]),
        ({"quant": "q8_0", "projector": False}, NAMES[5:8]),
        (
            {"quant": "IQ2_XXS", "projector": "f32"},
            ["mmproj-F32.gguf", "thing-UD-IQ2_XXS.gguf"],
        ),
        (
            {"file": "thing-F16.gguf", "projector": "q8_0"},
            ["thing-F16.gguf", "thing.mmproj-Q8_0.gguf"],
        ),
        ({"file": NAMES[6], "projector": False}, NAMES[5:8]),
    ],
)
def test_a_model_comes_with_its_shards_and_projector(
    options: Mapping[str, Json], paths: list[str]
) -> None:
    """Any of them missing is found out behind the gap, when it is too late."""
    assert chosen(options) == paths


def test_a_model_without_a_projector_is_taken_without_one() -> None:
    """Most models see nothing."""
    assert chosen({"quant": "F16"}, NAMES[:5]) == ["thing-F16.gguf"]


def test_the_choice_is_written_down() -> None:
    """The signed record says which quantisation it is."""
    pinned = resolved(dict.fromkeys(NAMES, TINY), {"quant": "q4_k_m"})
    assert pinned.upstream["quantisation"] == "Q4_K_M"
    assert pinned.upstream["projector"] == "mmproj-thing-f16.gguf"
    assert pinned.upstream["repository"] == "org/thing-GGUF"


def test_a_missing_shard_is_named() -> None:
    """An upload may still be under way, or have been given up."""
    lost = [name for name in NAMES if "00002-of" not in name]
    assert refused({"quant": "Q8_0"}, lost) == (
        "upstream lacks `Q8_0/thing-Q8_0-00002-of-00003.gguf`, shard 2 of 3",
        "wait until its upload is complete, or ask its owner",
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"quant": "Q5_K_M"},
            "no quantisation `Q5_K_M`; there are: `F16`, `Q4_K_M`, `Q8_0`, `UD-IQ2_XXS`",
        ),
        (
            {"file": "other.gguf"},
            f"no GGUF model `other.gguf`; there are: `{'`, `'.join(MODELS)}`",
        ),
        (
            {"quant": "F16", "projector": "bf16"},
            "no projector of precision `bf16`; there are: `f16`, `f32`, `q8_0`",
        ),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    options: Mapping[str, Json], problem: str
) -> None:
    """Carrying another one in silence would be noticed on the wrong side."""
    assert refused(options) == (f"`org/thing-GGUF` has {problem}", "use one of these")


def test_one_quantisation_of_several_models_must_be_named() -> None:
    """Guessing which is meant would guess wrong."""
    names = ["big-Q8_0.gguf", "small-Q8_0.gguf"]
    assert refused({"quant": "Q8_0"}, names) == (
        "`org/thing-GGUF` has Q8_0 of several models",
        "name one as `file`: `big-Q8_0.gguf`, `small-Q8_0.gguf`",
    )
    assert refused({"memory": "9GiB"}, names) == (
        "`org/thing-GGUF` holds several models: `big`, `small`",
        "name one as `file` instead",
    )


def test_a_repository_without_gguf_is_refused() -> None:
    """It may well be a model of another kind."""
    assert refused({"quant": "Q8_0"}, ["model.safetensors", "mmproj-f16.gguf"]) == (
        "`org/thing-GGUF` holds no GGUF model",
        "ask for it as a `[[model]]` instead",
    )


# --- by memory ----------------------------------------------------------------------

LOGITS = 512 * 2000 * 4
CACHE_PER_TOKEN = 2 * 4 * (64 + 64) * 2  # layers, KV heads, key and value, f16
SIZES = {"F16": 8 * MIB, "Q8_0": 4 * MIB, "Q4_K_M": 2 * MIB}


def needed(quant: str, context: int) -> int:
    """Return the memory that the small model of *quant* needs."""
    weights = len(gguf_file.model(SIZES[quant]))
    return weights + FIXED + LOGITS + CACHE_PER_TOKEN * context


@pytest.mark.parametrize("quant", SIZES)
def test_the_largest_that_fits_is_taken(quant: str) -> None:
    """More bits are better answers; one byte too many does not load."""
    files = {f"x-{one}.gguf": gguf_file.model(size) for one, size in SIZES.items()}
    room = needed(quant, 4096)
    memory = f"{-(-room // 1000) / 1000}MB"
    pinned = resolved(files, {"memory": memory, "context": 4096})
    assert [file.path for file in pinned.files] == [f"x-{quant}.gguf"]
    assert pinned.upstream["memory"] == {
        "bytes": room,
        "weights": len(files[f"x-{quant}.gguf"]),
        "cache": CACHE_PER_TOKEN * 4096,
        "overhead": FIXED + LOGITS,
        "projector": 0,
        "context": 4096,
    }


def test_a_projector_takes_its_share() -> None:
    """It is loaded beside the model."""
    files = {f"x-{one}.gguf": gguf_file.model(size) for one, size in SIZES.items()}
    memory = f"{-(-needed('F16', 8192) // 1000) / 1000}MB"
    assert [file.path for file in resolved(files, {"memory": memory}).files] == [
        "x-F16.gguf"
    ]
    files["mmproj-f16.gguf"] = bytes(MIB)
    pinned = resolved(files, {"memory": memory})
    assert [file.path for file in pinned.files] == ["mmproj-f16.gguf", "x-Q8_0.gguf"]


def test_only_the_header_is_read_to_choose() -> None:
    """Forty gigabytes are not fetched to learn that they do not fit."""
    body = gguf_file.model(16 * MIB, vocabulary=200_000)
    repo = Repo("org/thing-GGUF")
    repo.commit({"x-Q8_0.gguf": body})
    with Hub(repo) as hub:
        settings = Settings(endpoints={"huggingface": hub.url}, token="")
        options: dict[str, Json] = {"memory": "2GiB"}
        wish = Wish(kind=Kind.GGUF, name="org/thing-GGUF", options=options)
        Gguf(settings).resolve(wish)
        assert hub.sent() < 5 * MIB


def test_a_memory_that_nothing_fits_in_is_refused_with_what_is_needed() -> None:
    """The operator must learn how much too little it is."""
    files = {f"x-{one}.gguf": gguf_file.model(size) for one, size in SIZES.items()}
    with pytest.raises(RequestError) as caught:
        resolved(files, {"memory": "100MiB"})
    assert str(caught.value) == (
        "no quantisation of `org/thing-GGUF` fits in 100MiB with 8192 tokens of"
        f" context; the smallest needs about {needed('Q4_K_M', 8192)} bytes"
    )
    assert caught.value.hint == "allow more `memory` or a smaller `context`"


def test_a_file_that_only_looks_like_gguf_is_refused() -> None:
    """What cannot be read here cannot be loaded there."""
    with pytest.raises(SourceError) as caught:
        resolved({"x-Q8_0.gguf": b"not it" * 10}, {"memory": "1GiB"})
    assert str(caught.value) == (
        "`x-Q8_0.gguf`: GGUF header does not begin with `GGUF`"
    )


def test_a_header_that_does_not_say_how_large_it_is_is_refused() -> None:
    """An estimate without a ground would be believed."""
    empty = gguf_file.Gguf(keys=[gguf_file.string("general.architecture", "a")])
    with pytest.raises(SourceError) as caught:
        resolved({"x-Q8_0.gguf": empty.whole(b"")}, {"memory": "1GiB"})
    assert str(caught.value) == (
        "`x-Q8_0.gguf`: its header does not say how many layers it has, or how wide"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16GiB", 16 << 30),
        ("16GB", 16_000_000_000),
        ("7.5 GiB", 15 << 29),
        ("512MiB", 512 << 20),
        ("1TB", 10**12),
        ("0.125KiB", 128),
    ],
)
def test_memory_is_read_as_it_is_written(text: str, expected: int) -> None:
    """A card of 16 GB has 1.2 GB less than 16 GiB."""
    assert size_bytes(text) == expected


@pytest.mark.parametrize("text", ["16", "GiB", "1.2345GiB", "16gib", "-1GiB", "１GiB"])  # noqa: RUF001 - a digit of another script
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    """A guess could be a thousand times off."""
    with pytest.raises(RequestError):
        size_bytes(text)
