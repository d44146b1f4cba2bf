"""Commands to copy: how each client gets a release from this host.

Every name comes from a signed document, and still goes through the shell's own
quoting: what a reader pastes must do what it says. What a client cannot fetch is not
offered.
"""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from airlift import naming
from airlift.artifact import Json, Kind, Release, ReleaseFile
from airlift.payload import gguf_repo, oci_name, ollama_names
from airlift.serve.distribution import oci_artifact, oci_image, oci_model
from airlift.serve.hub import repos

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A live release, and what clients would get under its name.

    Attributes:
        release: It.
        files: All its files.
        is_main: Whether ``main`` of its name means this release.
        is_image: Whether container tools can name it: no other release has the name
            they would have to use.
    """

    release: Release
    files: Sequence[ReleaseFile]
    is_main: bool
    is_image: bool


def of_release(offer: Offer, place: Place) -> tuple[Recipe, ...]:
    """Return how each client that fits fetches a live release from *place*."""
    release = offer.release
    if naming.name_problem(release.name):
        return ()
    found: list[Recipe] = []
    if release.kind is Kind.WHEELS:
        found += _wheels(release, place)
    if release.kind is Kind.DATASET:
        found += _dataset(release, place)
    if release.kind in repos.KINDS["models"]:
        found += _hub(release, place)
        found += _gguf(offer, place) if offer.is_main else ()
    if release.kind is Kind.OLLAMA and place.at_root:
        found += _ollama(release.name, release.refs[:1], place)
    if place.at_root:
        found += _container(offer, place)
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
        Recipe(client="llama.cpp", text=f"export MODEL_ENDPOINT={_url(place)}"),
        Recipe(client="pip", text=f"export PIP_INDEX_URL={index}{trusted}"),
        Recipe(client="uv", text=f"export UV_DEFAULT_INDEX={index}"),
    ]
    return tuple(found)


def _lines(*commands: Iterable[str]) -> str:
    return "\n".join(shlex.join(command) for command in commands)


# --- the hub --------------------------------------------------------------------


def _endpoint(place: Place) -> str:
    return f"export HF_ENDPOINT={shlex.quote(place.base_url)}"


def _url(place: Place) -> str:
    return shlex.quote(f"{place.base_url}/")


def _dataset(release: Release, place: Place) -> Iterator[Recipe]:
    name, commit = release.name, release.revision
    command = ["hf", "download", "--repo-type", "dataset", name, "--revision", commit]
    yield Recipe(client="hf", text=f"{_endpoint(place)}\n{_lines(command)}")
    load = f"load_dataset({_python(name)}, revision={_python(commit)})"
    text = f"from datasets import load_dataset\n\ndata = {load}"
    yield Recipe(client="datasets (Python)", text=text, note=_FIRST)


def _hub(release: Release, place: Place) -> Iterator[Recipe]:
    name, commit = release.name, release.revision
    start, pinned = _endpoint(place), ("--revision", commit)
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


def _gguf(offer: Offer, place: Place) -> Iterator[Recipe]:
    models = gguf_repo.models(offer.files)
    if not models:
        return
    usual = gguf_repo.choose(models, gguf_repo.LATEST)
    tag = usual[0].name.quant if len(usual) == 1 else ""
    others = [one for one in gguf_repo.tags(models) if one not in (tag, "latest")]
    note = f"Also here: {', '.join(others)}." if others else ""
    name = offer.release.name
    if name.count("/") == 1:
        wanted = f"{name}:{tag}" if tag else name
        start = f"export MODEL_ENDPOINT={_url(place)}"
        text = f"{start}\n{_lines(['llama-server', '-hf', wanted])}"
        yield Recipe(client="llama.cpp", text=text, note=note)
    # Ollama takes one model file; it refuses a split one.
    if place.at_root and len(usual) == 1 and len(usual[0].files) == 1:
        yield from _ollama(name, [tag] if tag else [], place, note)


def _ollama(
    name: str, tags: Sequence[str], place: Place, note: str = ""
) -> Iterator[Recipe]:
    insecure = ["--insecure"] if place.plain else []
    command = ollama_names.command_name(name, *tags)
    wanted = f"{place.host}/{command}"
    text = _lines(["ollama", "pull", *insecure, wanted], ["ollama", "run", wanted])
    yield Recipe(client="Ollama", text=text, note=note)


# --- containers -----------------------------------------------------------------


def _container(offer: Offer, place: Place) -> Iterator[Recipe]:
    release = offer.release
    if release.kind is Kind.OCI:
        # A name with a port has `_` in place of `:`, and is served under that name.
        carried = f"{place.host}/{release.name}:{next(iter(release.refs), '')}"
        if release.refs:
            yield _podman(carried, place, "If it is an image.")
            yield _oras(carried, place, "If it is another artifact.")
        return
    if release.kind not in oci_model.KINDS or not offer.is_image:
        return
    named = f"{oci_name.repository(release.name)}:{release.revision}"
    image = f"{place.host}/{oci_image.PREFIX}{named}"
    yield _podman(image, place, "The files lie below /models/.")
    yield _oras(f"{place.host}/{oci_artifact.PREFIX}{named}", place, "")
    volume = (
        "volumes:\n"
        "  - name: model\n"
        "    image:\n"
        f"      reference: {json.dumps(image)}\n"
        "      pullPolicy: IfNotPresent"
    )
    yield Recipe(client="Kubernetes image volume", text=volume)


def _podman(image: str, place: Place, note: str) -> Recipe:
    verify = ["--tls-verify=false"] if place.plain else []
    text = _lines(["podman", "pull", *verify, image])
    return Recipe(client="podman", text=text, note=note)


def _oras(artifact: str, place: Place, note: str) -> Recipe:
    plain = ["--plain-http"] if place.plain else []
    text = _lines(["oras", "pull", *plain, artifact])
    return Recipe(client="oras", text=text, note=note)


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
