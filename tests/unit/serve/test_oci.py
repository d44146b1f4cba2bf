"""Models as artifacts and images, and what registries gave, over a real server."""

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airlift.artifact import Json, Kind
from airlift.digest import Sha256, sha256
from airlift.payload import oci
from airlift.serve.dialect import Caller, JoinedBody, Request
from airlift.serve.distribution import oci_image
from airlift.serve.distribution.derived import Derived
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.kept_digests import KeptDigests
from airlift.serve.distribution.oci import libraries
from airlift.serve.http.settings import ServeSettings
from served import serving
from shelves import Cargo, MemoryShelf, cargo
from wire import Got, ask

COMMIT, OLDER = "c" * 40, "d" * 40
FILES = {
    "config.json": b'{"model_type": "tiny"}',
    "empty.txt": b"",
    "sub/weights.bin": bytes(range(256)) * 4000,
    "twin.json": b'{"model_type": "tiny"}',
}
MODEL = cargo(
    Kind.MODEL,
    "Acme/Tiny",
    FILES,
    revision=COMMIT,
    counter=2,
    refs=["main", "refs/pr/1", "v1.0", "a/b", "a-b", "p/q-r", "p-q/r", "."],
)
MODEL = replace(MODEL, release=replace(MODEL.release, licence="mit"))
BEFORE = cargo(Kind.MODEL, "Acme/Tiny", {"old.txt": b"old"}, revision=OLDER)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A server, what it serves, and the digests it computes."""

    url: str
    shelf: MemoryShelf
    derived: Derived

    def get(self, path: str, *fields: str, method: str = "GET") -> Got:
        """Ask for *path* below ``/v2/``."""
        return ask(self.url, f"/v2/{path}", *fields, method=method)

    def ready(self, path: str, *fields: str) -> Got:
        """Ask until it is no longer being computed."""
        ends = time.monotonic() + 20
        while (got := self.get(path, *fields)).status == 429:
            assert time.monotonic() < ends, got.body
            time.sleep(0.005)
        return got


@contextmanager
def site(folder: Path, *cargoes: Cargo) -> Iterator[Site]:
    """Serve *cargoes* to container tools while the context is open."""
    folder.mkdir(exist_ok=True)
    shelf = MemoryShelf(folder, cargoes)
    with ExitStack() as stack:
        kept = stack.enter_context(KeptDigests(None))
        derived = Derived(
            shelf, kept, wanted=lambda _: (), say=lambda _: None, poll_s=0.01
        )
        stack.enter_context(derived)
        table = [Distribution(libraries(derived))]
        world = stack.enter_context(serving(shelf, ServeSettings(port=0), table))
        yield Site(url=world.url, shelf=shelf, derived=derived)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Site]:
    """Two revisions of one model."""
    with site(tmp_path / "shelf", MODEL, BEFORE) as running:
        yield running


def digest(content: bytes) -> str:
    """Return the digest of *content* as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def error(got: Got) -> tuple[int, str, str]:
    """Return status, code and message of an error."""
    (told,) = json.loads(got.body)["errors"]
    return got.status, told["code"], told["message"]


def manifest(got: Got, media_type: str) -> Any:
    """Check a manifest's headers against its bytes; return it decoded."""
    assert (got.status, got.headers["content-type"]) == (200, media_type)
    assert got.headers["docker-content-digest"] == digest(got.body)
    assert int(got.headers["content-length"]) == len(got.body)
    return json.loads(got.body)


# --- artifacts ------------------------------------------------------------------------


def test_an_artifact_is_the_files_under_their_names(tiny: Site) -> None:
    """Whoever pulls it gets the model's own bytes, each under its path."""
    shape = manifest(tiny.get("artifacts/acme/tiny/manifests/main"), oci.MANIFEST)
    layers = shape.pop("layers")
    assert shape == {
        "schemaVersion": 2,
        "mediaType": oci.MANIFEST,
        "artifactType": "application/vnd.airlift.model.v1",
        "config": {"mediaType": oci.EMPTY, "digest": digest(b"{}"), "size": 2},
        "annotations": {
            "org.opencontainers.image.title": "Acme/Tiny",
            "org.opencontainers.image.revision": COMMIT,
            "org.opencontainers.image.licenses": "mit",
        },
    }
    assert layers == [
        {
            "mediaType": "application/octet-stream",
            "digest": digest(content),
            "size": len(content),
            "annotations": {"org.opencontainers.image.title": path},
        }
        for path, content in FILES.items()
    ]
    for layer, content in zip(layers, FILES.values(), strict=True):
        got = tiny.get(f"artifacts/acme/tiny/blobs/{layer['digest']}")
        assert (got.status, got.body) == (200, content)
    assert tiny.get(f"artifacts/acme/tiny/blobs/{digest(b'{}')}").body == b"{}"


def test_tags_are_what_the_grammar_can_say(tiny: Site) -> None:
    """A bent name must not look like another ref; odd ones are left out."""
    body = json.loads(tiny.get("artifacts/acme/tiny/tags/list").body)
    tags = ["a-b", COMMIT, OLDER, "latest", "main", "refs-pr-1", "v1.0"]
    assert body == {"name": "artifacts/acme/tiny", "tags": tags}
    found = {
        tag: tiny.get(f"artifacts/acme/tiny/manifests/{tag}").headers[
            "docker-content-digest"
        ]
        for tag in tags
    }
    assert len(set(found.values())) == 2
    assert {tag for tag in tags if found[tag] == found[OLDER]} == {OLDER}


def test_a_ref_called_latest_is_what_it_says(tmp_path: Path) -> None:
    """Upstream's own tag goes before the one made here."""
    old = cargo(Kind.MODEL, "o/m", {"f": b"1"}, revision=OLDER, refs=["latest"])
    new = cargo(Kind.MODEL, "o/m", {"f": b"2"}, revision=COMMIT, counter=2)
    with site(tmp_path / "s", old, new) as running:
        shape = json.loads(running.get("artifacts/o/m/manifests/latest").body)
        assert shape["annotations"]["org.opencontainers.image.revision"] == OLDER


@pytest.mark.parametrize(
    "name", ["artifacts/acme/tiny", "artifacts/Acme/Tiny", "artifacts/ACME/tiny"]
)
def test_case_does_not_matter(tiny: Site, name: str) -> None:
    """Container tools can only say lower case; others say what they read."""
    got = tiny.get(f"{name}/manifests/{COMMIT}")
    assert (got.status, json.loads(got.body)["schemaVersion"]) == (200, 2)


def test_names_that_fall_together_are_not_guessed_at(tmp_path: Path) -> None:
    """The wrong model under the right name would be worse than none."""
    one = cargo(Kind.MODEL, "acme/Tiny", {"f": b"1"})
    two = cargo(Kind.FOLDER, "acme/tiny", {"f": b"2"})
    with site(tmp_path / "s", one, two) as running:
        for prefix in ("artifacts", "images"):
            got = running.get(f"{prefix}/acme/tiny/manifests/main")
            assert error(got) == (
                404,
                "NAME_UNKNOWN",
                (
                    "acme/Tiny and acme/tiny have one name here, so neither is given: "
                    "rename one of them"
                ),
            )
            assert running.get(f"{prefix}/acme/tiny/blobs/{digest(b'1')}").status == 404


@pytest.mark.parametrize("path", ["manifests/none", f"manifests/{digest(b'')}"])
def test_what_is_not_there_is_said_in_the_protocols_words(
    tiny: Site, path: str
) -> None:
    """Clients tell a wrong tag from a broken server by the code."""
    status, code, _ = error(tiny.get(f"artifacts/acme/tiny/{path}"))
    assert (status, code) == (404, "MANIFEST_UNKNOWN")


def test_a_blob_of_another_model_is_not_given(tiny: Site) -> None:
    """What may be had is decided by repository; a digest alone opens nothing."""
    tiny.shelf.add(cargo(Kind.MODEL, "o/other", {"f": b"other"}))
    path = f"blobs/{digest(b'other')}"
    assert tiny.get(f"artifacts/o/other/{path}").body == b"other"
    assert error(tiny.get(f"artifacts/acme/tiny/{path}"))[:2] == (404, "BLOB_UNKNOWN")


def test_an_empty_file_has_no_bytes(tiny: Site) -> None:
    """Its digest is known to all; an error for it would break the whole pull."""
    got = tiny.get(f"artifacts/acme/tiny/blobs/{digest(b'')}")
    assert (got.status, got.body, got.headers["content-length"]) == (200, b"", "0")


def test_too_many_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    """A manifest above the limit is one that clients cut off."""
    many = {f"{n:05}-{'x' * 200}": b"%d" % n for n in range(11_000)}
    with site(tmp_path / "s", cargo(Kind.FOLDER, "o/many", many)) as running:
        assert error(running.get("artifacts/o/many/manifests/main")) == (
            404,
            "MANIFEST_UNKNOWN",
            "11000 files are more than a manifest may list: use the hub",
        )


# --- images ---------------------------------------------------------------------------


def unpacked(running: Site, name: str, tag: str = "main") -> dict[str, bytes]:
    """Pull an image as a client does, every digest checked; return its files."""
    index = manifest(running.ready(f"{name}/manifests/{tag}"), oci.INDEX)
    found: list[dict[str, bytes]] = []
    for child in index["manifests"]:
        got = running.get(f"{name}/manifests/{child['digest']}")
        assert (digest(got.body), len(got.body)) == (child["digest"], child["size"])
        shape = manifest(got, oci.MANIFEST)
        blobs = {
            one["digest"]: running.get(f"{name}/blobs/{one['digest']}").body
            for one in (shape["config"], *shape["layers"])
        }
        assert {digest(body) for body in blobs.values()} == set(blobs)
        config = json.loads(blobs[shape["config"]["digest"]])
        layers = [layer["digest"] for layer in shape["layers"]]
        platform = child["platform"]
        assert config == {
            "architecture": platform["architecture"],
            "os": platform["os"],
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": layers},
        }
        assert {layer["mediaType"] for layer in shape["layers"]} == {oci.LAYER}
        found.append(untarred([blobs[one] for one in layers]))
    assert all(one == found[0] for one in found)
    return found[0]


def untarred(layers: Sequence[bytes]) -> dict[str, bytes]:
    """Return the files of *layers*."""
    files = {}
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            for member in tar.getmembers():
                if (file := tar.extractfile(member)) is not None:
                    files[member.name] = file.read()
    return files


def test_an_image_has_the_files_below_models(tiny: Site) -> None:
    """A pod that mounts it finds every file, whatever its node is made of."""
    expected = {f"models/{path}": content for path, content in FILES.items()}
    assert unpacked(tiny, "images/acme/tiny") == expected
    platforms = [
        one["platform"]
        for one in json.loads(tiny.get("images/acme/tiny/manifests/main").body)[
            "manifests"
        ]
    ]
    assert platforms == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64"},
    ]
    assert unpacked(tiny, "images/acme/tiny", OLDER) == {"models/old.txt": b"old"}


def test_every_server_makes_the_same_image(tmp_path: Path) -> None:
    """Nodes keep layers by digest, and sites compare what they run."""
    digests = set()
    for name in ("one", "two"):
        with site(tmp_path / name, MODEL) as running:
            got = running.ready("images/acme/tiny/manifests/main")
            digests.add(got.headers["docker-content-digest"])
    assert digests == {
        "sha256:adf257188e535eb617508ac8d91572868fda482bbec93f988f9c66f73d21294b"
    }


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", oci.INDEX),
        ("*/*", oci.INDEX),
        (f"{oci.MANIFEST}, {oci.INDEX}", oci.INDEX),
        (f"{oci.DOCKER_MANIFEST}, {oci.MANIFEST}", oci.MANIFEST),
    ],
)
def test_a_client_that_reads_no_index_gets_a_manifest(
    tiny: Site, accept: str, media_type: str
) -> None:
    """Small clients ask for manifests only and fail on anything else."""
    fields = (f"Accept: {accept}",) if accept else ()
    got = tiny.ready("images/acme/tiny/manifests/main", *fields)
    manifest(got, media_type)
    head = tiny.get("images/acme/tiny/manifests/main", *fields, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-length", "docker-content-digest"):
        assert head.headers[name] == got.headers[name]


def test_layers_resume(tiny: Site) -> None:
    """A cut pull of 50 GB goes on where it was, across headers and files."""
    index = json.loads(tiny.ready("images/acme/tiny/manifests/main").body)
    child = tiny.get(f"images/acme/tiny/manifests/{index['manifests'][0]['digest']}")
    for layer in json.loads(child.body)["layers"]:
        path = f"images/acme/tiny/blobs/{layer['digest']}"
        whole = tiny.get(path).body
        assert len(whole) == layer["size"]
        for start in (1, 511, 700, layer["size"] - 1):
            got = tiny.get(path, f"Range: bytes={start}-")
            assert (got.status, got.body) == (206, whole[start:])
            stated = f"bytes {start}-{layer['size'] - 1}/{layer['size']}"
            assert got.headers["content-range"] == stated


@dataclass(frozen=True, kw_only=True)
class Slow:
    """Digests of which only some are known yet."""

    known: Mapping[int, Sha256]
    read: int

    def sha256(self, body: JoinedBody) -> Sha256 | None:
        """Return the digest of a body by its size."""
        return self.known.get(body.size)

    def done(self, body: JoinedBody) -> int:
        """Return the same for every body."""
        return self.read


def asked(slow: Slow, shelf: MemoryShelf, path: str) -> tuple[int, str, str, str]:
    """Return status, ``Retry-After``, code and message of an answer."""
    request = Request(method="GET", path=f"/v2/{path}", caller=Caller())
    answer = Distribution(libraries(slow)).answer(request, shelf)
    assert answer is not None
    assert isinstance(answer.body, bytes)
    (told,) = json.loads(answer.body)["errors"]
    later = dict(answer.headers).get("Retry-After", "")
    return answer.status, later, told["code"], told["message"]


@pytest.mark.parametrize("reference", ["main", digest(b"unknown yet")])
def test_an_image_that_is_not_ready_says_how_far_it_is(
    tmp_path: Path, reference: str
) -> None:
    """A 404 would be remembered; a client that is told to wait comes back."""
    files = {"a.bin": b"x" * 7_000_000, "b.bin": b"y" * 6_000_000}
    shelf = MemoryShelf(tmp_path, [cargo(Kind.FOLDER, "o/m", files)])
    slow = Slow(known={}, read=999_000)
    assert asked(slow, shelf, f"images/o/m/manifests/{reference}") == (
        *(429, "10", "TOOMANYREQUESTS"),
        (
            "the layers of o/m are being read for the first time: "
            "1 of 13 MB so far; ask again"
        ),
    )


def test_a_layer_is_not_denied_before_the_layers_are_known(tmp_path: Path) -> None:
    """After a restart without its cache, a client may come back for a layer first."""
    with site(tmp_path / "s", MODEL) as running:
        index = json.loads(running.ready("images/acme/tiny/manifests/main").body)
        config = index["manifests"][0]["digest"]
    table = [Distribution(libraries(Slow(known={}, read=0)))]
    settings = ServeSettings(port=0)
    with serving(MemoryShelf(tmp_path / "s", [MODEL]), settings, table) as world:
        got = ask(world.url, f"/v2/images/acme/tiny/blobs/{config}")
    assert (got.status, got.headers["retry-after"]) == (503, "5")


def test_more_files_than_layers_share_them_out(tmp_path: Path) -> None:
    """Runtimes refuse images of more than some hundred layers."""
    files = {f"{n:03}.bin": bytes([n % 251]) * (n * 7) for n in range(260)}
    with site(tmp_path / "s", cargo(Kind.FOLDER, "o/many", files)) as running:
        expected = {f"models/{path}": content for path, content in files.items()}
        assert unpacked(running, "images/o/many") == expected
        sizes = [body.size for body in oci_image.layers(running.shelf)]
    assert len(sizes) == 100
    assert max(sizes) - min(sizes) <= 3 * 512 + max(map(len, files.values()))


def test_an_ollama_model_is_laid_out_as_ollama_keeps_it(tmp_path: Path) -> None:
    """A pod mounts it and points ``OLLAMA_MODELS`` there."""
    weights = f"blobs/sha256-{sha256(b'GGUF')}"
    files = {"manifest.json": b"{}", weights: b"GGUF"}
    facts: dict[str, Mapping[str, Json]] = {
        weights: {"media-type": "application/x.model"}
    }
    named = {
        "library/tiny": "registry.ollama.ai/library/tiny/1b",
        "localhost_5000/acme/tiny": "localhost:5000/acme/tiny/1b",
    }
    for name, place in named.items():
        release = cargo(
            Kind.OLLAMA, name, files, revision="e" * 64, refs=["1b"], facts=facts
        )
        with site(tmp_path / name.replace("/", "-"), release) as running:
            assert unpacked(running, f"images/{name}", "1b") == {
                f"models/{weights}": b"GGUF",
                f"models/manifests/{place}": b"{}",
            }
            shape = json.loads(running.get(f"artifacts/{name}/manifests/1b").body)
            assert [layer["mediaType"] for layer in shape["layers"]] == [
                "application/x.model",
                "application/octet-stream",
            ]


# --- carried --------------------------------------------------------------------------

LAYER = b"layer" * 1000
CHILD = oci.manifest(
    oci.describe(b'{"os":"linux"}', oci.CONFIG), [oci.describe(LAYER, oci.LAYER)]
)
INDEX = json.dumps(
    {
        "schemaVersion": 2,
        "manifests": [oci.describe(CHILD, oci.MANIFEST).shape()],
        "odd": "spacing  is kept",
    },
    indent=3,
).encode()
CARRIED = {
    "manifest.json": INDEX,
    f"manifests/sha256-{sha256(CHILD)}": CHILD,
    f"blobs/sha256-{sha256(LAYER)}": LAYER,
    f"blobs/sha256-{sha256(b'{}')}": b"{}",
}
FACTS: Mapping[str, Mapping[str, Json]] = {
    "manifest.json": {"media-type": oci.INDEX},
    f"manifests/sha256-{sha256(CHILD)}": {"media-type": oci.DOCKER_MANIFEST},
}


def carried(name: str, *refs: str, counter: int = 1) -> Cargo:
    """Return an image as it was carried from a registry."""
    return cargo(
        Kind.OCI,
        name,
        CARRIED,
        revision=sha256(INDEX),
        refs=refs,
        facts=FACTS,
        counter=counter,
    )


def test_what_was_carried_is_byte_for_byte_as_it_was(tmp_path: Path) -> None:
    """Signatures are of digests: one changed space would break them all."""
    name = "ghcr.io/acme/deep/image"
    with site(tmp_path / "s", carried(name, "v1")) as running:
        for reference in ("v1", digest(INDEX)):
            got = running.get(f"{name}/manifests/{reference}")
            manifest(got, oci.INDEX)
            assert got.body == INDEX
        got = running.get(f"{name}/manifests/{digest(CHILD)}")
        manifest(got, oci.DOCKER_MANIFEST)
        assert got.body == CHILD
        assert running.get(f"{name}/blobs/{digest(LAYER)}").body == LAYER
        tags = json.loads(running.get(f"{name}/tags/list").body)
        assert tags == {"name": name, "tags": ["v1"]}
        for path in ("manifests/latest", f"manifests/{digest(b'')}", "blobs/sha256:a"):
            assert running.get(f"{name}/{path}").status == 404


def test_a_tag_that_moved_is_the_newest_releases(tmp_path: Path) -> None:
    """Both stay there by digest, as in a registry."""
    name = "ghcr.io/acme/image"
    newer = oci.manifest(oci.describe(b"{}", oci.EMPTY), [])
    moved = cargo(
        Kind.OCI,
        name,
        {"manifest.json": newer, f"blobs/sha256-{sha256(b'{}')}": b"{}"},
        revision=sha256(newer),
        refs=["v1", "latest"],
        facts={"manifest.json": {"media-type": oci.MANIFEST}},
        counter=2,
    )
    with site(tmp_path / "s", carried(name, "v1", "old"), moved) as running:
        bodies = {
            tag: running.get(f"{name}/manifests/{tag}").body
            for tag in ("v1", "latest", "old", digest(INDEX))
        }
    assert bodies == {"v1": newer, "latest": newer, "old": INDEX, digest(INDEX): INDEX}


def test_the_catalogue_lists_every_repository(tmp_path: Path) -> None:
    """Tools that mirror a whole registry begin there."""
    with site(tmp_path / "s", MODEL, carried("ghcr.io/acme/image", "v1")) as running:
        assert json.loads(running.get("_catalog").body) == {
            "repositories": [
                "artifacts/acme/tiny",
                "ghcr.io/acme/image",
                "images/acme/tiny",
            ]
        }
        assert json.loads(
            running.get("_catalog?n=1&last=artifacts/acme/tiny").body
        ) == {"repositories": ["ghcr.io/acme/image"]}


def test_a_lost_manifest_is_an_error_and_not_a_404(tmp_path: Path) -> None:
    """Clients remember that something does not exist, and retry after 5xx."""
    with site(tmp_path / "s", carried("ghcr.io/acme/image", "v1")) as running:
        running.shelf.replace_span(sha256(INDEX), None)
        assert running.get("ghcr.io/acme/image/manifests/v1").status == 500


def test_nothing_refers_to_anything(tiny: Site) -> None:
    """The empty answer keeps clients from asking for a tag instead."""
    got = tiny.get(f"artifacts/acme/tiny/referrers/{digest(b'')}")
    assert (got.status, got.headers["content-type"]) == (200, oci.INDEX)
    assert json.loads(got.body)["manifests"] == []
