"""Names of GGUF files, the models they make up, and what a tag means."""

import pytest

from airlift.artifact import ReleaseFile
from airlift.digest import sha256
from airlift.payload import gguf_names, gguf_repo
from airlift.payload.gguf_names import GgufName, Role


def files(*paths: str) -> list[ReleaseFile]:
    """Return files of these paths, each with bytes of its own."""
    return [
        ReleaseFile(path=path, size=10, sha256=sha256(path.encode())) for path in paths
    ]


def meant(tag: str, *paths: str) -> list[str]:
    """Return the first file of each model that *tag* means among *paths*."""
    models = gguf_repo.models(files(*paths))
    return [one.first.path for one in gguf_repo.choose(models, tag)]


@pytest.mark.parametrize(
    ("path", "base", "quant", "role"),
    [
        ("a-Q4_K_M.gguf", "a", "Q4_K_M", Role.MODEL),
        ("a.q4_k_m.gguf", "a", "Q4_K_M", Role.MODEL),
        ("a-UD-IQ2_XXS.gguf", "a", "UD-IQ2_XXS", Role.MODEL),
        ("a-F16.GGUF", "a", "F16", Role.MODEL),
        ("a-MXFP4_MOE.gguf", "a", "MXFP4_MOE", Role.MODEL),
        ("a-TQ1_0.gguf", "a", "TQ1_0", Role.MODEL),
        ("plain.gguf", "plain", "", Role.MODEL),
        ("mmproj-a-F16.gguf", "mmproj-a", "F16", Role.PROJECTOR),
        ("a-mmproj-f16.gguf", "a-mmproj", "F16", Role.PROJECTOR),
        ("a-imatrix.gguf", "a-imatrix", "", Role.ASIDE),
        ("mtp-a-Q8_0.gguf", "mtp-a", "Q8_0", Role.ASIDE),
    ],
)
def test_a_name_says_quantisation_and_role(
    path: str, base: str, quant: str, role: Role
) -> None:
    """As llama.cpp reads it; publishers write it in many ways."""
    assert gguf_names.read(path) == GgufName(
        folder=".",
        stem=path[:-5],
        base=base,
        quant=quant,
        shard=1,
        shards=1,
        role=role,
    )


def test_a_shard_is_known_by_its_number() -> None:
    """All shards are one model; the number is no part of its name."""
    assert gguf_names.read("Q8/big-Q8_0-00002-of-00003.gguf") == GgufName(
        folder="Q8",
        stem="big-Q8_0",
        base="big",
        quant="Q8_0",
        shard=2,
        shards=3,
        role=Role.MODEL,
    )


def test_other_files_have_no_such_name() -> None:
    """A repository also holds a README."""
    assert gguf_names.read("README.md") is None
    assert gguf_names.read("gguf") is None


def test_shards_are_one_model_in_their_order() -> None:
    """The first shard holds the metadata."""
    paths = [f"x-Q8_0-0000{n}-of-00003.gguf" for n in (3, 1, 2)]
    (model,) = gguf_repo.models(files(*paths, "README.md", "mmproj-F16.gguf"))
    assert [file.path for file in model.files] == sorted(paths)
    assert model.complete


def test_a_missing_shard_is_seen() -> None:
    """Half a model must never be taken for one."""
    (model,) = gguf_repo.models(files("x-Q8_0-00001-of-00002.gguf"))
    assert not model.complete


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("Q8_0", ["a-Q8_0.gguf"]),
        ("q8_0", ["a-Q8_0.gguf"]),
        ("IQ2_XXS", ["a-UD-IQ2_XXS.gguf"]),
        ("UD-IQ2_XXS", ["a-UD-IQ2_XXS.gguf"]),
        ("latest", ["a-Q4_K_M.gguf"]),
        ("LATEST", ["a-Q4_K_M.gguf"]),
        ("A-q8_0.gguf", ["a-Q8_0.gguf"]),
        ("a-q8_0", ["a-Q8_0.gguf"]),
        ("Q5_K_M", []),
        ("Q4", []),
    ],
)
def test_a_tag_is_a_quantisation_or_a_file_in_any_case(
    tag: str, found: list[str]
) -> None:
    """Ollama sends what its user typed, and the hub ignores case there."""
    assert meant(tag, "a-Q4_K_M.gguf", "a-Q8_0.gguf", "a-UD-IQ2_XXS.gguf") == found


def test_latest_is_what_llama_cpp_would_take() -> None:
    """Q4_K_M, else Q8_0, else the first, so that all runtimes get the same file."""
    assert meant("latest", "a-Q2_K.gguf", "a-Q8_0.gguf") == ["a-Q8_0.gguf"]
    assert meant("latest", "a-Q6_K.gguf", "a-Q2_K.gguf") == ["a-Q2_K.gguf"]
    assert meant("latest", "mmproj-F16.gguf") == []


def test_one_quantisation_of_two_models_is_not_guessed() -> None:
    """Serving the wrong one would be silent."""
    paths = ("a-Q8_0.gguf", "b-Q8_0.gguf")
    assert meant("Q8_0", *paths) == list(paths)
    assert meant("b-Q8_0", *paths) == ["b-Q8_0.gguf"]


def test_tags_are_those_that_mean_one_model() -> None:
    """What a list shows must work when it is typed."""
    models = gguf_repo.models(files("a-Q8_0.gguf", "a-Q2_K.gguf", "odd.gguf"))
    assert gguf_repo.tags(models) == ("Q2_K", "Q8_0", "latest", "odd")
    twice = gguf_repo.models(files("a-Q8_0.gguf", "b-Q8_0.gguf"))
    assert gguf_repo.tags(twice) == ()


def test_a_projector_beside_the_model_in_the_usual_precision_is_taken() -> None:
    """F16 is what every backend computes in."""
    held = files(
        "mmproj-F32.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf", "a-Q8_0.gguf"
    )
    (model,) = gguf_repo.models(held)
    chosen = gguf_repo.projector(held, model)
    assert chosen is not None
    assert chosen.path == "mmproj-F16.gguf"
    assert gguf_repo.projector(files("a-Q8_0.gguf"), model) is None


def test_the_projector_of_the_models_own_folder_comes_first() -> None:
    """Another model's projector would give nonsense, or stop the runtime."""
    held = files("mmproj-F16.gguf", "b/mmproj-Q8_0.gguf", "b/b-Q8_0.gguf")
    (model,) = gguf_repo.models(held)
    chosen = gguf_repo.projector(held, model)
    assert chosen is not None
    assert chosen.path == "b/mmproj-Q8_0.gguf"
