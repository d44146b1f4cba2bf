"""What a runtime's host really holds: written there, read on the isolated side.

It says names, versions and digests, never where on the host things lie, who its users are
or how it is reached. Nothing signs it: it is what somebody saw, and is compared with what
was signed (docs/hosts.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields

FORMAT: Final = "airlift/observation/1"
LIMIT: Final = 64 << 20
"""Bytes of a document; 200,000 files of models take 30 MB."""
FILES: Final = 200_000
"""Most files of models; a document that leaves some out says so in `unread`."""
ALTERED: Final = 20
"""Most altered files that are told of a package by name; all are counted."""
LINES: Final = 1000
"""Most things told that could not be read."""
WORDS: Final = 1024
"""Most characters of a name."""


class Place(StrEnum):
    """Where a runtime keeps models."""

    HUB = "hub"
    """A Hugging Face cache: vLLM, transformers, SGLang and others."""
    OLLAMA = "ollama"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFile:
    """A file of a model.

    Attributes:
        path: In the model; of Ollama the digest that names the blob.
        size: Bytes.
        sha256: Of the bytes as they are; None where they could not be read.
    """

    path: str
    size: int
    sha256: Sha256 | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenModel:
    """A model that a runtime can load.

    Attributes:
        place: Where it lies.
        name: ``org/model`` or Ollama's name with the tag.
        revision: Its commit; of Ollama the SHA-256 of its manifest.
        files: By path.
    """

    place: Place
    name: str
    revision: str
    files: tuple[SeenFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPackage:
    """A Python package that is installed.

    Attributes:
        name: Of the project, normalised.
        version: As its ``.dist-info`` states it.
        content: Of what its RECORD says that it is (``payload.installed.content``);
            None where it has none that can be read.
        files: How many files its RECORD states a digest of.
        altered: Those whose bytes are others or missing: at most ``ALTERED`` paths.
        altered_count: How many in all.
    """

    name: str
    version: str
    content: Sha256 | None
    files: int
    altered: tuple[str, ...] = ()
    altered_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A Python environment.

    Attributes:
        label: What the host calls it; no path.
        python: Its version; empty where nothing tells it.
        packages: By name.
    """

    label: str
    python: str
    packages: tuple[SeenPackage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A program that runs models, as somebody on the host declared it."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one host holds at one time.

    Attributes:
        host: What the site calls it; no address.
        time: By the host's clock, ``YYYY-MM-DDThh:mm:ssZ``.
        tool: Which airlift looked.
        looked: Where it looked: ``hub``, ``ollama``, labels of environments; sorted.
        models: By place, name and revision.
        environments: By label.
        runtimes: By name.
        unread: What could not be read, in words without paths outside of these places.
    """

    host: str
    time: str
    tool: str
    looked: tuple[str, ...]
    models: tuple[SeenModel, ...] = ()
    environments: tuple[Environment, ...] = ()
    runtimes: tuple[Runtime, ...] = ()
    unread: tuple[str, ...] = ()


def encode(seen: Observation) -> bytes:
    """Return the canonical bytes of *seen*."""
    models: list[Json] = [_model_table(one) for one in seen.models]
    environments: list[Json] = [_environment_table(one) for one in seen.environments]
    runtimes: list[Json] = [
        {"name": one.name, "version": one.version} for one in seen.runtimes
    ]
    return canonical.encode(
        {
            "format": FORMAT,
            "host": seen.host,
            "time": seen.time,
            "tool": seen.tool,
            "looked": seen.looked,
            "models": models,
            "environments": environments,
            "runtimes": runtimes,
            "unread": seen.unread,
        }
    )


def _model_table(one: SeenModel) -> Json:
    files: list[Json] = [
        {"path": file.path, "size": file.size, "sha256": file.sha256}
        for file in one.files
    ]
    return {
        "place": one.place.value,
        "name": one.name,
        "revision": one.revision,
        "files": files,
    }


def _environment_table(one: Environment) -> Json:
    packages: list[Json] = [
        {
            "name": package.name,
            "version": package.version,
            "content": package.content,
            "files": package.files,
            "altered": package.altered,
            "altered_count": package.altered_count,
        }
        for package in one.packages
    ]
    return {"label": one.label, "python": one.python, "packages": packages}


def decode(data: bytes, *, name: str) -> Observation:
    """Return what canonical *data*, carried by somebody, states.

    Raises:
        FormatError: It is no observation this version understands.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.exactly(
        *("format", "host", "time", "tool", "looked"),
        *("models", "environments", "runtimes", "unread"),
    )
    top.expect("format", FORMAT)
    host, time = top.text("host"), top.text("time")
    if not naming.is_site(host):
        top.refuse("host", f"is `{naming.show(host[:64])}`, expected a-z, 0-9 and -")
    if not is_time(time):
        top.refuse("time", "is not `YYYY-MM-DDThh:mm:ssZ`")
    seen = Observation(
        host=host,
        time=time,
        tool=_word(top, "tool"),
        looked=_words(top, "looked"),
        models=tuple(_model(one) for one in top.tables("models")),
        environments=tuple(_environment(one) for one in top.tables("environments")),
        runtimes=tuple(_runtime(one) for one in top.tables("runtimes")),
        unread=_words(top, "unread"),
    )
    _check_order(name, seen)
    return seen


def _check_order(name: str, seen: Observation) -> None:
    """Refuse what has two spellings: each list is sorted, and says nothing twice."""
    lists: tuple[tuple[str, Iterable[tuple[str, ...]]], ...] = (
        ("looked", ((one,) for one in seen.looked)),
        ("models", ((one.place, one.name, one.revision) for one in seen.models)),
        ("environments", ((one.label,) for one in seen.environments)),
        ("runtimes", ((one.name,) for one in seen.runtimes)),
    )
    for what, keys in lists:
        listed = list(keys)
        if listed != sorted(set(listed)):
            problem = f"{name}: `{what}` is not in order, or names something twice"
            raise FormatError(problem, hint="write it again: `airlift observe`")


def _model(table: Fields) -> SeenModel:
    table.exactly("place", "name", "revision", "files")
    return SeenModel(
        place=table.choice("place", Place),
        name=_word(table, "name"),
        revision=_word(table, "revision"),
        files=tuple(_file(one) for one in table.tables("files")),
    )


def _file(table: Fields) -> SeenFile:
    table.exactly("path", "size", "sha256")
    return SeenFile(
        path=_word(table, "path"),
        size=table.number("size"),
        sha256=table.sha256("sha256") if table.has("sha256") else None,
    )


def _environment(table: Fields) -> Environment:
    table.exactly("label", "python", "packages")
    packages = tuple(_package(one) for one in table.tables("packages"))
    return Environment(
        label=_word(table, "label"), python=table.text("python"), packages=packages
    )


def _package(table: Fields) -> SeenPackage:
    table.exactly(*("name", "version", "content", "files", "altered", "altered_count"))
    altered = _words(table, "altered")
    count = table.number("altered_count", least=len(altered))
    return SeenPackage(
        name=_word(table, "name"),
        version=_word(table, "version"),
        content=table.sha256("content") if table.has("content") else None,
        files=table.number("files"),
        altered=altered,
        altered_count=count,
    )


def _runtime(table: Fields) -> Runtime:
    table.exactly("name", "version")
    return Runtime(name=_word(table, "name"), version=_word(table, "version"))


def _word(table: Fields, key: str) -> str:
    text = table.text(key)
    if not text or len(text) > WORDS:
        table.refuse(key, f"is empty or longer than {WORDS} characters")
    return text


def _words(table: Fields, key: str) -> tuple[str, ...]:
    found = table.texts(key)
    if any(len(one) > WORDS for one in found):
        table.refuse(key, f"has a line longer than {WORDS} characters")
    return found
