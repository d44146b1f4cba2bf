"""Names of repositories and tags, and which names the protocol cannot tell apart.

Container tools take lower-case names only, so every name is served under one, and
two names may come out the same.

Source: OCI distribution specification 1.1, "Pulling manifests"; for references with
a host, the reference grammar that Docker, podman and containerd share.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.artifact import Kind
from airlift.digest import Sha256, is_sha256
from airlift.errors import RequestError

MODELS: Final = frozenset({Kind.MODEL, Kind.GGUF, Kind.FOLDER, Kind.OLLAMA})
"""What is offered in forms that container tools take."""
DOCKER: Final = "docker.io"
"""The registry of a reference without one."""

_PART: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_OTHER: Final = re.compile(r"[^a-z0-9]+", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_HOST: Final = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::[0-9]{1,5})?", re.ASCII
)
_REFERENCE: Final = re.compile(
    r"(?P<path>[^:@\s]+(?::[0-9]{1,5}/[^:@\s]+)?)"
    r"(?::(?P<tag>[^:@/\s]+))?"
    r"(?:@sha256:(?P<digest>[0-9a-f]{64}))?",
    re.ASCII,
)


def repository(name: str) -> str:
    """Return the repository that stands for the artifact *name*.

    ``Qwen/Qwen3-8B-GGUF`` is ``qwen/qwen3-8b-gguf``; what the grammar has no place for
    becomes a dash.
    """
    parts = (part.lower() for part in name.split("/"))
    return "/".join(
        part if _PART.fullmatch(part) else _OTHER.sub("-", part).strip("-") or "x"
        for part in parts
    )


def collisions(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return each group of *names* that stand for one repository, sorted.

    None of a group can be pulled by name until all but one are gone.
    """
    by_repository: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        by_repository[repository(name)].add(name)
    groups = (tuple(sorted(group)) for group in by_repository.values())
    return tuple(sorted(group for group in groups if len(group) > 1))


def is_tag(text: str) -> bool:
    """Say whether *text* may be a tag."""
    return _TAG.fullmatch(text) is not None


def tag(ref: str) -> str:
    """Return the tag that stands for the branch or tag *ref*; empty for none.

    Slashes become dashes: ``refs/pr/1`` is ``refs-pr-1``.
    """
    plain = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    found = plain.replace("/", "-")
    return found if is_tag(found) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image or artifact in a registry.

    Attributes:
        host: Of the registry, with its port if it has one.
        path: The repository there.
        tag: Empty where only a digest was given, ``latest`` where nothing was.
        digest: Of the manifest; None where only a tag was given.
    """

    host: str
    path: str
    tag: str
    digest: Sha256 | None = None

    @property
    def served(self) -> str:
        """The name it is served under: the host first, so that none is confused."""
        # A colon is no part of a file name; no host name has an underscore.
        return f"{self.host.lower().replace(':', '_')}/{self.path}"


def parse(text: str) -> Reference:
    """Return what ``[host/]path[:tag][@sha256:digest]`` means.

    Args:
        text: As written after ``podman pull``; ``docker.io`` is meant without a host,
            and ``library/`` where that leaves one part.

    Raises:
        RequestError: It is no such reference.
    """
    found = _REFERENCE.fullmatch(text)
    host, path = _split(found["path"]) if found else ("", "")
    named = found["tag"] if found else None
    good = all(_PART.fullmatch(part) for part in path.split("/"))
    if found is None or not good or not (named is None or is_tag(named)):
        problem = f"`{naming.show(text)}` is not the name of an image or artifact"
        hint = "write it as for `podman pull`: [host/]name[:tag][@sha256:digest]"
        raise RequestError(problem, hint=hint)
    digest = found["digest"]
    return Reference(
        host=host,
        path=path,
        tag=named or ("" if digest else "latest"),
        digest=Sha256(digest) if is_sha256(digest) else None,
    )


def _split(path: str) -> tuple[str, str]:
    """Return host and path; the first part is a host only if it looks like one."""
    first, _, rest = path.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        if first in (DOCKER, "index.docker.io") and "/" not in rest:
            rest = f"library/{rest}"
        host = DOCKER if first == "index.docker.io" else first
        return (host, rest) if _HOST.fullmatch(host) else ("", "")
    return DOCKER, path if rest else f"library/{path}"
