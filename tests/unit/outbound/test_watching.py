"""What is watched: as it was shipped, or as a manifest says."""

import pytest

from airlift.artifact import Json, Kind, Pinned, PinnedFile, Wish
from airlift.outbound.watching import Watched, watch_list


def shipped(kind: Kind, name: str, *paths: str, **upstream: Json) -> Pinned:
    """Return what was shipped."""
    return Pinned(
        kind=kind,
        name=name,
        revision="0" * 40,
        files=tuple(PinnedFile(path=path, size=1) for path in paths),
        upstream=upstream,
    )


def wish(kind: Kind, name: str, **options: Json) -> Wish:
    """Return an entry of a manifest."""
    return Wish(kind=kind, name=name, options=options)


@pytest.mark.parametrize(
    ("one", "name", "options"),
    [
        (
            shipped(Kind.MODEL, "org/m", requested="dev"),
            *("org/m", {"revision": "dev"}),
        ),
        # A commit and a tag stand still: what comes after them is on the main branch.
        (
            shipped(Kind.MODEL, "org/m", requested="a" * 40),
            *("org/m", {"revision": "main"}),
        ),
        (
            shipped(Kind.DATASET, "org/d", requested="v1", tags=("v1",)),
            *("org/d", {"revision": "main"}),
        ),
        (
            shipped(Kind.GGUF, "org/g", "a.gguf", quantisation="Q4_K_M"),
            *("org/g", {"revision": "main", "quant": "Q4_K_M", "projector": False}),
        ),
        (
            shipped(
                Kind.GGUF, "org/g", "a.gguf", "mmproj.gguf", projector="mmproj.gguf"
            ),
            *("org/g", {"revision": "main", "file": "a.gguf", "projector": True}),
        ),
        (
            shipped(Kind.OLLAMA, "library/tiny", requested="8b"),
            *("library/tiny:8b", {}),
        ),
        (
            shipped(Kind.OLLAMA, "reg.example_5000/ns/tiny", requested="latest"),
            *("reg.example:5000/ns/tiny:latest", {}),
        ),
        (
            shipped(
                Kind.OCI, "docker.io/library/x", requested="1.2", platform=("a/b",)
            ),
            *("docker.io/library/x:1.2", {"platform": ("a/b",)}),
        ),
        (
            shipped(Kind.OCI, "reg.example_5000/x", requested=f"sha256:{'a' * 64}"),
            *(f"reg.example:5000/x@sha256:{'a' * 64}", {"platform": ()}),
        ),
        (
            shipped(
                Kind.WHEELS,
                "tools",
                requested=("demo", "extra<2"),
                targets=(
                    "python 3.11 on x86_64-manylinux_2_28",
                    "python 3.12 on x86_64-manylinux_2_28",
                ),
            ),
            "tools",
            {
                "requirements": ("demo", "extra<2"),
                "python": ("3.11", "3.12"),
                "platform": ("x86_64-manylinux_2_28",),
            },
        ),
    ],
)
def test_what_was_shipped_is_asked_for_as_it_was(
    one: Pinned, name: str, options: dict[str, Json]
) -> None:
    """A release tells enough to ask again; nobody has to keep a second list."""
    expected = Wish(kind=one.kind, name=name, options=options)
    assert watch_list([], [one]) == (Watched(wish=expected, name=one.name),)


def test_a_folder_has_no_upstream() -> None:
    """There is nobody to ask."""
    folder = wish(Kind.FOLDER, "mine", path="x")
    assert watch_list([folder], [shipped(Kind.FOLDER, "mine")]) == ()


def test_what_a_manifest_says_goes_before_what_was_shipped() -> None:
    """It follows what is wanted now; what releases are called is known all the same."""
    stated = wish(Kind.MODEL, "org/m", revision="next")
    found = watch_list([stated], [shipped(Kind.MODEL, "org/m", requested="main")])
    assert found == (Watched(wish=stated, name="org/m"),)


def test_of_many_releases_of_one_name_the_newest_says_how() -> None:
    """They come with the newest first, and are asked for once."""
    releases = [
        shipped(Kind.MODEL, "org/m", requested="new"),
        shipped(Kind.MODEL, "org/m", requested="old"),
    ]
    (found,) = watch_list([], releases)
    assert found.wish.options == {"revision": "new"}


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (Kind.OLLAMA, {"requested": "8b"}, {"requested": "70b"}),
        (Kind.OCI, {"requested": "1"}, {"requested": "2"}),
        (Kind.GGUF, {"quantisation": "Q4_K_M"}, {"quantisation": "Q8_0"}),
    ],
)
def test_tags_and_quantisations_are_watched_each(
    kind: Kind, first: dict[str, Json], second: dict[str, Json]
) -> None:
    """One name holds many; a site may hold several of them."""
    name = "reg.example/org/m" if kind is Kind.OCI else "org/m"
    releases = [shipped(kind, name, **told) for told in (first, second)]
    assert len(watch_list([], releases)) == 2


@pytest.mark.parametrize(
    ("stated", "one"),
    [
        (
            wish(Kind.OLLAMA, "tiny"),
            shipped(Kind.OLLAMA, "library/tiny", requested="latest"),
        ),
        (
            wish(Kind.OCI, "alpine:3"),
            shipped(Kind.OCI, "docker.io/library/alpine", requested="3"),
        ),
        (
            wish(Kind.GGUF, "Org/G", quant="q4_k_m"),
            shipped(Kind.GGUF, "org/g", quantisation="Q4_K_M"),
        ),
    ],
)
def test_a_name_written_shorter_is_the_same(stated: Wish, one: Pinned) -> None:
    """Else everything would be asked for, and shown, twice."""
    assert watch_list([stated], [one]) == (Watched(wish=stated, name=one.name),)
