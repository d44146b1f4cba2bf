"""The doubles that the sources' contract runs against: one for each kind.

To add a source: a function here that yields an ``Upstream``, and a line in
``UPSTREAMS``.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Json, Kind, Wish
from airlift.fetch import Settings
from hubs import gguf_file
from hubs.faults import Fault
from hubs.hub import Hub
from hubs.ollama_registry import IMAGE, OllamaRegistry, digest, path_of
from hubs.registry import CONFIG, LAYER, Registry
from hubs.repository import Repo
from hubs.wheelhouse import Wheelhouse

LARGE = 2 << 20
"""Bytes of the large file of every double: enough to be killed within."""


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A double with something in it.

    Attributes:
        settings: How to reach it.
        wish: Something that is there.
        files: What resolving it must give, by path.
        large: The path of a file of at least ``LARGE`` bytes, whose sha256 upstream
            states.
        missing: Something that is not there.
        name: What the wish is served under; its own name where empty.
        break_file: Lets a fault happen to a path's bytes; None where no server is.
        sent: Says how many bytes of a path were sent so far.
    """

    settings: Settings
    wish: Wish
    files: Mapping[str, bytes]
    large: str
    missing: Wish
    break_file: Callable[[str, Fault], None] | None
    sent: Callable[[str], int]
    name: str = ""


def noise(length: int, seed: int) -> bytes:
    """Return bytes that repeat nowhere, the same in each run."""
    return random.Random(seed).randbytes(length)


def _hub(kind: Kind, files: dict[str, bytes], large: str) -> Iterator[Upstream]:
    word = "datasets" if kind is Kind.DATASET else "models"
    repo = Repo("org/thing", kind=word, card={"license": "mit"})
    repo.commit(files)
    with Hub(repo) as hub:
        options = {"quant": "Q8_0"} if kind is Kind.GGUF else {}
        yield Upstream(
            settings=Settings(endpoints={"huggingface": hub.url}, token=""),
            wish=Wish(kind=kind, name="org/thing", options=options),
            files=files,
            large=large,
            missing=Wish(kind=kind, name="org/none", options=options),
            break_file=hub.break_file,
            sent=hub.sent,
        )


@contextmanager
def model(_: Path) -> Iterator[Upstream]:
    """A model repository: LFS files behind a redirect, small ones in git."""
    files = {
        "config.json": b'{"model_type": "llama"}',
        "empty.txt": b"",
        "medium.json": b'{"a": "' + b"x" * 200_000 + b'"}',
        "model.safetensors": noise(LARGE, 1),
        "sub/copy.safetensors": noise(100_000, 2),
        "twin.safetensors": noise(100_000, 2),
        "a name with spaces & signs#%.txt": b"odd",
    }
    yield from _hub(Kind.MODEL, files, "model.safetensors")


@contextmanager
def dataset(_: Path) -> Iterator[Upstream]:
    """A dataset repository."""
    files = {"README.md": b"# data", "data/train.bin": noise(LARGE, 3)}
    yield from _hub(Kind.DATASET, files, "data/train.bin")


@contextmanager
def gguf(_: Path) -> Iterator[Upstream]:
    """A repository of GGUF files; only one is asked for."""
    files = {"thing-Q8_0.gguf": gguf_file.model(LARGE)}
    yield from _hub(Kind.GGUF, files, "thing-Q8_0.gguf")


@contextmanager
def ollama(_: Path) -> Iterator[Upstream]:
    """An Ollama registry: blobs behind a redirect, a manifest that a lock holds."""
    weights = noise(LARGE, 4)
    with OllamaRegistry() as registry:
        registry.push(
            "acme/tiny:latest",
            [(f"{IMAGE}.model", weights), (f"{IMAGE}.template", b"{{ .Prompt }}")],
        )
        yield Upstream(
            settings=Settings(endpoints={"ollama": registry.url}, token=""),
            wish=Wish(kind=Kind.OLLAMA, name="acme/tiny", options={}),
            files=registry.files("acme/tiny:latest"),
            large=path_of(digest(weights)),
            missing=Wish(kind=Kind.OLLAMA, name="acme/none"),
            break_file=registry.break_file,
            sent=registry.sent,
        )


@contextmanager
def oci(_: Path) -> Iterator[Upstream]:
    """A registry that wants a token: an index of two platforms, blobs elsewhere."""
    layer = noise(LARGE, 8)
    with Registry() as registry:
        registry.guarded = True
        images = {
            f"linux/{name}": registry.image(
                [(LAYER, layer)], (CONFIG, f'{{"architecture":"{name}"}}'.encode())
            )
            for name in ("amd64", "arm64")
        }
        for image in images.values():
            registry.put("acme/tool", image)
        registry.put("acme/tool", registry.index(images), "v1")
        yield Upstream(
            settings=Settings(endpoints={"oci": registry.url}, token=""),
            wish=Wish(kind=Kind.OCI, name=f"{registry.host}/acme/tool:v1", options={}),
            name=f"{registry.host.replace(':', '_')}/acme/tool",
            files=registry.files("acme/tool:v1"),
            large=path_of(digest(layer)),
            missing=Wish(kind=Kind.OCI, name=f"{registry.host}/acme/none"),
            break_file=registry.break_file,
            sent=registry.sent,
        )


@contextmanager
def wheels(_: Path) -> Iterator[Upstream]:
    """A package index: a wheel that needs another, files on another host."""
    with Wheelhouse() as house:
        large = house.add("big", "1.0", requires=["small"], content=noise(LARGE, 6))
        small = house.add("small", "2.0")
        target: dict[str, Json] = {
            "python": ["3.11"],
            "platform": ["x86_64-manylinux_2_28"],
        }
        yield Upstream(
            settings=Settings(endpoints={"wheels": house.url}, token=""),
            wish=Wish(
                kind=Kind.WHEELS,
                name="set",
                options={"requirements": ["big"], **target},
            ),
            files=house.files(large, small),
            large=large,
            missing=Wish(
                kind=Kind.WHEELS,
                name="lacking",
                options={"requirements": ["none"], **target},
            ),
            break_file=house.break_file,
            sent=house.sent,
        )


@contextmanager
def folder(scratch: Path) -> Iterator[Upstream]:
    """A folder; no server, so nothing breaks and nothing is sent."""
    files = {"config.json": b"{}", "sub/w.bin": noise(LARGE, 5), "empty": b""}
    root = scratch / "upstream"
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    options = {"path": str(root)}
    yield Upstream(
        settings=Settings(),
        wish=Wish(kind=Kind.FOLDER, name="acme/own", options=options),
        files=files,
        large="sub/w.bin",
        missing=Wish(
            kind=Kind.FOLDER, name="acme/none", options={"path": str(root / "none")}
        ),
        break_file=None,
        sent=lambda _path: 0,
    )


UPSTREAMS: dict[Kind, Callable[[Path], AbstractContextManager[Upstream]]] = {
    Kind.MODEL: model,
    Kind.DATASET: dataset,
    Kind.GGUF: gguf,
    Kind.OLLAMA: ollama,
    Kind.OCI: oci,
    Kind.WHEELS: wheels,
    Kind.FOLDER: folder,
}
