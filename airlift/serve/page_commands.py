"""Commands to copy: how each client gets a release from this host.

Every name comes from a signed document, and still goes through the shell's own
quoting: what a reader pastes must do what it says. What a client cannot fetch is not
offered.
"""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from airlift import naming
from airlift.artifact import Json, Kind, Release, ReleaseFile

HUB = frozenset({Kind.MODEL, Kind.GGUF, Kind.FOLDER, Kind.DATASET})
"""Kinds that clients of the hub fetch."""
MODELS = HUB - {Kind.DATASET}
_SHARD = re.compile(r"-[0-9]{5}-of-[0-9]{5}$")
# llama.cpp takes the last part of the name for the quantisation, and so does airlift.
_QUANT = re.compile(r"[-.]([A-Za-z0-9_]+)$")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_OLLAMA_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)
_LISTED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this server is, as the reader reached it.

    Attributes:
        base_url: Scheme, host and prefix; no slash at the end.
        tokens: Whether it asks for a token.
    """

    base_url: str
    tokens: bool = False

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base_url).netloc

    @property
    def name(self) -> str:
        """The host without its port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def plain(self) -> bool:
        """Whether it is reached without TLS."""
        return not self.base_url.startswith("https:")

    @property
    def at_root(self) -> bool:
        """Whether nothing comes before ``/v2/``: container clients need that."""
        return not urlsplit(self.base_url).path.strip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to type, and into what.

    Attributes:
        client: Who reads it: ``vLLM``, ``pip``...
        text: One or several lines.
        note: What else a reader must know; empty if nothing.
    """

    client: str
    text: str
    note: str = ""


def of_release(
    release: Release, files: Sequence[ReleaseFile], place: Place, *, is_main: bool
) -> tuple[Recipe, ...]:
    """Return how each client that fits fetches a live release.

    Args:
        release: It.
        files: Its files, or the first of them.
        place: This server.
        is_main: Whether ``main`` of its name means this release.
    """
    if naming.name_problem(release.name):
        return ()
    found: list[Recipe] = []
    if release.kind in HUB:
        found += _hub(release, place)
    if release.kind in MODELS and is_main:
        found += _gguf(release, files, place)
    if release.kind is Kind.OLLAMA:
        found += _ollama(release.name, release.refs[:1], place)
    if release.kind in MODELS:
        found += _container(release, place)
    if release.kind is Kind.WHEELS:
        found += _wheels(release, place)
    return tuple(found)


def of_project(name: str, version: str, place: Place) -> tuple[Recipe, ...]:
    """Return how installers get one version of a project."""
    return _installers([f"{name}=={version}"], place)


def of_server(place: Place) -> tuple[Recipe, ...]:
    """Return the settings that make clients ask this server."""
    index = shlex.quote(f"{place.base_url}/simple/")
    trusted = (
        f"\nexport PIP_TRUSTED_HOST={shlex.quote(place.name)}" if place.plain else ""
    )
    found = [
        Recipe(
            client="huggingface_hub, transformers, vLLM",
            text=_endpoint(place),
        ),
        Recipe(client="llama.cpp", text=_model_endpoint(place)),
        Recipe(client="pip", text=f"export PIP_INDEX_URL={index}{trusted}"),
        Recipe(client="uv", text=f"export UV_DEFAULT_INDEX={index}"),
    ]
    return tuple(found)


def _lines(*commands: Iterable[str]) -> str:
    return "\n".join(shlex.join(command) for command in commands)


# --- the hub --------------------------------------------------------------------


def _endpoint(place: Place) -> str:
    return f"export HF_ENDPOINT={shlex.quote(place.base_url)}"


def _model_endpoint(place: Place) -> str:
    return f"export MODEL_ENDPOINT={shlex.quote(f'{place.base_url}/')}"


def _hub(release: Release, place: Place) -> Iterator[Recipe]:
    name, commit = release.name, release.revision
    pinned = ("--revision", commit)
    start = _endpoint(place)
    if release.kind is Kind.DATASET:
        fetch = _lines(["hf", "download", "--repo-type", "dataset", name, *pinned])
        yield Recipe(client="hf", text=f"{start}\n{fetch}")
        load = f"load_dataset({_python(name)}, revision={_python(commit)})"
        text = f"from datasets import load_dataset\n\ndata = {load}"
        yield Recipe(client="datasets (Python)", text=text, note=_FIRST)
        return
    fetch = _lines(["hf", "download", name, *pinned])
    yield Recipe(client="hf", text=f"{start}\n{fetch}")
    if release.kind is Kind.GGUF:
        return
    serve = _lines(["vllm", "serve", name, *pinned])
    yield Recipe(client="vLLM", text=f"{start}\n{serve}")
    load = f"AutoModel.from_pretrained({_python(name)}, revision={_python(commit)})"
    text = f"from transformers import AutoModel\n\nmodel = {load}"
    yield Recipe(client="transformers (Python)", text=text, note=_FIRST)


_FIRST = "Set HF_ENDPOINT before Python starts, as for hf."


def _python(text: str) -> str:
    return json.dumps(text)  # ASCII, and a literal of Python as well


# --- GGUF -----------------------------------------------------------------------


def _gguf(
    release: Release, files: Sequence[ReleaseFile], place: Place
) -> Iterator[Recipe]:
    quants = _quants(files)
    if release.name.count("/") != 1 or quants is None:
        return
    name = f"{release.name}:{quants[0]}" if quants else release.name
    start = _model_endpoint(place)
    note = f"Held quantisations: {', '.join(quants)}." if len(quants) > 1 else ""
    yield Recipe(
        client="llama.cpp",
        text=f"{start}\n{_lines(['llama-server', '-hf', name])}",
        note=note,
    )
    # Ollama takes one model file; it refuses a split one.
    if not any(_SHARD.search(_stem(file.path)) for file in files):
        yield from _ollama(release.name, quants[:1] or ["latest"], place)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".gguf")


def _quants(files: Iterable[ReleaseFile]) -> list[str] | None:
    """Return the quantisations among *files*, by name; None if there is no GGUF."""
    found, any_gguf = dict[str, None](), False
    for file in files:
        if not file.path.endswith(".gguf") or _stem(file.path).startswith("mmproj"):
            continue
        any_gguf = True
        if match := _QUANT.search(_SHARD.sub("", _stem(file.path))):
            found.setdefault(match[1].upper())
    return list(found) if any_gguf else None


def _ollama(name: str, tags: Sequence[str], place: Place) -> Iterator[Recipe]:
    parts = name.split("/")
    fits = (
        place.at_root
        and len(parts) == 2
        and "." not in parts[0]
        and all(_OLLAMA_PART.fullmatch(part) for part in parts)
    )
    if not fits:
        return
    tag = tags[0] if tags else "latest"
    insecure = ["--insecure"] if place.plain else []
    wanted = f"{place.host}/{name}:{tag}"
    text = _lines(["ollama", "pull", *insecure, wanted], ["ollama", "run", wanted])
    yield Recipe(client="Ollama", text=text)


# --- containers -----------------------------------------------------------------


def _container(release: Release, place: Place) -> Iterator[Recipe]:
    image = image_name(release, place)
    if not image:
        return
    verify = ["--tls-verify=false"] if place.plain else []
    text = _lines(["podman", "pull", *verify, image])
    yield Recipe(client="podman", text=text, note="Files lie below /models/.")
    volume = (
        "volumes:\n"
        "  - name: model\n"
        "    image:\n"
        f"      reference: {json.dumps(image)}\n"
        "      pullPolicy: IfNotPresent"
    )
    yield Recipe(client="Kubernetes image volume", text=volume)


def image_name(release: Release, place: Place) -> str:
    """Return the image that holds a model's files; empty where none is served.

    Container tools take lower-case ASCII names, and need the root of a host.
    """
    name = release.name.lower()
    named = all(_COMPONENT.fullmatch(part) for part in name.split("/"))
    if not (place.at_root and named and _TAG.fullmatch(release.revision)):
        return ""
    return f"{place.host}/images/{name}:{release.revision}"


_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
"""OCI distribution specification 1.1, "Pulling manifests"."""


# --- wheels ---------------------------------------------------------------------


def _wheels(release: Release, place: Place) -> tuple[Recipe, ...]:
    wanted = _requirements(release.upstream.get("requested"))
    return _installers(wanted[:_LISTED], place) if wanted else ()


def _requirements(asked: Json) -> list[str]:
    """Return what was asked for, as far as it names projects of this index.

    A requirement with a URL leads elsewhere, and what is none (``--extra-index-url``)
    would be an option of the installer.
    """
    found = []
    for one in asked if isinstance(asked, list | tuple) else ():
        try:
            if isinstance(one, str) and Requirement(one).url is None:
                found.append(one)
        except InvalidRequirement:
            continue
    return found


def _installers(wanted: Sequence[str], place: Place) -> tuple[Recipe, ...]:
    index = f"{place.base_url}/simple/"
    # Without TLS pip refuses any host but loopback unless it is told.
    trusted = ["--trusted-host", place.name] if place.plain else []
    note = (
        "Asks for a token: any user name, the token as password."
        if place.tokens
        else ""
    )
    pip = ["pip", "install", "--index-url", index, *trusted, *wanted]
    uv = ["uv", "pip", "install", "--default-index", index, *wanted]
    return (
        Recipe(client="pip", text=_lines(pip), note=note),
        Recipe(client="uv", text=_lines(uv), note=note),
    )
