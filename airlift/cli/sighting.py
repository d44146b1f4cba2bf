"""What a scan station sees of a delivery, for people and for their scripts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airlift import naming
from airlift.artifact import Json, Release, ReleaseFile
from airlift.cli import output
from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import packing, release, scannable
from airlift.format.scannable import Sight
from airlift.inbound.media import Candidate

_WORDS = {
    Sight.OPEN: "open to any scanner, as they are",
    Sight.ARCHIVE: "open, and archives themselves: mind the scanner's depth",
    Sight.PIECES: "in pieces: a pattern across a cut is not seen",
    Sight.CODED: "coded: no scanner sees into them",
    Sight.ABSENT: "not here: an earlier delivery brought them",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a scanner sees of a delivery.

    Attributes:
        releases: What it brings.
        sights: Of each file, by digest.
        large: Names of volumes here that a common scanner passes unopened.
    """

    releases: tuple[Release, ...]
    sights: Mapping[Sha256, Sight]
    large: tuple[str, ...]

    def files(self, one: Release) -> list[Json]:
        """Return the files of a release, each with what a scanner sees of it."""
        return [
            {
                "path": file.path,
                "size": file.size,
                "sha256": file.sha256,
                "format": file.format,
                "class": file.content_class.value,
                "sight": self.sights[file.sha256].value,
            }
            for file in one.files
        ]

    def as_table(self) -> dict[str, Json]:
        """Return how many files are seen how, and the volumes that are too large."""
        files: dict[Sha256, ReleaseFile] = _files(self.releases)
        counts = Counter(self.sights[digest] for digest in files)
        sizes = Counter[Sight]()
        for digest, file in files.items():
            sizes[self.sights[digest]] += file.size
        listed: list[Json] = [
            {
                "sha256": file.sha256,
                "size": file.size,
                "sight": self.sights[file.sha256].value,
                "path": f"{one.name}/{file.path}",
            }
            for one in self.releases
            for file in one.files
        ]
        return {
            "counts": {
                str(one): {"files": counts[one], "bytes": sizes[one]}
                for one in Sight
                if counts[one]
            },
            "large_volumes": self.large,
            "files": listed,
        }


def look(records: Mapping[str, bytes], candidates: Sequence[Candidate]) -> Sighting:
    """Return what a scanner sees of the delivery with these signed *records*.

    Raises:
        FormatError: A record is missing or cannot be read.
    """
    if "records/packing.json" not in records:
        problem = f"{candidates[0].name} has no packing list"
        raise FormatError(problem, hint="copy it again from its source")
    releases = tuple(
        release.decode(data, name=name)
        for name, data in sorted(records.items())
        if name.startswith("records/releases/")
    )
    listing = packing.decode(records["records/packing.json"])
    return Sighting(
        releases=releases,
        sights=scannable.sights(listing, _files(releases)),
        large=tuple(
            one.name
            for one in candidates
            if one.path.stat().st_size >= scannable.CEILING
        ),
    )


def _files(releases: Sequence[Release]) -> dict[Sha256, ReleaseFile]:
    return {file.sha256: file for one in releases for file in one.files}


def show(table: Json, *, files: bool) -> None:
    """Print what ``Sighting.as_table`` returned; every file with *files*."""
    assert isinstance(table, dict)
    counts, large, listed = table["counts"], table["large_volumes"], table["files"]
    assert isinstance(counts, dict)
    assert isinstance(large, tuple)
    assert isinstance(listed, list)
    for word, told in counts.items():
        assert isinstance(told, dict)
        size = output.size(int(str(told["bytes"])))
        output.line(f"  {told['files']} file(s), {size}: {_WORDS[Sight(word)]}")
    for name in large:
        shown = naming.show(str(name))
        output.line(f"  {shown} has 2 GiB or more: many scanners pass it unopened")
    for one in listed if files else ():
        assert isinstance(one, dict)
        path = naming.show(str(one["path"]))
        output.line(f"{one['sha256']}  {one['sight']:<7}  {one['size']:>14}  {path}")
