"""Container tools against the real server: what only they do, and only here."""

import json
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from airlift.artifact import Json, Kind
from airlift.digest import sha256
from airlift.payload import oci
from airlift.serve.dialect import JoinedBody, Shelf
from airlift.serve.distribution import oci_image
from airlift.serve.distribution.derived import Derived
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.kept_digests import KeptDigests
from airlift.serve.distribution.oci import libraries
from airlift.serve.http.settings import ServeSettings
from airlift.store.span import Span
from clients.matrix import MODEL, Client, Failed, Place, files_below, run
from clients.of_containers import CLIENTS, Podman, daemon, packed, storage, trusting
from guarded import Door
from served import World, serving
from shelves import Cargo, MemoryShelf, cargo

pytestmark = pytest.mark.clients

TINY = cargo(Kind.MODEL, "Acme/Tiny", MODEL, revision="a" * 40, refs=["main", "v/1"])
PROGRAM = {"bin/tool": b"#!/bin/sh\n", "etc/tool.conf": b"on\n"}


def carried(name: str, platforms: tuple[str, ...] = ("amd64", "arm64")) -> Cargo:
    """Return an image for two platforms as it was carried, all or some of it."""
    layer = packed(PROGRAM)
    contents: dict[str, bytes] = {f"blobs/sha256-{sha256(layer)}": layer}
    facts: dict[str, Mapping[str, Json]] = {}
    children = []
    for architecture in ("amd64", "arm64"):
        config = oci.config([sha256(layer)], architecture=architecture)
        about = oci.describe(config, oci.CONFIG)
        body = oci.manifest(about, [oci.describe(layer, oci.LAYER)])
        platform = f"linux/{architecture}"
        children.append(oci.describe(body, oci.MANIFEST, platform=platform))
        if architecture in platforms:
            contents[f"blobs/sha256-{sha256(config)}"] = config
            contents[f"manifests/sha256-{sha256(body)}"] = body
            facts[f"manifests/sha256-{sha256(body)}"] = {"media-type": oci.MANIFEST}
    # Indented, as upstream may well write it: the bytes must stay so.
    shape = {"schemaVersion": 2, "manifests": [one.shape() for one in children]}
    index = json.dumps(shape, indent=3).encode()
    return cargo(
        Kind.OCI,
        name,
        {"manifest.json": index, **contents},
        revision=sha256(index),
        refs=["v1"],
        facts={"manifest.json": {"media-type": oci.INDEX}, **facts},
    )


@dataclass(frozen=True, kw_only=True)
class Site:
    """A server, and where its clients may write."""

    world: World
    home: Path

    @property
    def place(self) -> Place:
        """Where to pull from."""
        return Place(url=self.world.url)

    def skopeo(self, command: str, *words: str) -> str:
        """Run a command of skopeo; a word that begins with a slash is of this site."""
        own = [
            f"docker://{self.place.host}{word}" if word.startswith("/") else word
            for word in words
        ]
        before = "--src-" if command == "copy" else "--"
        options = trusting(self.place, self.home, before)
        return run(["skopeo", command, *options, *own], {}, home=self.home)


@contextmanager
def site(folder: Path, *cargoes: Cargo, door: Door | None = None) -> Iterator[Site]:
    """Serve *cargoes* to container tools while the context is open."""
    for name in ("shelf", "home"):
        (folder / name).mkdir(exist_ok=True)
    shelf = MemoryShelf(folder / "shelf", cargoes)
    with ExitStack() as stack:
        known = stack.enter_context(KeptDigests(None))
        derived = stack.enter_context(
            Derived(
                shelf, known, wanted=oci_image.layers, say=lambda _: None, poll_s=0.01
            )
        )
        table = [Distribution(libraries(derived))]
        settings = ServeSettings(port=0, access=door.access() if door else None)
        world = stack.enter_context(serving(shelf, settings, table))
        for body in oci_image.layers(shelf):
            _await(derived, body)
        yield Site(world=world, home=folder / "home")


def _await(derived: Derived, body: JoinedBody) -> None:
    ends = time.monotonic() + 30
    while derived.sha256(body) is None:
        assert time.monotonic() < ends, "the digest is not known"
        time.sleep(0.005)


def test_skopeo_finds_its_way_around(tmp_path: Path) -> None:
    """People look at tags and labels before they pull."""
    with site(tmp_path, TINY) as running:
        tags = json.loads(running.skopeo("list-tags", "/images/acme/tiny"))
        assert tags["Tags"] == ["a" * 40, "latest", "main", "v-1"]
        told = json.loads(running.skopeo("inspect", "/images/acme/tiny:v-1"))
        assert (told["Architecture"], told["Os"]) == ("amd64", "linux")
        assert len(told["Layers"]) == len(MODEL)
        raw = running.skopeo("inspect", "--raw", "/artifacts/acme/tiny")
        shape = json.loads(raw)
        assert shape["annotations"]["org.opencontainers.image.title"] == "Acme/Tiny"


def test_an_image_is_pulled_by_its_digest(tmp_path: Path) -> None:
    """Clusters pin images by digest; the digest must outlive a restart."""
    with site(tmp_path, TINY) as running:
        told = json.loads(running.skopeo("inspect", "/images/acme/tiny:main"))
    digest = told["Digest"]
    with site(tmp_path, TINY) as running, storage("podman", running.home) as podman:
        source = f"{running.place.host}/images/acme/tiny@{digest}"
        options = trusting(running.place, running.home, "--")
        run([*podman, "pull", *options, source], {}, home=running.home)
        mount = [*podman, "image", "mount", source]
        folder = run(mount, {}, home=running.home).strip()
        assert files_below(Path(folder) / "models") == dict(MODEL)


def test_podman_waits_for_an_image_that_is_being_prepared(tmp_path: Path) -> None:
    """Right after an import of terabytes, a pull takes longer and does not fail."""
    (tmp_path / "shelf").mkdir()
    (tmp_path / "home").mkdir()
    shelf = MemoryShelf(tmp_path / "shelf", [TINY])

    def wanted(_: Shelf) -> tuple[JoinedBody, ...]:
        return ()

    with (
        KeptDigests(None) as kept,
        Derived(shelf, kept, wanted=wanted, say=lambda _: None) as derived,
        serving(
            shelf, ServeSettings(port=0), [Distribution(libraries(derived))]
        ) as world,
    ):
        client = Podman(tool="podman")
        got = client.pull(Place(url=world.url), tmp_path / "home", tmp_path)
        assert got == dict(MODEL)
        asked = [one["status"] for one in world.entries() if "main" in str(one["path"])]
    assert asked[0] == 429
    assert asked[-1] == 200


def test_an_image_carried_whole_is_copied_whole(tmp_path: Path) -> None:
    """Every platform, every byte, the same digest: signatures hold."""
    cargo = carried("ghcr.io/acme/tool")
    with site(tmp_path, cargo) as running:
        target = running.home / "out"
        running.skopeo("copy", "--all", "/ghcr.io/acme/tool:v1", f"dir:{target}")
        held = {path: path for path in files_below(target)}
        manifest = (target / "manifest.json").read_bytes()
    assert manifest == cargo.contents["manifest.json"]
    for path in cargo.contents:
        folder, _, name = path.rpartition("/")
        hexes = name.removeprefix("sha256-")
        if folder:
            assert f"{hexes}.manifest.json" in held or hexes in held


def test_a_platform_that_was_left_behind_is_missed_and_no_other(tmp_path: Path) -> None:
    """The index still lists it; a node of that kind must fail, others must not."""
    with site(tmp_path, carried("ghcr.io/acme/tool", ("amd64",))) as running:
        copied = running.home / "out"
        source = "/ghcr.io/acme/tool:v1"
        run(
            [
                *(
                    "skopeo",
                    "--override-arch",
                    "amd64",
                    "copy",
                    "--src-tls-verify=false",
                ),
                *(f"docker://{running.place.host}{source}", f"dir:{copied}"),
            ],
            {},
            home=running.home,
        )
        (layer,) = json.loads((copied / "manifest.json").read_bytes())["layers"]
        blob = copied / layer["digest"].removeprefix("sha256:")
        with tarfile.open(blob) as tar:
            assert [one.name for one in tar if one.isfile()] == sorted(PROGRAM)
        with pytest.raises(Failed, match="manifest unknown"):
            run(
                [
                    *("skopeo", "--override-arch", "arm64"),
                    *("copy", "--src-tls-verify=false"),
                    *(f"docker://{running.place.host}{source}", f"dir:{copied}2"),
                ],
                {},
                home=running.home,
            )


def test_a_node_reaches_upstreams_name_by_a_mirror(tmp_path: Path) -> None:
    """Deployments keep saying ``ghcr.io/...``; only the nodes are told of the site."""
    with site(tmp_path, carried("ghcr.io/acme/tool")) as running:
        hosts = running.home / "hosts" / "ghcr.io"
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(
            'server = "https://ghcr.io"\n'
            f'[host."{running.world.url}/v2/ghcr.io"]\n'
            '  capabilities = ["pull", "resolve"]\n  override_path = true\n'
        )
        target, name = running.home / "mounted", "ghcr.io/acme/tool:v1"
        target.mkdir()
        with daemon(running.home) as ctr:
            native = ("--snapshotter", "native")
            pull = ("images", "pull", *native, "--hosts-dir", hosts.parent, name)
            run([*ctr, *pull], {}, home=running.home)
            run([*ctr, "images", "mount", *native, name, target], {}, home=running.home)
            try:
                assert files_below(target) == PROGRAM
            finally:
                run(["umount", target], {}, home=running.home)


@pytest.mark.parametrize("name", ["artifacts/acme/tiny", "images/acme/tiny"])
def test_a_damaged_file_is_refused_by_the_client(tmp_path: Path, name: str) -> None:
    """Should another byte lie in the store, the digest stops it at the last moment."""
    with site(tmp_path, TINY) as running:
        shelf, good = running.world.shelf, MODEL["model.safetensors"]
        evil = tmp_path / "evil"
        evil.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        span = Span(path=evil, offset=0, length=len(good))
        shelf.replace_span(sha256(good), span)
        target = f"dir:{running.home}/out"
        with pytest.raises(Failed, match="Digest did not match, expected sha256:"):
            running.skopeo("copy", f"/{name}:main", target)


def test_ctr_keeps_the_files_of_an_artifact_as_they_are(tmp_path: Path) -> None:
    """Each layer is a file of the model, not an archive around it."""
    with site(tmp_path, TINY) as running, daemon(running.home) as ctr:
        source = f"{running.place.host}/artifacts/acme/tiny:main"
        run([*ctr, "content", "fetch", "--plain-http", source], {}, home=running.home)
        blobs = (
            running.home / "containerd/io.containerd.content.v1.content/blobs/sha256"
        )
        held = {path.name: path.read_bytes() for path in blobs.iterdir()}
    assert all(held[sha256(content)] == content for content in MODEL.values())


@pytest.mark.parametrize("client", CLIENTS, ids=[one.name for one in CLIENTS])
def test_a_token_opens_what_it_covers(
    client: Client, tmp_path: Path, environments: Path
) -> None:
    """Every tool goes the way by the challenge and the token; none gets in without."""
    door = Door()
    good, other = door.token("acme", "models:acme/*"), door.token("x", "models:x/*")
    with site(tmp_path, TINY, door=door) as running:
        for token in ("", "none-of-ours", other):
            place = Place(url=running.world.url, token=token)
            with pytest.raises(Failed):
                client.pull(place, running.home, environments)
        place = Place(url=running.world.url, token=good)
        got = client.pull(place, running.home, environments)
        assert got == dict(client.holds)
        entries = running.world.entries()
    sent = [
        str(one["path"]) for one in entries if one["status"] == 200 and one["bytes"]
    ]
    assert "/token" in sent


def test_the_tools_of_this_machine_are_there() -> None:
    """A suite that skips what is missing would be green on a bare machine."""
    tools = ("skopeo", "podman", "buildah", "containerd", "ctr", "umount")
    assert [tool for tool in tools if shutil.which(tool) is None] == []
