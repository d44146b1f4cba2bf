"""An image and a folder of files, from a registry to a container tool on the far side."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.digest import sha256
from clients.matrix import Place, files_below, run
from clients.of_containers import packed, trusting, untarred
from hubs.registry import CONFIG, LAYER, Registry
from integration.sides import Side

pytestmark = pytest.mark.clients

NOISE = random.Random(9).randbytes(3_000_000)
OWN = {"config.json": b"{}", "sub/weights.bin": NOISE}
LAYER_BYTES = gzip.compress(packed({"models/weights.bin": NOISE}), mtime=0)


@pytest.fixture(name="far", scope="module")
def _far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bytes, Path]]:
    """The far side's address, the index as upstream has it, and the far home."""
    folder = tmp_path_factory.mktemp("crossing")
    with Registry() as registry:
        registry.guarded = True
        images = {
            f"linux/{one}": registry.image(
                [(LAYER, LAYER_BYTES)], (CONFIG, one.encode())
            )
            for one in ("amd64", "arm64")
        }
        for image in images.values():
            registry.put("acme/tool", image)
        index = registry.put("acme/tool", registry.index(images), "v1")
        connected = Side.connected(folder, AIRLIFT_OCI_REGISTRY=registry.url)
        for path, content in OWN.items():
            (connected.home / "own" / path).parent.mkdir(parents=True, exist_ok=True)
            (connected.home / "own" / path).write_bytes(content)
        (connected.home / "all.toml").write_text(
            'manifest = 1\n[[oci]]\nname = "docker.io/acme/tool:v1"\n'
            '[[folder]]\nname = "Acme/Own"\npath = "own"\n'
        )
        manifest = str(connected.home / "all.toml")
        connected.ok("export", manifest, "--to", str(folder / "medium"))
    isolated = connected.isolated(folder)
    isolated.ok("import", str(folder / "medium"), "--yes")
    with isolated.serving() as url:
        yield url, index, isolated.home


def copied(url: str, name: str, home: Path, *options: str) -> Path:
    """Copy *name* with skopeo into a folder."""
    place, out = Place(url=url), home / "out"
    words = ["skopeo", "copy", *options, *trusting(place, home, "--src-")]
    run([*words, f"docker://{place.host}/{name}", f"dir:{out}"], {}, home=home)
    return out


def test_an_image_arrives_as_its_registry_has_it(
    far: tuple[str, bytes, Path], tmp_path: Path
) -> None:
    """Through lock, media, import and server, not one byte is another."""
    url, index, _ = far
    out = copied(url, "docker.io/acme/tool:v1", tmp_path, "--all")
    assert (out / "manifest.json").read_bytes() == index
    held = files_below(out)
    assert held[sha256(LAYER_BYTES)] == LAYER_BYTES
    assert [sha256(one) in held for one in (b"amd64", b"arm64")] == [True, True]


def test_a_model_becomes_an_image_by_itself(
    far: tuple[str, bytes, Path], tmp_path: Path
) -> None:
    """Nobody builds, pushes or converts anything; digests are kept for next time."""
    url, _, home = far
    out = copied(url, "images/acme/own:latest", tmp_path)
    layers = json.loads((out / "manifest.json").read_bytes())["layers"]
    names = [layer["digest"].removeprefix("sha256:") for layer in layers]
    assert untarred([(out / name).read_bytes() for name in names]) == OWN
    kept = (home / "derived" / "digests").read_text()
    assert all(name in kept for name in names)
