"""What is signed: the releases that a runtime's files are compared with.

They come from this host's registry, or, on a host that has none, from lists that
``airlift show --json`` wrote on one that has. Such a list holds all that the signed
document of its release does, so the document is made again from it and hashed: a list
that was changed in any way has another id.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from airlift import naming
from airlift.artifact import ContentClass, Kind, Release, ReleaseFile
from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import release as documents
from airlift.registry.held import Held, State
from airlift.registry.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A release as it was signed, and what it is to the site.

    Attributes:
        id: SHA-256 of its signed document.
        release: Its content, files included.
        state: Live, retired or in quarantine.
        denied: Why nobody may use it; empty where they may.
        asked: Whether it was named, so that what is missing of it counts.
    """

    id: Sha256
    release: Release
    state: State
    denied: str = ""
    asked: bool = False

    @property
    def label(self) -> str:
        """The release as one word for a person."""
        release = self.release
        name = naming.show(release.name)
        return f"{release.kind}:{name}@{naming.show(release.revision[:12])}"

    @property
    def stale(self) -> str:
        """Why it should not be in use; empty where it may be."""
        if self.denied:
            return f"denied: {naming.show(self.denied)}"
        return "" if self.state is State.LIVE else f"{self.state.value} on this site"


def of_registry(registry: Registry, references: Sequence[str]) -> tuple[Known, ...]:
    """Return every release held; those that *references* mean are asked for.

    Raises:
        RequestError: A reference means none, or several.
        RegistryError: The database cannot answer.
    """
    asked = {registry.find(one).id for one in references}
    return tuple(
        replace(_known(one, registry), asked=one.id in asked)
        for one in registry.releases()
    )


def _known(held: Held, registry: Registry) -> Known:
    return Known(
        id=held.id,
        release=replace(held.release, files=registry.files(held.id)),
        state=held.state,
        denied=held.denied,
    )


def of_list(text: str, *, name: str) -> Known:
    """Return the release that a list of ``airlift show --json`` is of; asked for.

    Args:
        text: The list.
        name: What to call it in an error.

    Raises:
        FormatError: It is no such list, or not as it was written.
    """
    shown = naming.show(name)
    hint = "write it again: `airlift show REFERENCE --json`"
    try:
        listed: Any = json.loads(text)
        release = _release(listed)
        stated, state = str(listed["id"]), State(listed["state"])
        denied = str(listed["denied"])
        document = documents.encode(release)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{shown} is no list of a release: {naming.show(repr(error))}"
        raise FormatError(problem, hint=hint) from error
    if (found := documents.identify(document)) != stated:
        problem = (
            f"{shown} says it is of release {naming.show(stated)}, it is of {found}"
        )
        raise FormatError(problem, hint=f"it was changed or cut; {hint}")
    return Known(id=found, release=release, state=state, denied=denied, asked=True)


def _release(listed: Any) -> Release:
    return Release(
        kind=Kind(listed["kind"]),
        name=listed["name"],
        revision=listed["revision"],
        counter=listed["counter"],
        refs=tuple(listed["refs"]),
        upstream=listed["upstream"],
        licence=listed["licence"],
        base_models=tuple(listed["base_models"]),
        files=tuple(_file(one) for one in listed["file_list"]),
    )


def _file(listed: Any) -> ReleaseFile:
    path = listed["path"]
    if problem := naming.path_problem(path):
        raise ValueError(problem)
    return ReleaseFile(
        path=path,
        size=listed["size"],
        sha256=Sha256(listed["sha256"]),
        git_oid=listed["git_oid"],
        format=listed["format"],
        content_class=ContentClass(listed["class"]),
        facts=listed["facts"],
    )
