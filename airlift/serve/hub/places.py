"""From a path of the hub's to a repository, a revision and a path below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from airlift import naming
from airlift.serve.dialect import Answer, Request, Shelf
from airlift.serve.hub import answers, repos
from airlift.serve.hub.repos import KINDS, Repo, Revision

TRUE = ("true", "1", "yes", "on")
_NAME_PARTS = 4
_REF_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request and what it is answered from.

    Attributes:
        request: What was asked.
        shelf: What this caller may have.
        type: The type of repository asked: ``models``, ``datasets`` or ``spaces``.
        with_xet: Whether the xet protocol is served.
    """

    request: Request
    shelf: Shelf
    type: str
    with_xet: bool = False

    def flag(self, name: str) -> bool:
        """Say whether the query sets *name*; clients write ``true`` and ``True``."""
        values = [value for key, value in self.request.query if key == name]
        return bool(values) and values[-1].lower() in TRUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository at a revision, and the path asked below it."""

    repo: Repo
    revision: Revision
    path: str
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a path: a repository, a marker, and what follows, decoded."""

    name: str
    marker: str
    rest: tuple[str, ...]


def readings(
    parts: Sequence[str], markers: Sequence[str], *, least: int
) -> list[Reading]:
    """Return each reading of *parts*.

    A repository has one or two parts and may itself be called ``resolve``, so the
    marker's position is not known until the repository is found.

    Args:
        parts: Of a path, still encoded.
        markers: What may follow a repository's name.
        least: Fewest parts that follow a marker, less one.
    """
    decoded = [unquote(part) for part in parts]
    return [
        Reading(
            name="/".join(decoded[:at]),
            marker=parts[at],
            rest=tuple(decoded[at + 1 :]),
        )
        for at in range(1, min(_NAME_PARTS + 1, len(parts)))
        if parts[at] in markers and len(parts) - at > least
    ]


def repository(call: Call, ways: Sequence[Reading]) -> tuple[Repo, Reading] | Answer:
    """Return the first of *ways* whose repository is here, with that repository."""
    for one in ways:
        if repo := repos.find(call.shelf, KINDS[call.type], one.name):
            return repo, one
    names = [one.name for one in ways]
    return answers.no_repository(call.request, call.shelf, call.type, names)


def revision(repo: Repo, reading: Reading) -> Place | Answer:
    """Return the place in *repo* that *reading* means."""
    rest = reading.rest
    # Python sends `refs%2Fpr%2F1`, some JavaScript `refs/pr/1`. No ref is a folder
    # of another, so the first reading that is a revision is the only one.
    for count in range(1, min(_REF_PARTS, len(rest)) + 1):
        if found := repo.revision("/".join(rest[:count])):
            path = "/".join(rest[count:])
            return Place(repo=repo, revision=found, path=path, marker=reading.marker)
    asked = "/".join(rest) if rest[0] == "refs" else rest[0]
    problem = f"{naming.show(asked)} is not a revision of {repo.name} held here"
    return answers.error(404, "RevisionNotFound", problem)
