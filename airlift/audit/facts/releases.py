"""The facts of releases: of all their files together, and what only together shows.

``facts_of`` is what other questions ask. What it found is kept while the site is open,
for the next question.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.artifact import Kind, ReleaseFile
from airlift.audit.facts import gathering
from airlift.audit.facts.gathering import Gathered, Wanted
from airlift.audit.facts.model_facts import ModelFacts, Placed
from airlift.audit.site import Site
from airlift.digest import Sha256
from airlift.payload.file_facts import FileFacts
from airlift.payload.signs import Rule, Sign, sign
from airlift.progress import Progress
from airlift.registry.held import Held

_SHARD: Final = re.compile(r"-(\d{5})-of-(\d{5})(?=\.[A-Za-z0-9]+$)", re.ASCII)
_SHARDS: Final = 10_000
_LAYERS: Final = frozenset({"gzip", "zstd", "tar"})
"""Formats of the layers of container images: file systems full of programs."""
_FLAGGED: Final = frozenset({"unsafe", "suspicious"})
"""What the Hub's scanners say of a file they would not load.

Source: Hugging Face, "Security", the status of a repository's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What is known of several releases.

    Attributes:
        models: By id.
        looked: How many files were looked into now, because nothing was known of them.
    """

    models: Mapping[Sha256, ModelFacts]
    looked: int


def has_facts(held: Held) -> bool:
    """Say whether the files of a release are looked into: of all but wheel sets."""
    return held.release.kind is not Kind.WHEELS


def facts_of(site: Site, held: Held) -> ModelFacts:
    """Return the facts of one release that is held.

    Raises:
        RegistryError: The registry cannot answer.
    """
    return facts_of_all(site, (held,)).models[held.id]


def facts_of_all(
    site: Site, releases: Iterable[Held], progress: Progress | None = None
) -> SiteFacts:
    """Return the facts of *releases*; files that are in several are looked at once.

    Raises:
        RegistryError: The registry cannot answer.
    """
    chosen = {one.id: one for one in releases}
    listed = {key: one for key, one in chosen.items() if key not in site.models}
    files = {key: _looked_into(site, one) for key, one in listed.items()}
    wanted = {
        key: gathering.wanted(one, site.files(one)) for key, one in listed.items()
    }
    sought = (wanted[key][one.path] for key, some in files.items() for one in some)
    gathered = gathering.gather(site, sought, progress)
    for key, held in listed.items():
        site.models[key] = _model(held, files[key], wanted[key], gathered)
    models = {key: site.models[key] for key in chosen}
    return SiteFacts(models=models, looked=gathered.looked)


def _looked_into(site: Site, held: Held) -> Sequence[ReleaseFile]:
    files = site.files(held)
    if held.release.kind is Kind.OCI:
        return [one for one in files if one.format not in _LAYERS]
    return files


def _model(
    held: Held,
    files: Sequence[ReleaseFile],
    wanted: Mapping[str, Wanted],
    gathered: Gathered,
) -> ModelFacts:
    facts: dict[str, FileFacts] = {}
    problems: dict[str, str] = {}
    for file in files:
        key = wanted[file.path].key
        if key in gathered.facts:
            facts[file.path] = gathered.facts[key]
        else:
            problems[file.path] = gathered.problems[key]
    signs = [
        Placed(file=file, sign=one)
        for file in files
        if file.path in facts
        for one in facts[file.path].signs
    ]
    together = (
        Placed(file=file, sign=one, whole=True) for file, one in _together(files, facts)
    )
    return ModelFacts(
        held=held, files=facts, signs=(*signs, *together), problems=problems
    )


# --- what only all files together show ------------------------------------------


def _together(
    files: Sequence[ReleaseFile], facts: Mapping[str, FileFacts]
) -> Iterator[tuple[ReleaseFile, Sign]]:
    naming_others = [one for one in facts.values() if one.shards or one.outside]
    paths = {naming.show(file.path) for file in files} if naming_others else set()
    for file in files:
        known = facts.get(file.path)
        if known is not None:
            yield from ((file, one) for one in _lacking(file.path, known, paths))
        said = file.facts.get("security")
        if isinstance(said, str) and said in _FLAGGED:
            yield file, sign(Rule.UPSTREAM_FLAGGED, f"upstream calls it {said}")
    yield from _gaps(files)


def _lacking(path: str, known: FileFacts, paths: set[str]) -> Iterator[Sign]:
    folder = path.rpartition("/")[0]
    for rule, named in (
        (Rule.MISSING_SHARD, known.shards),
        (Rule.ONNX_OUTSIDE, known.outside),
    ):
        for one in named:
            place = one.removeprefix("./")
            if (f"{folder}/{place}" if folder else place) not in paths:
                yield sign(rule, f"{one} is named and not here")


def _gaps(files: Sequence[ReleaseFile]) -> Iterator[tuple[ReleaseFile, Sign]]:
    """Yield the parts that are missing of weights whose names count their parts."""
    there: dict[tuple[str, int], dict[int, ReleaseFile]] = defaultdict(dict)
    for file in files:
        if found := _SHARD.search(file.path):
            group = _SHARD.sub("", file.path), int(found[2])
            there[group][int(found[1])] = file
    for (name, count), parts in sorted(there.items()):
        lost = [n for n in range(1, min(count, _SHARDS) + 1) if n not in parts]
        if lost:
            told = ", ".join(map(str, lost[:20]))
            detail = f"part {told} of {count} of {name} is not here"
            yield parts[min(parts)], sign(Rule.MISSING_SHARD, detail)
