"""Manifests: written the same each time, and read without believing them."""

import json
from typing import Any

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.payload import oci
from airlift.payload.oci import Descriptor, Document

A, B = Sha256("a" * 64), Sha256("b" * 64)
LAYER = {"mediaType": oci.LAYER, "digest": f"sha256:{A}", "size": 5}
CONFIG = {"mediaType": oci.CONFIG, "digest": f"sha256:{B}", "size": 2}
GOOD: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": oci.MANIFEST,
    "config": CONFIG,
    "layers": [LAYER, LAYER],
}


def read(shape: object) -> Document:
    """Read *shape* as a manifest."""
    return oci.read(json.dumps(shape).encode(), name="acme/m:1")


def test_what_is_written_is_pinned() -> None:
    """A digest is a name: other bytes would be another image at each site."""
    layer = Descriptor(
        media_type=oci.FILE, digest=A, size=3, annotations={oci.TITLE: "w.bin"}
    )
    data = oci.manifest(
        oci.describe(oci.EMPTY_BYTES, oci.EMPTY),
        [layer],
        artifact_type="application/x",
        annotations={oci.REVISION: "r"},
    )
    assert data == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        b'"artifactType":"application/x","config":{"mediaType":'
        b'"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f'
        b'7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":'
        b'"application/octet-stream","digest":"sha256:' + b"a" * 64 + b'","size":3,'
        b'"annotations":{"org.opencontainers.image.title":"w.bin"}}],'
        b'"annotations":{"org.opencontainers.image.revision":"r"}}'
    )
    assert oci.config([A], architecture="arm64") == (
        b'{"architecture":"arm64","os":"linux","config":{},"rootfs":{"type":"layers",'
        b'"diff_ids":["sha256:' + b"a" * 64 + b'"]}}'
    )


def test_what_is_written_is_read_back() -> None:
    """Reader and writer are held to the same document."""
    child = oci.describe(b"{}", oci.MANIFEST, platform="linux/arm64/v8")
    data = oci.index([child], annotations={"a": "b"})
    assert oci.read(data, name="i") == Document(
        media_type=oci.INDEX, children=(child,), annotations={"a": "b"}
    )


def test_each_blob_is_named_once() -> None:
    """Empty layers repeat in many images; each is fetched and kept once."""
    assert read(GOOD | {"subject": LAYER, "annotations": {"k": "v"}}) == Document(
        media_type=oci.MANIFEST,
        blobs=(
            Descriptor(media_type=oci.CONFIG, digest=B, size=2),
            Descriptor(media_type=oci.LAYER, digest=A, size=5),
        ),
        subject=A,
        artifact_type=oci.CONFIG,
        annotations={"k": "v"},
    )


def test_a_manifest_without_its_type_gets_the_one_its_shape_has() -> None:
    """The field is optional, and every client needs the right Content-Type."""
    bare = {key: value for key, value in GOOD.items() if key != "mediaType"}
    assert read(bare).media_type == oci.MANIFEST
    assert read({"schemaVersion": 2, "manifests": []}).media_type == oci.INDEX


def test_docker_documents_are_the_same_under_other_names() -> None:
    """Most images still are Docker's."""
    assert read(GOOD | {"mediaType": oci.DOCKER_MANIFEST}).media_type == (
        oci.DOCKER_MANIFEST
    )
    listed = {"schemaVersion": 2, "mediaType": oci.DOCKER_INDEX, "manifests": [LAYER]}
    assert read(listed).children[0].digest == A


BAD: dict[str, tuple[object, str]] = {
    "no object": ([], "is no manifest: `schemaVersion` is not 2"),
    "old": (
        {"schemaVersion": 1, "fsLayers": []},
        "is no manifest: `schemaVersion` is not 2",
    ),
    "both": (GOOD | {"manifests": []}, "is neither a manifest nor an index"),
    "neither": ({"schemaVersion": 2}, "is neither a manifest nor an index"),
    "type": (GOOD | {"mediaType": "text/html"}, "has the media type `text/html`"),
    "index type": (
        GOOD | {"mediaType": oci.INDEX},
        f"has the media type `{oci.INDEX}`",
    ),
    "layers": (
        GOOD | {"layers": {}},
        "has no list of at most 4096 entries as `layers`",
    ),
    "many": (
        GOOD | {"layers": [LAYER] * 4097},
        "has no list of at most 4096 entries as `layers`",
    ),
    "layer": (GOOD | {"layers": [1]}, "has no object as `layers[0]`"),
    "md5": (
        GOOD | {"layers": [LAYER | {"digest": "md5:ab"}]},
        "does not name `layers[0]` by a SHA-256",
    ),
    "path": (
        GOOD | {"layers": [LAYER | {"digest": "sha256:../../etc"}]},
        "does not name `layers[0]` by a SHA-256",
    ),
    "negative": (
        GOOD | {"layers": [LAYER | {"size": -1}]},
        "states no size of `layers[0]`",
    ),
    "true": (
        GOOD | {"layers": [LAYER | {"size": True}]},
        "states no size of `layers[0]`",
    ),
    "two sizes": (
        GOOD | {"layers": [LAYER, LAYER | {"size": 6}]},
        f"states two sizes of sha256:{A}",
    ),
    "header": (
        GOOD | {"layers": [LAYER | {"mediaType": "a/b\r\nX: y"}]},
        "states no media type of `layers[0]`",
    ),
    "config": (GOOD | {"config": None}, "has no object as `config`"),
    "platform": (
        {"schemaVersion": 2, "manifests": [LAYER | {"platform": {"os": "li nux"}}]},
        "states no platform of `manifests[0]`",
    ),
    "annotation": (
        GOOD | {"annotations": {"a": 1}},
        "has an annotation that is no text",
    ),
    "text": (
        GOOD | {"artifactType": 1},
        "has something else than text as `artifactType`",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_what_is_not_a_manifest_is_refused(case: str) -> None:
    """It comes from any registry, and decides what is fetched and served."""
    shape, problem = BAD[case]
    with pytest.raises(FormatError) as caught:
        read(shape)
    assert str(caught.value) == f"acme/m:1 {problem}"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<html>", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (
            b'{"schemaVersion":2,"schemaVersion":1}',
            "is not JSON: an object has a key twice",
        ),
        (b"[" * 100_000, "is not JSON: maximum recursion depth exceeded"),
        (b" " * (oci.DOCUMENT_LIMIT + 1), "has 4194305 bytes, the limit is 4194304"),
    ],
)
def test_what_is_not_even_json_is_refused(data: bytes, problem: str) -> None:
    """A proxy's login page must not be taken for a model."""
    with pytest.raises(FormatError) as caught:
        oci.read(data, name="m")
    assert str(caught.value).startswith(f"m {problem}")


def test_only_one_spelling_of_a_digest_is_one() -> None:
    """Two spellings of one digest would be two names."""
    assert oci.parse_digest(f"sha256:{A}") == A
    for text in (A, f"sha256:{A.upper()}", f"sha256:{A}0", f"sha512:{A}", ""):
        assert oci.parse_digest(text) is None


def test_an_empty_configuration_is_the_specifications_own() -> None:
    """Its digest is fixed there; clients know it by heart."""
    assert sha256(oci.EMPTY_BYTES) == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
