"""Names: one grammar for every container tool, and what it cannot tell apart."""

import pytest

from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.payload import oci_name
from airlift.payload.oci_name import Reference

HEX = "ab" * 32


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("Qwen/Qwen3-8B-GGUF", "qwen/qwen3-8b-gguf"),
        ("acme/tiny", "acme/tiny"),
        ("acme/a__b.c--d", "acme/a__b.c--d"),
        ("acme/a_-b", "acme/a-b"),
        ("_Acme/..x..", "acme/x"),
        ("acme/\u6a21\u578b", "acme/x"),
        ("single", "single"),
    ],
)
def test_every_name_has_a_repository(name: str, repository: str) -> None:
    """Tools refuse what the grammar does not allow before they ask anyone."""
    assert oci_name.repository(name) == repository


def test_names_that_come_out_the_same_are_told() -> None:
    """Neither of two could be pulled, and nobody would know why."""
    names = ["acme/Tiny", "acme/tiny", "acme/a_-b", "acme/a-b", "acme/a-b", "acme/one"]
    assert oci_name.collisions(names) == (
        ("acme/Tiny", "acme/tiny"),
        ("acme/a-b", "acme/a_-b"),
    )


@pytest.mark.parametrize(
    ("ref", "tag"),
    [
        ("main", "main"),
        ("refs/heads/main", "main"),
        ("refs/tags/v1.0", "v1.0"),
        ("refs/pr/1", "refs-pr-1"),
        ("feature/x", "feature-x"),
        ("a b", ""),
        (".hidden", ""),
        ("x" * 128, "x" * 128),
        ("x" * 129, ""),
    ],
)
def test_a_ref_has_a_tag_or_none(ref: str, tag: str) -> None:
    """Git allows what tags do not; a bent tag must not look like another's."""
    assert oci_name.tag(ref) == tag


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (
            "alpine",
            Reference(host="docker.io", path="library/alpine", tag="latest"),
        ),
        ("acme/m:v1", Reference(host="docker.io", path="acme/m", tag="v1")),
        (
            "docker.io/alpine",
            Reference(host="docker.io", path="library/alpine", tag="latest"),
        ),
        (
            "index.docker.io/acme/m",
            Reference(host="docker.io", path="acme/m", tag="latest"),
        ),
        (
            "ghcr.io/acme/deep/m:v1",
            Reference(host="ghcr.io", path="acme/deep/m", tag="v1"),
        ),
        (
            "localhost:5000/m",
            Reference(host="localhost:5000", path="m", tag="latest"),
        ),
        (
            f"ghcr.io/acme/m@sha256:{HEX}",
            Reference(host="ghcr.io", path="acme/m", tag="", digest=Sha256(HEX)),
        ),
        (
            f"ghcr.io/acme/m:v1@sha256:{HEX}",
            Reference(host="ghcr.io", path="acme/m", tag="v1", digest=Sha256(HEX)),
        ),
    ],
)
def test_a_reference_means_what_podman_takes_it_for(
    text: str, reference: Reference
) -> None:
    """People write what they know works."""
    assert oci_name.parse(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "a:", "Acme/m", "acme//m", "acme/../m", "https://ghcr.io/a", "a b"),
        *(
            "ghcr.io/a@sha256:ab",
            "ghcr.io/a:t:u",
            "ghcr.io/a@md5:ab",
            "-x.io/a",
            "a/-b",
        ),
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    """A name that means something else in each tool must not be guessed at."""
    with pytest.raises(RequestError) as caught:
        oci_name.parse(text)
    assert str(caught.value) == f"`{text}` is not the name of an image or artifact"


def test_hosts_stay_part_of_the_name() -> None:
    """Two registries' models of one name are never taken for each other."""
    assert oci_name.parse("ghcr.io/acme/m").served == "ghcr.io/acme/m"
    assert oci_name.parse("localhost:5000/m").served == "localhost_5000/m"
    assert oci_name.parse("alpine").served == "docker.io/library/alpine"
