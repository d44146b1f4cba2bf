"""Where ``airlift observe`` looks: the folders that are named, or the usual ones."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from airlift import naming
from airlift.cli import config
from airlift.errors import RequestError
from airlift.format.observation import Place, Runtime

_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_USUAL: Final = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Where to look.

    Attributes:
        models: Folders of models, and what sort each is.
        environments: Python environments, by the label they are told under.
    """

    models: tuple[tuple[Place, Path], ...]
    environments: tuple[tuple[str, Path], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What is looked at, as an observation tells it."""
        places = [place.value for place, _ in self.models]
        return tuple(sorted([*places, *(label for label, _ in self.environments)]))


def chosen(
    *, hub: Path | None, ollama: Path | None, pythons: tuple[str, ...]
) -> Chosen:
    """Return where to look.

    Raises:
        RequestError: A label is none or given twice, or nothing was named and no
            runtime keeps anything in the usual places.
    """
    environments = _labelled(pythons)
    named = {Place.HUB: hub, Place.OLLAMA: ollama}
    models = tuple((place, path) for place, path in named.items() if path)
    if not models and not environments:
        usual = {Place.HUB: config.hf_cache(), Place.OLLAMA: config.ollama_models()}
        models = tuple((place, path) for place, path in usual.items() if path.is_dir())
        active = config.environment()
        environments = ((_USUAL, active),) if active else ()
        if not models and not environments:
            looked = " and ".join(naming.show(str(path)) for path in usual.values())
            problem = f"no runtime keeps anything in {looked}"
            hint = "name a folder: --hub, --ollama or --python"
            raise RequestError(problem, hint=hint)
    return Chosen(models=models, environments=environments)


def _labelled(pythons: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    found: dict[str, Path] = {}
    for number, text in enumerate(pythons, 1):
        label, equals, path = text.partition("=")
        if not equals:
            label, path = _USUAL if number == 1 else f"{_USUAL}-{number}", text
        if not _LABEL.fullmatch(label) or label in found or label in set(Place):
            problem = f"`{naming.show(label)}` is no label of its own"
            hint = "write --python NAME=DIR, each with another short name"
            raise RequestError(problem, hint=hint)
        found[label] = Path(path)
    return tuple((label, found[label]) for label in sorted(found))


def declared(runtimes: tuple[str, ...]) -> tuple[Runtime, ...]:
    """Return the runtimes that were declared as ``NAME=VERSION``, by name.

    Raises:
        RequestError: One is spelt otherwise, or declared twice.
    """
    found: dict[str, str] = {}
    for text in runtimes:
        name, _, version = text.partition("=")
        name = canonicalize_name(name.strip())
        if not _LABEL.fullmatch(name) or not version.strip() or name in found:
            problem = f"`{naming.show(text)}` is no runtime with its version"
            raise RequestError(problem, hint="write --runtime ollama=0.13.1, say")
        found[name] = version.strip()
    return tuple(Runtime(name=name, version=found[name]) for name in sorted(found))
